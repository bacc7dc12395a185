/**
 * Reductions, their positions, running sums and sorting: every axis set, empty axes, NaN, ties. Ties of max
 * and min share the gradient equally (amax, amin); argmax and argmin take the first; NaN wins, and sorts
 * last.
 */
import { grad, hessian, sort, Tensor } from '@firsthand/autograd';
import { type ArgReduceKind, linearRecurrence, type ReduceKind, type ScanKind } from '@firsthand/graph';
import { ShapeError } from '@firsthand/linalg';
import { describe, expect, test } from 'vitest';
import { expectExact, expectValues, toTensor } from '../compare.ts';
import { expectGradients, expectSecondDerivatives } from '../gradients.ts';
import type { Dense } from '../oracle/dense.ts';
import { along, dense, reduceAxes, map, permute, sum, vector } from '../oracle/dense.ts';
import { samples } from '../oracle/samples.ts';
import type { GetDevice } from '../get-device.ts';

interface ReduceCase {
  readonly f: (values: readonly number[]) => number;
  /** What an empty axis gives; null where it is an error. */
  readonly empty: number | null;
  /** [row, result, gradient] */
  readonly edges: readonly (readonly [readonly number[], number, readonly number[]])[];
}

const { NaN: nan } = Number;
const inf = Infinity;

const REDUCE_CASES: { readonly [K in ReduceKind]: ReduceCase } = {
  sum: {
    f: sum,
    empty: 0,
    edges: [
      [[inf, -inf], nan, [1, 1]],
      [[nan, 1], nan, [1, 1]],
      [[1e30, 1], Math.fround(1e30), [1, 1]],
    ],
  },
  prod: {
    f: (values) => values.reduce((product, value) => product * value, 1),
    empty: 1,
    edges: [
      [[2, 0, 3], 0, [0, 6, 0]],
      [[0, 0, 3], 0, [0, 0, 0]],
      [[2, 3, 4, 5, 6], 720, [360, 240, 180, 144, 120]],
      [[nan, 0], nan, [0, nan]],
    ],
  },
  max: {
    f: (values) => Math.max(...values),
    empty: null,
    edges: [
      [[1, 3, 3], 3, [0, 0.5, 0.5]],
      [[2, 2, 2, 2], 2, [0.25, 0.25, 0.25, 0.25]],
      [[-inf, -inf], -inf, [0.5, 0.5]],
      [[1, nan], nan, [nan, nan]],
    ],
  },
  min: {
    f: (values) => Math.min(...values),
    empty: null,
    edges: [
      [[1, 3, 1], 1, [0.5, 0, 0.5]],
      [[inf, inf], inf, [0.5, 0.5]],
      [[nan, 1], nan, [nan, nan]],
    ],
  },
};

interface ArgReduceCase {
  readonly edges: readonly (readonly [readonly number[], number])[];
  readonly better: (a: number, b: number) => boolean;
}
const ARG_REDUCE_CASES: { readonly [K in ArgReduceKind]: ArgReduceCase } = {
  argmax: {
    better: (a, b) => a > b,
    edges: [
      [[1, 3, 3], 1],
      [[-inf, -inf], 0],
      [[1, nan, 5, nan], 1],
      [[-0, 0], 0],
    ],
  },
  argmin: {
    better: (a, b) => a < b,
    edges: [
      [[2, 1, 1], 1],
      [[inf, inf], 0],
      [[1, nan, -5, nan], 1],
    ],
  },
};

/** Shapes with each set of axes to reduce; undefined reduces all. */
const AXES: readonly (readonly [readonly number[], number | readonly number[] | undefined])[] = [
  [[], undefined],
  [[5], undefined],
  [[5], 0],
  [[2, 3], undefined],
  [[2, 3], 0],
  [[2, 3], -1],
  [[2, 3, 4], 1],
  [
    [2, 3, 4],
    [0, 2],
  ],
  [
    [2, 3, 4],
    [-1, 0],
  ],
  [[2, 1, 3], [1]],
  [[2, 3], []],
  [[0, 3], 1],
];

