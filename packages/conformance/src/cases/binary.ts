/**
 * The elementwise functions of two operands, and `where`: closed forms, broadcasting, integers, edges. Ties
 * of maximum and minimum share the gradient equally.
 */
import { grad, Tensor, where } from '@firsthand/autograd';
import type { DType } from '@firsthand/autograd';
import type { BinaryKind } from '@firsthand/graph';
import { binary, BINARY_RULES } from '@firsthand/graph';
import { describe, expect, test } from 'vitest';
import { expectExact, expectValues, toTensor } from '../compare.ts';
import { expectGradients, expectSecondDerivatives } from '../gradients.ts';
import type { Dense } from '../oracle/dense.ts';
import { map, scalar, vector, zip } from '../oracle/dense.ts';
import { samples } from '../oracle/samples.ts';
import type { GetDevice } from '../get-device.ts';

interface BinaryCase {
  readonly f: (a: number, b: number) => number;
  /** The same for int32. */
  readonly integer: ((a: number, b: number) => number) | null;
  /** Where it is smooth, for both operands; null where it gives no gradient. */
  readonly smooth: { readonly a: readonly [number, number]; readonly b: readonly [number, number] } | null;
  /** [a, b, f, ∂f/∂a, ∂f/∂b] */
  readonly edges: readonly (readonly [number, number, number, number, number])[];
}

const { NaN: nan } = Number;
const inf = Infinity;
const bit = (condition: boolean): number => (condition ? 1 : 0);
const wide = { a: [-2, 2], b: [-2, 2] } as const;
const positive = { a: [0.3, 2], b: [0.4, 3] } as const;
const floorMod = (a: number, b: number): number => a - b * Math.floor(a / b);
const compare = (f: (a: number, b: number) => boolean): BinaryCase => ({
  f: (a, b) => bit(f(a, b)),
  integer: (a, b) => bit(f(a, b)),
  smooth: null,
  edges: [
    [nan, nan],
    [nan, 1],
    [0, -0],
    [inf, inf],
    [-inf, inf],
    [1, 1],
    [1, 2],
    [2, 1],
  ].map(([a, b]) => [a!, b!, bit(f(a!, b!)), 0, 0]),
});
const logic = (f: (a: boolean, b: boolean) => boolean): BinaryCase => ({
  f: (a, b) => bit(f(a !== 0, b !== 0)),
  integer: null,
  smooth: null,
  edges: [],
});

