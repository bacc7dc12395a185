/**
 * Sine, cosine and tangent. The angle less the nearest multiple of π/2 is computed in two floats: up to 12288
 * from π/2 in four parts, of which three have 11 bits, so that their products with an integer of 13 bits are
 * exact (Cody and Waite, "Software Manual for the Elementary Functions", 1980); beyond, from those of the
 * bits of 2/π that matter, in integers (Payne and Hanek, "Radian Reduction for Trigonometric Functions",
 * SIGNUM 18, 1983). Polynomials of the rest are minimax, those of
 * @firsthand/wasm. Below 2⁻¹² sine and tangent are x.
 */

/** The functions of this file. */
export type TrigonometricName =
  | 'sin_f32'
  | 'cos_f32'
  | 'tan_f32'
  | 'reduce_angle'
  | 'reduce_large_angle'
  | 'sin_quadrant';

/** Sine, cosine and tangent. */
export const TRIGONOMETRIC: Readonly<Record<TrigonometricName, string>> = {
  reduce_large_angle: `
// (quadrant, high, low) as reduce_angle has them, for |x| ≥ 2¹²; NaN if x is NaN or infinite. |x| is m·2ᵉ,
// and m times some 90 bits of 2/π, beginning with the bit of weight 2^(1 − e), is |x|·2/π modulo 4: two bits
// of quadrant, and the fraction. Each of the words begins 8 bits after the one before it; m makes up for what
// is between.
fn reduce_large_angle(x: f32) -> vec3f {
  const words = array(
    0x0000a2f9u, 0x00a2f983u, 0xa2f9836eu, 0xf9836e4eu, 0x836e4e44u, 0x6e4e4415u, 0x4e441529u, 0x441529fcu,
    0x1529fc27u, 0x29fc2757u, 0xfc2757d1u, 0x2757d1f5u, 0x57d1f534u, 0xd1f534ddu, 0xf534ddc0u, 0x34ddc0dbu,
    0xddc0db62u, 0xc0db6295u, 0xdb629599u, 0x6295993cu, 0x95993c43u, 0x993c4390u, 0x3c439041u, 0x439041feu,
  );
  let bits = bitcast<u32>(x) & 0x7fffffffu;
  let position = bits - 0x44000000u; // the number of the first bit, less 16 and times 2²³
  let m2 = ((bits & 0x7fffffu) | 0x800000u) * select(1u, 2u, (position & 0x800000u) != 0u);
  let m = m2 * select(1u, 4u, (position & 0x1000000u) != 0u) * select(1u, 16u, (position & 0x2000000u) != 0u);
  let number = (position >> 26u) & 15u;
  let w0 = words[number];
  let w1 = words[number + 4u];
  let w2 = words[number + 8u] >> 8u;
  // m·(w0 + w1·2⁻³² + w2·2⁻⁵⁶), with ¼ as the upper bit of the first word
  let second = m * w1;
  let first = m * w0 + multiply_high(m, w1);
  let third = f32(bitcast<i32>(m)) * 0x1p-24 * f32(bitcast<i32>(w2));
  let quadrant = f32(bitcast<i32>((first + 0x20000000u) & 0xc0000000u)) * 0x1p-30; // rounded, from −2 to 1
  let fraction = first * 4u;
  let negative = fraction >= 0x80000000u;
  let magnitude = select(fraction, 0u - fraction, negative);
  let side = select(1.0, -1.0, negative);
  let a = f32(magnitude & 0xfff00000u) * 0x1p-32; // 12 bits
  let b = f32(magnitude & 0xfffffu) * 0x1p-32 + side * (f32(second) + third) * 0x1p-62;
  let product = a * 0x1.922p0; // 12 bits of π/2: exact
  let small = b * 1.57079633 - a * 4.4544551e-6;
  let high = product + small;
  let sign = select(1.0, -1.0, x < 0.0);
  let valid = bits < 0x7f800000u;
  return vec3f(quadrant * sign, select(f32_of_bits(0x7fc00000u), side * sign * high, valid), side * sign * ((product - high) + small));
}`,
  reduce_angle: `
// (quadrant, high, low): x = quadrant·π/2 + high + low modulo 2π, where |high| ≤ π/4 and quadrant is an
// integer, as a float.
fn reduce_angle(x: f32) -> vec3f {
  if ((bitcast<u32>(x) & 0x7fffffffu) >= 0x46400000u) {
    return reduce_large_angle(x); // software adapters compute it in any case
  }
  let k = floor(x * 0.63661977 + 0.5);
  let near = fma(-k, 0x1.fb4p-12, fma(-k, 0x1.92p0, x));
  let product = k * 0x1.444p-24;
  let high = near - product;
  return vec3f(k, high, fma(-k, 2.56334415e-12, (near - high) - product));
}`,
  sin_quadrant: `
// The sine of quadrant·π/2 + high + low.
fn sin_quadrant(quadrant: f32, high: f32, low: f32) -> f32 {
  let s = high * high;
  let sine = high + (low + high * s * (-0.166666552 + s * (0.00833218917 + s * -0.000195182889)));
  let cosine = 1.0 + (s * (-0.5 + s * (0.0416666605 + s * (-0.00138879206 + s * 2.44930434e-5))) - high * low);
  let bits = bitcast<u32>(quadrant + 0x1.8p23);
  let result = select(sine, cosine, (bits & 1u) != 0u);
  return bitcast<f32>(bitcast<u32>(result) ^ ((bits & 2u) * 0x40000000u));
}`,
  sin_f32: `
fn sin_f32(x: f32) -> f32 {
  let angle = reduce_angle(x);
  return select(sin_quadrant(angle.x, angle.y, angle.z), x, abs(x) < 0x1p-12);
}`,
  cos_f32: `
// The sine of x + π/2.
fn cos_f32(x: f32) -> f32 {
  let angle = reduce_angle(x);
  return sin_quadrant(angle.x + 1.0, angle.y, angle.z);
}`,
  tan_f32: `
// The tangent of high + low, or −1 over it in odd quadrants.
fn tan_f32(x: f32) -> f32 {
  let angle = reduce_angle(x);
  let s = angle.y * angle.y;
  let p = 0.333331555 + s * (0.133388355 + s * (0.0534081981 + s * (0.0244414154 + s * (0.00310143386 + s * 0.00939655676))));
  let tangent = angle.y + (angle.z + s * (angle.z + angle.y * p));
  let odd = (bitcast<u32>(angle.x + 0x1.8p23) & 1u) != 0u;
  let quotient = select(tangent, -1.0, odd) / select(1.0, tangent, odd);
  return select(quotient, x, abs(x) < 0x1p-12);
}`,
};
