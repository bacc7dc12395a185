// Sorting against the interpreter: every dtype, both directions, ties, NaN and signed zeros, and lengths
// around those at which the way of sorting changes.
import { sort, topk } from '@firsthand/autograd';
import type { SortKernel } from '@firsthand/compiler';
import type { DType } from '@firsthand/linalg';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  affine,
  DTYPES_OF_WGSL,
  expectSame,
  filled,
  kernelsOf,
  load,
  operandsOf,
  PROFILES,
  runOnGPU,
  scattered,
} from './support/kernels.ts';

const NUMBERS: { readonly [K in DType]?: readonly number[] } = {
  float32: [0, -0, 1, -1, 0.5, -0.5, 1e-40, -1e-45, 3e38, -3e38, 0.1, Infinity, -Infinity, NaN],
  float16: [0, -0, 1, -1, 0.5, -0.5, 6e-8, -6e-8, 65504, -65504, Infinity, -Infinity, NaN],
  int32: [0, 1, -1, 2, -2, 2 ** 31 - 1, -(2 ** 31), 46341, -(2 ** 31) + 1],
  uint32: [0, 1, 2, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32 - 1],
  bool: [0, 1, 1, 0, 1],
};

/** Sorts along the last axis of an array, or along the first. */
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

describe.each([false, true])('descending: %s', (descending) => {
  test.each(DTYPES_OF_WGSL)('%s', async (dtype) => {
    for (const count of [1, 2, 7, 8, 9, 17, 100]) {
      const kernel = sortKernel(dtype, 3, count, descending, count % 2 === 0);
      const target = filled('int32', [-1], 3 * count);
      await expectSame(kernel, [filled(dtype, scattered(3 * count, dtype === 'uint32' ? 0 : -9, 9)), target]);
      await expectSame(kernel, [filled(dtype, NUMBERS[dtype]!, 3 * count), target]);
    }
  });
});

test('equal elements stay in order, zeros of both signs are equal, NaN of either sign is last', async () => {
  const array = filled('float32', [0, -0, NaN, 1, -0, 0, -Infinity, NaN, 1, Infinity]);
  new Uint32Array(array.buffer)[7] = 0xffc00000;
  const order = async (descending: boolean): Promise<number[]> => [
    ...(
      await runOnGPU(
        sortKernel('float32', 1, 10, descending),
        [array, filled('int32', [0], 10)],
        PROFILES.hardware,
      )
    )[1]!,
  ];
  expect(await order(false)).toEqual([6, 0, 1, 4, 5, 3, 8, 9, 2, 7]);
  expect(await order(true)).toEqual([9, 3, 8, 0, 1, 4, 5, 6, 2, 7]);
});

test('rows of every length', async () => {
  const counts = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 20, max: 600 }));
  await fc.assert(
    fc.asyncProperty(
      counts,
      fc.integer({ min: 1, max: 5 }),
      fc.boolean(),
      fc.boolean(),
      fc.integer({ min: 1, max: 1000 }),
      async (count, rows, descending, byRows, most) => {
        const kernel = sortKernel('int32', rows, count, descending, byRows);
        await expectSame(kernel, [
          filled('int32', scattered(rows * count, -most, most)),
          filled('int32', [-1], rows * count),
        ]);
      },
    ),
    { numRuns: 10 },
  );
});

test('long rows', async () => {
  for (const [rows, count] of [
    [1, 150_001],
    [5, 4096],
  ] as const) {
    const numbers = scattered(rows * count, -500, 500).map((each) => Math.round(each * 100) / 100);
    await expectSame(sortKernel('float32', rows, count, true), [
      filled('float32', numbers),
      filled('int32', [-1], rows * count),
    ]);
  }
});

test('more rows than a dispatch has workgroups along one dimension', async () => {
  const rows = 64 * 65537;
  const kernel = sortKernel('int32', rows, 2, false);
  const [, order] = await runOnGPU(
    kernel,
    [filled('int32', [1, 2, 3], 2 * rows), filled('int32', [-1], 2 * rows)],
    PROFILES.software,
  );
  const positions = [0, 1, 1, 0, 0, 1];
  expect(order!.findIndex((position, at) => position !== positions[at % 6])).toBe(-1);
});

describe('as the compiler has it', () => {
  test.each<[string, () => readonly SortKernel[]]>([
    ['along the last axis', () => kernelsOf('sort', (x) => [sort(x).indices], ['float32', [5, 30]])],
    [
      'along the first axis, descending',
      () => kernelsOf('sort', (x) => [sort(x, { axis: 0, descending: true }).indices], ['float32', [70, 3]]),
    ],
    ['along a middle axis', () => kernelsOf('sort', (x) => [sort(x, 1).indices], ['int32', [2, 40, 3]])],
    [
      'of several row axes',
      () => kernelsOf('sort', (x) => [sort(x.permute(2, 0, 1)).indices], ['float32', [3, 20, 4]]),
    ],
    ['the largest few', () => kernelsOf('sort', (x) => [topk(x, 3).indices], ['float16', [4, 12]])],
    [
      'of something',
      () =>
        kernelsOf('sort', (x, y) => [sort(x.mul(y).add(1)).indices], ['float32', [4, 50]], ['float32', [50]]),
    ],
    ['of flags', () => kernelsOf('sort', (x) => [sort(x, 0).indices], ['bool', [90]])],
  ])('%s', async (_, kernels) => {
    const [kernel] = kernels();
    await expectSame(
      kernel!,
      kernel!.operands.map(({ dtype, length }) => filled(dtype, scattered(length, -20, 20).map(Math.round))),
    );
  });
});
