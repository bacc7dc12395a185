/**
 * Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", section 3.3) in big
 * integers: ten rounds of two multiplications, the key bumped by Weyl constants in between. Its published
 * vectors are checked in the suite.
 */
const WORD = 32n;
const MASK = 0xffffffffn;

/** One block of four words. Counter and key: words, least significant first. */
export function philox(counter: readonly number[], key: readonly number[]): number[] {
  let [c0, c1, c2, c3] = counter.map(BigInt) as [bigint, bigint, bigint, bigint];
  let [k0, k1] = key.map(BigInt) as [bigint, bigint];
  for (let round = 0; round < 10; round++) {
    const first = 0xd2511f53n * c0;
    const second = 0xcd9e8d57n * c2;
    [c0, c1, c2, c3] = [(second >> WORD) ^ c1 ^ k0, second & MASK, (first >> WORD) ^ c3 ^ k1, first & MASK];
    k0 = (k0 + 0x9e3779b9n) & MASK;
    k1 = (k1 + 0xbb67ae85n) & MASK;
  }
  return [c0, c1, c2, c3].map(Number);
}

/** Element i is word i mod 4 of block counter + ⌊i/4⌋, where the counter has 64 bits. */
export function philoxWords(
  counter: readonly [number, number],
  key: readonly [number, number],
  count: number,
): number[] {
  const start = (BigInt(counter[1]) << WORD) | BigInt(counter[0]);
  return Array.from({ length: count }, (_, position) => {
    const block = (start + BigInt(Math.floor(position / 4))) & ((1n << 64n) - 1n);
    return philox([Number(block & MASK), Number(block >> WORD), 0, 0], key)[position % 4]!;
  });
}
