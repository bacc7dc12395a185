// Sorting against the interpreter: every dtype, both directions, ties, NaN and signed zeros, and lengths
// around powers of two.
import type { SortKernel } from '@firsthand/compiler';
import { argsort, NDArray, type DType } from '@firsthand/linalg';
import { expect, test } from 'vitest';
import { affine, EVERY_DTYPE, filled, load, operandsOf, scattered, SPECIAL } from './support/build.ts';
import { expectSame, runCompiled } from './support/kernels.ts';

function sortKernel(
  dtype: DType,
  rows: number,
  count: number,
  descending: boolean,
  byRows = true,
): SortKernel {
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

test.each(EVERY_DTYPE)('%s', (dtype) => {
  for (const descending of [false, true]) {
    for (const byRows of [true, false]) {
      for (const count of [1, 2, 3, 4, 5, 8, 9, 16, 31, 33, 100]) {
        const kernel = sortKernel(dtype, 3, count, descending, byRows);
        expectSame(kernel, [
          filled(dtype, scattered(3 * count, dtype === 'uint32' ? 0 : -9, 9)),
          filled('int32', [-1], 3 * count),
        ]);
        expectSame(kernel, [
          filled(dtype, SPECIAL[dtype].toReversed(), 3 * count),
          filled('int32', [-1], 3 * count),
        ]);
      }
    }
  }
});

test('equal elements keep their order, zeros of both signs are equal, NaN of either sign is last', () => {
  const negativeNaN = new Float32Array(Uint32Array.of(0xffc00000).buffer)[0]!;
  const list = [0, -0, NaN, 1, -0, 0, -Infinity, NaN, 1, Infinity];
  const array = filled('float32', list);
  array[7] = negativeNaN;
  new Uint32Array(array.buffer)[7] = 0xffc00000;
  const order = (descending: boolean): number[] => [
    ...runCompiled(sortKernel('float32', 1, 10, descending), [array, filled('int32', [0], 10)])[1]!,
  ];
  expect(order(false)).toEqual([6, 0, 1, 4, 5, 3, 8, 9, 2, 7]);
  expect(order(true)).toEqual([9, 3, 8, 0, 1, 4, 5, 6, 2, 7]);
});

test('a long axis', () => {
  for (const dtype of ['float32', 'float64'] as const) {
    const n = 5000;
    const values = filled(
      dtype,
      scattered(n).map((value) => Math.round(value * 100)),
    );
    const [, order] = runCompiled(sortKernel(dtype, 1, n, false), [values, filled('int32', [0], n)]);
    expect([...order!]).toEqual([...argsort(NDArray.packed(values, [n], dtype)).data]);
  }
});
