// Epilogues of matrix products: bias, activation, residual, masks, several results, results of other dtypes.
// Expected values come from the compiler's interpreter, which computes in float64; the simplest case is also
// written out in plain loops.
import {
  runKernel,
  type ContractKernel,
  type Index,
  type Operand,
  type Scalar,
  type Store,
} from '@firsthand/compiler';
import { DTYPES, fromFloat16Bits, type DType, type TypedArray } from '@firsthand/linalg';
import { beforeAll, describe, expect, test } from 'vitest';
import { planMatmulKernel } from '../src/matmul/matmul.ts';
import { TILES, tilesFor } from '../src/matmul/tile-sizes.ts';
import {
  compact,
  enableRelaxedSimd,
  indexOf,
  kernelOf,
  operandsFor,
  product,
  runContract,
  type Product,
  type ProductOptions,
} from './support/matmul.ts';

beforeAll(enableRelaxedSimd);

/** The likeliest tile for each kind of multiply-add, and one that is wide. */
const variants: readonly ProductOptions[] = [
  ...[false, true].map((relaxedSimd) => ({ relaxedSimd, tile: tilesFor({ relaxedSimd })[0]! })),
  { relaxedSimd: true, tile: TILES.at(-1)! },
];

const total = (dtype: DType = 'float32'): Scalar => ({ op: 'total', dtype });
const constant = (value: number, dtype: DType = 'float32'): Scalar => ({ op: 'const', dtype, value });
const load = (operand: number, index: Index, dtype: DType = 'float32'): Scalar => ({
  op: 'load',
  dtype,
  operand,
  index,
});
const binary = (
  kind: 'add' | 'mul' | 'maximum' | 'gt',
  a: Scalar,
  b: Scalar,
  dtype: DType = 'float32',
): Scalar => ({
  op: 'binary',
  dtype,
  kind,
  a,
  b,
});
const unary = (kind: 'tanh' | 'exp' | 'erf', x: Scalar): Scalar => ({ op: 'unary', dtype: x.dtype, kind, x });
const cast = (x: Scalar, dtype: DType): Scalar => ({ op: 'cast', dtype, x });
const where = (condition: Scalar, a: Scalar, b: Scalar): Scalar => ({
  op: 'where',
  dtype: a.dtype,
  condition,
  a,
  b,
});

function numbersOf(array: TypedArray, dtype: DType): readonly number[] {
  return Array.from(array, (value) => (dtype === 'float16' ? fromFloat16Bits(value) : value));
}

/** Runs a kernel every way, and beside the interpreter. */
function expectKernel(kernel: ContractKernel, tolerance = 2e-5): void {
  const arrays = operandsFor(kernel);
  const expected = arrays.map((array) => array.slice() as TypedArray);
  runKernel(kernel, expected);
  for (const variant of variants) {
    const results = runContract(kernel, arrays, variant);
    kernel.operands.forEach(({ dtype, access }, operand) => {
      if (access === 'read') return;
      const [found, wanted] = [numbersOf(results[operand]!, dtype), numbersOf(expected[operand]!, dtype)];
      const bound = dtype === 'float16' ? 2e-3 : DTYPES[dtype].isFloat ? tolerance : 0;
      found.forEach((value, index) => {
        const close =
          Object.is(value, wanted[index]) ||
          Math.abs(value - wanted[index]!) <= bound * (1 + Math.abs(wanted[index]!));
        if (!close)
          expect.fail(
            `operand ${operand}, element ${index}: ${value} instead of ${wanted[index]}; ${JSON.stringify(variant)}`,
          );
      });
    });
  }
}

/** A kernel whose only result is `value`, stored where c is. */
function finished(
  p: Product,
  value: Scalar,
  more: readonly Operand[] = [],
  dtype: DType = value.dtype,
): ContractKernel {
  const kernel = kernelOf(p);
  const operands = kernel.operands.map((operand, number) => (number === 2 ? { ...operand, dtype } : operand));
  return { ...kernel, operands: [...operands, ...more], stores: [{ ...kernel.stores[0]!, value }] };
}

const read = (length: number, dtype: DType = 'float32'): Operand => ({ dtype, length, access: 'read' });
const [M, N] = [0, 1];
const alongN = indexOf({ offset: 0, strides: [1] }, [N]);
const alongM = indexOf({ offset: 0, strides: [1] }, [M]);

