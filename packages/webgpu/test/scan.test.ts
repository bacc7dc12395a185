// Running sums, products and linear recurrences against the interpreter: every dtype, rows long and short,
// few and many, in parts and whole, and what the compiler makes of cumsum.
import { grad } from '@firsthand/autograd';
import type { Scalar, ScanKernel } from '@firsthand/compiler';
import type { ScanKind } from '@firsthand/graph';
import { sizeOf, type DType } from '@firsthand/linalg';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { planScan } from '../src/kernels/scan.ts';
import {
  affine,
  expectSame,
  filled,
  kernelsOf,
  load,
  operandsOf,
  PROFILES,
  runOnGPU,
  scattered,
} from './support/kernels.ts';
import { plainLayout } from './support/run-shader.ts';

/** A scan whose operands have the given strides: of the row axes, then of the columns. */
function scan(
  dtype: DType,
  rows: readonly number[],
  count: number,
  strides: readonly number[],
  kind: ScanKind = 'sum',
): ScanKernel {
  const index = affine(0, ...strides.map((stride, axis) => [axis, stride] as const));
  const length = sizeOf(rows) * count;
  // The coefficients of a linear recurrence are its terms, from the last to the first.
  const last = [...rows, count].reduce((sum, extent, axis) => sum + (extent - 1) * strides[axis]!, 0);
  const backwards = affine(last, ...strides.map((stride, axis) => [axis, -stride] as const));
  return {
    kind: 'scan',
    scan: kind,
    operands: operandsOf([
      [dtype, length],
      [dtype, length],
    ]),
    rows,
    count,
    dtype,
    value: load(0, dtype, index),
    coefficient: kind === 'linear' ? load(0, dtype, backwards) : null,
    stores: [{ operand: 1, index, value: { op: 'total', dtype } }],
  };
}

const KINDS: readonly ScanKind[] = ['sum', 'prod', 'linear'];
const numeric: readonly DType[] = ['float32', 'float16', 'int32', 'uint32'];
/** Whole numbers, so that sums of floats are exact in every order. */
const whole = (length: number, low = -3, high = 4): number[] => scattered(length, low, high).map(Math.floor);

/** Numbers whose scans are exact in every order; those of integers wrap. */
function numbersFor(kind: ScanKind, dtype: DType, length: number): number[] {
  if (dtype === 'uint32') return whole(length, 0, 9).map((each) => (each === 7 ? 2 ** 32 - 1 : each));
  if (kind === 'sum' || dtype === 'int32') return whole(length);
  if (kind === 'linear') return whole(length, -1, 2);
  // Powers of two whose products leave no range, and now and then a 0 that ends them all.
  return whole(length, 0, 100).map((each, index) =>
    each === 0 && index % 7 === 0 ? 0 : [2, -0.5, 1, -1][index % 4]!,
  );
}

describe.each(KINDS.flatMap((kind) => numeric.map((dtype) => [kind, dtype] as const)))(
  '%s of %s',
  (kind, dtype) => {
    test.each<[string, readonly number[], number, readonly number[]]>([
      ['one element', [], 1, [1]],
      ['one short row', [], 37, [1]],
      ['one long row', [], 9003, [1]],
      ['two long rows', [2], 2100, [2100, 1]],
      ['columns between rows', [23], 5, [1, 23]],
      ['several row axes', [3, 1, 6], 70, [420, 0, 1, 6]],
      ['more rows than invocations', [70], 40, [40, 1]],
    ])('%s', async (_, rows, count, strides) => {
      const kernel = scan(dtype, rows, count, strides, kind);
      const { length } = kernel.operands[0]!;
      const numbers = numbersFor(kind, dtype, length);
      await expectSame(kernel, [filled(dtype, numbers), filled(dtype, [0], length)]);
    });
  },
);

test('rows of every length', async () => {
  const lengths = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 300, max: 20000 }));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 2 }),
      lengths,
      fc.boolean(),
      async (rows, count, isLast) => {
        const outer = sizeOf(rows);
        const rowFactors = rows.map((_, axis) => sizeOf(rows.slice(axis + 1)) * (isLast ? count : 1));
        const kernel = scan('int32', rows, count, [...rowFactors, isLast ? 1 : outer]);
        await expectSame(kernel, [
          filled('int32', scattered(outer * count, -1e9, 1e9)),
          filled('int32', [0], outer * count),
        ]);
      },
    ),
    { numRuns: 12 },
  );
});

test('infinities and NaN stay, and go no other way than to the right', async () => {
  const length = 3000;
  const numbers = whole(length);
  const with_ = (positions: readonly (readonly [number, number])[]): number[] =>
    positions.reduce((list, [at, value]) => list.with(at, value), numbers);
  for (const positions of [
    [[700, Infinity]],
    [
      [5, Infinity],
      [2500, -Infinity],
    ],
    [[2999, NaN]],
    [
      [1030, -Infinity],
      [1500, NaN],
    ],
  ] as const) {
    await expectSame(scan('float32', [], length, [1]), [
      filled('float32', with_(positions)),
      filled('float32', [0], length),
    ]);
    await expectSame(scan('float32', [40], 75, [1, 40]), [
      filled('float32', with_(positions)),
      filled('float32', [0], length),
    ]);
  }
});

