// Matrix products for hardware: tiles in workgroup memory, and vectors times matrices. SwiftShader runs them
// too, but takes seconds to compile much workgroup memory: most tests use small tiles.
import type { ContractKernel } from '@firsthand/compiler';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chooseWorkgroupTile, WORKGROUP_TILES } from '../src/matmul/choose-workgroup-tile.ts';
import { SUM_BLOCK } from '../src/matmul/accumulator-tile.ts';
import {
  bytesOf,
  invocationsOf,
  workgroupTileShader,
  type WorkgroupTile,
} from '../src/matmul/workgroup-tile.ts';
import { affine, load, PROFILES } from './support/kernels.ts';
import { plannedFor, expectProduct, products, withQuotients, type Emitter } from './support/products.ts';
import { productKernel } from './support/product-kernel.ts';
import { plainLayout, requireValid } from './support/run-shader.ts';

const small: WorkgroupTile = {
  rows: 16,
  columns: 16,
  depth: 8,
  perInvocation: { rows: 4, columns: 4 },
  buffers: 2,
  vectors: true,
};
const wide: WorkgroupTile = {
  rows: 8,
  columns: 32,
  depth: 4,
  perInvocation: { rows: 4, columns: 8 },
  buffers: 1,
  vectors: true,
};
const by = (...tiles: readonly WorkgroupTile[]): readonly Emitter[] =>
  tiles.map((tile) => (kernel, layout) => [workgroupTileShader(kernel, layout, tile)]);

describe.each(['', 'a', 'b', 'ab'])('transposed: %s', (transposed) => {
  test('whole tiles', async () => {
    await expectProduct(productKernel({ m: 32, k: 24, n: 32, transposed }), { emitters: by(small, wide) });
  });
  test('edges on all sides', async () => {
    await expectProduct(productKernel({ m: 20, k: 13, n: 35, transposed }), { emitters: by(small) });
  });
  test('edges between vectors', async () => {
    await expectProduct(productKernel({ batch: [2], m: 20, k: 12, n: 36, transposed }), {
      emitters: by(small),
    });
  });
  test('vectors times matrices', async () => {
    const hardware = [plannedFor(PROFILES.hardware)];
    await expectProduct(productKernel({ m: 1, k: 300, n: 70, transposed }), { emitters: hardware });
    await expectProduct(productKernel({ batch: [3], m: 70, k: 3, n: 1, transposed }), { emitters: hardware });
    await expectProduct(productKernel({ m: 1, k: 2300, n: 1, transposed, dtype: 'int32' }), {
      emitters: hardware,
    });
  });
});

test('long sums', async () => {
  await expectProduct(productKernel({ m: 5, k: 2 * SUM_BLOCK + 20, n: 9 }), { emitters: by(small) });
  await expectProduct(productKernel({ m: 5, k: 3 * SUM_BLOCK, n: 1 }), {
    emitters: [plannedFor(PROFILES.hardware)],
  });
  await expectProduct(productKernel({ m: 1, k: 5000, n: 100 }), {
    emitters: [plannedFor(PROFILES.hardware)],
  });
});

test('indices that are not linear', async () => {
  await expectProduct(withQuotients(), { emitters: by(small) });
});

test('an array that is both factors, and one that is added to the result as well', async () => {
  const squared = productKernel({ m: 16, k: 16, n: 16 });
  await expectProduct(
    { ...squared, b: { operand: 0, index: affine(0, [1, 1], [2, 16]) } },
    { emitters: by(small) },
  );
  const value = {
    op: 'binary',
    dtype: 'float32',
    kind: 'add',
    a: { op: 'total', dtype: 'float32' },
    b: load(1, 'float32', affine(3, [0, 16], [1, 1])),
  } as const;
  const added: ContractKernel = { ...squared, stores: squared.stores.map((store) => ({ ...store, value })) };
  const longer = added.operands.map((operand, position) =>
    position === 1 ? { ...operand, length: 260 } : operand,
  );
  await expectProduct({ ...added, operands: longer }, { emitters: by(small) });
});

test('products of any extents and layouts', async () => {
  await fc.assert(
    fc.asyncProperty(products, async (p) =>
      expectProduct(productKernel(p), { emitters: by({ ...small, depth: 4 }) }),
    ),
    { numRuns: 12 },
  );
});

test('the tile that is chosen for a large adapter', async () => {
  await expectProduct(productKernel({ m: 70, k: 20, n: 66 }), { emitters: [plannedFor(PROFILES.hardware)] });
});

test('every tile fits the limits that adapters have at least, and its slabs are shared out evenly', () => {
  for (const { tile } of WORKGROUP_TILES) {
    expect(invocationsOf(tile)).toBeLessThanOrEqual(256);
    expect(bytesOf(tile)).toBeLessThanOrEqual(16384);
    expect(SUM_BLOCK % tile.depth).toBe(0);
    for (const lines of [tile.rows, tile.columns])
      expect(((lines * tile.depth) / 4) % invocationsOf(tile)).toBe(0);
  }
});

