// Matrix products of every shape, layout and dtype against the interpreter, by the register tiles that are
// chosen for software adapters, with and without subgroups.
import type { ContractKernel, Scalar, Store } from '@firsthand/compiler';
import type { DType } from '@firsthand/linalg';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chooseRegisterTile } from '../src/matmul/choose-register-tile.ts';
import { registerTileShader, type RegisterTile } from '../src/matmul/register-tile.ts';
import type { AdapterProfile } from '../src/emit/profile.ts';
import { affine, kernelsOf, load, PROFILES } from './support/kernels.ts';
import { plainLayout, requireValid } from './support/run-shader.ts';
import { arraysFor, expectProduct, products, withQuotients } from './support/products.ts';
import { productKernel, type Product } from './support/product-kernel.ts';

describe.each(['', 'a', 'b', 'ab'])('transposed: %s', (transposed) => {
  test.each([
    [1, 1, 1],
    [1, 50, 37],
    [50, 37, 1],
    [2, 3, 2],
    [4, 4, 4],
    [5, 8, 3],
    [33, 17, 29],
    [64, 64, 64],
    [70, 100, 130],
  ])('%i × %i × %i', async (m, k, n) => {
    await expectProduct(productKernel({ m, k, n, transposed }));
  });

  test('long sums', async () => {
    await expectProduct(productKernel({ m: 3, k: 1100, n: 5, transposed }));
    await expectProduct(productKernel({ m: 9, k: 1026, n: 40, transposed }));
  });

  test.each<DType>(['int32', 'uint32'])('%s', async (dtype) => {
    await expectProduct(productKernel({ m: 21, k: 35, n: 18, transposed, dtype }));
    await expectProduct(productKernel({ m: 1, k: 700, n: 9, transposed, dtype }));
  });
});

test('batches, and operands that they share', async () => {
  await expectProduct(productKernel({ batch: [3], m: 9, k: 12, n: 20 }));
  await expectProduct(productKernel({ batch: [2, 1, 3], m: 4, k: 4, n: 4, transposed: 'b' }));
  await expectProduct(productKernel({ batch: [3, 2], m: 20, k: 6, n: 17, shared: 'a' }));
  await expectProduct(productKernel({ batch: [5], m: 3, k: 9, n: 33, shared: 'b', transposed: 'c' }));
  // More workgroups than fit in one row.
  await expectProduct(productKernel({ batch: [300, 250], m: 1, k: 2, n: 3 }));
});

test('lines with gaps, from an offset on', async () => {
  await expectProduct(productKernel({ m: 18, k: 10, n: 22, offset: 5, gap: 3 }));
  await expectProduct(
    productKernel({ batch: [2], m: 18, k: 10, n: 22, offset: 4, gap: 4, transposed: 'ab' }),
  );
});

test('indices that are not linear', async () => {
  await expectProduct(withQuotients());
});

test('epilogues: bias and ReLU, a residual, two results of which one is transposed', async () => {
  const [m, n] = [19, 35];
  const total: Scalar = { op: 'total', dtype: 'float32' };
  const zero: Scalar = { op: 'const', dtype: 'float32', value: 0 };
  const add = (a: Scalar, b: Scalar): Scalar => ({ op: 'binary', dtype: 'float32', kind: 'add', a, b });
  const biased = add(total, load(3, 'float32', affine(0, [2, 1])));
  const relu: Scalar = { op: 'binary', dtype: 'float32', kind: 'maximum', a: biased, b: zero };
  const residual = load(4, 'float32', affine(0, [1, n], [2, 1]));
  const kernel = productKernel(
    { batch: [2], m, n, k: 13 },
    (index): readonly Store[] => [
      { operand: 2, index, value: add(relu, residual) },
      {
        operand: 5,
        index: affine(0, [0, m * n], [1, 1], [2, m]),
        value: { op: 'binary', dtype: 'bool', kind: 'gt', a: biased, b: zero },
      },
    ],
    [
      { dtype: 'float32', length: n, access: 'read' },
      { dtype: 'float32', length: m * n, access: 'read' },
      { dtype: 'bool', length: 2 * m * n, access: 'write' },
    ],
  );
  await expectProduct(kernel);
});

test('a result that is written over the residual', async () => {
  const [m, n] = [21, 9];
  const value: Scalar = {
    op: 'binary',
    dtype: 'float32',
    kind: 'add',
    a: { op: 'total', dtype: 'float32' },
    b: load(2, 'float32', affine(0, [0, n], [1, 1])),
  };
  const kernel = productKernel({ m, n, k: 10 }, (index) => [{ operand: 2, index, value }]);
  const [a, b, c] = kernel.operands as [
    ContractKernel['operands'][0],
    ContractKernel['operands'][0],
    ContractKernel['operands'][0],
  ];
  await expectProduct({ ...kernel, operands: [a, b, { ...c, access: 'update' }] });
});

