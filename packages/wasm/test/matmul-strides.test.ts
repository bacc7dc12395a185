// Operands of any strides: broadcast, reversed, permuted, sliced, or all of that at once, drawn at random.
import fc from 'fast-check';
import { beforeAll, test } from 'vitest';
import { TILES } from '../src/matmul/tile-sizes.ts';
import { enableRelaxedSimd, expectProduct, VARIANTS, type Layout } from './support/matmul.ts';

beforeAll(enableRelaxedSimd);

/**
 * A layout of these extents: axes in some order in memory, with gaps, some reversed, and, where nothing is
 * stored there, some broadcast.
 */
function layoutOf(extents: readonly number[], isStored: boolean): fc.Arbitrary<Layout> {
  const axes = extents.map((_, axis) => axis);
  return fc
    .record({
      order: fc.shuffledSubarray(axes, { minLength: axes.length }),
      gaps: fc.array(fc.constantFrom(0, 0, 0, 1, 3), { minLength: axes.length, maxLength: axes.length }),
      reversed: fc.subarray(axes),
      isReversed: fc.boolean(),
      broadcast: fc.subarray(axes),
      isBroadcast: fc.boolean(),
      start: fc.constantFrom(0, 0, 5),
    })
    .map(({ order, gaps, reversed, isReversed, broadcast, isBroadcast, start }) => {
      const strides = new Array<number>(extents.length).fill(0);
      let step = 1;
      for (const axis of order) {
        if (!isStored && isBroadcast && broadcast.includes(axis)) continue;
        strides[axis] = step;
        step *= extents[axis]! + gaps[axis]!;
      }
      let offset = start;
      for (const axis of isReversed ? reversed : []) {
        offset += strides[axis]! * (extents[axis]! - 1);
        strides[axis] = -strides[axis]!;
      }
      return { offset, strides };
    });
}

const small = fc.integer({ min: 1, max: 20 });

test('products of random shapes, dtypes and strides', () => {
  const products = fc
    .record({
      batch: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 }),
      m: small,
      n: fc.oneof(small, fc.integer({ min: 20, max: 70 })),
      k: fc.oneof(small, fc.integer({ min: 20, max: 70 }), fc.constantFrom(1025, 1100)),
      dtype: fc.constantFrom('float32' as const, 'float32' as const, 'float64' as const, 'int32' as const),
    })
    .chain((sizes) =>
      fc
        .record({
          ...Object.fromEntries(Object.entries(sizes).map(([name, value]) => [name, fc.constant(value)])),
          a: layoutOf([...sizes.batch, sizes.m, sizes.k], false),
          b: layoutOf([...sizes.batch, sizes.k, sizes.n], false),
          c: layoutOf([...sizes.batch, sizes.m, sizes.n], true),
          first: fc.constantFrom(0, 1, 2),
          tile: fc.nat({ max: TILES.length - 1 }),
        })
        .map((layouts) => ({ ...layouts, ...sizes })),
    );
  fc.assert(
    fc.property(products, ({ first, tile, ...p }) =>
      expectProduct(
        p,
        first,
        VARIANTS.map((variants) => [variants[tile]!]),
      ),
    ),
    { numRuns: process.env['FIRSTHAND_FULL'] === '1' ? 2000 : 150 },
  );
});
