/**
 * Reductions, their positions, running sums and sorting: every axis set, empty axes, NaN, ties. Ties of max and min share the
 * gradient equally (amax, amin); argmax and argmin take the first; NaN wins, and sorts last.
 */
import { grad, sort, type Tensor } from '@firsthand/autograd';
import type { ArgReduceKind, ReduceKind } from '@firsthand/graph';
import { ShapeError } from '@firsthand/linalg';
import { describe, expect, test } from 'vitest';
import { expectExact, expectValues, toTensor } from '../compare.ts';
import { expectGradients, expectSecondDerivatives } from '../gradients.ts';
import { along, dense, fold, map, permute, sum, vector } from '../oracle/dense.ts';
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
        const expected = fold(x, axesOf(shape, axis), keepDims, f);
        for (const dtype of (['float32', 'float64'] as const).filter((each) => device().supports(each))) {
          await expectValues(toTensor(x, dtype)[kind]({ axis, keepDims }), expected);
        }
      }
    });
    test('integers', async () => {
      const x = dense([2, 3], ([i, j]) => 3 * i! - 2 * j! + 1);
      await expectValues(
        toTensor(x, 'int32')[kind]({ axis: 1 }),
        fold(x, [1], false, (values) => f(values) + 0),
      );
    });
    test('views: transposed, flipped and stretched', async () => {
      const x = map(samples([3, 4], -2, 2), Math.fround);
      await expectValues(
        toTensor(x, 'float32').transpose().flip(0)[kind]({ axis: 1 }),
        fold(
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
        fold(x, [1], false, (values) => f([...values, ...values])),
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
    test.each(AXES.filter(([shape]) => !shape.includes(0)))('derivatives at %j over %j by central differences', async (shape, axis) => {
      const x = samples(shape, -2, 2, 5);
      await expectGradients(device(), (each) => each[kind]({ axis }), [x]);
      await expectSecondDerivatives(device(), (each) => each[kind]({ axis, keepDims: true }).square(), [x]);
    });
  });
  test('a long float32 sum is no running sum: the error does not grow with the length', async () => {
    const count = 1 << 20;
    const x = toTensor(
      dense([], () => Math.fround(0.1)),
      'float32',
    ).expand(count);
    await expectValues(x.sum(), { shape: [], data: [count * Math.fround(0.1)] }, { relative: 2e-6, absolute: 0 });
  });
}

export function describeArgReduce(): void {
  describe.each(Object.keys(ARG_REDUCE_CASES) as ArgReduceKind[])('%s', (kind) => {
    const { better, edges } = ARG_REDUCE_CASES[kind];
    const first = (values: readonly number[]): number =>
      values.reduce((best, value, place) => (better(value, values[best]!) ? place : best), 0);
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
        await expectValues(result, fold(x, axesOf(shape, axis), keepDims, first));
      }
    });
    test.each(edges)('ties take the first, NaN wins: %j', async (row, place) => {
      await expectValues(toTensor(vector(...row), 'float32')[kind](), { shape: [], data: [place] });
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

const running = (line: readonly number[]): number[] => line.map((_, place) => sum(line.slice(0, place + 1)));

export function describeScan(device: GetDevice): void {
  test.each([
    [[5], 0],
    [[2, 3], 0],
    [[2, 3], -1],
    [[2, 3, 2], 1],
    [[0, 2], 0],
    [[2, 0], 1],
  ] as const)('running sums of %j along %j', async (shape, axis) => {
    const x = map(samples(shape, -2, 2), Math.fround);
    await expectValues(toTensor(x, 'float32').cumsum(axis), along(x, axis < 0 ? axis + shape.length : axis, running));
    if (shape.includes(0 as never)) return;
    await expectGradients(device(), (each) => each.cumsum(axis), [x]);
    await expectSecondDerivatives(device(), (each) => each.cumsum(axis).square(), [x]);
  });
  test('integers, NaN', async () => {
    await expectValues(toTensor(vector(1, -2, 5), 'int32').cumsum(0), vector(1, -1, 4));
    await expectValues(toTensor(vector(1, nan, 5), 'float32').cumsum(0), vector(1, nan, nan));
  });
}

export function describeSort(device: GetDevice): void {
  const order = (line: readonly number[], descending: boolean): number[] =>
    line
      .map((_, place) => place)
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
      const { values, indices } = sort(toTensor(x, 'float32'), axis, descending);
      const place = axis < 0 ? axis + shape.length : axis;
      await expectValues(
        indices,
        along(x, place, (line) => order(line, descending)),
      );
      await expectValues(
        values,
        along(x, place, (line) => order(line, descending).map((each) => line[each]!)),
      );
    }
  });
  test.each([false, true])('ties keep their order, NaN is last (descending: %j)', async (descending) => {
    const row = [2, nan, 1, 2, -inf, nan, inf, 1];
    const { values, indices } = sort(toTensor(vector(...row), 'float32'), 0, descending);
    await expectValues(indices, vector(...order(row, descending)));
    await expectExact(values, vector(...order(row, descending).map((place) => row[place]!)));
  });
  test('the gradient goes where the element came from', async () => {
    const f = (x: Tensor): Tensor => sort(x, -1, true).values.square();
    await expectGradients(device(), f, [samples([2, 4], -2, 2)]);
    await expectSecondDerivatives(device(), f, [samples([4], -2, 2)]);
  });
}
