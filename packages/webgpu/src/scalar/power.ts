/** Powers and remainders of floats, with the special values of IEEE 754. */
import type { Declarations } from './declaration.ts';
import type { ExponentialName } from './exponential.ts';
import type { FloatBitsName } from './float-bits.ts';

/** The functions of this file. */
export type PowerName = 'upper_12' | 'log2_split' | 'pow_positive' | 'pow_f32' | 'mod_f32';

/** Powers and remainders of floats. */
export const POWER: Declarations<PowerName, PowerName | ExponentialName | FloatBitsName> = {
  upper_12: {
    needs: [],
    code: `
// x rounded to 12 bits: products of two such numbers are exact.
fn upper_12(x: f32) -> f32 {
  return bitcast<f32>((bitcast<u32>(x) + 0x800u) & 0xfffff000u);
}`,
  },
  log2_split: {
    needs: ['upper_12'],
    code: `
// log₂ x for finite x > 0 in two floats, the first of 12 bits, to 2⁻³³ of it or 2⁻³⁶. x = 2ᵏ·m with m from √½ to √2, s = (m − 1)/(m + 1), and
// log₂ m = s·(2/ln 2 + s²·p(s²)): s in two floats, and 2/ln 2 too, as in fdlibm's e_pow.c (Ng, 1993). A subnormal number is 2⁻¹⁴⁹ times the integer that its bits are.
fn log2_split(x: f32) -> vec2f {
  let bits = bitcast<i32>(x);
  let subnormal = bits < 0x800000;
  let normal = select(bits, bitcast<i32>(f32(bits)), subnormal);
  let exponent = (normal - 0x3f3504f3) & -0x800000; // k·2²³
  let k = f32(exponent) * 0x1p-23 - select(0.0, 149.0, subnormal);
  let m = bitcast<f32>(normal - exponent);
  let f = m - 1.0;
  let d = m + 1.0;
  let d_high = upper_12(d);
  let d_low = m - (d_high - 1.0);
  let s_high = upper_12(f / d);
  let s_low = ((f - s_high * d_high) - s_high * d_low) / d;
  let s = s_high + s_low;
  let z = s * s;
  let p = z * (0.961796701 + z * (0.577078819 + z * (0.411927313 + z * 0.336488336)));
  let product = s_high * 2.8857421875; // 12 bits of 2/ln 2
  let small = s_high * -0.000352105722 + (s_low * 2.88539008 + s * p);
  let high = upper_12((k + product) + small);
  return vec2f(high, ((k - high) + product) + small);
}`,
  },
  pow_positive: {
    needs: ['upper_12', 'log2_split', 'exp_rest', 'power_of_2'],
    code: `
// xʸ = 2^(y·log₂ x) for finite x > 0, in two factors as exp_f32 has them. Beyond 2³⁴ y makes 0 or ∞ of every x but 1, and beyond ±200 so does the product.
fn pow_positive(x: f32, y: f32) -> f32 {
  let bounded = select(select(y, -0x1p34, y < -0x1p34), 0x1p34, y > 0x1p34);
  let log2 = log2_split(x);
  let y_high = upper_12(bounded);
  let product = y_high * log2.x; // exact
  let small = (bounded - y_high) * log2.x + bounded * log2.y;
  let power = product + small;
  let usual = abs(power) < 200.0;
  let n = floor(select(select(-200.0, 200.0, power > 0.0), power, usual) + 0.5);
  let rest = select(0.0, (product - n) + small, usual);
  let half = floor(n * 0.5);
  let first = power_of_2(half);
  return fma(exp_rest(rest * 0.693147181), first, first) * power_of_2(n - half);
}`,
  },
  pow_f32: {
    needs: ['f32_of_bits', 'pow_positive'],
    code: `
// xʸ. 1 where y = 0 or x = 1, whatever the other is, and where x = −1 and y = ±∞; NaN where x < 0 and y is no integer.
fn pow_f32(x: f32, y: f32) -> f32 {
  let bits = bitcast<u32>(x);
  let magnitude = bits & 0x7fffffffu;
  let infinite = magnitude == 0x7f800000u;
  let finite = pow_positive(bitcast<f32>(magnitude), y);
  let limit = select(0u, 0x7f800000u, infinite != (y < 0.0));
  let result = select(bitcast<u32>(finite), limit, infinite || magnitude == 0u);
  let whole = floor(y) == y;
  let odd = whole && !(floor(y * 0.5) == y * 0.5);
  let negative = bits >= 0x80000000u;
  let signed = result | select(0u, 0x80000000u, odd && negative);
  let complex = negative && !whole && !infinite && magnitude != 0u;
  let invalid = complex || magnitude > 0x7f800000u || (bitcast<u32>(y) & 0x7fffffffu) > 0x7f800000u;
  let one = y == 0.0 || bits == 0x3f800000u;
  return f32_of_bits(select(select(signed, 0x7fc00000u, invalid), 0x3f800000u, one));
}`,
  },
  mod_f32: {
    needs: ['f32_of_bits'],
    code: `
// x − y·⌊x/y⌋, which has the sign of y: the remainder of |x|/|y|, with the sign of x, plus y if it is the wrong one. The remainder is exact: it is that of the
// mantissas as integers, of which eight more bits are divided at a time.
fn mod_f32(x: f32, y: f32) -> f32 {
  let magnitude = bitcast<u32>(x) & 0x7fffffffu;
  let divisor = bitcast<u32>(y) & 0x7fffffffu;
  let invalid = magnitude >= 0x7f800000u || divisor == 0u || divisor > 0x7f800000u;
  let exponent = max(divisor >> 23u, 1u);
  let m = (divisor & 0x7fffffu) | select(0u, 0x800000u, divisor >= 0x800000u);
  let divides = !invalid && magnitude >= divisor;
  var rest = (magnitude & 0x7fffffu) | select(0u, 0x800000u, magnitude >= 0x800000u);
  var places = select(0u, max(magnitude >> 23u, 1u) - exponent, divides);
  rest %= max(m, 1u);
  while (places > 0u) {
    let step = min(places, 8u);
    rest = (rest << step) % m;
    places -= step;
  }
  // rest·2^(exponent − 150)
  let normal = bitcast<u32>(f32(rest)) + ((exponent - 150u) << 23u);
  let subnormal = rest << (exponent - 1u);
  let is_normal = (bitcast<u32>(f32(rest)) >> 23u) + exponent > 150u && rest != 0u;
  let quotient_rest = select(subnormal, normal, is_normal);
  let signed = select(magnitude, quotient_rest, divides) | (bitcast<u32>(x) & 0x80000000u);
  let wrong = (signed & 0x7fffffffu) != 0u && ((signed ^ bitcast<u32>(y)) & 0x80000000u) != 0u;
  let result = select(bitcast<f32>(signed), bitcast<f32>(signed) + y, wrong);
  return select(result, f32_of_bits(0x7fc00000u), invalid);
}`,
  },
};
