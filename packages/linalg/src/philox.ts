/**
 * Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC11): a
 * random number is a pure function of a key and a counter, ten rounds of multiply, swap and xor. No state
 * means that any element can be computed alone, on any device, with the same bits.
 */

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
/** Weyl increments of the key: the golden ratio and √3 − 1, in units of 2⁻³². */
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const ROUNDS = 10;

/** The upper 32 bits of the 64-bit product of two unsigned 32-bit numbers, by halves of 16 bits. */
function multiplyHigh(a: number, b: number): number {
  const [a0, a1, b0, b1] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const low = Math.imul(a0, b0);
  const middle = (Math.imul(a1, b0) + (low >>> 16)) | 0;
  const cross = (Math.imul(a0, b1) + (middle & 0xffff)) | 0;
  return (Math.imul(a1, b1) + (middle >>> 16) + (cross >>> 16)) | 0;
}

/** Writes the block of four words at `counter` over `words[position…]`, as many of them as fit. */
function writeBlock(
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  k0: number,
  k1: number,
  words: Uint32Array,
  position: number,
): void {
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(c0, MULTIPLIER_0);
    const high1 = multiplyHigh(c2, MULTIPLIER_1);
    const low0 = Math.imul(c0, MULTIPLIER_0);
    const low1 = Math.imul(c2, MULTIPLIER_1);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + WEYL_0) | 0;
    k1 = (k1 + WEYL_1) | 0;
  }
  words[position] = c0; // writes past the end of a typed array are dropped
  words[position + 1] = c1;
  words[position + 2] = c2;
  words[position + 3] = c3;
}

/**
 * One block of four random words.
 * @param counter four unsigned 32-bit words, least significant first
 * @param key two unsigned 32-bit words
 */
export function philox4x32(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  const words = new Uint32Array(4);
  writeBlock(...counter, ...key, words, 0);
  return [...words] as [number, number, number, number];
}

/**
 * Many random words: element i is word i mod 4 of block `counter` + ⌊i/4⌋, whose counter words are [low,
 * high, 0, 0].
 * @param key two unsigned 32-bit words
 * @param counter the 64-bit index of the first block, as [low, high]
 * @param length how many words
 */
export function randomBits(
  key: readonly [number, number],
  counter: readonly [number, number],
  length: number,
): Uint32Array {
  const words = new Uint32Array(length);
  let [low, high] = counter;
  for (let position = 0; position < length; position += 4) {
    writeBlock(low, high, 0, 0, key[0], key[1], words, position);
    low = (low + 1) >>> 0;
    if (low === 0) high = (high + 1) >>> 0;
  }
  return words;
}
