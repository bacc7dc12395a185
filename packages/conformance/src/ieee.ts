/**
 * IEEE 754 across several operations: NaN, infinities, signed zeros and roundings that a compiler would
 * change if it computed as with real numbers, x·0 = 0 or (x + y) − y = x. Each chain is written once, for any
 * arithmetic: tensors on the device, fused into one kernel, against numbers that are rounded after every
 * operation. What is subnormal on the way may be flushed to 0, so such points are left out.
 */
import { compile, tensor } from '@firsthand/autograd';
import type { DType, Tensor } from '@firsthand/autograd';
import { fromFloat16Bits, toFloat16Bits } from '@firsthand/linalg';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { numbersOf } from './compare.ts';
import type { GetDevice } from './get-device.ts';
import { timeoutOf } from './random/graphs.ts';

/** What a chain is made of. The second operand may be a number, which becomes a literal of the kernel. */
interface Arithmetic<V> {
  add(a: V, b: V | number): V;
  sub(a: V, b: V | number): V;
  mul(a: V, b: V | number): V;
  div(a: V, b: V | number): V;
  maximum(a: V, b: V | number): V;
  minimum(a: V, b: V | number): V;
  neg(a: V): V;
  abs(a: V): V;
  sign(a: V): V;
  floor(a: V): V;
  /** a > b ? a : b */
  larger(a: V, b: V | number): V;
  /** 1 where a is NaN, else a. */
  withoutNaN(a: V): V;
  /** a = b, as 0 or 1. */
  equals(a: V, b: V | number): V;
  /** A literal as the first operand. */
  literal(value: number, like: V): V;
}

type Chain = <V>(o: Arithmetic<V>, x: V, y: V) => V;

const TENSORS: Arithmetic<Tensor> = {
  add: (a, b) => a.add(b),
  sub: (a, b) => a.sub(b),
  mul: (a, b) => a.mul(b),
  div: (a, b) => a.div(b),
  maximum: (a, b) => a.maximum(b),
  minimum: (a, b) => a.minimum(b),
  neg: (a) => a.neg(),
  abs: (a) => a.abs(),
  sign: (a) => a.sign(),
  floor: (a) => a.floor(),
  larger: (a, b) => a.where(a.gt(b), b),
  withoutNaN: (a) => a.where(a.isNaN().logicalNot(), 1),
  equals: (a, b) => a.eq(b).cast(a.dtype),
  literal: (value, like) => tensor(value, { dtype: like.dtype, device: like.device }),
};

type FloatType = Extract<DType, `float${string}`>;
const ROUND: { readonly [K in FloatType]: (x: number) => number } = {
  float64: (x) => x,
  float32: Math.fround,
  float16: (x) => fromFloat16Bits(toFloat16Bits(Math.fround(x))),
};
/** Below, positive numbers may be flushed to 0. */
const SMALLEST: { readonly [K in FloatType]: number } = {
  float64: 2 ** -1022,
  float32: 2 ** -126,
  float16: 0,
};

/** Numbers that are rounded after every operation; `note` is told of those that are subnormal. */
function numbers(dtype: FloatType, note: () => void): Arithmetic<number> {
  const r = (x: number): number => {
    const rounded = ROUND[dtype](x);
    if (
      (rounded !== 0 && Math.abs(rounded) < SMALLEST[dtype]) ||
      (rounded === 0 && x !== 0 && dtype !== 'float16')
    )
      note();
    return rounded;
  };
  return {
    add: (a, b) => r(a + r(b)),
    sub: (a, b) => r(a - r(b)),
    mul: (a, b) => r(a * r(b)),
    div: (a, b) => r(a / r(b)),
    maximum: (a, b) => Math.max(a, r(b)),
    minimum: (a, b) => Math.min(a, r(b)),
    neg: (a) => -a,
    abs: Math.abs,
    sign: Math.sign,
    floor: Math.floor,
    larger: (a, b) => (a > r(b) ? a : r(b)),
    withoutNaN: (a) => (Number.isNaN(a) ? 1 : a),
    equals: (a, b) => Number(a === r(b)),
    literal: r,
  };
}

