/**
 * Sine, cosine and tangent. The angle less the nearest multiple of π/2 is computed in two floats: up to 12288 from π/2 in four parts, of which three have 11 bits, so
 * that their products with an integer of 13 bits are exact (Cody and Waite, "Software Manual for the Elementary Functions", 1980); beyond, from those of the bits of
 * 2/π that matter, in integers (Payne and Hanek, "Radian Reduction for Trigonometric Functions", SIGNUM 18, 1983). Polynomials of the rest are minimax, those of
 * @firsthand/wasm. Below 2⁻¹² sine and tangent are x.
 */
import type { Declarations } from './declaration.ts';
import type { FloatBitsName } from './float-bits.ts';
import type { PhiloxName } from './philox.ts';

/** The functions of this file. */
export type TrigonometricName = 'sin_f32' | 'cos_f32' | 'tan_f32' | 'reduce_angle' | 'reduce_large_angle' | 'sin_quadrant';

/** Sine, cosine and tangent. */
export const TRIGONOMETRIC: Declarations<TrigonometricName, TrigonometricName | FloatBitsName | PhiloxName> = {
  reduce_large_angle: {
    needs: ['f32_of_bits', 'multiply_high'],
    code: `
// For |x| ≥ 2¹³: (quadrant, high, low) as reduce_angle has them; NaN if x is NaN or infinite. |x| is m·2ᵉ, and m times 96 bits of 2/π, beginning with the bit of
// weight 2^(1 − e), is |x|·2/π modulo 4: two bits of quadrant, and the fraction.
fn reduce_large_angle(x: f32) -> vec3f {
  const two_over_pi = array(0u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu);
  let bits = bitcast<u32>(x) & 0x7fffffffu;
  let m = (bits & 0x7fffffu) | 0x800000u;
  let position = min((bits >> 23u) - 120u, 134u); // of the first bit, in the table, whose bit 32 has weight ½
  let word = position >> 5u;
  let shift = position & 31u;
  let t = array(two_over_pi[word], two_over_pi[word + 1u], two_over_pi[word + 2u], two_over_pi[word + 3u]);
  let w0 = (t[0] << shift) | ((t[1] >> 1u) >> (31u - shift));
  let w1 = (t[1] << shift) | ((t[2] >> 1u) >> (31u - shift));
  let w2 = (t[2] << shift) | ((t[3] >> 1u) >> (31u - shift));
  let middle = m * w1 + multiply_high(m, w2);
  let carry = select(0u, 1u, middle < m * w1);
  let top = m * w0 + multiply_high(m, w1) + carry;
  let fraction = vec2u((top << 2u) | (middle >> 30u), (middle << 2u) | ((m * w2) >> 30u));
  let above = fraction.x >= 0x80000000u; // the next multiple is nearer
  let distance = select(fraction, ~fraction, vec2(above));
  let a = f32(distance.x >> 20u) * 0x1p-12;
  let b = f32(distance.x & 0xfffffu) * 0x1p-32 + f32(distance.y) * 0x1p-64;
  let rest = a * 0x1.922p0 + (b * 1.57079633 - a * 4.4544551e-6);
  let low = (a * 0x1.922p0 - rest) + (b * 1.57079633 - a * 4.4544551e-6);
  let quadrant = (top >> 30u) + select(0u, 1u, above);
  let sign = select(1.0, -1.0, above != (x < 0.0));
  let valid = bits < 0x7f800000u;
  let signed_quadrant = f32(select(quadrant, (4u - quadrant) & 3u, x < 0.0));
  return vec3f(signed_quadrant, select(f32_of_bits(0x7fc00000u), rest * sign, valid), low * sign);
}`,
  },
  reduce_angle: {
    needs: ['reduce_large_angle'],
    code: `
// (quadrant, high, low): x = quadrant·π/2 + high + low modulo 2π, where |high| ≤ π/4 and quadrant is an integer, as a float.
fn reduce_angle(x: f32) -> vec3f {
  if ((bitcast<u32>(x) & 0x7fffffffu) >= 0x46400000u) {
    return reduce_large_angle(x);
  }
  let k = floor(x * 0.63661977 + 0.5);
  let near = fma(-k, 0x1.fb4p-12, fma(-k, 0x1.92p0, x));
  let product = k * 0x1.444p-24;
  let high = near - product;
  return vec3f(k, high, fma(-k, 2.56334415e-12, (near - high) - product));
}`,
  },
  sin_quadrant: {
    needs: [],
    code: `
// The sine of quadrant·π/2 + high + low.
fn sin_quadrant(quadrant: f32, high: f32, low: f32) -> f32 {
  let s = high * high;
  let sine = high + (low + high * s * (-0.166666552 + s * (0.00833218917 + s * -0.000195182889)));
  let cosine = 1.0 + (s * (-0.5 + s * (0.0416666605 + s * (-0.00138879206 + s * 2.44930434e-5))) - high * low);
  let bits = bitcast<u32>(quadrant + 0x1.8p23);
  let result = select(sine, cosine, (bits & 1u) != 0u);
  return bitcast<f32>(bitcast<u32>(result) ^ ((bits & 2u) * 0x40000000u));
}`,
  },
  sin_f32: {
    needs: ['reduce_angle', 'sin_quadrant'],
    code: `
fn sin_f32(x: f32) -> f32 {
  let angle = reduce_angle(x);
  return select(sin_quadrant(angle.x, angle.y, angle.z), x, abs(x) < 0x1p-12);
}`,
  },
  cos_f32: {
    needs: ['reduce_angle', 'sin_quadrant'],
    code: `
// The sine of x + π/2.
fn cos_f32(x: f32) -> f32 {
  let angle = reduce_angle(x);
  return sin_quadrant(angle.x + 1.0, angle.y, angle.z);
}`,
  },
  tan_f32: {
    needs: ['reduce_angle'],
    code: `
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
  },
};
