// Reductions and kernels of several passes, against the interpreter: every kind and dtype, lanes along
// columns and along rows, lengths around the sizes of blocks, and long sums.
import type { LoopKernel, Reduction, Scalar, Store } from '@firsthand/compiler';
import type { ArgReduceKind, ReduceKind } from '@firsthand/graph';
import { DTYPES, type DType } from '@firsthand/linalg';
import { describe, expect, test } from 'vitest';
import { planLoop } from '../src/kernels/loop-plan.ts';
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
import { expectSame, runCompiled, type Tolerance } from './support/kernels.ts';

const KINDS: readonly (ReduceKind | ArgReduceKind)[] = ['sum', 'prod', 'max', 'min', 'argmax', 'argmin'];
const EXACT: Tolerance = { relative: 0, absolute: 0 };
/** Sums in another order. */
const ROUNDED: { readonly [K in DType]: Tolerance } = {
  float32: { relative: 1e-6, absolute: 1e-5 },
  float64: { relative: 1e-14, absolute: 1e-14 },
  float16: { relative: 1e-3, absolute: 1e-3 },
  int32: EXACT,
  uint32: EXACT,
  bool: EXACT,
};

const takes = (kind: ReduceKind | ArgReduceKind, dtype: DType): boolean =>
  (kind !== 'sum' && kind !== 'prod') || dtype !== 'bool';
const resultOf = (kind: ReduceKind | ArgReduceKind, dtype: DType): DType =>
  kind === 'argmax' || kind === 'argmin' ? 'int32' : dtype;
const isExact = (kind: ReduceKind | ArgReduceKind): boolean => kind !== 'sum' && kind !== 'prod';

const unary = (kind: 'exp' | 'neg' | 'rsqrt' | 'log', x: Scalar): Scalar => ({
  op: 'unary',
  dtype: x.dtype,
  kind,
  x,
});
const binary = (kind: 'add' | 'sub' | 'mul' | 'div', a: Scalar, b: Scalar): Scalar => ({
  op: 'binary',
  dtype: a.dtype,
  kind,
  a,
  b,
});
const reduced = (reduction: number, dtype: DType = 'float32'): Scalar => ({
  op: 'reduced',
  dtype,
  reduction,
});

/** Reduces a matrix with given strides: rows are kept. */
function reduceKernel(
  kind: ReduceKind | ArgReduceKind,
  dtype: DType,
  rows: number,
  columns: number,
  byRows: boolean,
): LoopKernel {
  const index = byRows ? affine(0, [0, columns], [1, 1]) : affine(0, [0, 1], [1, rows]);
  const result = resultOf(kind, dtype);
  return {
    kind: 'loop',
    operands: operandsOf([
      [dtype, rows * columns],
      [result, rows],
    ]),
    rows: [rows],
    columns: [columns],
    reductions: [{ kind, dtype: result, value: load(0, dtype, index) }],
    passes: [{ reductions: [0], stores: [] }],
    rowStores: [{ operand: 1, index: affine(0, [0, 1]), value: reduced(0, result) }],
  };
}

describe.each(EVERY_DTYPE)('%s', (dtype) => {
  describe.each(KINDS.filter((kind) => takes(kind, dtype)))('%s', (kind) => {
    test.each([true, false])('of rows side by side: %s', (byRows) => {
      const isProduct = kind === 'prod' && DTYPES[dtype].isFloat;
      for (const [rows, columns] of [
        [1, 1],
        [1, 3],
        [3, 5],
        [2, 16],
        [5, 17],
        [17, 3],
        [33, 31],
        [4, 100],
        [21, 67],
      ] as const) {
        const kernel = reduceKernel(kind, dtype, rows, columns, byRows);
        const numbers = scattered(
          rows * columns,
          isProduct ? 0.9 : dtype === 'uint32' ? 0 : -9,
          isProduct ? 1.1 : 9,
        );
        const arrays = [filled(dtype, numbers), filled(kernel.operands[1]!.dtype, [1], rows)];
        expectSame(kernel, arrays, isExact(kind) ? EXACT : ROUNDED[dtype]);
      }
    });
    test('of numbers where it goes wrong', () => {
      // Two signed infinities have no sum, and a product of extremes depends on the order.
      const numbers = isExact(kind)
        ? SPECIAL[dtype]
        : SPECIAL[dtype].filter((value) => Math.abs(value) < 1e9 && Math.abs(value) > 1e-9);
      for (const length of [5, 11, 40]) {
        const rows = numbers.map((_, start) =>
          Array.from({ length }, (__, index) => numbers[(start + index) % numbers.length]!),
        );
        const kernel = reduceKernel(kind, dtype, rows.length, length, true);
        const arrays = [filled(dtype, rows.flat()), filled(kernel.operands[1]!.dtype, [0], rows.length)];
        expectSame(kernel, arrays, isExact(kind) ? EXACT : ROUNDED[dtype]);
      }
    });
  });
});