test('large products have large tiles, small and narrow ones small and narrow ones', () => {
  const tileFor = (m: number, n: number): string => {
    const { rows, columns } = chooseWorkgroupTile(productKernel({ m, k: 64, n }), PROFILES.hardware)!;
    return `${rows} × ${columns}`;
  };
  expect([tileFor(4096, 4096), tileFor(512, 512), tileFor(64, 64), tileFor(8, 4096), tileFor(4096, 10)])
    .toMatchInlineSnapshot(`
    [
      "128 × 128",
      "32 × 64",
      "16 × 16",
      "32 × 32",
      "32 × 32",
    ]
  `);
});

test('an adapter without room for a tile has register tiles', () => {
  const kernel = productKernel({ m: 64, k: 64, n: 64 });
  const [shader] = plannedFor({ ...PROFILES.hardware, workgroupBytes: 1024 })(
    kernel,
    plainLayout(kernel.operands),
  );
  expect(shader!.wgsl).not.toContain('var<workgroup>');
});

test('a small kernel as text', async () => {
  const kernel = productKernel({ m: 40, k: 12, n: 32, transposed: 'b' });
  const tile = { ...small, rows: 8, columns: 8, depth: 4 };
  const { wgsl } = workgroupTileShader(kernel, plainLayout(kernel.operands), tile);
  await requireValid(wgsl);
  expect(wgsl).toMatchInlineSnapshot(`
    "// contract (a: float32[480] read, b: float32[384] read, c: float32[1280] write)
    // for i in 0..40, j in 0..32
    //   total: float32 = sum over k in 0..12 of a[12·i + k] · b[12·j + k]
    //   c[32·i + j] = total
    // a workgroup has 8 × 8 sums, an invocation 4 × 4; 4 steps along k are in workgroup memory
    @group(0) @binding(0) var<storage, read> a: array<vec4<f32>, 120>;
    @group(0) @binding(1) var<storage, read> b: array<vec4<f32>, 96>;
    @group(0) @binding(2) var<storage, read_write> c: array<f32, 1280>;

    var<workgroup> left_tile: array<vec4<f32>, 16>;
    // The slot of a vector in its buffer.
    fn left_slot(position: i32, quad: i32) -> i32 {
      return position + quad;
    }
    // A vector of the tile that begins at \`first\` and \`inner\`, by its number.
    fn left_vector(first: i32, inner: i32, vector: i32) -> vec4<f32> {
      let position = first + vector;
      let step = inner;
      return a[(12 * position + step) / 4];
    }

    var<workgroup> right_tile: array<vec4<f32>, 16>;
    // The slot of a vector in its buffer.
    fn right_slot(position: i32, quad: i32) -> i32 {
      return position + quad;
    }
    // A vector of the tile that begins at \`first\` and \`inner\`, by its number.
    fn right_vector(first: i32, inner: i32, vector: i32) -> vec4<f32> {
      let position = first + vector;
      let step = inner;
      return b[(12 * position + step) / 4];
    }

    // What is computed from the total of an element, and stored.
    fn epilogue(i: i32, j: i32, total: f32) {
      c[32 * i + j] = total;
    }

    @compute @workgroup_size(4)
    fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) invocation: u32) {
      let group = i32(workgroup.x);
      let lane = i32(invocation);
      let row = 8 * (group / 4 % 5);
      let column = 8 * (group % 4);
      let down = lane / 2;
      let across = lane % 2;
      var sum0 = vec4<f32>();
      var sum1 = vec4<f32>();
      var sum2 = vec4<f32>();
      var sum3 = vec4<f32>();
      var buffer = 0;
      left_tile[8 * buffer + left_slot(lane, 0)] = left_vector(row, 0, lane);
      left_tile[8 * buffer + left_slot(lane + 4, 0)] = left_vector(row, 0, lane + 4);
      right_tile[8 * buffer + right_slot(lane, 0)] = right_vector(column, 0, lane);
      right_tile[8 * buffer + right_slot(lane + 4, 0)] = right_vector(column, 0, lane + 4);
      workgroupBarrier();
      for (var inner = 0; inner < 12; inner += 4) {
        var left_next0: vec4<f32>;
        var left_next1: vec4<f32>;
        var right_next0: vec4<f32>;
        var right_next1: vec4<f32>;
        if (inner + 4 < 12) {
          left_next0 = left_vector(row, inner + 4, lane);
          left_next1 = left_vector(row, inner + 4, lane + 4);
          right_next0 = right_vector(column, inner + 4, lane);
          right_next1 = right_vector(column, inner + 4, lane + 4);
        }
        for (var quad = 0; quad < 1; quad++) {
          let left0 = left_tile[8 * buffer + left_slot(down, quad)];
          let left1 = left_tile[8 * buffer + left_slot(down + 2, quad)];
          let left2 = left_tile[8 * buffer + left_slot(down + 4, quad)];
          let left3 = left_tile[8 * buffer + left_slot(down + 6, quad)];
          let right0 = right_tile[8 * buffer + right_slot(across, quad)];
          let right1 = right_tile[8 * buffer + right_slot(across + 2, quad)];
          let right2 = right_tile[8 * buffer + right_slot(across + 4, quad)];
          let right3 = right_tile[8 * buffer + right_slot(across + 6, quad)];
          let right_0 = vec4<f32>(right0.x, right1.x, right2.x, right3.x);
          sum0 = fma(vec4(left0.x), right_0, sum0);
          sum1 = fma(vec4(left1.x), right_0, sum1);
          sum2 = fma(vec4(left2.x), right_0, sum2);
          sum3 = fma(vec4(left3.x), right_0, sum3);
          let right_1 = vec4<f32>(right0.y, right1.y, right2.y, right3.y);
          sum0 = fma(vec4(left0.y), right_1, sum0);
          sum1 = fma(vec4(left1.y), right_1, sum1);
          sum2 = fma(vec4(left2.y), right_1, sum2);
          sum3 = fma(vec4(left3.y), right_1, sum3);
          let right_2 = vec4<f32>(right0.z, right1.z, right2.z, right3.z);
          sum0 = fma(vec4(left0.z), right_2, sum0);
          sum1 = fma(vec4(left1.z), right_2, sum1);
          sum2 = fma(vec4(left2.z), right_2, sum2);
          sum3 = fma(vec4(left3.z), right_2, sum3);
          let right_3 = vec4<f32>(right0.w, right1.w, right2.w, right3.w);
          sum0 = fma(vec4(left0.w), right_3, sum0);
          sum1 = fma(vec4(left1.w), right_3, sum1);
          sum2 = fma(vec4(left2.w), right_3, sum2);
          sum3 = fma(vec4(left3.w), right_3, sum3);
        }
        buffer = 1 - buffer;
        left_tile[8 * buffer + left_slot(lane, 0)] = left_next0;
        left_tile[8 * buffer + left_slot(lane + 4, 0)] = left_next1;
        right_tile[8 * buffer + right_slot(lane, 0)] = right_next0;
        right_tile[8 * buffer + right_slot(lane + 4, 0)] = right_next1;
        workgroupBarrier();
      }
      var sums = array<vec4<f32>, 4>(sum0, sum1, sum2, sum3);
      for (var each = 0; each < 4; each++) {
        let total = sums[each];
        epilogue(row + down + 2 * each, column + across, total.x);
        epilogue(row + down + 2 * each, column + across + 2, total.y);
        epilogue(row + down + 2 * each, column + across + 4, total.z);
        epilogue(row + down + 2 * each, column + across + 6, total.w);
      }
    }
    "
  `);
});

