// Loads and stores at all kinds of index expressions: strides, flips, quotients, bounds predicates, gathers.
// Arrays stand at the very start and end of the memory, so that a read outside of them traps, and every byte
// between them is checked.
import type { Index, LoopKernel, Scalar } from '@firsthand/compiler';
import type { DType } from '@firsthand/linalg';
import { describe, test } from 'vitest';
import {
  affine,
  constant,
  divided,
  EVERY_DTYPE,
  filled,
  load,
  mapKernel,
  operandsOf,
  rowMajor,
  scattered,
} from './support/build.ts';
import { expectSame } from './support/kernels.ts';

/** Copies elements of operand 0 to contiguous ones. */
function copyKernel(dtype: DType, length: number, extents: readonly number[], index: Index): LoopKernel {
  const count = extents.reduce((product, extent) => product * extent, 1);
  return mapKernel(
    operandsOf([
      [dtype, length],
      [dtype, count],
    ]),
    extents,
    [{ operand: 1, index: rowMajor(extents), value: load(0, dtype, index) }],
  );
}

function expectCopy(dtype: DType, length: number, extents: readonly number[], index: Index): void {
  const kernel = copyKernel(dtype, length, extents, index);
  const numbers = Array.from({ length }, (_, index) => ((index * 7) % 250) + 1);
  expectSame(kernel, [filled(dtype, numbers), filled(dtype, [0], kernel.operands[1]!.length)]);
}

const binary = (kind: 'add' | 'mul' | 'logicalAnd' | 'logicalOr', a: Scalar, b: Scalar): Scalar => ({
  op: 'binary',
  dtype: b.dtype,
  kind,
  a,
  b,
});
const where = (condition: Scalar, a: Scalar, b: Scalar): Scalar => ({
  op: 'where',
  dtype: a.dtype,
  condition,
  a,
  b,
});
const inside = (index: Index, low: number, high: number): Scalar => ({
  op: 'inside',
  dtype: 'bool',
  index,
  low,
  high,
});
const not = (x: Scalar): Scalar => ({ op: 'unary', dtype: 'bool', kind: 'logicalNot', x });

describe.each(EVERY_DTYPE)('%s', (dtype) => {
  test.each([1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 64])('%i elements side by side', (n) => {
    expectCopy(dtype, n, [n], affine(0, [0, 1]));
  });
  test('strided, flipped, repeated and transposed', () => {
    expectCopy(dtype, 40, [13], affine(1, [0, 3]));
    expectCopy(dtype, 13, [13], affine(12, [0, -1]));
    expectCopy(dtype, 40, [13], affine(39, [0, -3]));
    expectCopy(dtype, 5, [5, 7], affine(0, [0, 1]));
    expectCopy(dtype, 1, [11], affine(0));
    expectCopy(dtype, 35, [5, 7], affine(0, [0, 1], [1, 5]));
    expectCopy(dtype, 35, [7, 5], affine(34, [0, -1], [1, -7]));
    expectCopy(dtype, 2 * 3 * 4 * 5, [4, 3, 5, 2], affine(0, [0, 5], [1, 20], [2, 1], [3, 60]));
  });
});

test('the axis along which the output is contiguous, or the input, has the lanes', () => {
  const scatter = mapKernel(
    operandsOf([
      ['float32', 35],
      ['float32', 35],
    ]),
    [5, 7],
    [{ operand: 1, index: affine(0, [0, 1], [1, 5]), value: load(0, 'float32', affine(0, [0, 1], [1, 5])) }],
  );
  expectSame(scatter, [filled('float32', scattered(35)), filled('float32', [0], 35)]);
});

test('several axes of length 1', () => {
  expectCopy('float32', 1, [1], affine(0, [0, 1]));
  expectCopy('float32', 12, [1, 3, 1, 4, 1], affine(0, [0, 99], [1, 4], [2, 77], [3, 1], [4, 5]));
  expectCopy('float32', 3, [3, 1], affine(0, [0, 1], [1, 8]));
});