function axesOf(shape: readonly number[], axis: number | readonly number[] | undefined): number[] {
  if (axis === undefined) return shape.map((_, each) => each);
  return (typeof axis === 'number' ? [axis] : axis).map((each) => (each < 0 ? each + shape.length : each));
}

export function describeReduce(device: GetDevice): void {
  describe.each(Object.keys(REDUCE_CASES) as ReduceKind[])('%s', (kind) => {
    const { f, empty, edges } = REDUCE_CASES[kind];
    test.each(AXES)('values of %j over %j', async (shape, axis) => {
      const x = map(samples(shape, -2, 2), Math.fround);
      for (const keepDims of [false, true]) {
        const expected = reduceAxes(x, axesOf(shape, axis), keepDims, f);
        for (const dtype of (['float32', 'float64'] as const).filter((each) => device().supports(each))) {
          await expectValues(toTensor(x, dtype)[kind]({ axis, keepDims }), expected);
        }
      }
    });
    test('integers', async () => {
      const x = dense([2, 3], ([i, j]) => 3 * i! - 2 * j! + 1);
      await expectValues(
        toTensor(x, 'int32')[kind]({ axis: 1 }),
        reduceAxes(x, [1], false, (values) => f(values) + 0),
      );
    });
    test('views: transposed, flipped and stretched', async () => {
      const x = map(samples([3, 4], -2, 2), Math.fround);
      await expectValues(
        toTensor(x, 'float32').transpose().flip(0)[kind]({ axis: 1 }),
        reduceAxes(
          along(permute(x, [1, 0]), 0, (line) => line.toReversed()),
          [1],
          false,
          f,
        ),
      );
      await expectValues(
        toTensor(x, 'float32')
          .unsqueeze(0)
          .expand(2, 3, 4)
          [kind]({ axis: [0, 2] }),
        reduceAxes(x, [1], false, (values) => f([...values, ...values])),
      );
    });
    test('an empty axis', async () => {
      const x = toTensor(
        dense([2, 0], () => 0),
        'float32',
      );
      if (empty === null) expect(() => x[kind]({ axis: 1 })).toThrow(ShapeError);
      else await expectValues(x[kind]({ axis: 1 }), vector(empty, empty));
    });
    test.each(edges)('edges: %j', async (row, value, slopes) => {
      const x = toTensor(vector(...row), 'float32');
      await expectValues(x[kind](), { shape: [], data: [value] });
      await expectValues(grad((each) => each[kind]())(x), vector(...slopes));
    });
    test.each(AXES.filter(([shape]) => !shape.includes(0)))(
      'derivatives at %j over %j by central differences',
      async (shape, axis) => {
        const x = samples(shape, -2, 2, 5);
        await expectGradients(device(), (each) => each[kind]({ axis }), [x]);
        await expectSecondDerivatives(device(), (each) => each[kind]({ axis, keepDims: true }).square(), [x]);
      },
    );
  });
  test('a long float32 sum is no running sum: the error does not grow with the length', async () => {
    const count = 1 << 20;
    const x = toTensor(
      dense([], () => Math.fround(0.1)),
      'float32',
    ).expand(count);
    await expectValues(
      x.sum(),
      { shape: [], data: [count * Math.fround(0.1)] },
      { relative: 2e-6, absolute: 0 },
    );
  });
}

