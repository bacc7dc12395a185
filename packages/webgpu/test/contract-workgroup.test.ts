// Matrix products for hardware: tiles in workgroup memory, and vectors times matrices. SwiftShader runs them too, but takes seconds to compile much workgroup memory: most tests use small tiles.
import type { ContractKernel } from '@firsthand/compiler';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chooseWorkgroupTile, WORKGROUP_TILES } from '../src/contract/choose-workgroup.ts';
import { SUM_BLOCK } from '../src/contract/sums.ts';
import { bytesOf, invocationsOf, workgroupTileShader, type WorkgroupTile } from '../src/contract/workgroup-tile.ts';
import { affine, load, PROFILES } from './support/kernels.ts';
import { chosenFor, expectProduct, productKernel, products, withQuotients, type Way } from './support/products.ts';
import { plainLayout } from './support/run-shader.ts';

const small: WorkgroupTile = { rows: 16, columns: 16, inner: 8, own: { rows: 4, columns: 4 }, buffers: 2, vectors: true };
const wide: WorkgroupTile = { rows: 8, columns: 32, inner: 4, own: { rows: 4, columns: 8 }, buffers: 1, vectors: true };
const by =
  (...tiles: readonly WorkgroupTile[]): readonly Way[] =>
  tiles.map((tile) => (kernel, layout) => [workgroupTileShader(kernel, layout, tile)]);

describe.each(['', 'a', 'b', 'ab'])('transposed: %s', (transposed) => {
  test('whole tiles', async () => {
    await expectProduct(productKernel({ m: 32, k: 24, n: 32, transposed }), { ways: by(small, wide) });
  });
  test('edges on all sides', async () => {
    await expectProduct(productKernel({ m: 20, k: 13, n: 35, transposed }), { ways: by(small) });
  });
  test('edges between vectors', async () => {
    await expectProduct(productKernel({ batch: [2], m: 20, k: 12, n: 36, transposed }), { ways: by(small) });
  });
  test('vectors times matrices', async () => {
    const hardware = [chosenFor(PROFILES.hardware)];
    await expectProduct(productKernel({ m: 1, k: 300, n: 70, transposed }), { ways: hardware });
    await expectProduct(productKernel({ batch: [3], m: 70, k: 3, n: 1, transposed }), { ways: hardware });
    await expectProduct(productKernel({ m: 1, k: 2300, n: 1, transposed, dtype: 'int32' }), { ways: hardware });
  });
});

test('long sums', async () => {
  await expectProduct(productKernel({ m: 5, k: 2 * SUM_BLOCK + 20, n: 9 }), { ways: by(small) });
  await expectProduct(productKernel({ m: 5, k: 3 * SUM_BLOCK, n: 1 }), { ways: [chosenFor(PROFILES.hardware)] });
  await expectProduct(productKernel({ m: 1, k: 5000, n: 100 }), { ways: [chosenFor(PROFILES.hardware)] });
});

test('indices that are not linear', async () => {
  await expectProduct(withQuotients(), { ways: by(small) });
});

test('an array that is both factors, and one that is added to the result as well', async () => {
  const squared = productKernel({ m: 16, k: 16, n: 16 });
  await expectProduct({ ...squared, b: { operand: 0, index: affine(0, [1, 1], [2, 16]) } }, { ways: by(small) });
  const value = { op: 'binary', dtype: 'float32', kind: 'add', a: { op: 'total', dtype: 'float32' }, b: load(1, 'float32', affine(3, [0, 16], [1, 1])) } as const;
  const added: ContractKernel = { ...squared, stores: squared.stores.map((store) => ({ ...store, value })) };
  const longer = added.operands.map((operand, place) => (place === 1 ? { ...operand, length: 260 } : operand));
  await expectProduct({ ...added, operands: longer }, { ways: by(small) });
});

test('products of any extents and layouts', async () => {
  await fc.assert(
    fc.asyncProperty(products, async (p) => expectProduct(productKernel(p), { ways: by({ ...small, inner: 4 }) })),
    { numRuns: 12 },
  );
});

test('the tile that is chosen for a large adapter', async () => {
  await expectProduct(productKernel({ m: 70, k: 20, n: 66 }), { ways: [chosenFor(PROFILES.hardware)] });
});

test('every tile fits the limits that adapters have at least, and its slabs are shared out evenly', () => {
  for (const { tile } of WORKGROUP_TILES) {
    expect(invocationsOf(tile)).toBeLessThanOrEqual(256);
    expect(bytesOf(tile)).toBeLessThanOrEqual(16384);
    expect(SUM_BLOCK % tile.inner).toBe(0);
    for (const lines of [tile.rows, tile.columns]) expect(((lines * tile.inner) / 4) % invocationsOf(tile)).toBe(0);
  }
});

test('large products have large tiles, small and narrow ones small and narrow ones', () => {
  const tileFor = (m: number, n: number): string => {
    const { rows, columns } = chooseWorkgroupTile(productKernel({ m, k: 64, n }), PROFILES.hardware)!;
    return `${rows} × ${columns}`;
  };
  expect([tileFor(4096, 4096), tileFor(512, 512), tileFor(64, 64), tileFor(8, 4096), tileFor(4096, 10)]).toMatchInlineSnapshot();
});

test('an adapter without room for a tile has register tiles', () => {
  const kernel = productKernel({ m: 64, k: 64, n: 64 });
  const [shader] = chosenFor({ ...PROFILES.hardware, workgroupBytes: 1024 })(kernel, plainLayout(kernel.operands));
  expect(shader!.wgsl).not.toContain('var<workgroup>');
});