describe('quotients and remainders', () => {
  test.each([2, 3, 4, 5, 8, 16, 24])('by %i', (by) => {
    for (const n of [1, 7, 24, 48, 50]) {
      const i = affine(0, [0, 1]);
      expectCopy('float32', 64, [n], divided('quotient', i, by));
      expectCopy('float32', 64, [n], divided('remainder', i, by, 1, 2));
      expectCopy('float32', 64, [n], {
        offset: 0,
        terms: [...divided('quotient', i, by).terms, ...divided('remainder', i, by).terms],
      });
    }
  });
  test('of several axes, nested, shifted, and of negative numbers', () => {
    const flat = affine(0, [0, 24], [1, 1]);
    expectCopy('float32', 120, [5, 24], {
      offset: 0,
      terms: [...divided('quotient', flat, 8, 1).terms, ...divided('remainder', flat, 8, 15).terms],
    });
    expectCopy(
      'float32',
      60,
      [4, 12],
      divided('quotient', divided('remainder', affine(3, [0, 12], [1, 1]), 17, 3), 2),
    );
    expectCopy('float32', 20, [16], divided('quotient', affine(-5, [0, 1]), 4, 1, 2));
    expectCopy('float32', 20, [16], divided('remainder', affine(-5, [0, 1]), 6));
    expectCopy('float32', 20, [16], divided('remainder', affine(-5, [0, -1]), 8));
    expectCopy('float32', 64, [4, 16], {
      offset: 0,
      terms: [
        ...divided('remainder', affine(4, [1, 1]), 8).terms,
        ...divided('quotient', affine(0, [1, 1]), 8, 8).terms,
        ...affine(0, [0, 16]).terms,
      ],
    });
  });
});

