// How products are cut: tiles cover all rows, and sums, packed operands and working memory stay within
// bounds.
import { describe, expect, test } from 'vitest';
import { planMatmul, rowRanges } from '../src/matmul/matmul-plan.ts';
import { TILES } from '../src/matmul/tile-sizes.ts';
import { kernelOf, product } from './support/matmul.ts';

test('rows are covered by as few tiles as there can be, whose heights differ by one at most', () => {
  for (let rows = 1; rows <= 8; rows++) {
    for (let m = 1; m <= 100; m++) {
      const ranges = rowRanges(m, rows);
      const tiles = ranges.flatMap(({ from, to, height }) => {
        expect((to - from) % height).toBe(0);
        return new Array<number>((to - from) / height).fill(height);
      });
      expect(ranges[0]!.from).toBe(0);
      expect(ranges.at(-1)!.to).toBe(m);
      if (ranges.length === 2) expect(ranges[0]!.to).toBe(ranges[1]!.from);
      expect(tiles.length).toBe(Math.ceil(m / rows));
      expect(Math.max(...tiles) - Math.min(...tiles)).toBeLessThanOrEqual(1);
      expect(Math.max(...tiles)).toBeLessThanOrEqual(rows);
    }
  }
});

describe.each(TILES.map((tile) => [`${tile.rows} × ${tile.vectors}`, tile] as const))(
  'tile %s',
  (_, tile) => {
    const plan = (
      sizes: { batch?: readonly number[]; m: number; n: number; k: number },
      transposed = '',
    ): ReturnType<typeof planMatmul> => planMatmul(kernelOf(product(sizes, transposed)), tile);

    test('no sum runs over more than 1024 terms, and all tiles cut k in the same places', () => {
      for (const k of [1, 5, 1023, 1024, 1025, 2049, 100_001, 1_000_003]) {
        const { kBlock, kBlocks } = plan({ m: 100, n: 100, k });
        expect(kBlock).toBeLessThanOrEqual(1024);
        expect(kBlock * (kBlocks - 1)).toBeLessThan(k);
        expect(kBlock * kBlocks).toBeGreaterThanOrEqual(k);
        for (const other of TILES)
          expect(planMatmul(kernelOf(product({ m: 100, n: 100, k })), other)).toMatchObject({
            kBlock,
            kBlocks,
          });
      }
    });

    test('small operands are read where they are, large ones and columns that are apart are packed', () => {
      expect(plan({ m: 64, n: 64, k: 64 }).packsB).toBe(false);
      expect(plan({ m: 1, n: 4096, k: 4096 }).packsB).toBe(false);
      expect(plan({ m: 512, n: 512, k: 512 }).packsB).toBe(true);
      expect(plan({ m: 64, n: 64, k: 64 }, 'b').packsB).toBe(true);
      expect(plan({ m: 64, n: 64, k: 64 }).packsA).toBe(false);
      expect(plan({ m: 64, n: 64, k: 64 }, 'a').packsA).toBe(true);
      expect(plan({ m: 2, n: 64, k: 64 }, 'b')).toMatchObject({ isDot: true, packsA: false, packsB: false });
    });

    test('working memory stays below 1 MiB', () => {
      for (const k of [64, 1000, 1024, 1025, 8192]) {
        for (const n of [64, 1000, 4096])
          expect(plan({ m: 4096, n, k }, 'ab').scratch.bytes).toBeLessThan(2 ** 20);
      }
    });
  },
);