describe.each([
  ['vectors along n', { m: 23, n: 27, k: 31 }, ''],
  ['one row', { m: 1, n: 50, k: 9 }, ''],
  ['vectors along k', { m: 3, n: 21, k: 50 }, 'b'],
  ['one column', { m: 21, n: 1, k: 50 }, 'b'],
  ['long sums', { m: 9, n: 11, k: 1500 }, 'a'],
  ['several row blocks', { m: 600, n: 9, k: 1100 }, ''],
])('%s', (_, sizes, transposed) => {
  const p = product(sizes, transposed);
  const { m, n } = sizes;

  test('bias and relu, in plain loops', () => {
    const value = binary('maximum', binary('add', total(), load(3, alongN)), constant(0));
    const kernel = finished(p, value, [read(n)]);
    const arrays = operandsFor(kernel);
    const [a, b, , bias] = arrays as [TypedArray, TypedArray, TypedArray, TypedArray];
    for (const variant of variants) {
      const c = runContract(kernel, arrays, variant)[2]!;
      for (let row = 0; row < m; row++) {
        for (let column = 0; column < n; column++) {
          let sum = bias[column]!;
          for (let k = 0; k < sizes.k; k++)
            sum +=
              a[row * p.a.strides[0]! + k * p.a.strides[1]!]! *
              b[k * p.b.strides[0]! + column * p.b.strides[1]!]!;
          expect(Math.abs(c[row * n + column]! - Math.max(sum, 0))).toBeLessThan(1e-4);
        }
      }
    }
  });

  test('scale by row, tanh and a mask', () => {
    const scaled = binary('mul', total(), load(3, alongM));
    const masked: Scalar = {
      op: 'inside',
      dtype: 'bool',
      index: indexOf({ offset: 0, strides: [1, -1] }, [M, N]),
      low: 0,
      high: m + n,
    };
    expectKernel(finished(p, where(masked, unary('tanh', scaled), constant(-Infinity)), [read(m)]));
  });

  test('a residual that the result replaces', () => {
    const kernel = kernelOf(p);
    const [store] = kernel.stores as [Store];
    const operands = kernel.operands.map((operand, number): Operand =>
      number === 2 ? { ...operand, access: 'update' } : operand,
    );
    const value = binary('add', load(2, store.index), binary('mul', total(), constant(0.5)));
    expectKernel({ ...kernel, operands, stores: [{ ...store, value }] });
  });

  test('two results, one of them transposed', () => {
    const kernel = kernelOf(p);
    const transposedIndex = indexOf(compact([m, n], true), [M, N]);
    const activation = binary('maximum', total(), constant(0));
    const stores = [...kernel.stores, { operand: 3, index: transposedIndex, value: activation }];
    expectKernel({
      ...kernel,
      operands: [...kernel.operands, { dtype: 'float32', length: m * n, access: 'write' }],
      stores,
    });
  });

  test('the plain total twice, and in reversed rows', () => {
    const kernel = kernelOf(p);
    const reversed = indexOf({ offset: (m - 1) * n, strides: [-n, 1] }, [M, N]);
    const target: Operand = { dtype: 'float32', length: m * n, access: 'write' };
    expectKernel({
      ...kernel,
      operands: [...kernel.operands, target],
      stores: [...kernel.stores, { operand: 3, index: reversed, value: total() }],
    });
    expectKernel({ ...kernel, stores: [{ operand: 2, index: reversed, value: total() }] });
  });

  test.each(['float16', 'int32', 'bool', 'float64'] as const)('a %s result', (dtype) => {
    const scaled = binary('mul', total(), constant(dtype === 'int32' ? 1e-3 : 1));
    const value = dtype === 'bool' ? binary('gt', total(), constant(0.25), 'bool') : cast(scaled, dtype);
    expectKernel(finished(p, value));
  });
});

test('attention scores: batch, scale, causal mask, and a result in another order of axes', () => {
  const [B, H, T, D] = [2, 3, 17, 8];
  const [batch, head, row, column] = [0, 1, 2, 3];
  // Queries and keys stand side by side in [B, T, 2·H·D].
  const side = (first: number): { offset: number; strides: number[] } => ({
    offset: first,
    strides: [T * 2 * H * D, D, 2 * H * D, 1],
  });
  const keys = side(H * D);
  const p: Product = {
    batch: [B, H],
    m: T,
    n: T,
    k: D,
    dtype: 'float32',
    a: side(0),
    b: { offset: keys.offset, strides: [keys.strides[0]!, keys.strides[1]!, 1, keys.strides[2]!] },
    c: { offset: 0, strides: [T * H * T, T, H * T, 1] },
  };
  const causal: Scalar = {
    op: 'inside',
    dtype: 'bool',
    index: indexOf({ offset: 0, strides: [1, -1] }, [row, column]),
    low: 0,
    high: T,
  };
  const bias = load(3, indexOf({ offset: 0, strides: [H * T, T, 1] }, [batch, head, column]));
  const value = where(
    causal,
    binary('add', binary('mul', total(), constant(D ** -0.5)), bias),
    constant(-1e9),
  );
  expectKernel(finished(p, value, [read(B * H * T)]));
});

test('integers, float64, and a sum in integers that becomes a float64', () => {
  const sizes = { m: 11, n: 14, k: 9 };
  const integers = product({ ...sizes, dtype: 'int32' });
  expectKernel(
    finished(integers, binary('add', total('int32'), load(3, alongN, 'int32'), 'int32'), [read(14, 'int32')]),
  );
  expectKernel(
    finished(integers, binary('mul', cast(total('int32'), 'float64'), constant(0.5, 'float64'), 'float64')),
  );
  const doubles = product({ ...sizes, dtype: 'float64' });
  expectKernel(
    finished(doubles, binary('add', total('float64'), load(3, alongN, 'float64'), 'float64'), [
      read(14, 'float64'),
    ]),
    1e-12,
  );
  expectKernel(finished(doubles, cast(total('float64'), 'float32')), 1e-6);
});

test('working memory has a bound that does not grow with the rows, and little of it is needed for small products', () => {
  for (const tile of TILES) {
    const scratch = (m: number, n: number, k: number): number =>
      planMatmulKernel(kernelOf(product({ m, n, k })), tile).scratch;
    expect(scratch(100_000, 64, 3000)).toBe(scratch(10_000, 64, 3000));
    expect(scratch(4096, 4096, 8192)).toBeLessThan(2 ** 20);
    expect(scratch(4, 4, 4)).toBeLessThan(1024);
  }
});
