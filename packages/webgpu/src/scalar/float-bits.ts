/**
 * Floats by their bits. WGSL lets compilers assume that there is neither NaN nor infinity, forbids them as
 * constants, loses the sign of the literal −0.0 and may flush subnormal numbers; integers are exact. Shifts,
 * `round`, `min` and conversions to integers are slow on software adapters; `select`, `floor` and products of
 * integers are fast.
 */

/** The functions of this file. */
export type FloatBitsName =
  | 'opaque_f32'
  | 'f32_of_bits'
  | 'runtime_f32'
  | 'runtime_i32'
  | 'runtime_u32'
  | 'is_nan'
  | 'either_nan'
  | 'is_true'
  | 'bounded_by'
  | 'sign_f32'
  | 'max_f32'
  | 'min_f32'
  | 'to_half';

/** Floats by their bits. */
export const FLOAT_BITS: Readonly<Record<FloatBitsName, string>> = {
  opaque_f32: `
// 0, but unknown to the compiler: \`main\` sets it to the z of its workgroup.
var<private> zero: u32;

// x, opaque to the compiler: neither its value nor its computation is known.
fn opaque_f32(x: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(x) ^ zero);
}`,
  f32_of_bits: `
// The float with these bits. A parameter is no constant, so NaN and infinity are allowed.
fn f32_of_bits(bits: u32) -> f32 {
  return bitcast<f32>(bits);
}`,
  runtime_f32: `
// x, but not as a constant: constants that overflow are errors.
fn runtime_f32(x: f32) -> f32 {
  return x;
}`,
  runtime_i32: `
fn runtime_i32(x: i32) -> i32 {
  return x;
}`,
  runtime_u32: `
fn runtime_u32(x: u32) -> u32 {
  return x;
}`,
  is_nan: `
fn is_nan(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}`,
  either_nan: `
fn either_nan(a: f32, b: f32) -> bool {
  return max(bitcast<u32>(a) & 0x7fffffffu, bitcast<u32>(b) & 0x7fffffffu) > 0x7f800000u;
}`,
  is_true: `
// x ≠ 0, for NaN and subnormal numbers too.
fn is_true(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) != 0u;
}`,
  bounded_by: `
// x, clamped to ±bound, for bound > 0. NaN stays NaN: the bits are compared, not the floats.
fn bounded_by(x: f32, bound: f32) -> f32 {
  let bits = bitcast<u32>(x);
  let limit = bitcast<u32>(bound);
  let larger = (bits & 0x7fffffffu) - limit <= 0x7f800000u - limit;
  return select(x, bitcast<f32>((bits & 0x80000000u) | limit), larger);
}`,
  sign_f32: `
// 1 with the sign of x; x itself if it is 0, −0 or NaN, which are those below 1 and above ∞ in their bits
// less 1.
fn sign_f32(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  let unchanged = (bits & 0x7fffffffu) - 1u >= 0x7f800000u;
  return select(bitcast<f32>((bits & 0x80000000u) | 0x3f800000u), x, unchanged);
}`,
  max_f32: `
// The larger one, 0 being larger than −0; NaN if one is. Equal numbers have equal bits unless they are zeros.
fn max_f32(a: f32, b: f32) -> f32 {
  let equal = bitcast<f32>(bitcast<u32>(a) & bitcast<u32>(b));
  let larger = select(select(b, a, a > b), equal, a == b);
  return select(larger, f32_of_bits(0x7fc00000u), either_nan(a, b));
}`,
  min_f32: `
// The smaller one, −0 being smaller than 0; NaN if one is.
fn min_f32(a: f32, b: f32) -> f32 {
  let equal = bitcast<f32>(bitcast<u32>(a) | bitcast<u32>(b));
  let smaller = select(select(b, a, a < b), equal, a == b);
  return select(smaller, f32_of_bits(0x7fc00000u), either_nan(a, b));
}`,
  to_half: `
// The binary16 number nearest to x, ties to even. From 2⁻¹⁴ on 13 bits of the mantissa are rounded off, a
// carry runs into the exponent, and from 65520 on the result is ∞. Below, all numbers are multiples of 2⁻²⁴,
// which is the unit of the sum |x| + ½: it rounds as wanted, and the difference of the bits counts units.
fn to_half(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  let magnitude = bits & 0x7fffffffu;
  let rounded = (magnitude + select(0xfffu, 0x1000u, (magnitude & 0x2000u) != 0u)) & 0xffffe000u;
  let bounded = select(rounded, 0x7f800000u, rounded >= 0x47800000u);
  let normal = select(bounded, magnitude, magnitude > 0x7f800000u);
  let units = bitcast<i32>(bitcast<f32>(magnitude) + 0.5) - 0x3f000000;
  let small = bitcast<u32>(f32(units) * 0x1p-24);
  return bitcast<f32>(select(normal, small, magnitude < 0x38800000u) | (bits & 0x80000000u));
}`,
};
