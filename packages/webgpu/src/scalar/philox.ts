/**
 * Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC11), with
 * the bits of @firsthand/linalg's `randomBits`: element i is word i mod 4 of block counter + ⌊i/4⌋.
 */

/** The functions of this file. */
export type PhiloxName = 'upper_half' | 'multiply_high' | 'philox_block' | 'philox_word' | 'philox_uniform';

/** The random number generator. */
export const PHILOX: Readonly<Record<PhiloxName, string>> = {
  upper_half: `
// a >> 16, by a float whose last bit is 2¹⁶: shifts are slow on software adapters, and four of them are
// most of a product.
fn upper_half(a: u32) -> u32 {
  return bitcast<u32>(f32(bitcast<i32>(a & 0xffff0000u)) + 0x1.8p39) & 0xffffu;
}`,
  multiply_high: `
// The upper 32 bits of the product, by halves of 16 bits.
fn multiply_high(a: u32, b: u32) -> u32 {
  let a0 = a & 0xffffu;
  let a1 = upper_half(a);
  let b0 = b & 0xffffu;
  let b1 = b >> 16u;
  let middle = a1 * b0 + upper_half(a0 * b0);
  let cross = a0 * b1 + (middle & 0xffffu);
  return a1 * b1 + upper_half(middle) + upper_half(cross);
}`,
  philox_block: `
// Ten rounds of multiply, swap and xor; the key grows by the golden ratio and √3 − 1, in units of 2⁻³².
fn philox_block(first_key: vec2u, counter: vec4u) -> vec4u {
  var key = first_key;
  var c = counter;
  for (var i = 0; i < 10; i++) {
    let high = vec2u(multiply_high(c.x, 0xd2511f53u), multiply_high(c.z, 0xcd9e8d57u));
    let low = vec2u(c.x * 0xd2511f53u, c.z * 0xcd9e8d57u);
    c = vec4u(high.y ^ c.y ^ key.x, low.y, high.x ^ c.w ^ key.y, low.x);
    key += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}`,
  philox_word: `
// Word index mod 4 of block counter + ⌊index/4⌋, in 64 bits.
fn philox_word(key: vec2u, counter: vec2u, index: u32) -> u32 {
  let low = counter.x + (index >> 2u);
  let high = counter.y + select(0u, 1u, low < counter.x);
  let block = philox_block(key, vec4u(low, high, 0u, 0u));
  let pair = select(block.xy, block.zw, (index & 2u) != 0u);
  return select(pair.x, pair.y, (index & 1u) != 0u);
}`,
  philox_uniform: `
// A number in [0, 1): the upper 24 bits of the word, in units of 2⁻²⁴.
fn philox_uniform(key: vec2u, counter: vec2u, index: u32) -> f32 {
  return f32(philox_word(key, counter, index) >> 8u) * 0x1p-24;
}`,
};