const CHAINS: { readonly [title: string]: Chain } = {
  x·0: (o, x) => o.mul(x, 0),
  'x·(−0)': (o, x) => o.mul(x, -0),
  'x·0 + 1': (o, x) => o.add(o.mul(x, 0), 1),
  'y + x·0': (o, x, y) => o.add(y, o.mul(x, 0)),
  '(x + y)·0': (o, x, y) => o.mul(o.add(x, y), 0),
  'x·y·0 + 1': (o, x, y) => o.add(o.mul(o.mul(x, y), 0), 1),
  'x·∞': (o, x) => o.mul(x, Infinity),
  x·NaN: (o, x) => o.mul(x, NaN),
  'x + ∞ − ∞': (o, x) => o.sub(o.add(x, Infinity), Infinity),
  'x + 0': (o, x) => o.add(x, 0),
  'x + (−0)': (o, x) => o.add(x, -0),
  'x − 0': (o, x) => o.sub(x, 0),
  '0 − x': (o, x) => o.sub(o.literal(0, x), x),
  '0/x': (o, x) => o.div(o.literal(0, x), x),
  '1/x': (o, x) => o.div(o.literal(1, x), x),
  'x/0': (o, x) => o.div(x, 0),
  'x/∞': (o, x) => o.div(x, Infinity),
  'x − x': (o, x) => o.sub(x, x),
  'x + (−x)': (o, x) => o.add(x, o.neg(x)),
  'x/x': (o, x) => o.div(x, x),
  '−(x − y)': (o, x, y) => o.neg(o.sub(x, y)),
  '−(x − 2)': (o, x) => o.neg(o.sub(x, 2)),
  '2 − (x − 2)': (o, x) => o.sub(o.literal(2, x), o.sub(x, 2)),
  '(x + y) − y': (o, x, y) => o.sub(o.add(x, y), y),
  '(x − y) + y': (o, x, y) => o.add(o.sub(x, y), y),
  'x − (x − y)': (o, x, y) => o.sub(x, o.sub(x, y)),
  'y − (y + x)': (o, x, y) => o.sub(y, o.add(y, x)),
  '2x − x': (o, x) => o.sub(o.mul(x, 2), x),
  'x + 1e4 − 1e4': (o, x) => o.sub(o.add(x, 1e4), 1e4),
  'x·y/y': (o, x, y) => o.div(o.mul(x, y), y),
  'x/y·y': (o, x, y) => o.mul(o.div(x, y), y),
  'x·3/3': (o, x) => o.div(o.mul(x, 3), 3),
  'x/3·3': (o, x) => o.mul(o.div(x, 3), 3),
  'x·4096/4096': (o, x) => o.div(o.mul(x, 4096), 4096),
  'x·2⁻¹²·2¹²': (o, x) => o.mul(o.mul(x, 2 ** -12), 2 ** 12),
  'x/49': (o, x) => o.div(x, 49),
  'x/2 + y/2': (o, x, y) => o.add(o.div(x, 2), o.div(y, 2)),
  'x·y + x·(y + 1)': (o, x, y) => o.add(o.mul(x, y), o.mul(x, o.add(y, 1))),
  'x·y + 1 − x·y': (o, x, y) => o.sub(o.add(o.mul(x, y), 1), o.mul(x, y)),
  'x·y − x·y': (o, x, y) => o.sub(o.mul(x, y), o.mul(x, y)),
  'x = x': (o, x) => o.equals(x, x),
  'x·0 = 0': (o, x) => o.equals(o.mul(x, 0), 0),
  'x − y = 0': (o, x, y) => o.equals(o.sub(x, y), 0),
  'x = NaN': (o, x) => o.equals(x, NaN),
  'NaN where x·0 is': (o, x) => o.withoutNaN(o.mul(x, 0)),
  'NaN where x − x is': (o, x) => o.withoutNaN(o.sub(x, x)),
  'sign x·0': (o, x) => o.sign(o.mul(x, 0)),
  '|x·0|': (o, x) => o.abs(o.mul(x, 0)),
  'x between −1 and 1': (o, x) => o.minimum(o.maximum(x, -1), 1),
  'x·0 between −1 and 1': (o, x) => o.minimum(o.maximum(o.mul(x, 0), -1), 1),
  'max(x, NaN)': (o, x) => o.maximum(x, NaN),
  'max(x, y)·0': (o, x, y) => o.mul(o.maximum(x, y), 0),
  'x > y ? x : y': (o, x, y) => o.larger(x, y),
  '(x > 0 ? x : 0)·y': (o, x, y) => o.mul(o.larger(x, 0), y),
};

/** Numbers at which a chain may go wrong, by dtype: large enough to overflow when tripled. */
const points = (dtype: FloatType): readonly number[] => {
  const large = { float64: 1.5e308, float32: 3e38, float16: 6e4 }[dtype];
  return [0, -0, 1, -1, 3, -0.5, 49, 1 / 3, large, -large, large / 1024, Infinity, -Infinity, NaN].map(
    ROUND[dtype],
  );
};
const pairsOf = (values: readonly number[]): readonly (readonly [number, number])[] =>
  values.flatMap((x) => values.map((y) => [x, y] as const));