describe('guards', () => {
  const zero = constant('float32', 0);
  /** Rows of `extents` in an array that is padded on all sides. */
  const pad = (
    extents: readonly number[],
    before: readonly number[],
    after: readonly number[],
    dtype: DType = 'float32',
  ): LoopKernel => {
    const padded = extents.map((extent, axis) => before[axis]! + extent + after[axis]!);
    const strides = rowMajor(extents).terms.map(({ coefficient: factor }) => factor);
    const index = affine(
      -strides.reduce((sum, stride, axis) => sum + stride * before[axis]!, 0),
      ...strides.map((stride, axis) => [axis, stride] as const),
    );
    const condition = extents
      .map((extent, axis): Scalar => inside(affine(-before[axis]!, [axis, 1]), 0, extent))
      .reduce((a, b) => binary('logicalAnd', a, b));
    const count = extents.reduce((product, extent) => product * extent, 1);
    const size = padded.reduce((product, extent) => product * extent, 1);
    return mapKernel(
      operandsOf([
        [dtype, count],
        [dtype, size],
      ]),
      padded,
      [
        {
          operand: 1,
          index: rowMajor(padded),
          value: where(condition, load(0, dtype, index), constant(dtype, 0)),
        },
      ],
    );
  };
  const expectPad = (...args: Parameters<typeof pad>): void => {
    const kernel = pad(...args);
    const [source, target] = kernel.operands;
    expectSame(kernel, [
      filled(source!.dtype, scattered(source!.length, 1, 100)),
      filled(target!.dtype, [7], target!.length),
    ]);
  };

  test.each(EVERY_DTYPE)('padding of %s', (dtype) => {
    expectPad([10], [3], [2], dtype);
    expectPad([5, 6], [1, 1], [2, 3], dtype);
    expectPad([1], [0], [9], dtype);
    expectPad([2, 3, 2], [1, 0, 2], [0, 1, 1], dtype);
  });
  test('padding that is far larger than the array, and rows shorter than a register', () => {
    expectPad([2], [70], [90]);
    expectPad([3, 2], [40, 30], [50, 1]);
    expectPad([30, 1], [1, 1], [1, 1]);
    expectPad([17, 33], [3, 5], [4, 9]);
  });

  const parts = (lengths: readonly number[], dtype: DType): LoopKernel => {
    let start = 0;
    let value: Scalar = constant(dtype, 0);
    lengths.forEach((length, operand) => {
      const index = affine(-start, [1, 1], [0, length]);
      value = where(inside(affine(-start, [1, 1]), 0, length), load(operand, dtype, index), value);
      start += length;
    });
    const operands = operandsOf([
      ...lengths.map((length) => [dtype, 3 * length] as const),
      [dtype, 3 * start],
    ]);
    return mapKernel(operands, [3, start], [{ operand: lengths.length, index: rowMajor([3, start]), value }]);
  };
  test.each([
    [[4, 4]],
    [[1, 2, 3, 4, 5]],
    [[16, 16, 16]],
    [[3, 30, 1]],
    [[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]],
  ])('concatenation of %j', (lengths) => {
    for (const dtype of ['float32', 'float64', 'bool'] as const) {
      const kernel = parts(lengths, dtype);
      expectSame(
        kernel,
        kernel.operands.map(({ length }, operand) => filled(dtype, scattered(length, 0, 5, operand))),
      );
    }
  });

  test('the other branch, negations and alternatives', () => {
    const n = 21;
    const left = inside(affine(0, [0, 1]), 0, 9);
    const operands = operandsOf([
      ['float32', 9],
      ['float32', 12],
      ['float32', n],
    ]);
    const x = load(0, 'float32', affine(0, [0, 1]));
    const y = load(1, 'float32', affine(-9, [0, 1]));
    const arrays = [
      filled('float32', scattered(9)),
      filled('float32', scattered(12)),
      filled('float32', [0], n),
    ];
    const store = (value: Scalar): LoopKernel =>
      mapKernel(operands, [n], [{ operand: 2, index: affine(0, [0, 1]), value }]);
    expectSame(store(where(left, x, y)), arrays);
    expectSame(store(where(not(left), y, x)), arrays);
    expectSame(store(where(binary('logicalOr', not(left), inside(affine(0, [0, 1]), 3, 2)), y, x)), arrays);
    expectSame(
      store(
        where(
          binary('logicalAnd', left, inside(affine(0, [0, 1]), 2, 5)),
          x,
          where(left, constant('float32', 2), zero),
        ),
      ),
      arrays,
    );
  });

  test('that move from row to row, or divide', () => {
    const band = where(
      inside(affine(0, [1, 1], [0, -1]), -2, 3),
      load(0, 'float32', affine(2, [1, 1], [0, -1])),
      zero,
    );
    const kernel = mapKernel(
      operandsOf([
        ['float32', 5],
        ['float32', 9 * 11],
      ]),
      [9, 11],
      [{ operand: 1, index: rowMajor([9, 11]), value: band }],
    );
    expectSame(kernel, [filled('float32', scattered(5)), filled('float32', [0], 99)]);
    // every third element of a dilated array
    const i = affine(-2, [0, 1]);
    const condition = binary('logicalAnd', inside(i, 0, 13), inside(divided('remainder', i, 3), 0, 1));
    const dilated = where(condition, load(0, 'float32', divided('quotient', i, 3)), zero);
    const spread = mapKernel(
      operandsOf([
        ['float32', 5],
        ['float32', 19],
      ]),
      [19],
      [{ operand: 1, index: affine(0, [0, 1]), value: dilated }],
    );
    expectSame(spread, [filled('float32', scattered(5)), filled('float32', [0], 19)]);
  });

  test('that an outer axis decides, with quotients that are constant in each part', () => {
    // three arrays [2, 4, 5, 3] rearranged side by side: [2, 5, 3, 4, 3], the sum of three padded arrays
    const extents = [2, 5, 3, 4, 3];
    const part = (number: number): Scalar => {
      const shift = 2 - number;
      const predicate = inside(affine(-12 * number, [2, 12], [3, 3], [4, 1]), 0, 12);
      const row = affine(shift, [1, 1], [2, 1]);
      const terms = [
        ...affine(0, [0, 60], [3, 15], [4, 1]).terms,
        ...divided('remainder', row, 5, 3).terms,
        ...divided('quotient', row, 5, 60).terms,
      ];
      // where the part is the right one, the row is that of the result, shifted by 2
      return where(predicate, load(number, 'float32', { offset: 0, terms }), zero);
    };
    const value = binary('add', binary('add', part(0), part(1)), part(2));
    const operands = operandsOf([
      ['float32', 240],
      ['float32', 240],
      ['float32', 240],
      ['float32', 360],
    ]);
    const kernel = mapKernel(operands, extents, [{ operand: 3, index: rowMajor(extents), value }]);
    expectSame(
      kernel,
      [0, 1, 2, 3].map((seed) => filled('float32', scattered(operands[seed]!.length, 1, 2, seed))),
    );
  });

  test('of many parts in several axes', () => {
    const extents = [7, 11, 13];
    const parts = Array.from({ length: 5 }, (_, piece) =>
      where(
        binary(
          'logicalAnd',
          inside(affine(0, [0, 1]), piece, piece + 2),
          inside(affine(0, [piece % 3, 2]), piece, 2 * piece + 3),
        ),
        load(0, 'float32', affine(-100 * piece, [0, 100], [1, 13], [2, 1])),
        constant('float32', piece),
      ),
    );
    const value = parts.reduce((a, b) => binary('add', a, b));
    const operands = operandsOf([
      ['float32', 300],
      ['float32', 7 * 11 * 13],
    ]);
    expectSame(mapKernel(operands, extents, [{ operand: 1, index: rowMajor(extents), value }]), [
      filled('float32', scattered(300)),
      filled('float32', [0], 1001),
    ]);
  });

  test('of a gather', () => {
    const position: Scalar = load(1, 'int32', affine(-2, [0, 1]));
    const gathered: Scalar = {
      op: 'gather',
      dtype: 'float32',
      operand: 0,
      index: affine(0),
      position,
      stride: 1,
      extent: 7,
    };
    const value = where(inside(affine(-2, [0, 1]), 0, 9), gathered, zero);
    const kernel = mapKernel(
      operandsOf([
        ['float32', 7],
        ['int32', 9],
        ['float32', 15],
      ]),
      [15],
      [{ operand: 2, index: affine(0, [0, 1]), value }],
    );
    expectSame(kernel, [
      filled('float32', scattered(7)),
      filled('int32', [3, 0, 6, 7, -1, 2, 2, 1, 5]),
      filled('float32', [0], 15),
    ]);
  });
});