export function describeArgReduce(): void {
  describe.each(Object.keys(ARG_REDUCE_CASES) as ArgReduceKind[])('%s', (kind) => {
    const { better, edges } = ARG_REDUCE_CASES[kind];
    const first = (values: readonly number[]): number =>
      values.reduce((best, value, position) => (better(value, values[best]!) ? position : best), 0);
    test.each([
      [[5], 0],
      [[2, 3], 0],
      [[2, 3], 1],
      [[2, 3, 4], -2],
      [[2, 3], undefined],
    ] as const)('positions in %j along %j', async (shape, axis) => {
      const x = samples(shape, -2, 2);
      for (const keepDims of [false, true]) {
        const result = toTensor(x, 'float32')[kind]({ axis, keepDims });
        expect(result.dtype).toBe('int32');
        await expectValues(result, reduceAxes(x, axesOf(shape, axis), keepDims, first));
      }
    });
    test.each(edges)('ties take the first, NaN wins: %j', async (row, position) => {
      await expectValues(toTensor(vector(...row), 'float32')[kind](), { shape: [], data: [position] });
    });
    test('an empty axis has none', () => {
      expect(() =>
        toTensor(
          dense([2, 0], () => 0),
          'float32',
        )[kind]({ axis: 1 }),
      ).toThrow(ShapeError);
    });
  });
}

interface ScanCase {
  /** Of one operand, or of factors and terms. */
  readonly tensor: (x: Tensor, other: Tensor, axis: number) => Tensor;
  readonly line: (x: readonly number[], other: readonly number[]) => number[];
}
const SCAN_CASES: { readonly [K in ScanKind]: ScanCase } = {
  sum: {
    tensor: (x, _, axis) => x.cumsum(axis),
    line: (x) => x.map((_, position) => sum(x.slice(0, position + 1))),
  },
  prod: {
    tensor: (x, _, axis) => x.cumprod(axis),
    line: (x) =>
      x.map((_, position) => x.slice(0, position + 1).reduce((product, value) => product * value, 1)),
  },
  linear: {
    tensor: (x, other, axis) => new Tensor(linearRecurrence(x.read(), other.read(), axis)),
    // yᵢ = Σⱼ bⱼ·Πⱼ﹤ₖ﹤₌ᵢ aₖ
    line: (x, other) =>
      x.map((_, position) =>
        sum(
          other
            .slice(0, position + 1)
            .map((term, from) =>
              x.slice(from + 1, position + 1).reduce((product, factor) => product * factor, term),
            ),
        ),
      ),
  },
};

/** Two arrays, line by line. */
function alongBoth(x: Dense, other: Dense, axis: number, f: ScanCase['line']): Dense {
  let line = 0;
  const lines: (readonly number[])[] = [];
  along(other, axis, (each) => (lines.push(each), [...each]));
  return along(x, axis, (each) => f(each, lines[line++]!));
}

