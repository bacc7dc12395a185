// Running sums, products and linear recurrences against the interpreter: every dtype, rows in lanes and one
// by one, stores made of the sum, and long rows.
import type { ScanKernel, Scalar } from '@firsthand/compiler';
import type { ScanKind } from '@firsthand/graph';
import { DTYPES, type DType } from '@firsthand/linalg';
import { expect, test } from 'vitest';
import {
  affine,
  constant,
  EVERY_DTYPE,
  filled,
  load,
  operandsOf,
  scattered,
  SPECIAL,
} from './support/build.ts';
import { expectSame, runCompiled } from './support/kernels.ts';

function scanKernel(
  dtype: DType,
  rows: readonly number[],
  count: number,
  factors: readonly number[],
  scan: ScanKind = 'sum',
): ScanKernel {
  const index = affine(0, ...factors.map((factor, axis) => [axis, factor] as const));
  const length = rows.reduce((product, extent) => product * extent, count);
  // The factors of a linear recurrence are its terms, from the last to the first.
  const last = [...rows, count].reduce((sum, extent, axis) => sum + (extent - 1) * factors[axis]!, 0);
  const backwards = affine(last, ...factors.map((factor, axis) => [axis, -factor] as const));
  return {
    kind: 'scan',
    scan,
    operands: operandsOf([
      [dtype, length],
      [dtype, length],
    ]),
    rows,
    count,
    dtype,
    value: load(0, dtype, index),
    coefficient: scan === 'linear' ? load(0, dtype, backwards) : null,
    stores: [{ operand: 1, index, value: { op: 'total', dtype } }],
  };
}

const SCANS: readonly ScanKind[] = ['sum', 'prod', 'linear'];
const numeric = EVERY_DTYPE.filter((dtype) => dtype !== 'bool');

test.each(SCANS.flatMap((scan) => numeric.map((dtype) => [scan, dtype] as const)))(
  '%s of %s',
  (scan, dtype) => {
    // Sums of float32 and float16 in float64 have the same bits in the interpreter; so have integers.
    for (const kernel of [
      scanKernel(dtype, [], 1, [1], scan),
      scanKernel(dtype, [], 37, [1], scan),
      scanKernel(dtype, [2], 9, [9, 1], scan),
      scanKernel(dtype, [7], 5, [5, 1], scan),
      scanKernel(dtype, [23], 5, [1, 23], scan),
      scanKernel(dtype, [3, 6], 4, [24, 1, 6], scan),
      scanKernel(dtype, [1, 4], 4, [0, 4, 1], scan),
    ]) {
      const { length } = kernel.operands[0]!;
      expectSame(kernel, [
        filled(dtype, scattered(length, dtype === 'uint32' ? 0 : -50, 50)),
        filled(dtype, [0], length),
      ]);
      const numbers = DTYPES[dtype].isFloat
        ? SPECIAL[dtype].filter((value) => Math.abs(value) < 1e6)
        : SPECIAL[dtype];
      expectSame(kernel, [filled(dtype, numbers, length), filled(dtype, [0], length)]);
    }
  },
);

test.each(SCANS)('%s: infinities and NaN stay', (scan) => {
  expectSame(scanKernel('float32', [], 6, [1], scan), [
    filled('float32', [1, Infinity, 2, -Infinity, 3, 4]),
    filled('float32', [0], 6),
  ]);
  expectSame(scanKernel('float32', [5], 6, [1, 5], scan), [
    filled('float32', [1, NaN, Infinity, -Infinity, 3], 30),
    filled('float32', [0], 30),
  ]);
});

test('values and stores are expressions; a store may be of another dtype', () => {
  for (const factors of [
    [40, 1],
    [1, 6],
  ]) {
    const index = affine(0, [0, factors[0]!], [1, factors[1]!]);
    const x = load(0, 'float32', index);
    const row = load(1, 'float32', affine(0, [0, 1]));
    const total: Scalar = { op: 'total', dtype: 'float32' };
    const product: Scalar = { op: 'binary', dtype: 'float32', kind: 'mul', a: x, b: row };
    const kernel: ScanKernel = {
      kind: 'scan',
      scan: 'sum',
      operands: operandsOf(
        [
          ['float32', 240],
          ['float32', 6],
          ['float32', 240],
          ['int32', 240],
        ],
        2,
      ),
      rows: [6],
      count: 40,
      dtype: 'float32',
      value: product,
      coefficient: null,
      stores: [
        { operand: 2, index, value: { op: 'binary', dtype: 'float32', kind: 'sub', a: total, b: product } },
        {
          operand: 3,
          index: affine(239, [0, -40], [1, -1]),
          value: {
            op: 'cast',
            dtype: 'int32',
            x: { op: 'binary', dtype: 'float32', kind: 'mul', a: total, b: constant('float32', 10) },
          },
        },
      ],
    };
    expectSame(kernel, [
      filled('float32', scattered(240)),
      filled('float32', scattered(6)),
      filled('float32', [0], 240),
      filled('int32', [0], 240),
    ]);
  }
});

test('a long running sum is as exact as its end', () => {
  const n = 100_000;
  const [, sums] = runCompiled(scanKernel('float32', [], n, [1]), [
    filled('float32', [0.1], n),
    filled('float32', [0], n),
  ]);
  expect(sums![n - 1]).toBe(Math.fround(Math.fround(0.1) * n));
});

test('a long running product stays in range as long as its total does', () => {
  // Partial products beyond float32's range, whose total comes back.
  const [, products] = runCompiled(scanKernel('float32', [], 6, [1], 'prod'), [
    filled('float32', [1e30, -1e30, 1e-30, 1e-30, 4, 0]),
    filled('float32', [0], 6),
  ]);
  expect([...products!]).toEqual([1e30, -Infinity, -1e30, -1, -4, -0].map(Math.fround));
});

test('a store follows the sum of its own element, in every range into which a bounds predicate splits the loop', () => {
  const inside: Scalar = { op: 'inside', dtype: 'bool', index: affine(-1, [0, 1]), low: 0, high: 3 };
  const padded: Scalar = {
    op: 'where',
    dtype: 'float32',
    condition: inside,
    a: load(0, 'float32', affine(-1, [0, 1])),
    b: constant('float32', 0),
  };
  const kernel: ScanKernel = {
    kind: 'scan',
    scan: 'sum',
    operands: operandsOf([
      ['float32', 3],
      ['float32', 4],
    ]),
    rows: [],
    count: 4,
    dtype: 'float32',
    value: padded,
    coefficient: null,
    stores: [
      {
        operand: 1,
        index: affine(0, [0, 1]),
        value: { op: 'unary', dtype: 'float32', kind: 'neg', x: { op: 'total', dtype: 'float32' } },
      },
    ],
  };
  const [, sums] = runCompiled(kernel, [filled('float32', [1, 2, 3]), filled('float32', [0], 4)]);
  expect([...sums!]).toEqual([-0, -1, -3, -6]);
});
