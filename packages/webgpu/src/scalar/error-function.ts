/**
 * The error function. Up to 1 it is x times a polynomial in x². Beyond, 1 − erf x = q(x)⁴: the fourth root of
 * the complement is so smooth that a polynomial of degree 7 serves up to 4, where erf x rounds to 1, and its
 * errors are made small by the complement, which is less than 0.16. The polynomials are minimax for the
 * relative error of erf x, with coefficients rounded to float32 one after the other, lowest first, and the
 * rest fitted anew each time: to 2⁻²⁴ and to 2⁻²⁵.
 *
 * The normal distribution function is that of @firsthand/wasm: Φ(−t) = e^(−t²/2)·R(t), with R a quotient of
 * polynomials whose coefficients are all positive, and t² in two parts.
 */

/** The functions of this file. */
export type ErrorFunctionName = 'erf_f32' | 'normal_cdf_f32';

/** The error function, and that of the normal distribution. */
export const ERROR_FUNCTION: Readonly<Record<ErrorFunctionName, string>> = {
  erf_f32: `
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
  normal_cdf_f32: `
// Φ(−t) = e^(−h²/2)·e^(−(t−h)(t+h)/2)·R(t), where h is the first 12 bits of t = |x|, whose square is exact;
// the exponential is that of exp_f32.
fn normal_cdf_f32(x: f32) -> f32 {
  let t = bounded_by(abs(x), 14.5);
  let h = bitcast<f32>(bitcast<u32>(t) & 0xfffff000u);
  let main = -0.5 * (h * h);
  let j = floor(main * 0.72134752 + 0.5);
  let r = fma(-0.5 * (t - h), t + h, fma(j, -2.85721369e-6, fma(j, -1.3862915, main)));
  let s = r * r;
  let change = r + s * ((0.500000477 + s * (0.0416600406 + s * 0.0014125274)) + r * (0.166665807 + s * (0.00833720341 + s * 0.000195323461)));
  let q = t * t;
  let above = (0.5 + q * (0.182386547 + q * 0.00406962959)) + t * (0.437193036 + q * 0.0403377227);
  let below = (1.0 + q * (1.19904852 + q * 0.101118371)) + t * (1.67227089 + q * (0.467221886 + q * 0.0102009233));
  let power = power_of_2(j);
  let upper = (fma(change, above, above) / below) * power * power;
  return select(1.0 - upper, upper, x < 0.0);
}`,
};