const BINARY_CASES: { readonly [K in BinaryKind]: BinaryCase } = {
  add: {
    f: (a, b) => a + b,
    integer: (a, b) => (a + b) | 0,
    smooth: wide,
    edges: [
      [inf, -inf, nan, 1, 1],
      [-0, -0, -0, 1, 1],
      [nan, 1, nan, 1, 1],
    ],
  },
  sub: {
    f: (a, b) => a - b,
    integer: (a, b) => (a - b) | 0,
    smooth: wide,
    edges: [
      [inf, inf, nan, 1, -1],
      [-0, 0, -0, 1, -1],
      [1, nan, nan, 1, -1],
    ],
  },
  mul: {
    f: (a, b) => a * b,
    integer: Math.imul,
    smooth: wide,
    edges: [
      [0, inf, nan, inf, 0],
      [-0, 2, -0, 2, 0],
      [nan, 0, nan, 0, nan],
    ],
  },
  div: {
    f: (a, b) => a / b,
    integer: (a, b) => (b === 0 ? 0 : Math.trunc(a / b) | 0),
    smooth: { a: [-2, 2], b: [0.5, 2] },
    edges: [
      [1, 0, inf, inf, -inf],
      [0, 0, nan, inf, nan],
      [-1, 0, -inf, inf, inf],
      [1, inf, 0, 0, 0],
      [-0, 2, -0, 0.5, 0],
    ],
  },
  pow: {
    f: (a, b) => a ** b,
    integer: (a, b) =>
      b < 0 ? (Math.abs(a) === 1 ? a ** b : 0) : Number(BigInt.asIntN(32, BigInt(a) ** BigInt(b))),
    smooth: positive,
    // At a = 0 the slope in b is 0 for b ≥ 0; at b = 0 the slope in a is 0.
    edges: [
      [0, 0, 1, 0, 0],
      [0, 2, 0, 0, 0],
      [0, 1, 0, 1, 0],
      [2, 0, 1, 0, Math.LN2],
      [-2, 2, 4, -4, nan],
      [nan, 0, 1, 0, nan],
      [1, nan, 1, nan, 0],
      [-2, 0.5, nan, nan, nan],
    ],
  },
  mod: {
    f: floorMod,
    integer: (a, b) => (b === 0 ? 0 : floorMod(a, b) | 0),
    smooth: { a: [0.1, 0.9], b: [1.1, 1.9] },
    edges: [
      [-1, 3, 2, 1, 1],
      [1, -3, -2, 1, 1],
      [7, 3, 1, 1, -2],
      [1, 0, nan, 1, -inf],
    ],
  },
  maximum: {
    f: Math.max,
    integer: Math.max,
    smooth: wide,
    edges: [
      [1, 1, 1, 0.5, 0.5],
      [2, 1, 2, 1, 0],
      [-inf, 1, 1, 0, 1],
      [nan, 1, nan, 1, 1],
      [1, nan, nan, 1, 1],
    ],
  },
  minimum: {
    f: Math.min,
    integer: Math.min,
    smooth: wide,
    edges: [
      [1, 1, 1, 0.5, 0.5],
      [2, 1, 1, 0, 1],
      [-inf, 1, -inf, 1, 0],
      [nan, 1, nan, 1, 1],
    ],
  },
  eq: compare((a, b) => a === b),
  ne: compare((a, b) => a !== b),
  lt: compare((a, b) => a < b),
  le: compare((a, b) => a <= b),
  gt: compare((a, b) => a > b),
  ge: compare((a, b) => a >= b),
  logicalAnd: logic((a, b) => a && b),
  logicalOr: logic((a, b) => a || b),
};

const BROADCASTS: readonly (readonly [readonly number[], readonly number[]])[] = [
  [[], []],
  [[3], []],
  [[], [2, 2]],
  [[2, 3], [3]],
  [
    [2, 1],
    [1, 3],
  ],
  [
    [4, 1, 2],
    [3, 1],
  ],
  [[0], [1]],
  [
    [2, 0, 3],
    [1, 1, 3],
  ],
];

const kinds = Object.keys(BINARY_CASES) as BinaryKind[];

const withNumber = (kind: BinaryKind, x: Tensor, value: number): Tensor =>
  new Tensor(binary(kind, x.read(), value));
const edgesOf = (kind: BinaryKind, column: 0 | 1 | 2 | 3 | 4): Dense =>
  vector(...BINARY_CASES[kind].edges.map((edge) => edge[column]));
const integerKinds = kinds.filter((kind) => BINARY_CASES[kind].integer !== null);
const smoothKinds = kinds.filter((kind) => BINARY_CASES[kind].smooth !== null);