describe('gathers', () => {
  test.each(EVERY_DTYPE)('rows of a table of %s, and single elements', (dtype) => {
    const positions = [2, 0, 3, -1, 4, 1, 1, 2 ** 31 - 1, -(2 ** 31)];
    for (const width of [1, 3, 4, 9, 16]) {
      for (const index of ['int32', 'uint32'] as const) {
        const table = filled(dtype, scattered(4 * width, 0, 9), 4 * width);
        const target = filled(dtype, [1], positions.length * width);
        const operands = operandsOf([
          [dtype, table.length],
          [index, positions.length],
          [dtype, target.length],
        ]);
        const rows: Scalar = {
          op: 'gather',
          dtype,
          operand: 0,
          index: affine(0, [1, 1]),
          position: load(1, index, affine(0, [0, 1])),
          stride: width,
          extent: 4,
        };
        const extents = [positions.length, width];
        expectSame(mapKernel(operands, extents, [{ operand: 2, index: rowMajor(extents), value: rows }]), [
          table,
          filled(index, positions),
          target,
        ]);
        // the position changes along the lanes
        const flipped = { ...rows, index: affine(0, [0, 1]), position: load(1, index, affine(0, [1, 1])) };
        expectSame(
          mapKernel(
            operands,
            [width, positions.length],
            [{ operand: 2, index: affine(0, [1, width], [0, 1]), value: flipped }],
          ),
          [table, filled(index, positions), target],
        );
      }
    }
  });
  test('of a computed position, from nothing at all, and along an inner axis', () => {
    const position: Scalar = { op: 'cast', dtype: 'int32', x: load(1, 'float32', affine(0, [0, 1])) };
    const one: Scalar = {
      op: 'gather',
      dtype: 'float32',
      operand: 0,
      index: affine(1),
      position: binary('add', position, constant('int32', 1)),
      stride: 2,
      extent: 5,
    };
    const kernel = mapKernel(
      operandsOf([
        ['float32', 10],
        ['float32', 12],
        ['float32', 12],
      ]),
      [12],
      [{ operand: 2, index: affine(0, [0, 1]), value: one }],
    );
    expectSame(kernel, [
      filled('float32', scattered(10)),
      filled('float32', scattered(12, -2, 6)),
      filled('float32', [0], 12),
    ]);
    const none: Scalar = {
      op: 'gather',
      dtype: 'float32',
      operand: 0,
      index: affine(0),
      position,
      stride: 1,
      extent: 0,
    };
    const empty = mapKernel(
      operandsOf([
        ['float32', 0],
        ['float32', 5],
        ['float32', 5],
      ]),
      [5],
      [{ operand: 2, index: affine(0, [0, 1]), value: none }],
    );
    expectSame(empty, [filled('float32', [], 0), filled('float32', scattered(5)), filled('float32', [0], 5)]);
    const along: Scalar = {
      op: 'gather',
      dtype: 'float32',
      operand: 0,
      index: affine(0, [0, 6], [2, 1]),
      position: load(1, 'int32', affine(0, [0, 5], [1, 1])),
      stride: 2,
      extent: 3,
    };
    const extents = [3, 5, 2];
    const inner = mapKernel(
      operandsOf([
        ['float32', 18],
        ['int32', 15],
        ['float32', 30],
      ]),
      extents,
      [{ operand: 2, index: rowMajor(extents), value: along }],
    );
    expectSame(inner, [
      filled('float32', scattered(18)),
      filled('int32', [0, 2, 1, 1, 3, 2, 0], 15),
      filled('float32', [0], 30),
    ]);
  });
});

