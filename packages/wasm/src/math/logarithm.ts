/**
 * Logarithms in float32: x is 2 to the k times 1 + f with |f| ≤ 1/3, and ln x = k·ln 2 + ln(1 + f), where
 * ln(1 + f) is f plus f² times a minimax polynomial (found as those of `exponential.ts`). Zeros, subnormals,
 * infinities, negative numbers and NaN are replaced by ordinary numbers in code that is jumped over where
 * there are none, and set right by one addition.
 */
import type { Local } from '../assembler/code.ts';
import {
  BIAS,
  EXPONENT_BIT,
  EXPONENT_MASK,
  LARGEST,
  LN2,
  SIGN_BIT,
  SMALLEST,
  SMALLEST_NORMAL,
} from './float-format.ts';
import { float32Function, type Formula, type Term, type VectorFunction } from './formula.ts';

/** (ln(1 + f) − f)/f² for |f| ≤ 1/3, to 2⁻²⁷ of ln(1 + f). */
const SERIES = [
  -0.5, 0.333331972, -0.249999195, 0.20011434, -0.1667445, 0.139897034, -0.122732796, 0.140603438,
  -0.124899827,
] as const;

/** The bits of 2/3. */
const TWO_THIRDS = 0x3f2aaaab;
/** The float after −1. */
const ABOVE_MINUS_1 = -1 + 2 ** -24;

/**
 * k·2²³ where y = 2ᵏ·m with m from 2/3 to 4/3, for y normal, positive and finite. Subtracted from the bits of
 * y, it leaves those of m.
 */
function exponentOf(f: Formula, y: Term): Local {
  return f.local(f.and(f.op('i32x4.sub', y, f.bits(TWO_THIRDS)), f.bits(EXPONENT_MASK)));
}

/** k·ln 2 + ln(1 + fraction), where `exponent` is k·2²³. */
function logarithm(f: Formula, exponent: Local, fraction: Local): Term {
  const k = f.local(f.op('f32x4.convert_i32x4_s', exponent)); // times 2²³: the multiples of ln 2 divide by it
  const square = f.local(f.mul(fraction, fraction));
  const rest = f.multiplyAdd(f.twoPolynomials(fraction, square, SERIES), square, fraction);
  return f.multiplyAdd(k, LN2[0] * 2 ** -EXPONENT_BIT, f.multiplyAdd(k, LN2[1] * 2 ** -EXPONENT_BIT, rest));
}

/** The lanes of x outside [low, high]; NaN is. */
function outside(f: Formula, x: Local, low: number, high: number): Term {
  return f.op('v128.not', f.and(f.compare('ge', x, low), f.compare('le', x, high)));
}

/** ln x; −∞ at ±0, NaN below. At most 1.1 ulp. */
export const log: VectorFunction = float32Function((f, x) => {
  const ordinary = f.local(x);
  const correction = f.local(-0); // the number that changes no sum, not even −0
  f.whereAny(outside(f, x, SMALLEST_NORMAL, LARGEST), () => {
    const subnormal = f.local(f.and(f.compare('gt', x, 0), f.compare('lt', x, SMALLEST_NORMAL)));
    const elsewhere = f.local(outside(f, x, SMALLEST, LARGEST));
    f.assign(ordinary, f.select(elsewhere, 1, f.select(subnormal, f.mul(x, 2 ** 24), x)));
    // Like the root: ∞ at ∞, NaN at negative numbers.
    const limit = f.select(f.compare('eq', x, 0), -Infinity, f.op('f32x4.sqrt', x));
    f.assign(correction, f.select(elsewhere, limit, f.select(subnormal, -24 * Math.LN2, -0)));
  });
  const exponent = exponentOf(f, ordinary);
  const fraction = f.local(f.sub(f.op('i32x4.sub', ordinary, exponent), 1));
  return f.add(logarithm(f, exponent, fraction), correction);
});

/**
 * ln(1 + x), with 1 + f = 2⁻ᵏ + x·2⁻ᵏ so that no digit of a small x is lost; −∞ at −1, NaN below. At most 1.8
 * ulp.
 */
export const log1p: VectorFunction = float32Function((f, x) => {
  const large = 2 ** 100; // from here on ln(1 + x) is ln x, and 2⁻ᵏ may be subnormal
  const ordinary = f.local(x);
  const correction = f.local(-0);
  f.whereAny(outside(f, x, ABOVE_MINUS_1, large), () => {
    const huge = f.local(f.and(f.compare('gt', x, large), f.compare('le', x, LARGEST)));
    const elsewhere = f.local(outside(f, x, ABOVE_MINUS_1, LARGEST));
    f.assign(ordinary, f.select(elsewhere, 0, f.select(huge, f.mul(x, 2 ** -64), x)));
    const limit = f.select(f.compare('eq', x, -1), -Infinity, f.op('f32x4.sqrt', x));
    f.assign(correction, f.select(elsewhere, limit, f.select(huge, 64 * Math.LN2, -0)));
  });
  const exponent = exponentOf(f, f.add(ordinary, 1));
  const power = f.local(f.op('i32x4.sub', f.bits(BIAS << EXPONENT_BIT), exponent)); // 2⁻ᵏ
  const fraction = f.local(f.multiplyAdd(ordinary, power, f.sub(power, 1)));
  return f.or(f.add(logarithm(f, exponent, fraction), correction), f.and(x, f.bits(SIGN_BIT))); // −0 stays −0
});
