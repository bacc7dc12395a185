/** Powers and remainders of floats, with the special values of IEEE 754. */

/** The functions of this file. */
export type PowerName = 'upper_12' | 'log2_split' | 'pow_positive' | 'pow_f32' | 'mod_f32';

/** Powers and remainders of floats. */
export const POWER: Readonly<Record<PowerName, string>> = {
  upper_12: `
// x rounded to 12 bits: products of two such numbers are exact.
fn upper_12(x: f32) -> f32 {
  return bitcast<f32>((bitcast<u32>(x) + 0x800u) & 0xfffff000u);
}`,
  log2_split: `
// log₂ x for finite x > 0 in two floats, the first of 12 bits, to about 2⁻³⁴ of it. x = 2ᵏ·c·(1 + s)/(1 − s)
// with c = 1 or 3/2 and |s| ≤ 0.1011, so that log₂ x = k + log₂ c + s·(2/ln 2 + s²·p(s²)). log₂ c, s and 2/ln
// 2 are two floats each, as in fdlibm's e_pow.c (1993); p is minimax, to 2⁻³⁶. A subnormal number is 2⁻¹⁴⁹
// times the integer that its bits are.
fn log2_split(x: f32) -> vec2f {
  let bits = bitcast<i32>(x);
  let subnormal = bits < 0x800000;
  let normal = select(bits, bitcast<i32>(f32(bits)), subnormal);
  let exponent = (normal - 0x3f5db3d7) & -0x800000; // k·2²³, for m from √¾ to √3
  let m = bitcast<f32>(normal - exponent);
  let upper = m > 1.22474487;
  let c = select(1.0, 1.5, upper);
  let whole = f32(exponent) * 0x1p-23 - select(0.0, 149.0, subnormal) + select(0.0, 0.5849609375, upper); // 12 bits of log₂ c
  let f = m - c;
  let d = m + c;
  let d_high = upper_12(d);
  let d_low = m - (d_high - c);
  let s_high = upper_12(f / d);
  let s_low = fma(-s_high, d_low, fma(-s_high, d_high, f)) / d;
  let s = s_high + s_low;
  let z = s * s;
  let p = z * (0.961796761 + z * (0.577039063 + z * 0.418657094));
  let product = s_high * 2.8857421875; // 12 bits of 2/ln 2
  let small = s_high * -0.000352105722 + (s_low * 2.88539008 + (s * p + select(0.0, 1.56322116e-6, upper)));
  let high = upper_12((whole + product) + small);
  return vec2f(high, fma(s_high, 2.8857421875, whole - high) + small);
}`,
  pow_positive: `
// xʸ = 2^(y·log₂ x) for finite x > 0, in two factors as exp_f32 has them. Beyond 2³⁴ y makes 0 or ∞ of every
// x but 1, and beyond ±200 so does the product.
fn pow_positive(x: f32, y: f32) -> f32 {
  let bounded = select(select(y, -0x1p34, y < -0x1p34), 0x1p34, y > 0x1p34);
  let log2 = log2_split(x);
  let y_high = upper_12(bounded);
  let product = y_high * log2.x; // exact
  let small = (bounded - y_high) * log2.x + bounded * log2.y;
  let power = product + small;
  let usual = abs(power) < 200.0;
  let n = floor(select(select(-200.0, 200.0, power > 0.0), power, usual) + 0.5);
  let reduced = select(0.0, fma(y_high, log2.x, -n) + small, usual);
  let half = floor(n * 0.5);
  let first = power_of_2(half);
  return fma(expm1_reduced(reduced * 0.693147181), first, first) * power_of_2(n - half);
}`,
  pow_f32: `
// xʸ. 1 where y = 0 or x = 1, whatever the other is, and where x = −1 and y = ±∞; NaN where x < 0 and y is no
// integer.
fn pow_f32(x: f32, y: f32) -> f32 {
  let bits = bitcast<u32>(x);
  let magnitude = bits & 0x7fffffffu;
  let infinite = magnitude == 0x7f800000u;
  let finite = pow_positive(bitcast<f32>(magnitude), y);
  let limit = select(0u, 0x7f800000u, infinite != (y < 0.0));
  let result = select(bitcast<u32>(finite), limit, infinite | (magnitude == 0u));
  let whole = floor(y) == y;
  let odd = whole & !(floor(y * 0.5) == y * 0.5);
  let negative = bits >= 0x80000000u;
  let signed = result | select(0u, 0x80000000u, odd & negative);
  let complex = negative & !whole & !infinite & (magnitude != 0u);
  let invalid = complex | (magnitude > 0x7f800000u) | ((bitcast<u32>(y) & 0x7fffffffu) > 0x7f800000u);
  let one = (y == 0.0) | (bits == 0x3f800000u);
  return f32_of_bits(select(select(signed, 0x7fc00000u, invalid), 0x3f800000u, one));
}`,
  mod_f32: `
// x − y·⌊x/y⌋, which has the sign of y. Where |x| ≥ |y| both are integers times 2^(e − 150), the weight of
// the last bit of y, and so is the remainder, which is exact: each step divides eight more bits of x.
fn mod_f32(x: f32, y: f32) -> f32 {
  let dividend = bitcast<u32>(x) & 0x7fffffffu;
  let divisor = bitcast<u32>(y) & 0x7fffffffu;
  let valid = (dividend < 0x7f800000u) & (divisor != 0u) & (divisor <= 0x7f800000u);
  let divides = valid & (dividend >= divisor);
  let opposite = ((bitcast<u32>(x) ^ bitcast<u32>(y)) & 0x80000000u) != 0u;
  let e = max(divisor >> 23u, 1u);
  let m = max((divisor & 0x7fffffu) + select(0u, 0x800000u, divisor >= 0x800000u), 1u);
  var remainder = ((dividend & 0x7fffffu) + select(0u, 0x800000u, dividend >= 0x800000u)) % m;
  var shift = select(0u, max(dividend >> 23u, 1u) - e, divides);
  while (shift != 0u) {
    let step = min(shift, 8u);
    remainder = (remainder << step) % m;
    shift -= step;
  }
  let wrong = opposite & (remainder != 0u);
  let integer = select(remainder, m - remainder, wrong);
  // integer·2^(e − 150): the exponent grows by e − 150, or the bits of a subnormal number are moved
  let float = bitcast<u32>(f32(integer));
  let exact = select(integer << (e - 1u), float + ((e - 150u) << 23u), ((float >> 23u) + e > 150u) & (integer != 0u));
  let sign = bitcast<u32>(select(x, y, wrong)) & 0x80000000u;
  let smaller = select(x, x + y, opposite & (dividend != 0u)); // where |x| < |y|
  return select(f32_of_bits(0x7fc00000u), select(smaller, bitcast<f32>(exact | sign), divides), valid);
}`,
};