describe('extremes', () => {
  test.each(['argmax', 'argmin'] as const)(
    '%s: the first of equals, the first NaN, and rows that are all the worst',
    (kind) => {
      const worst = kind === 'argmax' ? -Infinity : Infinity;
      const rows = [
        Array.from({ length: 37 }, () => 1),
        Array.from({ length: 37 }, () => worst),
        Array.from({ length: 37 }, (_, index) => (index === 9 || index === 30 ? NaN : index)),
        Array.from({ length: 37 }, (_, index) => (index === 36 ? NaN : -index)),
        Array.from({ length: 37 }, (_, index) => (index % 5 === 4 ? -worst : 0)),
        Array.from({ length: 37 }, (_, index) => (index === 36 ? -worst : worst)),
      ];
      for (const dtype of ['float32', 'float64', 'float16'] as const) {
        for (const byRows of [true, false]) {
          const kernel = reduceKernel(kind, dtype, rows.length, 37, byRows);
          const numbers = byRows
            ? rows.flat()
            : Array.from({ length: 37 }, (_, column) => rows.map((row) => row[column]!)).flat();
          expectSame(kernel, [filled(dtype, numbers), filled('int32', [0], rows.length)]);
        }
      }
    },
  );
});

test('a sum of a quarter of a million numbers is as good as exact, along a row and down columns', () => {
  const n = 2 ** 18;
  const numbers = scattered(n, 0, 1);
  const array = filled('float32', numbers);
  const exact = Array.from(array).reduce((sum, value) => sum + value, 0);
  const [, row] = runCompiled(reduceKernel('sum', 'float32', 1, n, true), [array, filled('float32', [0], 1)]);
  expect(Math.abs(row![0]! - exact) / exact).toBeLessThan(2e-7);
  const [, columns] = runCompiled(reduceKernel('sum', 'float32', 8, n / 8, false), [
    array,
    filled('float32', [0], 8),
  ]);
  for (let column = 0; column < 8; column++) {
    let sum = 0;
    for (let index = column; index < n; index += 8) sum += array[index]!;
    expect(Math.abs(columns![column]! - sum) / sum).toBeLessThan(2e-7);
  }
  // Of numbers that are all 0.1 a running float32 sum is wrong in the third digit.
  const tenths = filled('float32', [0.1], n);
  const [, sum] = runCompiled(reduceKernel('sum', 'float32', 1, n, true), [
    tenths,
    filled('float32', [0], 1),
  ]);
  expect(Math.abs(sum![0]! / n / Math.fround(0.1) - 1)).toBeLessThan(1e-6);
});