test('NaN and infinities stay in their rows and columns', async () => {
  const kernel = productKernel({ m: 9, k: 11, n: 13 });
  const [a, b, c] = arraysFor(kernel) as [Float32Array, Float32Array, Float32Array];
  a[4 * 11 + 3] = NaN;
  b[5 * 13 + 12] = Infinity;
  await expectProduct(kernel, { arrays: [a, b, c] });
});

test('what the compiler makes of a linear layer and its gradients', async () => {
  const kernels = kernelsOf(
    'contract',
    (x, w, bias) => [x.matmul(w.transpose()).add(bias).relu(), x.transpose().matmul(x)],
    ['float32', [17, 24]],
    ['float32', [10, 24]],
    ['float32', [10]],
  );
  expect(kernels.length).toBeGreaterThan(0);
  for (const kernel of kernels) await expectProduct(kernel);
});

test('products of any extents and layouts', async () => {
  await fc.assert(
    fc.asyncProperty(products, async (p) => expectProduct(productKernel(p))),
    { numRuns: 25 },
  );
});

test('a small kernel as text', async () => {
  const relu: Scalar = {
    op: 'binary',
    dtype: 'float32',
    kind: 'maximum',
    a: { op: 'total', dtype: 'float32' },
    b: { op: 'const', dtype: 'float32', value: 0 },
  };
  const kernel = productKernel({ batch: [2], m: 30, k: 6, n: 8, transposed: 'b' }, (index) => [
    { operand: 2, index, value: relu },
  ]);
  const tile: RegisterTile = { lanes: 'n', width: 4, rows: 4, columns: 2, unroll: 4, broadcasts: true };
  const { wgsl } = registerTileShader(kernel, plainLayout(kernel.operands), tile);
  await requireValid(wgsl);
  expect(wgsl).toMatchInlineSnapshot(`
    "// contract (a: float32[360] read, b: float32[96] read, c: float32[480] write)
    // for i in 0..2, j in 0..30, k in 0..8
    //   total: float32 = sum over l in 0..6 of a[180·i + 6·j + l] · b[48·i + 6·k + l]
    //   c[240·i + 8·j + k] = max(total, 0)
    // an invocation has 4 × 2 sums; 4 lanes are along n
    enable subgroups;
    @group(0) @binding(0) var<storage, read> a: array<f32, 360>;
    @group(0) @binding(1) var<storage, read> b: array<f32, 96>;
    @group(0) @binding(2) var<storage, read_write> c: array<f32, 480>;

    // What is computed from the total of an element, and stored.
    fn epilogue(i: i32, j: i32, k: i32, total: f32) {
      if (j >= 30) {
        return;
      }
      c[240 * i + 8 * j + k] = max_f32(opaque_f32(total), 0f);
    }
    // 0, but unknown to the compiler: \`main\` sets it to the z of its workgroup.
    var<private> zero: u32;

    // x, opaque to the compiler: neither its value nor its computation is known.
    fn opaque_f32(x: f32) -> f32 {
      return bitcast<f32>(bitcast<u32>(x) ^ zero);
    }

    // The float with these bits. A parameter is no constant, so NaN and infinity are allowed.
    fn f32_of_bits(bits: u32) -> f32 {
      return bitcast<f32>(bits);
    }

    fn either_nan(a: f32, b: f32) -> bool {
      return max(bitcast<u32>(a) & 0x7fffffffu, bitcast<u32>(b) & 0x7fffffffu) > 0x7f800000u;
    }

    // The larger one, 0 being larger than −0; NaN if one is. Equal numbers have equal bits unless they are zeros.
    fn max_f32(a: f32, b: f32) -> f32 {
      let equal = bitcast<f32>(bitcast<u32>(a) & bitcast<u32>(b));
      let larger = select(select(b, a, a > b), equal, a == b);
      return select(larger, f32_of_bits(0x7fc00000u), either_nan(a, b));
    }

    @compute @workgroup_size(4)
    fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(subgroup_invocation_id) invocation: u32) {
      let group = i32(workgroup.x);
      let lane = i32(invocation);
      zero = workgroup.z;
      let matrix = group / 8;
      let i = matrix;
      let row = 4 * (group % 8);
      let column = lane;
      let left0 = 180 * i + 6 * min(row, 29);
      let left1 = 180 * i + 6 * min(row + 1, 29);
      let left2 = 180 * i + 6 * min(row + 2, 29);
      let left3 = 180 * i + 6 * min(row + 3, 29);
      let right = 48 * i + 6 * column;
      var sum0 = vec2<f32>();
      var sum1 = vec2<f32>();
      var sum2 = vec2<f32>();
      var sum3 = vec2<f32>();
      for (var inner = 0; inner < 4; inner += 4) {
        let left0_at = left0 + inner + lane;
        let left1_at = left1 + inner + lane;
        let left2_at = left2 + inner + lane;
        let left3_at = left3 + inner + lane;
        let left_loaded0 = a[left0_at];
        let left_loaded1 = a[left1_at];
        let left_loaded2 = a[left2_at];
        let left_loaded3 = a[left3_at];
        let right_at = right + inner;
        let right_0 = vec2<f32>(b[right_at], b[right_at + 24]);
        sum0 = fma(vec2(subgroupBroadcast(left_loaded0, 0u)), right_0, sum0);
        sum1 = fma(vec2(subgroupBroadcast(left_loaded1, 0u)), right_0, sum1);
        sum2 = fma(vec2(subgroupBroadcast(left_loaded2, 0u)), right_0, sum2);
        sum3 = fma(vec2(subgroupBroadcast(left_loaded3, 0u)), right_0, sum3);
        let right_1 = vec2<f32>(b[right_at + 1], b[right_at + 25]);
        sum0 = fma(vec2(subgroupBroadcast(left_loaded0, 1u)), right_1, sum0);
        sum1 = fma(vec2(subgroupBroadcast(left_loaded1, 1u)), right_1, sum1);
        sum2 = fma(vec2(subgroupBroadcast(left_loaded2, 1u)), right_1, sum2);
        sum3 = fma(vec2(subgroupBroadcast(left_loaded3, 1u)), right_1, sum3);
        let right_2 = vec2<f32>(b[right_at + 2], b[right_at + 26]);
        sum0 = fma(vec2(subgroupBroadcast(left_loaded0, 2u)), right_2, sum0);
        sum1 = fma(vec2(subgroupBroadcast(left_loaded1, 2u)), right_2, sum1);
        sum2 = fma(vec2(subgroupBroadcast(left_loaded2, 2u)), right_2, sum2);
        sum3 = fma(vec2(subgroupBroadcast(left_loaded3, 2u)), right_2, sum3);
        let right_3 = vec2<f32>(b[right_at + 3], b[right_at + 27]);
        sum0 = fma(vec2(subgroupBroadcast(left_loaded0, 3u)), right_3, sum0);
        sum1 = fma(vec2(subgroupBroadcast(left_loaded1, 3u)), right_3, sum1);
        sum2 = fma(vec2(subgroupBroadcast(left_loaded2, 3u)), right_3, sum2);
        sum3 = fma(vec2(subgroupBroadcast(left_loaded3, 3u)), right_3, sum3);
      }
      for (var inner = 4; inner < 6; inner++) {
        let left0_at = left0 + inner;
        let left1_at = left1 + inner;
        let left2_at = left2 + inner;
        let left3_at = left3 + inner;
        let right_at = right + inner;
        let right_0 = vec2<f32>(b[right_at], b[right_at + 24]);
        sum0 = fma(vec2(a[left0_at]), right_0, sum0);
        sum1 = fma(vec2(a[left1_at]), right_0, sum1);
        sum2 = fma(vec2(a[left2_at]), right_0, sum2);
        sum3 = fma(vec2(a[left3_at]), right_0, sum3);
      }
      var sums = array<vec2<f32>, 4>(sum0, sum1, sum2, sum3);
      for (var each = 0; each < 4; each++) {
        let total = sums[each];
        epilogue(i, row + each, column, total.x);
        epilogue(i, row + each, column + 4, total.y);
      }
    }
    "
  `);
});

