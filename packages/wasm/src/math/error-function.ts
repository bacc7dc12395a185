/**
 * The error function in float32. Up to 1.1 it is x plus x times a polynomial in x². Beyond, 1 − erf x = p(x)⁴: the fourth root of the complement is so smooth
 * that a polynomial of degree 7 serves up to 4, where erf x rounds to 1, and its errors are made small by the complement, which is less than 0.12. Minimax
 * polynomials, found as those of `exponential.ts`.
 */
import { SIGN_BIT } from './float-format.ts';
import { straightFunction, type VectorFunction } from './formula.ts';

/** erf(x)/x − 1 in powers of x² for |x| ≤ 1.1, to 2⁻²⁷ of erf x. */
const NEAR = [0.128379166, -0.376126111, 0.112833641, -0.026843518, 0.00516773108, -0.000782473944, 7.23606936e-5] as const;
/** (1 − erf x)^(1/4) for 1.1 ≤ x ≤ 4; its fourth power is right to 2⁻²⁶. */
const TAIL = [1.00526559, -0.307887375, -0.0648760498, -0.0492117964, 0.0654750615, -0.0220211744, 0.00320347352, -0.000177466529] as const;

/** erf(x); ±1 at ±∞. At most 1.8 units in the last place. */
export const erf: VectorFunction = straightFunction((f, x) => {
  const sign = f.keep(f.and(x, f.bits(SIGN_BIT)));
  const magnitude = f.keep(f.min(f.xor(x, sign), 4));
  const square = f.keep(f.mul(magnitude, magnitude));
  const near = f.multiplyAdd(magnitude, f.polynomial(square, NEAR), magnitude);
  const root = f.keep(f.polynomial(magnitude, TAIL));
  const root2 = f.keep(f.mul(root, root));
  return f.or(f.select(f.compare('lt', magnitude, 1.1), near, f.multiplySubtract(root2, root2, 1)), sign);
});
