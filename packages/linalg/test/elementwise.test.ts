/**
 * Elementwise kernels: every kind on every type against a scalar rule read through `get`, broadcasting
 * included, and the edges of each number format.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  array,
  arange,
  binary,
  DTypeError,
  fromFloat16Bits,
  full,
  linspace,
  type NDArray,
  ShapeError,
  toFloat16Bits,
  unary,
  where,
  type BinaryKind,
  type DType,
  type UnaryKind,
} from '../src/index.ts';
import { elements, fullShapes, indicesOf, layouts } from './helpers.ts';

const roundEven = (x: number): number => {
  const low = Math.floor(x);
  return x - low < 0.5 ? low : x - low > 0.5 ? low + 1 : low % 2 === 0 ? low : low + 1;
};

/** Scalar rules for floats, kept apart from the source's loops. */
const UNARY_RULES: Record<UnaryKind, (x: number) => number> = {
  neg: (x) => -x,
  abs: Math.abs,
  sign: Math.sign,
  exp: Math.exp,
  expm1: Math.expm1,
  log: Math.log,
  log1p: Math.log1p,
  sqrt: Math.sqrt,
  rsqrt: (x) => 1 / Math.sqrt(x),
  reciprocal: (x) => 1 / x,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  tanh: Math.tanh,
  erf: erfBySeries,
  normalCdf: normalCdfByFraction,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  floor: Math.floor,
  ceil: Math.ceil,
  round: roundEven,
  logicalNot: (x) => (x === 0 ? 1 : 0),
  isNaN: (x) => (Number.isNaN(x) ? 1 : 0),
};
const BINARY_RULES: Record<BinaryKind, (x: number, y: number) => number> = {
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  mul: (x, y) => x * y,
  div: (x, y) => x / y,
  pow: (x, y) => x ** y,
  mod: (x, y) => x - y * Math.floor(x / y),
  maximum: (x, y) => (x > y ? x : y),
  minimum: (x, y) => (x < y ? x : y),
  eq: (x, y) => Number(x === y),
  ne: (x, y) => Number(x !== y),
  lt: (x, y) => Number(x < y),
  le: (x, y) => Number(x <= y),
  gt: (x, y) => Number(x > y),
  ge: (x, y) => Number(x >= y),
  logicalAnd: (x, y) => Number(x !== 0 && y !== 0),
  logicalOr: (x, y) => Number(x !== 0 || y !== 0),
};

/** erf(x) = 2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (2n+1)!!, every term positive: no cancellation. */
function erfBySeries(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; n < 200; n++) sum += term *= (2 * x * x) / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/**
 * Φ(x) = ½ + φ(x)·Σ x²ⁿ⁺¹/(2n+1)!! about 0, and φ(x)/(z + 1/(z + 2/(z + …))) for x = −z further out. Numbers
 * of few bits, so that −x²/2 is exact.
 */
function normalCdfByFraction(x: number): number {
  const z = Math.abs(x);
  const head = Math.fround(z);
  const density =
    (Math.exp(-(head ** 2) / 2) * Math.exp(((head - z) * (head + z)) / 2)) / Math.sqrt(2 * Math.PI);
  if (z < 1) {
    let term = x;
    let sum = x;
    for (let n = 1; n < 60; n++) sum += term *= (x * x) / (2 * n + 1);
    return 0.5 + density * sum;
  }
  let fraction = z;
  for (let n = 1000; n > 0; n--) fraction = z + n / fraction;
  return x < 0 ? density / fraction : 1 - density / fraction;
}

/**
 * Within a relative tolerance, or, below the smallest normal number of a type, an absolute one; what a type
 * cannot hold is infinite.
 */
function expectNear(got: number, expected: number, tolerance: number, smallest: number): void {
  const largest = smallest === 2 ** -14 ? 65520 : Infinity;
  const bounded = Math.abs(expected) >= largest ? Math.sign(expected) * Infinity : expected;
  if (!Number.isFinite(bounded)) expect(got).toBe(bounded);
  else expect(Math.abs(got - bounded)).toBeLessThanOrEqual(tolerance * Math.max(Math.abs(bounded), smallest));
}

