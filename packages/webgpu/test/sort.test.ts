// Sorting against the interpreter: every dtype, both directions, ties, NaN and signed zeros, and lengths around those at which the way of sorting changes.
import { sort as sortTensor, type Tensor } from '@firsthand/autograd';
import type { SortKernel } from '@firsthand/compiler';
import type { DType } from '@firsthand/linalg';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { affine, DTYPES_OF_WGSL, expectSame, filled, load, operandsOf, planOf, PROFILES, runOnGPU, scattered } from './support/kernels.ts';

const NUMBERS: { readonly [K in DType]?: readonly number[] } = {
  float32: [0, -0, 1, -1, 0.5, -0.5, 1e-40, -1e-45, 3e38, -3e38, 0.1, Infinity, -Infinity, NaN],
  float16: [0, -0, 1, -1, 0.5, -0.5, 6e-8, -6e-8, 65504, -65504, Infinity, -Infinity, NaN],
  int32: [0, 1, -1, 2, -2, 2 ** 31 - 1, -(2 ** 31), 46341, -(2 ** 31) + 1],
  uint32: [0, 1, 2, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32 - 1],
  bool: [0, 1, 1, 0, 1],
};

/** Sorts along the last axis of an array, or along the first. */
function sortKernel(dtype: DType, rows: number, count: number, descending: boolean, byRows = true): SortKernel {
  const index = byRows ? affine(0, [0, count], [1, 1]) : affine(0, [0, 1], [1, rows]);
  return {
    kind: 'sort',
    operands: operandsOf([
      [dtype, rows * count],
      ['int32', rows * count],
    ]),
    rows: [rows],
    count,
    descending,
    value: load(0, dtype, index),
    target: { operand: 1, index },
  };
}

test.each(DTYPES_OF_WGSL)('%s', async (dtype) => {
  for (const descending of [false, true]) {
    for (const count of [1, 2, 5, 33, 64, 65, 100, 129]) {
      const kernel = sortKernel(dtype, 3, count, descending, count % 2 === 0);
      const target = filled('int32', [-1], 3 * count);
      await expectSame(kernel, [filled(dtype, scattered(3 * count, dtype === 'uint32' ? 0 : -9, 9)), target]);
      await expectSame(kernel, [filled(dtype, NUMBERS[dtype]!, 3 * count), target]);
    }
  }
});