test('tiles are large where products are, and lanes are along the longer axis', () => {
  const profile: AdapterProfile = { ...PROFILES.software, subgroups: { least: 4, most: 4, directive: true } };
  const tileFor = (product: Product): string => {
    const { lanes, rows, columns } = chooseRegisterTile(productKernel(product), profile);
    return `${rows} × ${columns} along ${lanes}`;
  };
  expect({
    'a large square': tileFor({ m: 512, k: 512, n: 512 }),
    'a few rows': tileFor({ m: 3, k: 512, n: 512 }),
    'a few columns': tileFor({ m: 512, k: 512, n: 2 }),
    'a matrix and a vector': tileFor({ m: 512, k: 512, n: 1 }),
    'a small one': tileFor({ m: 16, k: 16, n: 16 }),
    'a layer with ten outputs': tileFor({ m: 64, k: 128, n: 10 }),
    'many small ones': tileFor({ batch: [1000], m: 4, k: 4, n: 4 }),
  }).toMatchInlineSnapshot(`
    {
      "a few columns": "8 × 2 along m",
      "a few rows": "3 × 8 along n",
      "a large square": "16 × 8 along n",
      "a layer with ten outputs": "8 × 3 along n",
      "a matrix and a vector": "8 × 1 along m",
      "a small one": "4 × 1 along n",
      "many small ones": "4 × 1 along n",
    }
  `);
});