describe('unary', () => {
  const samples = [
    -50, -7.3, -2.5, -1.5, -1, -0.5, -0.3, 0, 1e-9, 0.3, 0.5, 0.84, 1, 1.2, 1.5, 2.5, 2.9, 5.5, 30,
  ];
  test.each(Object.keys(UNARY_RULES) as UnaryKind[])('%s in float64, float32 and float16', (kind) => {
    for (const [dtype, tolerance, smallest] of [
      ['float64', 1e-14, 2 ** -1022],
      ['float32', 2 ** -24, 2 ** -126],
      ['float16', 2 ** -11, 2 ** -14],
    ] as const) {
      const x = array(samples, { dtype });
      const y = unary(kind, x);
      samples.forEach((_, i) => expectNear(y.get(i), UNARY_RULES[kind](x.get(i)), tolerance, smallest));
    }
  });

  test('any layout gives what its packed copy gives', () => {
    fc.assert(
      fc.property(
        fullShapes.chain((shape) => layouts(shape)),
        (x) => {
          expect(elements(unary('neg', x))).toEqual(elements(x).map((value) => -value));
        },
      ),
    );
  });

  test('NaN and infinities', () => {
    const x = array([NaN, Infinity, -Infinity], { dtype: 'float64' });
    const kinds = Object.keys(UNARY_RULES) as UnaryKind[];
    for (const kind of kinds.filter((k) => k !== 'isNaN' && k !== 'logicalNot'))
      expect(unary(kind, x).get(0), kind).toBeNaN();
    expect(unary('erf', x).toArray()).toEqual([NaN, 1, -1]);
    expect(unary('sigmoid', x).toArray()).toEqual([NaN, 1, 0]);
    expect(unary('isNaN', x).toArray()).toEqual([true, false, false]);
    expect(unary('logicalNot', x).toArray()).toEqual([false, false, false]);
  });

  test('erf is within a few units in the last place of its series, on a fine grid', () => {
    const x = linspace(-3, 3, 6001, { dtype: 'float64' });
    elements(unary('erf', x)).forEach((value, i) =>
      expect(Math.abs(value - erfBySeries(x.get(i)))).toBeLessThanOrEqual(2e-15 * Math.abs(value)),
    );
  });

  test('erf agrees with published values (Abramowitz and Stegun, table 7.1)', () => {
    const x = array([0.5, 1, 1.5, 2], { dtype: 'float64' });
    [0.5204998778, 0.8427007929, 0.9661051465, 0.995322265].forEach((value, i) =>
      expect(unary('erf', x).get(i)).toBeCloseTo(value, 10),
    );
  });

  test('the normal distribution function keeps its digits far to the left (values by mpmath)', () => {
    const known = [
      [-0.5, 0.3085375387259869],
      [-1, 0.15865525393145705],
      [-1.5, 0.06680720126885807],
      [-1.75, 0.04005915686381709],
      [-2.8, 0.002555130330427933],
      [-5, 2.866515718791939e-7],
      [-10, 7.619853024160525e-24],
      [-20, 2.7536241186062337e-89],
      [-37, 5.725571222524577e-300],
      [-38, 2.88542835e-316],
      [0.5, 0.6914624612740131],
      [2, 0.9772498680518208],
    ] as const;
    const x = array(
      known.map(([point]) => point),
      { dtype: 'float64' },
    );
    const y = elements(unary('normalCdf', x));
    known.forEach(([point, value], i) =>
      expect(Math.abs(y[i]! / value - 1), `${point}`).toBeLessThan(point === -38 ? 1e-7 : 1e-15),
    );
    expect(
      elements(unary('normalCdf', array([-Infinity, -40, 0, 9, Infinity], { dtype: 'float64' }))),
    ).toEqual([0, 0, 0.5, 1, 1]);
  });

  test('integers wrap, and floats alone are taken by functions that make fractions', () => {
    expect(unary('neg', array([-2147483648, 5], { dtype: 'int32' })).toArray()).toEqual([-2147483648, -5]);
    expect(unary('neg', array([1], { dtype: 'uint32' })).toArray()).toEqual([4294967295]);
    expect(() => unary('exp', array([1], { dtype: 'int32' }))).toThrow(
      "exp: int32 elements, but it takes floats; use astype('float32')",
    );
    expect(() => unary('neg', array([true]))).toThrow(DTypeError);
  });
});