test('long sums over several axes are emptied in whichever loop is long', () => {
  for (const columns of [
    [3, 5000],
    [5000, 3],
    [300, 300],
    [5, 7, 900],
    [2000, 2, 2],
  ]) {
    const count = columns.reduce((product, extent) => product * extent, 1);
    let factor = count;
    const terms = columns.map((extent, column) => [column + 1, (factor /= extent)] as const);
    for (const [rows, stride] of [
      [3, count],
      [5, 0],
    ] as const) {
      const kernel: LoopKernel = {
        kind: 'loop',
        operands: operandsOf(
          [
            ['float32', stride === 0 ? count : rows * count],
            ['float64', rows],
            ['float32', rows],
          ],
          1,
        ),
        rows: [rows],
        columns,
        reductions: [
          { kind: 'sum', dtype: 'float32', value: load(0, 'float32', affine(0, [0, stride], ...terms)) },
        ],
        passes: [{ reductions: [0], stores: [] }],
        rowStores: [{ operand: 2, index: affine(0, [0, 1]), value: reduced(0) }],
      };
      // with and without float64 among the operands, which has two lanes
      for (const operands of [
        kernel.operands,
        kernel.operands.map((operand) => ({ ...operand, dtype: 'float32' as const })),
      ]) {
        expectSame(
          { ...kernel, operands },
          [
            filled('float32', scattered(operands[0]!.length, 0, 1)),
            filled(operands[1]!.dtype, [0], rows),
            filled('float32', [0], rows),
          ],
          ROUNDED.float32,
        );
      }
    }
  }
});

/** softmax over the columns, with lanes as the strides want them. */
function softmax(rows: number, columns: number, byRows = true): LoopKernel {
  const index = byRows ? affine(0, [0, columns], [1, 1]) : affine(0, [0, 1], [1, rows]);
  const x = load(0, 'float32', index);
  const e = unary('exp', binary('sub', x, reduced(0)));
  return {
    kind: 'loop',
    operands: operandsOf([
      ['float32', rows * columns],
      ['float32', rows * columns],
    ]),
    rows: [rows],
    columns: [columns],
    reductions: [
      { kind: 'max', dtype: 'float32', value: x },
      { kind: 'sum', dtype: 'float32', value: e },
    ],
    passes: [
      { reductions: [0], stores: [] },
      { reductions: [1], stores: [] },
      { reductions: [], stores: [{ operand: 1, index, value: binary('div', e, reduced(1)) }] },
    ],
    rowStores: [],
  };
}