export function describeScan(device: GetDevice): void {
  describe.each(Object.keys(SCAN_CASES) as ScanKind[])('%s', (kind) => {
    const { tensor, line } = SCAN_CASES[kind];
    test.each([
      [[5], 0],
      [[1], 0],
      [[2, 3], 0],
      [[2, 3], -1],
      [[2, 3, 2], 1],
      [[300, 2], 0],
      [[0, 2], 0],
      [[2, 0], 1],
    ] as const)('scans %j along %j, in every precision', async (shape, axis) => {
      // Long lines of one sign: a sum that cancels has lost the digits that a device rounds.
      const low = shape.includes(300 as never) ? 0.5 : -1.5;
      const [x, other] = [1, 2].map((seed) => map(samples(shape, low, 1.5, seed), Math.fround)) as [
        Dense,
        Dense,
      ];
      const expected = alongBoth(x, other, axis < 0 ? axis + shape.length : axis, line);
      for (const dtype of (['float32', 'float64'] as const).filter((each) => device().supports(each))) {
        await expectValues(tensor(toTensor(x, dtype), toTensor(other, dtype), axis), expected);
      }
      if (shape.includes(0 as never) || shape.includes(300 as never)) return;
      await expectGradients(device(), (a, b) => tensor(a, b, axis), [x, other]);
      await expectSecondDerivatives(device(), (a, b) => tensor(a, b, axis).square(), [x, other]);
    });
    test('float16 is rounded when it is stored', async () => {
      const [x, other] = [vector(1.5, 0.25, -2, 3, 0.125), vector(1, -2, 0.5, 4, 1)];
      await expectExact(
        tensor(toTensor(x, 'float16'), toTensor(other, 'float16'), 0),
        vector(...line(x.data, other.data)),
      );
    });
    test('integers wrap', async () => {
      const [x, other] = [vector(65536, 65537, -3, 5), vector(1, 2 ** 31 - 1, 7, -1)];
      let total = kind === 'prod' ? 1 : 0;
      const expected = x.data.map((value, position) => {
        if (kind === 'sum') total = (total + value) | 0;
        else if (kind === 'prod') total = Math.imul(total, value);
        else total = (Math.imul(value, total) + other.data[position]!) | 0;
        return total;
      });
      await expectValues(tensor(toTensor(x, 'int32'), toTensor(other, 'int32'), 0), vector(...expected));
      const unsigned = map(x, (value) => value >>> 0);
      await expectValues(
        tensor(
          toTensor(unsigned, 'uint32'),
          toTensor(
            map(other, (value) => value >>> 0),
            'uint32',
          ),
          0,
        ),
        vector(...expected.map((value) => value >>> 0)),
      );
    });
    test('NaN and infinities go to the right', async () => {
      const [x, other] = [vector(1, 2, nan, 5), vector(1, 1, 1, 1)];
      await expectValues(
        tensor(toTensor(x, 'float32'), toTensor(other, 'float32'), 0),
        vector(...line(x.data, other.data)),
      );
      const infinite = vector(2, inf, 3, -1);
      await expectValues(
        tensor(toTensor(infinite, 'float32'), toTensor(other, 'float32'), 0),
        vector(...line(infinite.data, other.data)),
      );
    });
    test('views: transposed, flipped and stretched', async () => {
      const [x, other] = [samples([3, 4], -2, 2), samples([3, 4], -2, 2, 2)].map((each) =>
        map(each, Math.fround),
      ) as [Dense, Dense];
      const view = (each: Tensor): Tensor => each.transpose().flip(0).unsqueeze(0).expand(2, 4, 3);
      const dense_ = (each: Dense): Dense => along(permute(each, [1, 0]), 0, (column) => column.toReversed());
      const expected = alongBoth(dense_(x), dense_(other), 0, line);
      await expectValues(tensor(view(toTensor(x, 'float32')), view(toTensor(other, 'float32')), 1), {
        shape: [2, 4, 3],
        data: [...expected.data, ...expected.data],
      });
    });
  });

  /** Rows with none, one and several zeros, at the ends and inside. */
  const rows = [
    [2, -3, 0.5, 4],
    [0, 2, 3, -1],
    [2, 0, 3, 4],
    [2, 3, 4, 0],
    [0, 2, 0, 3],
    [0, 0, 0, 0],
    [-1, -0, 5, 2],
    [1e15, 1e15, 1e-15, 1e-15],
  ];
  const without = (row: readonly number[], ...positions: readonly number[]): number =>
    row.reduce((product, value, position) => (positions.includes(position) ? product : product * value), 1);

  test.each(rows.map((row) => [row]))(
    'derivatives of prod and cumprod at %j are products of the others',
    async (row) => {
      const x = toTensor(vector(...row), 'float32');
      const n = row.length;
      const weights = row.map((_, position) => position + 1);
      const weigh = (y: Tensor): Tensor => y.mul(toTensor(vector(...weights), 'float32')).sum();
      // ∂/∂xᵢ Π x and ∂²/∂xᵢ∂xⱼ Π x
      const first = (upTo: number, i: number): number => (i > upTo ? 0 : without(row.slice(0, upTo + 1), i));
      const second = (upTo: number, i: number, j: number): number =>
        i === j || Math.max(i, j) > upTo ? 0 : without(row.slice(0, upTo + 1), i, j);
      const gradient = row.map((_, i) => first(n - 1, i));
      await expectValues(grad((each) => each.prod())(x), vector(...gradient));
      await expectValues(
        hessian((each) => each.prod())(x),
        dense([n, n], ([i, j]) => second(n - 1, i!, j!)),
      );
      const total = (f: (upTo: number) => number): number =>
        sum(weights.map((weight, upTo) => weight * f(upTo)));
      await expectValues(
        grad((each) => weigh(each.cumprod(0)))(x),
        vector(...row.map((_, i) => total((upTo) => first(upTo, i)))),
      );
      await expectValues(
        hessian((each) => weigh(each.cumprod(0)))(x),
        dense([n, n], ([i, j]) => total((upTo) => second(upTo, i!, j!))),
      );
    },
  );
  test('the gradient of a long product has zeros and signs in place', async () => {
    const n = 1000;
    const row: number[] = Array.from({ length: n }, (_, position) =>
      position % 3 === 0 ? -1 : position % 3 === 1 ? 2 : 0.5,
    );
    const sign = (-1) ** Math.ceil(n / 3);
    const slopes = row.map((value) => (sign * without(row.map(Math.abs))) / value);
    await expectValues(grad((each) => each.prod())(toTensor(vector(...row), 'float32')), vector(...slopes));
    const hole = row.with(617, 0);
    const expected = hole.map((_, position) => (position === 617 ? without(hole, 617) : 0));
    await expectValues(
      grad((each) => each.prod())(toTensor(vector(...hole), 'float32')),
      vector(...expected),
    );
  });
  test('gradients of float16 products are rounded once', async () => {
    // 300·300 and the running products in between are beyond float16; the gradients are not.
    const row = [300, 300, 1 / 512, 1 / 256];
    const x = toTensor(vector(...row), 'float16');
    await expectValues(grad((each) => each.prod())(x), vector(...row.map((_, i) => without(row, i))));
    const last = (each: Tensor): Tensor => each.cumprod(0).narrow(0, 3, 1).sum();
    await expectValues(grad(last)(x), vector(...row.map((_, i) => without(row, i))));
  });
  test('the gradient of a product over several axes, none of them last', async () => {
    const x = map(samples([2, 3, 2, 2], -2, 2), (value) => (Math.abs(value) < 0.4 ? 0 : value));
    await expectGradients(device(), (each) => each.prod({ axis: [0, 2] }), [x]);
    await expectSecondDerivatives(device(), (each) => each.prod({ axis: [0, 2] }).square(), [x]);
  });
}

