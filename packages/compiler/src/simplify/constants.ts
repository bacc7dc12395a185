/**
 * What is known before the program runs. Elementwise operations on constants are computed with `linalg` on
 * one element, so that they round as the reference does; moved constants are constants of another shape; and
 * whatever has no elements is a constant, so that kernels never meet an empty loop.
 */
import type { DType, Op, ReduceKind } from '@firsthand/graph';
import { binary, full, type NDArray, sizeOf, unary } from '@firsthand/linalg';
import type { Rule } from './rewrite.ts';
import { binaryRule, constantOf, moveRule, reduceRule, rule } from './rewrite-rule.ts';

const scalar = (value: number, dtype: DType): NDArray => full([], value, { dtype });

/** A number as the dtype holds it. */
function rounded(value: number, dtype: DType): number {
  return scalar(value, dtype).get();
}

/** A number that float32 arithmetic has found, as the dtype holds it: float16 rounds a second time. */
function stored(value: number, dtype: DType): number {
  return dtype === 'float16' ? scalar(value, 'float32').astype('float16').get() : rounded(value, dtype);
}

/**
 * Sums of equal numbers that have no rounding before the last: below 2²⁹ terms of 24 bits each, a double
 * holds every partial sum.
 */
const FLOAT32_TERMS = 2 ** 29;

/** A reduction of `count` equal numbers, or null where it would not be exact. */
const REPEATED: {
  readonly [K in ReduceKind]: (value: number, count: number, dtype: DType) => number | null;
} = {
  sum(value, count, dtype) {
    if (dtype === 'int32' || dtype === 'uint32')
      return binary('mul', scalar(value, dtype), scalar(count, dtype)).get();
    // + 0: a sum of −0 is 0
    if (dtype !== 'float64') return count <= FLOAT32_TERMS ? stored(value * count + 0, dtype) : null;
    const scaled = value * 2 ** 20;
    const isShort = Number.isInteger(scaled) && Math.abs(scaled) * count <= 2 ** 53;
    return isShort || !Number.isFinite(value) ? value * count + 0 : null;
  },
  prod(value, count, dtype) {
    if (dtype === 'int32' || dtype === 'uint32')
      return binary('pow', scalar(value, dtype), scalar(count, dtype)).get();
    return value === 1 || value === Infinity || Object.is(value, 0) || Number.isNaN(value) ? value : null;
  },
  max: (value) => value,
  min: (value) => value,
};

const EMPTIED: readonly Op[] = [
  'iota',
  'random',
  'cast',
  'unary',
  'binary',
  'where',
  'reduce',
  'argReduce',
  'prefixScan',
  'movement',
  'gather',
  'scatter',
  'sort',
  'output',
];

/** Rules about constants. */
export const CONSTANT_RULES: readonly Rule[] = [
  // The number is rounded when it is stored.
  rule('const', 'a constant is a value of its dtype', ({ attrs, shape, dtype }, make) => {
    const value = rounded(attrs.value, dtype);
    return Object.is(value, attrs.value) ? null : make.constant(value, shape, dtype);
  }),
  {
    name: 'no elements = constant',
    // All arrays without elements are equal.
    exact: true,
    at: EMPTIED,
    apply: ({ shape, dtype }, make) => (sizeOf(shape) === 0 ? make.constant(0, shape, dtype) : null),
  },
  // By linalg, whose results are the definition.
  rule('unary', 'f(c) is computed', ({ attrs, inputs, shape, dtype }, make) => {
    const x = inputs[0]!;
    const value = constantOf(x);
    return value === null
      ? null
      : make.constant(unary(attrs.kind, scalar(value, x.dtype)).get(), shape, dtype);
  }),
  // By linalg, whose results are the definition.
  rule('binary', 'f(c, d) is computed', ({ attrs, inputs, shape, dtype }, make) => {
    const [a, b] = [inputs[0]!, inputs[1]!];
    const [left, right] = [constantOf(a), constantOf(b)];
    if (left === null || right === null) return null;
    return make.constant(
      binary(attrs.kind, scalar(left, a.dtype), scalar(right, b.dtype)).get(),
      shape,
      dtype,
    );
  }),
  // By linalg, whose results are the definition.
  rule('cast', 'cast(c) is computed', ({ inputs, shape, dtype }, make) => {
    const x = inputs[0]!;
    const value = constantOf(x);
    return value === null ? null : make.constant(scalar(value, x.dtype).astype(dtype).get(), shape, dtype);
  }),
  {
    name: 'move(c) = c',
    // Every element is the same, wherever it goes.
    exact: true,
    at: ['movement reshape', 'movement permute', 'movement expand', 'movement shrink', 'movement flip'],
    apply: ({ inputs, shape, dtype }, make) => {
      const value = constantOf(inputs[0]!);
      return value === null ? null : make.constant(value, shape, dtype);
    },
  },
  // Padding is +0, or false.
  moveRule('pad', 'pad(0) = 0', (_, x, make, { shape, dtype }) =>
    Object.is(constantOf(x), 0) ? make.constant(0, shape, dtype) : null,
  ),
  // What has no elements shows nowhere.
  moveRule('pad', 'pad(nothing) = 0', (_, x, make, { shape, dtype }) =>
    sizeOf(x.shape) === 0 ? make.constant(0, shape, dtype) : null,
  ),
  // The empty sum and the empty product.
  reduceRule(['sum', 'prod'], 'fold(nothing) = 0 or 1', (x, _, make, { attrs, shape, dtype }) =>
    sizeOf(x.shape) === 0 ? make.constant(attrs.kind === 'sum' ? 0 : 1, shape, dtype) : null,
  ),
  // Where no step of it rounds, n equal terms are n·c, cⁿ, or c.
  reduceRule(['sum', 'prod', 'max', 'min'], 'fold(c) is computed', (x, _, make, { attrs, shape, dtype }) => {
    const value = constantOf(x);
    const result =
      value === null ? null : REPEATED[attrs.kind](value, sizeOf(x.shape) / sizeOf(shape), dtype);
    return result === null ? null : make.constant(result, shape, dtype);
  }),
  // Arithmetic passes NaN on; a power need not: x⁰ = 1.
  binaryRule(
    ['add', 'sub', 'mul', 'div', 'mod', 'maximum', 'minimum'],
    'f(x, NaN) = NaN',
    (a, b, make, { shape, dtype }) =>
      [a, b].some((each) => Number.isNaN(constantOf(each))) ? make.constant(NaN, shape, dtype) : null,
  ),
];
