/**
 * Functions made of exponentials: e to the x is 2 to the k times e to the r, where k is an integer and r is small (Cody and Waite, "Software Manual for the
 * Elementary Functions", 1980). Polynomials are minimax, those of @firsthand/wasm. Products that are subtracted from x are exact, and stand in `fma` lest a
 * compiler that may reorder sums adds the two parts of ln 2 first. The bits of k + 1.5·2²³ end in those of k, and a product with 2²³ moves them to the exponent:
 * a shift, and faster than one on software adapters. There is no branch. NaN comes through because sums and products keep it.
 */
import type { Declarations } from './declaration.ts';

/** The functions of this file. */
export type ExponentialName = 'exp_f32' | 'expm1_f32' | 'tanh_f32' | 'sigmoid_f32' | 'exp_rest' | 'exp_split' | 'power_of_2';

/** Functions made of exponentials. */
export const EXPONENTIAL: Declarations<ExponentialName, ExponentialName> = {
  power_of_2: {
    needs: [],
    code: `
// 2ᵏ for integers −126 ≤ k ≤ 127.
fn power_of_2(k: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(k + (0x1.8p23 + 127.0)) * 0x800000u);
}`,
  },
  exp_rest: {
    needs: [],
    code: `
// eʳ − 1 = r + r²·p(r) for |r| ≤ ½ ln 2, to 2⁻²⁶ of it.
fn exp_rest(r: f32) -> f32 {
  let s = r * r;
  let even = 0.49999997 + s * (0.0416677445 + s * 0.00138393568);
  let odd = 0.16666539 + s * 0.00836705789;
  return r + s * (even + r * odd);
}`,
  },
  exp_split: {
    needs: ['exp_rest'],
    code: `
// (k, eʳ − 1) where x = k·ln 2 + r and |r| ≤ ½ ln 2.
fn exp_split(x: f32) -> vec2f {
  let k = floor(x * 1.44269504 + 0.5);
  return vec2f(k, exp_rest(fma(k, -1.42860684e-6, fma(k, -0.693145752, x))));
}`,
  },
  exp_f32: {
    needs: ['power_of_2'],
    code: `
// eˣ = (1 + (r + r²·p(r)))·2ʲ·2ʲ with |r| ≤ ln 2. Two factors, because the results go from 2⁻¹⁴⁹ to 2¹²⁸, which is wider than the exponents of one float;
// subnormal results are rounded once, by the last product. Beyond ±170 every result is 0 or ∞, and 2ʲ still a float.
fn exp_f32(x: f32) -> f32 {
  let bounded = select(select(x, -170.0, x < -170.0), 170.0, x > 170.0);
  let j = floor(bounded * 0.72134752 + 0.5);
  let r = fma(j, -2.85721369e-6, fma(j, -1.3862915, bounded));
  let square = r * r;
  let even = 0.500000477 + square * (0.0416600406 + square * 0.0014125274);
  let odd = 0.166665807 + square * (0.00833720341 + square * 0.000195323461);
  let power = power_of_2(j);
  return fma(r + square * (even + r * odd), power, power) * power;
}`,
  },
  expm1_f32: {
    needs: ['exp_split', 'power_of_2'],
    code: `
// eˣ − 1 = (eʳ − 1)·2ᵏ + (2ᵏ − 1). From 80 on half of it is computed, and doubled: 2ᵏ may be 2¹²⁸. −0 stays −0.
fn expm1_f32(x: f32) -> f32 {
  let bounded = select(select(x, -20.0, x < -20.0), 89.0, x > 89.0);
  let split = exp_split(bounded);
  let large = x > 80.0;
  let power = power_of_2(split.x - select(0.0, 1.0, large));
  let result = (split.y * power + (power - 1.0)) * select(1.0, 2.0, large);
  return bitcast<f32>(bitcast<u32>(result) | (bitcast<u32>(x) & 0x80000000u));
}`,
  },
  tanh_f32: {
    needs: ['exp_split', 'power_of_2'],
    code: `
// (1 − e⁻²ˣ)/(1 + e⁻²ˣ) for |x|, times 2ᵏ above and below, with the sign of x. tanh 10 rounds to 1.
fn tanh_f32(x: f32) -> f32 {
  let magnitude = abs(x);
  let bounded = select(magnitude, 10.0, magnitude > 10.0);
  let split = exp_split(-2.0 * bounded);
  let power = power_of_2(-split.x);
  let result = ((power - 1.0) - split.y) / ((power + 1.0) + split.y);
  return bitcast<f32>(bitcast<u32>(result) | (bitcast<u32>(x) & 0x80000000u));
}`,
  },
  sigmoid_f32: {
    needs: ['exp_split', 'power_of_2'],
    code: `
// 1/(1 + e⁻ˣ) = 2ᵏ/(2ᵏ + e⁻ʳ). The smaller of 2ᵏ and 1 meets e⁻ʳ − 1 first, so that only the last sum is rounded noticeably. Where results may be subnormal, k
// is taken 64 too high, and 2⁻⁶⁴ multiplied last. The results beyond −110 and 87 are 0 and 1.
fn sigmoid_f32(x: f32) -> f32 {
  let bounded = select(select(x, -110.0, x < -110.0), 87.0, x > 87.0);
  let split = exp_split(-bounded);
  let low = x < -80.0;
  let power = power_of_2(select(0.0, 64.0, low) - split.x);
  let above = power > 1.0;
  let denominator = (select(power, 1.0, above) + split.y) + select(1.0, power, above);
  return (power / denominator) * select(1.0, 0x1p-64, low);
}`,
  },
};
