/**
 * Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC11) on
 * vectors, with the bits of @firsthand/linalg's `randomBits`: four blocks at a time, one in each lane, by ten
 * rounds of multiply, swap and xor. Element i is word i mod 4 of block counter + ⌊i/4⌋.
 */
import type { Code, Local } from '../assembler/code.ts';

const MULTIPLIERS = [0xd2511f53, 0xcd9e8d57] as const;
/** What the words of the key grow by in each round. */
const WEYL = [0x9e3779b9, 0xbb67ae85] as const;
const ROUNDS = 10;

/** Two vectors of 32-bit words, least significant first. */
export type Words2 = readonly [Local, Local];
/** Four vectors of 32-bit words. */
export type Words4 = readonly [Local, Local, Local, Local];

/**
 * Four blocks, one in each lane.
 * @param key two words per lane, not changed
 * @param counter the block's number in 64 bits, not changed
 * @returns the four words of each block, in locals that the caller releases
 */
export function emitPhiloxBlocks(code: Code, key: Words2, counter: Words2): Words4 {
  const vector = (): Local => code.local('v128');
  const words = [vector(), vector(), vector(), vector()] as const;
  const [c0, c1, c2, c3] = words;
  const keys = [vector(), vector()] as const;
  const products = [vector(), vector(), vector(), vector()] as const;
  const round = code.local('i32');
  code.get(counter[0]).set(c0).get(counter[1]).set(c1).i32x4(0).set(c2).i32x4(0).set(c3);
  code.get(key[0]).set(keys[0]).get(key[1]).set(keys[1]);
  code.repeat(round, 0, ROUNDS, 1, () => {
    [c0, c2].forEach((word, i) => {
      code
        .get(word)
        .i32x4(MULTIPLIERS[i]!)
        .op('i64x2.extmul_low_i32x4_u')
        .set(products[2 * i]!);
      code
        .get(word)
        .i32x4(MULTIPLIERS[i]!)
        .op('i64x2.extmul_high_i32x4_u')
        .set(products[2 * i + 1]!);
    });
    const half = (i: number, lanes: readonly [number, number, number, number]): Code =>
      code
        .get(products[2 * i]!)
        .get(products[2 * i + 1]!)
        .shuffle32(lanes);
    const low = [0, 2, 4, 6] as const;
    const high = [1, 3, 5, 7] as const;
    half(1, high).op('v128.xor', c1).op('v128.xor', keys[0]).set(c0);
    half(0, high).op('v128.xor', c3).op('v128.xor', keys[1]).set(c2);
    half(1, low).set(c1);
    half(0, low).set(c3);
    keys.forEach((word, i) => code.get(word).i32x4(WEYL[i]!).op('i32x4.add').set(word));
  });
  code.release(...keys, ...products, round);
  return words;
}

/** counter + ⌊index/4⌋ in 64 bits, for unsigned indices. */
function blockOf(code: Code, counter: Words2, index: Local): Words2 {
  const [low, high] = [code.local('v128'), code.local('v128')];
  code.op('i32x4.shr_u', index, 2).op('i32x4.add', counter[0]).set(low);
  code.get(counter[1]).op('i32x4.lt_u', low, counter[0]).op('i32x4.sub').set(high); // a mask is −1
  return [low, high];
}

/**
 * Pushes the words of any four elements.
 * @param counter the first block's number, not changed
 * @param index four unsigned indices of elements, not changed
 */
export function emitPhiloxWords(code: Code, key: Words2, counter: Words2, index: Local): void {
  const block = blockOf(code, counter, index);
  const [c0, c1, c2, c3] = emitPhiloxBlocks(code, key, block);
  const mask = code.local('v128');
  /** All bits of the lanes in which a bit of the index is set. */
  const bitOf = (bit: number): void => {
    code
      .op('i32x4.shl', index, 31 - bit)
      .op('i32x4.shr_s', 31)
      .set(mask);
  };
  bitOf(0);
  code.op('v128.bitselect', c1, c0, mask).set(c0).op('v128.bitselect', c3, c2, mask).set(c2);
  bitOf(1);
  code.op('v128.bitselect', c2, c0, mask);
  code.release(...block, c0, c1, c2, c3, mask);
}

/**
 * The words of 16 elements that follow each other.
 * @param counter the first block's number, not changed
 * @param first the index of the first element as an i32, a multiple of 4; not changed
 * @returns the words in the order of the elements, in locals that the caller releases
 */
export function emitPhiloxRun(code: Code, key: Words2, counter: Words2, first: Local): Words4 {
  const index = code.local('v128');
  code
    .op('i32x4.splat', first)
    .v128([0, 4, 8, 12].flatMap((step) => [step, 0, 0, 0]))
    .op('i32x4.add')
    .set(index);
  const block = blockOf(code, counter, index);
  const words = emitPhiloxBlocks(code, key, block);
  code.release(index, ...block);
  transpose(code, words);
  return words;
}

/** Lane i of vector j becomes lane j of vector i. */
function transpose(code: Code, [a, b, c, d]: Words4): void {
  const shuffled = (x: Local, y: Local, lanes: readonly [number, number, number, number]): Code =>
    code.get(x).get(y).shuffle32(lanes);
  const [low, high] = [
    [0, 4, 1, 5],
    [2, 6, 3, 7],
  ] as const;
  const [e, f, g, h] = [code.local('v128'), code.local('v128'), code.local('v128'), code.local('v128')];
  shuffled(a, b, low).set(e);
  shuffled(a, b, high).set(f);
  shuffled(c, d, low).set(g);
  shuffled(c, d, high).set(h);
  shuffled(e, g, [0, 1, 4, 5]).set(a);
  shuffled(e, g, [2, 3, 6, 7]).set(b);
  shuffled(f, h, [0, 1, 4, 5]).set(c);
  shuffled(f, h, [2, 3, 6, 7]).set(d);
  code.release(e, f, g, h);
}

/**
 * Pushes the uniform float32 in [0, 1) that words stand for: their upper 24 bits, in units of
 * 2⁻²⁴.
 */
export function emitUniform32(code: Code, words: Local): void {
  code
    .op('i32x4.shr_u', words, 8)
    .op('f32x4.convert_i32x4_s')
    .f32x4(2 ** -24)
    .op('f32x4.mul');
}