test('a vector and a matrix as text', async () => {
  const kernel = productKernel({ m: 1, k: 100, n: 200, transposed: 'b' });
  const { wgsl } = plannedFor(PROFILES.hardware)(kernel, plainLayout(kernel.operands))[0]!;
  await requireValid(wgsl);
  expect(wgsl).toMatchInlineSnapshot(`
    "// contract (a: float32[100] read, b: float32[20000] read, c: float32[200] write)
    // for i in 0..1, j in 0..200
    //   total: float32 = sum over k in 0..100 of a[100·i + k] · b[100·j + k]
    //   c[200·i + j] = total
    // a workgroup has 4 sums, each of which is reduced by 64 invocations
    @group(0) @binding(0) var<storage, read> a: array<f32, 100>;
    @group(0) @binding(1) var<storage, read> b: array<f32, 20000>;
    @group(0) @binding(2) var<storage, read_write> c: array<f32, 200>;
    var<workgroup> partials: array<f32, 256>;

    // What is computed from the total of an element, and stored.
    fn epilogue(i: i32, j: i32, total: f32) {
      c[200 * i + j] = total;
    }

    @compute @workgroup_size(256)
    fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) invocation: u32) {
      let group = i32(workgroup.x);
      let lane = i32(invocation);
      let row = 0;
      let column = 4 * (group % 50);
      let slice = lane % 64;
      let position = column + lane / 64;
      let right = 100 * position;
      let left = 0;
      var sum = f32();
      for (var inner = slice; inner < 100; inner += 64) {
        let right_at = right + inner;
        let left_at = left + inner;
        sum += a[left_at] * b[right_at];
      }
      partials[lane] = sum;
      for (var half = 32; half > 0; half /= 2) {
        workgroupBarrier();
        if (slice < half) {
          partials[lane] += partials[lane + half];
        }
      }
      if (slice == 0) {
        epilogue(row, position, partials[lane]);
      }
    }
    "
  `);
});