test('the integer of an index expression, in every lane', () => {
  for (const extents of [[7], [3, 5], [2, 3, 9]]) {
    const index = affine(-4, ...extents.map((_, axis) => [axis, axis + 2] as const));
    for (const expression of [index, divided('remainder', affine(0, [extents.length - 1, 1]), 3)]) {
      const value: Scalar = { op: 'index', dtype: 'int32', index: expression };
      const size = extents.reduce((product, extent) => product * extent, 1);
      expectSame(
        mapKernel(operandsOf([['int32', size]]), extents, [{ operand: 0, index: rowMajor(extents), value }]),
        [filled('int32', [0], size)],
      );
    }
  }
});

test('values are computed before any is stored: two arrays are swapped in place', () => {
  const at = affine(0, [0, 1]);
  const kernel: LoopKernel = {
    ...mapKernel(
      [],
      [19],
      [
        { operand: 0, index: at, value: load(1, 'float32', at) },
        { operand: 1, index: at, value: load(0, 'float32', at) },
      ],
    ),
    operands: [0, 1].map(() => ({ dtype: 'float32', length: 19, access: 'update' })),
  };
  expectSame(kernel, [filled('float32', scattered(19, 0, 1)), filled('float32', scattered(19, 5, 6))]);
});

test('transpositions of matrices that are longer than the tiles in which they run', () => {
  for (const dtype of ['float32', 'float64', 'bool'] as const) {
    for (const [rows, columns] of [
      [40, 50],
      [33, 16],
      [16, 70],
      [64, 64],
    ] as const) {
      expectCopy(dtype, rows * columns, [rows, columns], affine(0, [0, 1], [1, rows]));
      expectCopy(dtype, 3 * rows * columns, [rows, 3, columns], affine(0, [0, 1], [1, rows], [2, 3 * rows]));
    }
  }
});