test('errors do not grow with the row', async () => {
  const length = 100_000;
  const arrays = [filled('float32', scattered(length, 0, 1)), filled('float32', [0], length)];
  await expectSame(scan('float32', [], length, [1]), arrays, { relative: 4e-7, absolute: 0 });
  await expectSame(scan('float32', [40], length / 40, [length / 40, 1]), arrays, {
    relative: 4e-7,
    absolute: 0,
  });
});

test('values and stores are expressions; a store may be of another dtype, and elsewhere', async () => {
  for (const count of [40, 2000]) {
    const index = affine(0, [0, count], [1, 1]);
    const x = load(0, 'float32', index);
    const total: Scalar = { op: 'total', dtype: 'float32' };
    const product: Scalar = {
      op: 'binary',
      dtype: 'float32',
      kind: 'mul',
      a: x,
      b: load(1, 'float32', affine(0, [0, 1])),
    };
    const kernel: ScanKernel = {
      kind: 'scan',
      scan: 'sum',
      operands: operandsOf(
        [
          ['float32', 6 * count],
          ['float32', 6],
          ['float32', 6 * count],
          ['int32', 6 * count],
        ],
        2,
      ),
      rows: [6],
      count,
      dtype: 'float32',
      value: product,
      coefficient: null,
      stores: [
        { operand: 2, index, value: { op: 'binary', dtype: 'float32', kind: 'sub', a: total, b: product } },
        {
          operand: 3,
          index: affine(6 * count - 1, [0, -count], [1, -1]),
          value: { op: 'cast', dtype: 'int32', x: total },
        },
      ],
    };
    await expectSame(kernel, [
      filled('float32', whole(6 * count)),
      filled('float32', [1, 2, 0, -1, 3, 1]),
      filled('float32', [0], 6 * count),
      filled('int32', [0], 6 * count),
    ]);
  }
});

test('more rows than a dispatch has workgroups along one dimension', async () => {
  const rows = 64 * 65537;
  const kernel = scan('int32', [rows], 2, [2, 1]);
  const [, sums] = await runOnGPU(
    kernel,
    [filled('int32', [1, 2, 3], 2 * rows), filled('int32', [0], 2 * rows)],
    PROFILES.software,
  );
  const pairs = [1, 3, 3, 4, 2, 5];
  expect(sums!.findIndex((sum, index) => sum !== pairs[index % 6])).toBe(-1);
});

describe('cumsum, as the compiler has it', () => {
  test.each<[string, () => readonly ScanKernel[]]>([
    ['along the first axis', () => kernelsOf('scan', (x) => [x.cumsum(0)], ['float32', [31, 9]])],
    ['along a middle axis', () => kernelsOf('scan', (x) => [x.cumsum(1)], ['float32', [5, 70, 3]])],
    ['along the last axis', () => kernelsOf('scan', (x) => [x.cumsum(-1)], ['int32', [3, 1500]])],
    [
      'of something, and then something',
      () =>
        kernelsOf('scan', (x, y) => [x.mul(y).cumsum(1).mul(x)], ['float32', [6, 100]], ['float32', [6, 1]]),
    ],
    ['of a transpose', () => kernelsOf('scan', (x) => [x.transpose().cumsum(0)], ['float32', [12, 40]])],
    [
      'backwards',
      () =>
        kernelsOf('scan', (x) => [grad((each) => each.cumsum(1).square().sum())(x)], ['float32', [4, 65]]),
    ],
    ['of two axes', () => kernelsOf('scan', (x) => [x.cumsum(0).cumsum(1)], ['int32', [7, 8]])],
    [
      'of rolled and sliced rows',
      () => kernelsOf('scan', (x) => [x.roll(3, 1).slice(1, 0, 30, 2).cumsum(1)], ['float32', [4, 33]]),
    ],
    ['of half precision', () => kernelsOf('scan', (x) => [x.cumsum(0)], ['float16', [100]])],
  ])('%s', async (_, kernels) => {
    const found = kernels();
    expect(found.length).toBeGreaterThan(0);
    for (const kernel of found) {
      await expectSame(
        kernel,
        kernel.operands.map(({ dtype, length }) => filled(dtype, whole(length))),
        { relative: 1e-6, absolute: 0 },
      );
    }
  });
});

test('few long rows are cut in parts, and many rows are not', () => {
  const cases = [
    scan('float32', [], 100_000, [1]),
    scan('float32', [9000], 300, [300, 1]),
    scan('float32', [4], 100, [100, 1]),
  ];
  const shaders = Object.values(PROFILES).map((profile) =>
    cases.map((kernel) => {
      const plan = planScan(kernel, profile);
      return [plan.emit(plainLayout(kernel.operands)).length, plan.scratch / 4];
    }),
  );
  expect(shaders).toEqual([
    [
      [2, 64],
      [1, 0],
      [1, 0],
    ],
    [
      [2, 24],
      [1, 0],
      [1, 0],
    ],
  ]);
});
