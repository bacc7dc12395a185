/**
 * Conversions between floats and integers, and integer functions: no traps, no implementation-defined
 * results.
 */

/** The functions of this file. */
export type IntegerName =
  | 'u32_to_f32'
  | 'f32_to_i32'
  | 'f32_to_u32'
  | 'div_i32'
  | 'div_u32'
  | 'mod_i32'
  | 'mod_u32'
  | 'pow_i32'
  | 'pow_u32';

/** Functions between floats and integers, and of integers. */
export const INTEGERS: Readonly<Record<IntegerName, string>> = {
  u32_to_f32: `
// The nearest float, ties to even: both halves are exact, and their sum is rounded. WGSL's conversion may
// give the other neighbour.
fn u32_to_f32(x: u32) -> f32 {
  return f32(x & 0xffff0000u) + f32(x & 0xffffu);
}`,
  f32_to_i32: `
// Truncated and clamped; NaN becomes 0. WGSL's conversion clamps to the largest float below 2³¹.
fn f32_to_i32(x: f32) -> i32 {
  return select(select(i32(x), 0x7fffffff, x >= 0x1p31), 0, is_nan(x));
}`,
  f32_to_u32: `
fn f32_to_u32(x: f32) -> u32 {
  return select(select(u32(x), 0xffffffffu, x >= 0x1p32), 0u, is_nan(x));
}`,
  div_i32: `
// Truncated; x/0 = 0, and −2³¹/−1 = −2³¹ as in WGSL.
fn div_i32(a: i32, b: i32) -> i32 {
  return select(a / b, 0, b == 0);
}`,
  div_u32: `
fn div_u32(a: u32, b: u32) -> u32 {
  return select(a / b, 0u, b == 0u);
}`,
  mod_i32: `
// a − b·⌊a/b⌋, which has the sign of b; 0 where b = 0.
fn mod_i32(a: i32, b: i32) -> i32 {
  let remainder = a % b;
  let signed = select(remainder, remainder + b, (remainder != 0) & ((remainder < 0) != (b < 0)));
  return select(signed, 0, b == 0);
}`,
  mod_u32: `
fn mod_u32(a: u32, b: u32) -> u32 {
  return select(a % b, 0u, b == 0u);
}`,
  pow_u32: `
// aᵇ modulo 2³², by squaring.
fn pow_u32(a: u32, b: u32) -> u32 {
  var power = 1u;
  var square = a;
  for (var exponent = b; exponent != 0u; exponent >>= 1u) {
    power *= select(1u, square, (exponent & 1u) != 0u);
    square *= square;
  }
  return power;
}`,
  pow_i32: `
// aᵇ modulo 2³²; 1/a^|b| truncated where b < 0, which is 0 unless a is 1 or −1.
fn pow_i32(a: i32, b: i32) -> i32 {
  let unit = select(select(0, select(1, -1, (b & 1) != 0), a == -1), 1, a == 1);
  return select(bitcast<i32>(pow_u32(bitcast<u32>(a), bitcast<u32>(b))), unit, b < 0);
}`,
};