describe('binary', () => {
  test.each(Object.keys(BINARY_RULES) as BinaryKind[])('%s broadcasts any layouts', (kind) => {
    const pairs = fullShapes.chain((shape) =>
      fc
        .tuple(fc.subarray([...shape.keys()]), fc.nat(shape.length))
        .chain(([single, dropped]) =>
          fc.tuple(
            layouts(shape),
            layouts(shape.map((length, axis) => (single.includes(axis) ? 1 : length)).slice(dropped)),
            fc.constant(shape),
          ),
        ),
    );
    fc.assert(
      fc.property(pairs, fc.boolean(), ([a, b, shape], swap) => {
        const [x, y] = swap ? [b, a] : [a, b];
        const z = binary(kind, x, y);
        expect(z.shape).toEqual(shape);
        const at = (v: NDArray, index: number[]): number =>
          v.get(...index.slice(shape.length - v.ndim).map((i, axis) => (v.shape[axis] === 1 ? 0 : i)));
        for (const index of indicesOf(shape)) {
          const expected = BINARY_RULES[kind](at(x, index), at(y, index));
          if (kind === 'mod' && at(y, index) === 0) expect(z.get(...index)).toBeNaN();
          else expect(z.get(...index)).toBe(expected);
        }
      }),
      { numRuns: 40 },
    );
  });

  test('int32 and uint32 arithmetic is exact modulo 2^32, against BigInt', () => {
    const wrap = (value: bigint, dtype: 'int32' | 'uint32'): number =>
      Number(dtype === 'int32' ? BigInt.asIntN(32, value) : BigInt.asUintN(32, value));
    const values = {
      int32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      uint32: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    };
    for (const dtype of ['int32', 'uint32'] as const) {
      fc.assert(
        fc.property(values[dtype], values[dtype], fc.nat(9), (a, b, e) => {
          const [x, y] = [array([a], { dtype }), array([b], { dtype })];
          const [p, q] = [BigInt(a), BigInt(b)];
          expect(binary('add', x, y).get(0)).toBe(wrap(p + q, dtype));
          expect(binary('sub', x, y).get(0)).toBe(wrap(p - q, dtype));
          expect(binary('mul', x, y).get(0)).toBe(wrap(p * q, dtype));
          expect(binary('div', x, y).get(0)).toBe(b === 0 ? 0 : wrap(p / q, dtype));
          expect(binary('mod', x, y).get(0)).toBe(b === 0 ? 0 : wrap(((p % q) + q) % q, dtype));
          expect(binary('pow', x, e).get(0)).toBe(wrap(p ** BigInt(e), dtype));
        }),
      );
    }
    expect(
      binary(
        'pow',
        array([-1, -1, 1, 2, 0], { dtype: 'int32' }),
        array([-3, -2, -5, -1, -1], { dtype: 'int32' }),
      ).toArray(),
    ).toEqual([-1, 1, 1, 0, 0]);
    expect(binary('div', array([-7], { dtype: 'int32' }), 2).toArray()).toEqual([-3]);
  });

  test('remainder has the divisor’s sign; powers follow IEEE 754; maximum and minimum pass NaN', () => {
    const f = (...v: number[]): NDArray => array(v, { dtype: 'float64' });
    expect(binary('mod', f(5.5, -5.5, 5.5, -5.5), f(3, 3, -3, -3)).toArray()).toEqual([2.5, 0.5, -0.5, -2.5]);
    expect(binary('pow', f(1, -1, NaN, 1, -8), f(NaN, Infinity, 0, -Infinity, 1 / 3)).toArray()).toEqual([
      1,
      1,
      1,
      1,
      NaN,
    ]);
    for (const kind of ['maximum', 'minimum'] as const)
      expect(binary(kind, f(NaN, 1), f(1, NaN)).toArray()).toEqual([NaN, NaN]);
    expect(binary('eq', f(NaN), f(NaN)).toArray()).toEqual([false]);
    expect(binary('ne', f(NaN), f(NaN)).toArray()).toEqual([true]);
  });

  test('float32 results are the float64 results rounded once', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true }), fc.float({ noNaN: true }), (a, b) => {
        for (const kind of ['add', 'sub', 'mul', 'div'] as const) {
          expect(binary(kind, array([a]), array([b])).get(0)).toBe(Math.fround(BINARY_RULES[kind](a, b)));
        }
      }),
    );
  });

  test('bool has order and logic, but no arithmetic', () => {
    const [x, y] = [array([true, true, false]), array([true, false, false])];
    expect(binary('maximum', x, y).toArray()).toEqual([true, true, false]);
    expect(binary('minimum', x, y).toArray()).toEqual([true, false, false]);
    expect(binary('lt', y, x).toArray()).toEqual([false, true, false]);
    expect(binary('logicalAnd', array([NaN, 0]), array([1, 1])).toArray()).toEqual([true, false]);
    expect(() => binary('add', x, y)).toThrow(
      "add: bool elements, but it takes numbers; use astype('int32')",
    );
  });

  test('types and shapes must fit', () => {
    expect(() => binary('add', array([1]), array([1], { dtype: 'int32' }))).toThrow(
      "add: element types differ: float32 and int32; convert one with astype('float32')",
    );
    expect(() => binary('add', array([1], { dtype: 'int32' }), 0.5)).toThrow('add: 0.5 is no int32 value');
    expect(() => binary('add', arange(3), arange(4))).toThrow(
      'add: shapes [3] and [4] do not broadcast: sizes 3 and 4 meet, and neither is 1',
    );
    expect(binary('sub', 10, array([1, 2], { dtype: 'int32' })).toArray()).toEqual([9, 8]);
    expect(binary('add', arange(0), 1).shape).toEqual([0]);
    expect(binary('add', full([0, 3], 1), full([1, 3], 1)).shape).toEqual([0, 3]);
  });
});

