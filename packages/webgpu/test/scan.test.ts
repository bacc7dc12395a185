// Running sums against the interpreter: every dtype, rows long and short, few and many, in parts and whole, and what the compiler makes of cumsum.
import type { Plan, Scalar, ScanKernel } from '@firsthand/compiler';
import { sizeOf, type DType } from '@firsthand/linalg';
import { describe, expect, test } from 'vitest';
import { scanScratchWords, scanShaders } from '../src/kernels/scan.ts';
import { affine, expectSame, filled, load, operandsOf, planOf, PROFILES, runOnGPU, scattered } from './support/kernels.ts';
import { plainLayout } from './support/run-shader.ts';

/** A scan whose operands lie as `factors` say: of the row axes, then of the columns. */
function scan(dtype: DType, rows: readonly number[], count: number, factors: readonly number[]): ScanKernel {
  const index = affine(0, ...factors.map((factor, axis) => [axis, factor] as const));
  const length = sizeOf(rows) * count;
  return {
    kind: 'scan',
    operands: operandsOf([
      [dtype, length],
      [dtype, length],
    ]),
    rows,
    count,
    dtype,
    value: load(0, dtype, index),
    stores: [{ operand: 1, index, value: { op: 'total', dtype } }],
  };
}

const numeric: readonly DType[] = ['float32', 'float16', 'int32', 'uint32'];
/** Whole numbers, so that sums of floats are exact in every order. */
const whole = (length: number, low = -3, high = 4): number[] => scattered(length, low, high).map(Math.floor);

describe.each(numeric)('of %s', (dtype) => {
  test.each<[string, readonly number[], number, readonly number[]]>([
    ['one element', [], 1, [1]],
    ['one short row', [], 37, [1]],
    ['one long row', [], 5003, [1]],
    ['two long rows', [2], 2100, [2100, 1]],
    ['columns between rows', [23], 5, [1, 23]],
    ['several row axes', [3, 1, 6], 70, [420, 0, 1, 6]],
    ['more rows than invocations', [70], 40, [40, 1]],
  ])('%s', async (_, rows, count, factors) => {
    const kernel = scan(dtype, rows, count, factors);
    const { length } = kernel.operands[0]!;
    const numbers = dtype === 'uint32' ? whole(length, 0, 9).map((each) => (each === 7 ? 2 ** 32 - 1 : each)) : whole(length);
    await expectSame(kernel, [filled(dtype, numbers), filled(dtype, [0], length)]);
  });
});
