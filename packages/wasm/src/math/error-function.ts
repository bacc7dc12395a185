/**
 * The error function and the normal distribution function in float32. Up to 1.1 it is x plus x times a
 * polynomial in x². Beyond, 1 − erf x = p(x)⁴: the fourth root of the complement is so smooth that a
 * polynomial of degree 7 serves up to 4, where erf x rounds to 1, and its errors are made small by the
 * complement, which is less than 0.12. Minimax polynomials, found as those of `exponential.ts`.
 *
 * Φ(−t) = e^(−t²/2)·R(t) for t ≥ 0, where R falls from ½ as 1/t does. With all its coefficients positive, a
 * quotient of polynomials loses no digits. The exponent is −h²/2 with the first 12 bits h of t, whose square
 * is exact, and −(t − h)(t + h)/2, which is small: t²/2 rounded would cost as many ulp as
 * it is.
 */
import { wideExponential } from './exponential.ts';
import { SIGN_BIT } from './float-format.ts';
import { straightFunction, type VectorFunction } from './formula.ts';

/** erf(x)/x − 1 in powers of x² for |x| ≤ 1.1, to 2⁻²⁷ of erf x. */
const NEAR = [
  0.128379166, -0.376126111, 0.112833641, -0.026843518, 0.00516773108, -0.000782473944, 7.23606936e-5,
] as const;
/** (1 − erf x)^(1/4) for 1.1 ≤ x ≤ 4; its fourth power is right to 2⁻²⁶. */
const TAIL = [
  1.00526559, -0.307887375, -0.0648760498, -0.0492117964, 0.0654750615, -0.0220211744, 0.00320347352,
  -0.000177466529,
] as const;

/** erf(x); ±1 at ±∞. At most 1.8 ulp. */
export const erf: VectorFunction = straightFunction((f, x) => {
  const sign = f.local(f.and(x, f.bits(SIGN_BIT)));
  const magnitude = f.local(f.min(f.xor(x, sign), 4));
  const square = f.local(f.mul(magnitude, magnitude));
  const near = f.multiplyAdd(magnitude, f.polynomial(square, NEAR), magnitude);
  const root = f.local(f.polynomial(magnitude, TAIL));
  const root2 = f.local(f.mul(root, root));
  return f.or(f.select(f.compare('lt', magnitude, 1.1), near, f.multiplySubtract(root2, root2, 1)), sign);
});

/** The numerator and the denominator of R(t) = e^(t²/2)·Φ(−t) in powers of t, for t ≤ 14.3; to 2⁻²⁶ of it. */
const ABOVE = [0.5, 0.437193036, 0.182386547, 0.0403377227, 0.00406962959] as const;
const BELOW = [1, 1.67227089, 1.19904852, 0.467221886, 0.101118371, 0.0102009233] as const;
/** Beyond, Φ(−t) is less than half of the smallest float. */
const REACH = 14.5;

/** Φ(x): 0 at −∞, 1 at ∞. At most 5.7 ulp. */
export const normalCdf: VectorFunction = straightFunction((f, x) => {
  const t = f.local(f.min(f.and(x, f.bits(~SIGN_BIT)), REACH));
  const head = f.local(f.and(t, f.bits(-(2 ** 12))));
  const main = f.local(f.mul(f.mul(head, head), -0.5));
  const { change, power } = wideExponential(f, main, f.mul(f.mul(f.sub(t, head), f.add(t, head)), -0.5));
  const square = f.local(f.mul(t, t));
  const above = f.local(f.twoPolynomials(t, square, ABOVE));
  const quotient = f.div(f.multiplyAdd(change, above, above), f.twoPolynomials(t, square, BELOW));
  const upper = f.local(f.mul(f.mul(quotient, power), power));
  return f.select(f.compare('lt', x, 0), upper, f.sub(1, upper));
});
