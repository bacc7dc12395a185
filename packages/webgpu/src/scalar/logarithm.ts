/**
 * Logarithms: x is 2 to the k times 1 + f with |f| ≤ 1/3, and ln x = k·ln 2 + ln(1 + f), where ln(1 + f) is f
 * plus f² times a minimax polynomial, that of
 * @firsthand/wasm. The multiples of ln 2 stand in `fma` for the reason given in `exponential.ts`.
 */

/** The functions of this file. */
export type LogarithmName = 'log_f32' | 'log1p_f32' | 'log_sum' | 'log_limit';

/** Logarithms. */
export const LOGARITHM: Readonly<Record<LogarithmName, string>> = {
  log_sum: `
// k·ln 2 + ln(1 + f) for |f| ≤ 1/3.
fn log_sum(k: f32, f: f32) -> f32 {
  let s = f * f;
  let even = -0.5 + s * (-0.249999195 + s * (-0.1667445 + s * (-0.122732796 + s * -0.124899827)));
  let odd = 0.333331972 + s * (0.20011434 + s * (0.139897034 + s * 0.140603438));
  return fma(k, 0.693145752, fma(k, 1.42860684e-6, f + s * (even + f * odd)));
}`,
  log_limit: `
// The logarithm of what is not positive and finite: −∞ of zeros, ∞ of ∞, else NaN.
fn log_limit(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  let limit = select(0x7fc00000u, bits, bits == 0x7f800000u);
  return bitcast<f32>(select(limit, 0xff800000u, (bits & 0x7fffffffu) == 0u));
}`,
  log_f32: `
// ln x. A subnormal number is 2⁻¹⁴⁹ times the integer that its bits are.
fn log_f32(x: f32) -> f32 {
  let bits = bitcast<i32>(x);
  let subnormal = bits < 0x800000;
  let normal = select(bits, bitcast<i32>(f32(bits)), subnormal);
  let exponent = (normal - 0x3f2aaaab) & -0x800000; // k·2²³ with 1 + f from ⅔ to 4/3
  let k = f32(exponent) * 0x1p-23 - select(0.0, 149.0, subnormal);
  let result = log_sum(k, bitcast<f32>(normal - exponent) - 1.0);
  return select(log_limit(x), result, bitcast<u32>(bits) - 1u < 0x7f7fffffu);
}`,
  log1p_f32: `
// ln(1 + x), with 1 + f = 2⁻ᵏ + x·2⁻ᵏ so that no digit of a small x is lost. From 2¹⁰⁰ on it is ln x =
// ln(2⁻⁶⁴x) + 64 ln 2. −0 stays −0.
fn log1p_f32(x: f32) -> f32 {
  let huge = x > 0x1p100;
  let scaled = x * select(1.0, 0x1p-64, huge);
  let exponent = (bitcast<i32>(scaled + 1.0) - 0x3f2aaaab) & -0x800000;
  let power = bitcast<f32>(0x3f800000 - exponent);
  let k = f32(exponent) * 0x1p-23 + select(0.0, 64.0, huge);
  let result = log_sum(k, fma(scaled, power, power - 1.0));
  let signed = bitcast<f32>(bitcast<u32>(result) | (bitcast<u32>(x) & 0x80000000u));
  let bits = bitcast<u32>(x);
  let finite = (bits < 0x7f800000u) | ((bits >= 0x80000000u) & (bits < 0xbf800000u));
  return select(log_limit(1.0 + x), signed, finite);
}`,
};