describe('several passes', () => {
  test.each([true, false])('softmax, rows side by side: %s', (byRows) => {
    for (const [rows, columns] of [
      [1, 1],
      [3, 2],
      [2, 5],
      [7, 16],
      [5, 65],
      [19, 40],
      [4, 1000],
    ] as const) {
      const kernel = softmax(rows, columns, byRows);
      expectSame(
        kernel,
        [filled('float32', scattered(rows * columns, -30, 30)), filled('float32', [0], rows * columns)],
        {
          relative: 2e-6,
          absolute: 1e-30,
        },
      );
    }
  });

  test('the exponentials of a row are kept in working memory, where a row fits', () => {
    expect(planLoop(softmax(4, 100)).scratchBytes).toBe(400);
    expect(planLoop(softmax(4, 1)).scratchBytes).toBe(0);
    expect(planLoop(softmax(4, 100, false)).scratchBytes).toBe(0);
    expect(planLoop(softmax(1, 2 ** 20)).scratchBytes).toBe(0);
    expect(planLoop(softmax(4, 100, false)).lanesAreRows).toBe(true);
    expect(planLoop(softmax(4, 100)).lanesAreRows).toBe(false);
  });

  test('layer norm with statistics stored beside', () => {
    for (const [rows, columns] of [
      [3, 7],
      [5, 64],
      [2, 100],
    ] as const) {
      const x = load(0, 'float32', affine(0, [0, columns], [1, 1]));
      const inverse = constant('float32', 1 / columns);
      const mean = binary('mul', reduced(0), inverse);
      const centred = binary('sub', x, mean);
      const scale = unary(
        'rsqrt',
        binary('add', binary('mul', reduced(1), inverse), constant('float32', 1e-5)),
      );
      const value = binary(
        'add',
        binary('mul', binary('mul', centred, scale), load(1, 'float32', affine(0, [1, 1]))),
        load(2, 'float32', affine(0, [1, 1])),
      );
      const kernel: LoopKernel = {
        kind: 'loop',
        operands: operandsOf(
          [
            ['float32', rows * columns],
            ['float32', columns],
            ['float32', columns],
            ['float32', rows * columns],
            ['float32', rows],
            ['float32', rows],
          ],
          3,
        ),
        rows: [rows],
        columns: [columns],
        reductions: [
          { kind: 'sum', dtype: 'float32', value: x },
          { kind: 'sum', dtype: 'float32', value: binary('mul', centred, centred) },
        ],
        passes: [
          { reductions: [0], stores: [] },
          { reductions: [1], stores: [] },
          { reductions: [], stores: [{ operand: 3, index: affine(0, [0, columns], [1, 1]), value }] },
        ],
        rowStores: [
          { operand: 4, index: affine(0, [0, 1]), value: mean },
          { operand: 5, index: affine(rows - 1, [0, -1]), value: scale },
        ],
      };
      const lengths = kernel.operands.map(({ length }) => length);
      expectSame(
        kernel,
        lengths.map((length, operand) => filled('float32', scattered(length, -3, 5, operand))),
        { relative: 1e-5, absolute: 1e-5 },
      );
    }
  });

  test('several reductions of different kinds and dtypes in one pass', () => {
    const [rows, columns] = [6, 45];
    const x = load(0, 'float32', affine(0, [0, columns], [1, 1]));
    const i = load(1, 'int32', affine(0, [0, columns], [1, 1]));
    const reductions: readonly Reduction[] = [
      { kind: 'sum', dtype: 'float32', value: x },
      { kind: 'max', dtype: 'int32', value: i },
      { kind: 'argmin', dtype: 'int32', value: x },
      {
        kind: 'min',
        dtype: 'bool',
        value: { op: 'binary', dtype: 'bool', kind: 'lt', a: x, b: constant('float32', 1.9) },
      },
      { kind: 'sum', dtype: 'float64', value: { op: 'cast', dtype: 'float64', x } },
    ];
    for (const list of [reductions, reductions.slice(0, 4)]) {
      const operands = operandsOf(
        [
          ['float32', rows * columns],
          ['int32', rows * columns],
          ...list.map(({ dtype }) => [dtype, rows] as const),
        ],
        list.length,
      );
      const kernel: LoopKernel = {
        kind: 'loop',
        operands,
        rows: [rows],
        columns: [columns],
        reductions: list,
        passes: [{ reductions: list.map((_, number) => number), stores: [] }],
        rowStores: list.map(({ dtype }, number): Store => ({
          operand: number + 2,
          index: affine(0, [0, 1]),
          value: reduced(number, dtype),
        })),
      };
      expectSame(
        kernel,
        operands.map(({ dtype, length }, operand) => filled(dtype, scattered(length, -2, 2, operand))),
        { relative: 1e-6, absolute: 1e-6 },
      );
    }
  });

  test('rows and columns of several axes, in any order', () => {
    // parallel axes 0 and 1, reduction axes 2 and 3 of an array whose memory order is 2 0 3 1
    const extents = [3, 4, 5, 6];
    const index = affine(0, [0, 24], [1, 1], [2, 72], [3, 4]);
    const kernel: LoopKernel = {
      kind: 'loop',
      operands: operandsOf(
        [
          ['float32', 360],
          ['float32', 12],
          ['int32', 12],
        ],
        2,
      ),
      rows: extents.slice(0, 2),
      columns: extents.slice(2),
      reductions: [
        { kind: 'sum', dtype: 'float32', value: load(0, 'float32', index) },
        { kind: 'argmax', dtype: 'int32', value: load(0, 'float32', index) },
      ],
      passes: [{ reductions: [0, 1], stores: [] }],
      rowStores: [
        { operand: 1, index: affine(0, [0, 4], [1, 1]), value: reduced(0) },
        { operand: 2, index: affine(0, [0, 1], [1, 3]), value: reduced(1, 'int32') },
      ],
    };
    expectSame(
      kernel,
      [filled('float32', scattered(360)), filled('float32', [0], 12), filled('int32', [0], 12)],
      ROUNDED.float32,
    );
  });
});

test('the same bits wherever an element stands in a block', () => {
  // exp is computed in full blocks, in the rest of a row and in single lanes; equal inputs give equal outputs
  for (const n of [1, 2, 3, 6, 29]) {
    const kernel = softmax(1, n);
    const [, result] = runCompiled(kernel, [filled('float32', [0.37], n), filled('float32', [0], n)]);
    expect(new Set(result).size).toBe(1);
  }
});