/** Lengths that fill no vector register, one, and a bit more: each has code of its own. */
const LENGTHS = [1, 3, 4, 5];
const DTYPES: readonly FloatType[] = ['float32', 'float16', 'float64'];

/**
 * The points at which a chain differs from what it is with numbers, as text. `relative` is what quotients may
 * be off: only IEEE's division is exact in WGSL.
 */
async function differences(
  device: GetDevice,
  chain: Chain,
  dtype: FloatType,
  at: readonly (readonly [number, number])[],
  { compiled, relative = 0 }: { readonly compiled: boolean; readonly relative?: number },
): Promise<readonly string[]> {
  const [x, y] = [0, 1].map((which) =>
    tensor(
      Float64Array.from(at, (point) => point[which]!),
      { dtype, device: device() },
    ),
  ) as [Tensor, Tensor];
  const f = (a: Tensor, b: Tensor): Tensor => chain(TENSORS, a, b);
  const values = await numbersOf((compiled ? compile(f) : f)(x, y));
  return at.flatMap((point, position) => {
    let isSubnormal = false;
    const expected = chain(
      numbers(dtype, () => (isSubnormal = true)),
      ...point,
    );
    const value = values[position]!;
    const isRight =
      isSubnormal ||
      Object.is(value, expected) ||
      (value !== 0 && Math.abs(value - expected) <= relative * Math.abs(expected) && expected !== 0);
    return isRight
      ? []
      : [`x = ${text(point[0])}, y = ${text(point[1])}: ${text(value)}, not ${text(expected)}`];
  });
}

const text = (x: number): string => (Object.is(x, -0) ? '-0' : String(x));

type Step = { readonly kind: number; readonly a: number; readonly b: number; readonly literal: number };
const LITERALS = [0, -0, 1, -1, 2, 0.5, 3, 49, 4096, 2 ** -12, Infinity, -Infinity, NaN];
const OF_ONE = ['neg', 'abs', 'sign', 'floor', 'withoutNaN'] as const;
// Without division, which WGSL lets be off by some units in the last place.
const OF_TWO = ['add', 'sub', 'mul', 'maximum', 'minimum', 'larger', 'equals'] as const;
const KINDS = [...OF_TWO, 'add', 'sub', 'mul', 'mul', ...OF_ONE] as const;

/** The chain that a list of steps is: each works on earlier values, or on one and a literal. */
const chainOf =
  (steps: readonly Step[]): Chain =>
  <V>(o: Arithmetic<V>, x: V, y: V): V => {
    const values = [x, y];
    for (const { kind, a, b, literal } of steps) {
      const name = KINDS[kind % KINDS.length]!;
      const first = values[a % values.length]!;
      const second = literal < LITERALS.length ? LITERALS[literal]! : values[b % values.length]!;
      values.push(
        (OF_ONE as readonly string[]).includes(name)
          ? o[name as 'neg'](first)
          : o[name as 'add'](first, second),
      );
    }
    return values.at(-1)!;
  };

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    kind: fc.nat(KINDS.length - 1),
    a: fc.nat(9),
    b: fc.nat(9),
    literal: fc.nat(2 * LITERALS.length),
  }),
  { minLength: 2, maxLength: 9, size: 'max' },
);

export function describeIEEE(device: GetDevice, randomPrograms: number): void {
  const dtypes = (): readonly FloatType[] => DTYPES.filter((dtype) => device().supports(dtype));

  test.each(Object.entries(CHAINS))('%s', async (title, chain) => {
    const relative = title.includes('/') ? 1e-6 : 0;
    for (const dtype of dtypes()) {
      const bound = dtype === 'float16' && relative > 0 ? 2 ** -10 : relative;
      for (const compiled of [false, true]) {
        const found = await differences(device, chain, dtype, pairsOf(points(dtype)), {
          compiled,
          relative: bound,
        });
        expect(found, `${dtype}${compiled ? ', compiled' : ''}`).toEqual([]);
      }
      for (const length of LENGTHS) {
        const at = points(dtype)
          .slice(-length)
          .map((x) => [x, x] as const);
        expect(
          await differences(device, chain, dtype, at, { compiled: false, relative: bound }),
          `${dtype}[${length}]`,
        ).toEqual([]);
      }
    }
  });

  test(`${randomPrograms} random chains`, { timeout: timeoutOf(randomPrograms) }, async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.boolean(), async (list, compiled) => {
        for (const dtype of dtypes()) {
          expect(
            await differences(device, chainOf(list), dtype, pairsOf(points(dtype)), { compiled }),
            dtype,
          ).toEqual([]);
        }
      }),
      { numRuns: randomPrograms, seed: 754 },
    );
  });
}