describe('where', () => {
  test('selects in every type, with broadcasting', () => {
    const condition = array([[true], [false]]);
    for (const dtype of ['float32', 'float64', 'float16', 'int32', 'uint32'] as const) {
      expect(where(condition, array([1, 2], { dtype }), 7).toArray()).toEqual([
        [1, 2],
        [7, 7],
      ]);
    }
    expect(where(condition, array([true, false]), array([true, true])).toArray()).toEqual([
      [true, false],
      [true, true],
    ]);
    expect(where(array([true, false]), array([NaN, 1]), array([1, NaN])).toArray()).toEqual([NaN, NaN]);
  });

  test('takes a bool condition', () => {
    expect(() => where(array([1]), 1, 2)).toThrow(
      "where: the condition is float32, not bool; compare, or use astype('bool')",
    );
    expect(() => where(array([true, false]), arange(3), 0)).toThrow(ShapeError);
  });
});

describe('types', () => {
  test('astype truncates, saturates and takes NaN to 0', () => {
    const x = array([1.9, -1.9, 3e10, -3e10, NaN, Infinity], { dtype: 'float64' });
    expect(x.astype('int32').toArray()).toEqual([1, -1, 2147483647, -2147483648, 0, 2147483647]);
    expect(x.astype('uint32').toArray()).toEqual([1, 0, 4294967295, 0, 0, 4294967295]);
    expect(x.astype('bool').toArray()).toEqual([true, true, true, true, true, true]);
    expect(array([-1], { dtype: 'int32' }).astype('uint32').toArray()).toEqual([4294967295]);
    expect(array([4294967295], { dtype: 'uint32' }).astype('int32').toArray()).toEqual([-1]);
    expect(x.astype('float64')).toBe(x);
  });

  test('every pair of types converts small whole numbers exactly', () => {
    const types: DType[] = ['float32', 'float64', 'float16', 'int32', 'uint32', 'bool'];
    for (const from of types)
      for (const to of types) {
        const x = array([0, 1, 5], { dtype: from });
        const expected = from === 'bool' || to === 'bool' ? [0, 1, 1] : [0, 1, 5];
        expect(elements(x.astype(to)), `${from} to ${to}`).toEqual(expected);
        expect(elements(x.flip().astype(to))).toEqual([...expected].reverse());
      }
  });

  test('all 65536 float16 values survive the round trip; rounding is to nearest, ties to even', () => {
    for (let bits = 0; bits < 65536; bits++) {
      const value = fromFloat16Bits(bits);
      if (Number.isNaN(value)) expect(toFloat16Bits(value)).toBe(0x7e00);
      else if (toFloat16Bits(value) !== bits)
        throw new Error(`0x${bits.toString(16)} came back as 0x${toFloat16Bits(value).toString(16)}`);
      if (bits < 0x7bff) {
        const middle = (value + fromFloat16Bits(bits + 1)) / 2;
        const even = bits % 2 === 0 ? bits : bits + 1;
        if (toFloat16Bits(middle) !== even)
          throw new Error(`the middle above 0x${bits.toString(16)} is not rounded to even`);
        if (toFloat16Bits(middle * (1 + 1e-12)) !== bits + 1)
          throw new Error(`just above the middle over 0x${bits.toString(16)}`);
      }
    }
    expect(fromFloat16Bits(0x3555)).toBe(0.333251953125);
    expect(toFloat16Bits(65519.99)).toBe(0x7bff);
    expect(toFloat16Bits(65520)).toBe(0x7c00);
    expect(toFloat16Bits(-1e9)).toBe(0xfc00);
    expect(toFloat16Bits(-0)).toBe(0x8000);
  });
});
