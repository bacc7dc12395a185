/**
 * How an element of each dtype is rounded and cast: an operation computes in double precision by `linalg`'s
 * function, and its result is rounded to the dtype, once. Bools are 0 and 1.
 */
import { DTYPES, fromFloat16Bits, toFloat16Bits } from '@firsthand/linalg';
import type { DType } from '@firsthand/graph';

/** The binary16 number nearest to x, ties to even. */
function toHalf(x: number): number {
  return fromFloat16Bits(toFloat16Bits(x));
}

/**
 * The element of each dtype that an operation's exact result becomes: floats round, integers wrap. float16 is
 * computed in float32 and then rounded.
 */
export const ROUND: { readonly [K in DType]: (x: number) => number } = {
  float32: Math.fround,
  float64: (x) => x,
  float16: (x) => toHalf(Math.fround(x)),
  int32: (x) => x | 0,
  uint32: (x) => x >>> 0,
  bool: (x) => (x !== 0 ? 1 : 0),
};

/** Truncated and clamped; NaN becomes 0. */
function saturate(x: number, low: number, high: number): number {
  return Number.isNaN(x) ? 0 : Math.min(Math.max(Math.trunc(x), low), high) + 0; // no integer is −0
}

/**
 * An element cast from one dtype to another: fractions are truncated and clamped to the integers' range,
 * integers wrap, bool is `≠ 0`.
 */
export const CAST: { readonly [K in DType]: (x: number, from: DType) => number } = {
  float32: Math.fround,
  float64: (x) => x,
  float16: toHalf,
  int32: (x, from) => (DTYPES[from].isFloat ? saturate(x, -(2 ** 31), 2 ** 31 - 1) : x | 0),
  uint32: (x, from) => (DTYPES[from].isFloat ? saturate(x, 0, 2 ** 32 - 1) : x >>> 0),
  bool: ROUND.bool,
};
