/**
 * The error function. Up to 1.1 it is x plus x times a polynomial in x². Beyond, 1 − erf x = p(x)⁴: the fourth root of the complement is so smooth that a polynomial
 * of degree 7 serves up to 4, where erf x rounds to 1, and its errors are made small by the complement, which is less than 0.12. Minimax polynomials, those of
 * @firsthand/wasm.
 */
import type { Declarations } from './declaration.ts';

/** The functions of this file. */
export type ErrorFunctionName = 'erf_f32';

/** The error function. */
export const ERROR_FUNCTION: Declarations<ErrorFunctionName, never> = {
  erf_f32: {
    needs: [],
    code: `
// erf x: x·(1 + p(x²)) where |x| < 1.1, else 1 − q(x)⁴, with the sign of x.
fn erf_f32(x: f32) -> f32 {
  let magnitude = abs(x);
  let a = select(magnitude, 4.0, magnitude > 4.0);
  let s = a * a;
  let p = 0.128379166 + s * (-0.376126111 + s * (0.112833641 + s * (-0.026843518 + s * (0.00516773108 + s * (-0.000782473944 + s * 7.23606936e-5)))));
  let high = -0.0492117964 + a * (0.0654750615 + a * (-0.0220211744 + a * (0.00320347352 + a * -0.000177466529)));
  let root = 1.00526559 + a * (-0.307887375 + a * (-0.0648760498 + a * high));
  let root2 = root * root;
  let near = select(a + a * p, a * 1.12837917, a < 0x1p-60); // where a·p may be subnormal
  let result = select(near, 1.0 - root2 * root2, a >= 1.1);
  return bitcast<f32>(bitcast<u32>(result) | (bitcast<u32>(x) & 0x80000000u));
}`,
  },
};