export function describeBinary(device: GetDevice): void {
  describe.each(kinds)('%s', (kind) => {
    const { f, smooth } = BINARY_CASES[kind];
    const dtypes: readonly DType[] = BINARY_RULES[kind] === 'logic' ? ['bool'] : ['float32', 'float64'];
    const operand = (shape: readonly number[], which: 'a' | 'b', dtype: DType): Dense => {
      const x = samples(shape, ...(smooth ?? wide)[which], which === 'a' ? 1 : 2);
      const round =
        dtype === 'bool'
          ? (value: number): number => bit(value > 0)
          : dtype === 'float32'
            ? Math.fround
            : (value: number): number => value;
      return map(x, round);
    };
    test.each(BROADCASTS)('values of %j and %j', async (a, b) => {
      for (const dtype of dtypes.filter((each) => device().supports(each))) {
        const [x, y] = [operand(a, 'a', dtype), operand(b, 'b', dtype)];
        await expectValues(toTensor(x, dtype)[kind](toTensor(y, dtype)), zip(x, y, f));
      }
    });
  });

  test.each(kinds.filter((kind) => BINARY_CASES[kind].edges.length > 0))(
    '%s: edges, NaN and infinities',
    async (kind) => {
      await expectExact(
        toTensor(edgesOf(kind, 0), 'float32')[kind](toTensor(edgesOf(kind, 1), 'float32')),
        edgesOf(kind, 2),
      );
    },
  );

  test.each(integerKinds)('%s of int32: wraps, truncates, and divides by zero to 0', async (kind) => {
    const integer = BINARY_CASES[kind].integer!;
    const exact = (x: number, y: number): number => integer(x, y) + 0;
    const a = vector(7, -7, 7, -7, 5, 0, 2 ** 31 - 1, -(2 ** 31), 3, -1);
    const b = vector(2, 2, -2, -2, 0, 0, 2, 3, 3, -3);
    await expectValues(toTensor(a, 'int32')[kind](toTensor(b, 'int32')), zip(a, b, exact));
    await expectValues(withNumber(kind, toTensor(a, 'int32'), 2), zip(a, scalar(2), exact));
  });

  test.each(kinds.filter((kind) => BINARY_RULES[kind] === 'compare'))(
    '%s gives bool, and no gradient',
    (kind) => {
      const result = withNumber(kind, toTensor(vector(1, 2), 'float32', { requiresGrad: true }), 1);
      expect(result.dtype).toBe('bool');
      expect(result.requiresGrad).toBe(false);
    },
  );

  describe.each(smoothKinds)('%s: derivatives', (kind) => {
    const smooth = BINARY_CASES[kind].smooth!;
    test.each([
      [[], []],
      [[2, 3], [3]],
      [
        [2, 1],
        [1, 2],
      ],
      [[3], []],
    ])('first and second, by central differences at %j and %j', async (a, b) => {
      const inputs = [samples(a, ...smooth.a, 3), samples(b, ...smooth.b, 4)];
      await expectGradients(device(), (x, y) => x[kind](y), inputs);
      await expectSecondDerivatives(device(), (x, y) => x[kind](y), inputs);
    });
    test('at edges and ties', async () => {
      const [a, b] = [toTensor(edgesOf(kind, 0), 'float32'), toTensor(edgesOf(kind, 1), 'float32')];
      await expectValues(grad((x) => x[kind](b).sum())(a), edgesOf(kind, 3));
      await expectValues(grad((y) => a[kind](y).sum())(b), edgesOf(kind, 4));
    });
  });
}

export function describeWhere(device: GetDevice): void {
  const condition = vector(1, 0, 1);
  test('picks by the condition, and broadcasts', async () => {
    const a = samples([2, 1], -1, 1);
    const expected = zip(
      zip(a, condition, (x, c) => (c === 1 ? x : 5)),
      scalar(0),
      (x) => Math.fround(x),
    );
    await expectValues(where(toTensor(condition, 'bool'), toTensor(a, 'float32'), 5), expected);
  });
  test('the branch that is not taken may be NaN or infinite, and does not disturb the gradient', async () => {
    const x = toTensor(vector(0, 2), 'float32');
    const safe = (each: Tensor): Tensor => where(each.gt(1), each, each.detach());
    await expectExact(where(x.gt(1), x.log(), x), vector(0, Math.fround(Math.log(2))));
    await expectValues(grad((each) => safe(each).sum())(x), vector(0, 1));
  });
  test('derivatives of both branches', async () => {
    const inputs = [samples([3], -1, 1), samples([2, 3], -1, 1, 2)];
    const f = (a: Tensor, b: Tensor): Tensor =>
      where(toTensor(condition, 'bool', { device: a.device }), a.square(), b.exp());
    await expectGradients(device(), f, inputs);
    await expectSecondDerivatives(device(), f, inputs);
  });
}