export function describeSort(device: GetDevice): void {
  const order = (line: readonly number[], descending: boolean): number[] =>
    line
      .map((_, position) => position)
      .sort((a, b) => {
        const [x, y] = [line[a]!, line[b]!];
        if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
        return descending ? y - x : x - y;
      });
  test.each([
    [[6], 0],
    [[3, 4], 0],
    [[3, 4], -1],
    [[2, 3, 2], 1],
    [[0], 0],
  ] as const)('sorts %j along %j, both ways', async (shape, axis) => {
    const x = map(samples(shape, -2, 2), Math.fround);
    for (const descending of [false, true]) {
      const { values, indices } = sort(toTensor(x, 'float32'), { axis, descending });
      const position = axis < 0 ? axis + shape.length : axis;
      await expectValues(
        indices,
        along(x, position, (line) => order(line, descending)),
      );
      await expectValues(
        values,
        along(x, position, (line) => order(line, descending).map((each) => line[each]!)),
      );
    }
  });
  test.each([false, true])('ties keep their order, NaN is last (descending: %j)', async (descending) => {
    const row = [2, nan, 1, 2, -inf, nan, inf, 1];
    const { values, indices } = sort(toTensor(vector(...row), 'float32'), { axis: 0, descending });
    await expectValues(indices, vector(...order(row, descending)));
    await expectExact(values, vector(...order(row, descending).map((position) => row[position]!)));
  });
  test('the gradient goes where the element came from', async () => {
    const f = (x: Tensor): Tensor => sort(x, { descending: true }).values.square();
    await expectGradients(device(), f, [samples([2, 4], -2, 2)]);
    await expectSecondDerivatives(device(), f, [samples([4], -2, 2)]);
  });
}
