/**
 * Functions made of exponentials, in float32: e to the x is 2 to the k times e to the r, where k is an
 * integer and r is small (Cody and Waite, "Software Manual for the Elementary Functions", 1980). Polynomials
 * are minimax: found by Remez's exchange for the relative error of the function that they serve, in 120-bit
 * arithmetic, with coefficients rounded to float32 one after the other, lowest first, and the rest fitted
 * anew each time.
 */
import type { Local } from '../assembler/code.ts';
import { BIAS, EXPONENT_BIT, LN2, ROUNDER32, SIGN_BIT } from './float-format.ts';
import { straightFunction, type Formula, type Term, type VectorFunction } from './formula.ts';

/** Leaves the nearest integer plus BIAS in the lowest bits: the exponent of a float, once shifted. */
const ROUNDER = ROUNDER32 + BIAS;

/** 2·ln 2 in two parts. The first has 17 bits, so that its product with an integer below 2⁷ is exact. */
const TWO_LN2 = [90852 * 2 ** -16, 2.85721369e-6] as const;

/** (eʳ − 1 − r)/r² for |r| ≤ ln 2, to 2⁻²⁵ of eʳ, and to 2⁻²⁷ for |r| > 0.6, where roundings weigh most. */
const WIDE = [0.500000477, 0.166665807, 0.0416600406, 0.00833720341, 0.0014125274, 0.000195323461] as const;
/** (eʳ − 1 − r)/r² for |r| ≤ ½ ln 2, to 2⁻²⁶ of eʳ − 1. */
export const NARROW: readonly number[] = [0.49999997, 0.16666539, 0.0416677445, 0.00836705789, 0.00138393568];
/** The same for (½(1 − e⁻²ʳ) − r)/r². */
const HALVED = /* @__PURE__ */ NARROW.map((c, i) => c * (-2) ** (i + 1));

/**
 * e^(x + rest) = (1 + change)·2ʲ·2ʲ with change = r + r²·p(r). Two factors, because the results go from 2⁻¹⁴⁹
 * to 2¹²⁸, which is wider than the exponents of one float; subnormals are rounded once, by the last
 * multiplication. For |x| ≤ 170, beyond which every result is 0 or ∞, 2ʲ is a float.
 * @param rest small, and not rounded to the unit of x
 */
export function wideExponential(
  f: Formula,
  x: Local,
  rest: Term | null,
): { readonly change: Term; readonly power: Local } {
  const rounded = f.local(f.multiplyAdd(x, 0.5 / Math.LN2, ROUNDER));
  const j = f.local(f.sub(rounded, ROUNDER));
  const reduced = f.multiplyAdd(j, -TWO_LN2[1], f.multiplyAdd(j, -TWO_LN2[0], x));
  const r = f.local(rest === null ? reduced : f.add(reduced, rest));
  const power = f.local(f.shift('shl', rounded, EXPONENT_BIT));
  const square = f.local(f.mul(r, r));
  return { change: f.multiplyAdd(square, f.twoPolynomials(r, square, WIDE), r), power };
}

/** eˣ. At most 1.7 ulp. */
export const exp: VectorFunction = straightFunction((f, x) => {
  const { change, power } = wideExponential(f, f.local(f.max(f.min(x, 170), -170)), null);
  return f.mul(f.mul(f.add(change, 1), power), power);
});

/**
 * x = k·ln 2 + r with an integer k and |r| ≤ ½ ln 2.
 * @param bias added to k, in the lowest bits of `rounded`
 * @returns ±(e^(±r) − 1) = r ± r²·p(±r), which is relatively exact near 0
 */
function nearExponential(
  f: Formula,
  x: Local,
  { sign, bias }: { readonly sign: 1 | -1; readonly bias: number },
): { readonly change: Term; readonly rounded: Local } {
  const rounded = f.local(f.multiplyAdd(x, 1 / Math.LN2, ROUNDER32 + bias));
  const k = f.local(f.sub(rounded, ROUNDER32 + bias));
  const r = f.local(f.multiplyAdd(k, -LN2[1], f.multiplyAdd(k, -LN2[0], x)));
  const square = f.local(f.mul(r, r));
  const signed = NARROW.map((c, i) => c * sign ** (i + 1));
  return { change: f.multiplyAdd(square, f.twoPolynomials(r, square, signed), r), rounded };
}

/** eˣ − 1 = change·2ᵏ + (2ᵏ − 1). At most 1.9 ulp. */
export const expm1: VectorFunction = straightFunction((f, x) => {
  const bounded = f.local(f.max(f.min(x, 89), -20)); // e⁻²⁰ is less than half a unit of 1, e⁸⁹ overflows
  const { change, rounded } = nearExponential(f, bounded, { sign: 1, bias: BIAS });
  const large = f.local(f.compare('gt', x, 80)); // 2ᵏ may be 2¹²⁸: half the result is computed, then doubled
  const power = f.local(f.shift('shl', f.op('i32x4.add', rounded, large), EXPONENT_BIT)); // a mask is −1
  const result = f.local(f.multiplyAdd(change, power, f.sub(power, 1)));
  return f.or(f.add(result, f.and(result, large)), f.and(x, f.bits(SIGN_BIT))); // −0 stays −0
});

/**
 * Hyperbolic tangent: (1 − e⁻²ˣ)/(1 + e⁻²ˣ) for |x|, with the sign of x. Above and below it is multiplied by
 * 2ᵏ⁻¹, where |x| = k·½ ln 2 + r: it is (2ᵏ⁻¹ − ½ + h)/(2ᵏ⁻¹ + ½ − h), where h = ½(1 − e⁻²ʳ) = r + r²·p(r).
 * One float32 is ½ ln 2 enough: its error is 10⁻⁹, and where k times it is rounded noticeably, e⁻²ˣ is small.
 * At most 2 ulp.
 */
export const tanh: VectorFunction = straightFunction((f, x) => {
  const sign = f.local(f.and(x, f.bits(SIGN_BIT)));
  const magnitude = f.local(f.min(f.xor(x, sign), 10)); // tanh 10 rounds to 1
  const rounded = f.local(f.multiplyAdd(magnitude, 2 / Math.LN2, ROUNDER - 1));
  const r = f.local(f.multiplyAdd(f.sub(rounded, ROUNDER - 1), -Math.LN2 / 2, magnitude));
  const square = f.local(f.mul(r, r));
  const h = f.local(f.multiplyAdd(square, f.twoPolynomials(r, square, HALVED), r));
  const power = f.local(f.shift('shl', rounded, EXPONENT_BIT)); // 2ᵏ⁻¹
  return f.or(f.div(f.add(f.sub(power, 0.5), h), f.sub(f.add(power, 0.5), h)), sign);
});

/**
 * 1/(1 + e⁻ˣ) = 2ᵏ/(2ᵏ + 1 − change). The numerator is 2⁶⁴ times that, and never subnormal; the last
 * multiplication rounds a subnormal result once. At most 2 ulp.
 */
export const sigmoid: VectorFunction = straightFunction((f, x) => {
  const bounded = f.local(f.max(f.min(x, 40), -110)); // the results beyond are 1 and 0
  const { change, rounded } = nearExponential(f, bounded, { sign: -1, bias: BIAS + 64 });
  const power = f.local(f.shift('shl', rounded, EXPONENT_BIT)); // 2⁶⁴·2ᵏ
  return f.mul(f.div(power, f.add(f.sub(f.mul(power, 2 ** -64), change), 1)), 2 ** -64);
});
