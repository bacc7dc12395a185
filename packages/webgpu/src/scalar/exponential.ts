/**
 * Functions made of exponentials: e to the x is 2 to the k times e to the r, where k is an integer and r is
 * small (Cody and Waite, "Software Manual for the Elementary Functions", 1980). Polynomials are minimax,
 * those of @firsthand/wasm. There is no branch.
 *
 * The bits of k + 1.5·2²³ end in those of k, and a product with 2²³ moves them to the exponent. WGSL lets
 * compilers reorder sums, and some do: where that would lose digits, `fma` and `abs` are in the way; the
 * products in `fma` are exact, so that it does not matter whether it rounds them.
 */

/** The functions of this file. */
export type ExponentialName =
  | 'exp_f32'
  | 'expm1_f32'
  | 'tanh_f32'
  | 'sigmoid_f32'
  | 'expm1_reduced'
  | 'exp_split'
  | 'power_of_2';

/** Functions made of exponentials. */
export const EXPONENTIAL: Readonly<Record<ExponentialName, string>> = {
  power_of_2: `
// 2ᵏ for integers −126 ≤ k ≤ 127.
fn power_of_2(k: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(k + (0x1.8p23 + 127.0)) * 0x800000u);
}`,
  expm1_reduced: `
// eʳ − 1 = r + r²·p(r) for |r| ≤ ½ ln 2, to 2⁻²⁶ of it.
fn expm1_reduced(r: f32) -> f32 {
  let s = r * r;
  let even = 0.49999997 + s * (0.0416677445 + s * 0.00138393568);
  let odd = 0.16666539 + s * 0.00836705789;
  return r + s * (even + r * odd);
}`,
  exp_split: `
// (k, eʳ − 1) where x = k·ln 2 + r and |r| ≤ ½ ln 2.
fn exp_split(x: f32) -> vec2f {
  let k = floor(x * 1.44269504 + 0.5);
  return vec2f(k, expm1_reduced(fma(k, -1.42860684e-6, fma(k, -0.693145752, x))));
}`,
  exp_f32: `
// eˣ = (1 + (r + r²·p(r)))·2ʲ·2ʲ with |r| ≤ ln 2. Two factors, because the results go from 2⁻¹⁴⁹ to 2¹²⁸,
// which is wider than the exponents of one float; subnormal results are rounded once, by the last product.
// Beyond ±170 every result is 0 or ∞, and 2ʲ still a float.
fn exp_f32(x: f32) -> f32 {
  let bounded = bounded_by(x, 170.0);
  let j = floor(bounded * 0.72134752 + 0.5);
  let r = fma(j, -2.85721369e-6, fma(j, -1.3862915, bounded));
  let square = r * r;
  let even = 0.500000477 + square * (0.0416600406 + square * 0.0014125274);
  let odd = 0.166665807 + square * (0.00833720341 + square * 0.000195323461);
  let power = power_of_2(j);
  return fma(r + square * (even + r * odd), power, power) * power;
}`,
  expm1_f32: `
// eˣ − 1 = (eʳ − 1)·2ᵏ + (2ᵏ − 1). From 80 on half of it is computed, and doubled: 2ᵏ may be 2¹²⁸. −0 stays
// −0.
fn expm1_f32(x: f32) -> f32 {
  let split = exp_split(select(select(x, -20.0, x < -20.0), 89.0, x > 89.0));
  let large = x > 80.0;
  let power = power_of_2(split.x - select(0.0, 1.0, large));
  let result = fma(split.y, power, power - 1.0) * select(1.0, 2.0, large);
  return select(bitcast<f32>(bitcast<u32>(result) | (bitcast<u32>(x) & 0x80000000u)), x, is_nan(x));
}`,
  tanh_f32: `
// (1 − e⁻²ˣ)/(1 + e⁻²ˣ) for |x|, times 2ᵏ above and below, with the sign of x. tanh 10 rounds to 1. 2ᵏ ≥ 1,
// and where it is 1, it must vanish before the rest is added.
fn tanh_f32(x: f32) -> f32 {
  let split = exp_split(-2.0 * bounded_by(abs(x), 10.0));
  let power = power_of_2(-split.x);
  let result = (abs(power - 1.0) - split.y) / ((power + 1.0) + split.y);
  return bitcast<f32>(bitcast<u32>(result) | (bitcast<u32>(x) & 0x80000000u));
}`,
  sigmoid_f32: `
// 1/(1 + e⁻ˣ), which is eˣ/(1 + eˣ), so that no exponential is larger than 1.
fn sigmoid_f32(x: f32) -> f32 {
  let e = exp_f32(-abs(x));
  return select(1.0, e, x < 0.0) / (1.0 + e);
}`,
};
