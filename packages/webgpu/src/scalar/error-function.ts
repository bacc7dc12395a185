/**
 * The error function. Up to 1 it is x times a polynomial in x². Beyond, 1 − erf x = q(x)⁴: the fourth root of the complement is so smooth that a polynomial of degree
 * 7 serves up to 4, where erf x rounds to 1, and its errors are made small by the complement, which is less than 0.16. The polynomials are minimax for the relative
 * error of erf x, with coefficients rounded to float32 one after the other, lowest first, and the rest fitted anew each time: to 2⁻²⁴ and to 2⁻²⁵.
 */
import type { Declarations } from './declaration.ts';
import type { FloatBitsName } from './float-bits.ts';

/** The functions of this file. */
export type ErrorFunctionName = 'erf_f32';

/** The error function. */
export const ERROR_FUNCTION: Declarations<ErrorFunctionName, FloatBitsName> = {
  erf_f32: {
    needs: ['bounded_by'],
    code: `
// erf x: x·p(x²) where |x| < 1, else 1 − q(x)⁴, with the sign of x.
fn erf_f32(x: f32) -> f32 {
  let a = bounded_by(abs(x), 4.0);
  let s = a * a;
  let p = 1.12837911 + s * (-0.376122475 + s * (0.112795763 + s * (-0.0266945455 + s * (0.00489836233 + s * -0.000555436302))));
  let high = -0.0400578231 + a * (0.0603962801 + a * (-0.0203675739 + a * (0.00291104498 + a * -0.000155804504)));
  let root = 1.00391698 + a * (-0.30230996 + a * (-0.0745636076 + a * high));
  let square = root * root;
  let complement = select(square * square, 0.0, a >= 3.9);
  let result = select(a * p, 1.0 - complement, a >= 1.0);
  return bitcast<f32>(bitcast<u32>(result) | (bitcast<u32>(x) & 0x80000000u));
}`,
  },
};
