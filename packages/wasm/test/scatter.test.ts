// Writing by position against the interpreter: rows and single elements, adding and setting, positions out of
// range, equal ones, and every dtype.
import type { Index, Scalar, ScatterKernel } from '@firsthand/compiler';
import type { DType } from '@firsthand/linalg';
import { expect, test } from 'vitest';
import { affine, EVERY_DTYPE, filled, load, rowMajor, scattered } from './support/build.ts';
import { expectSame, runCompiled } from './support/kernels.ts';

const POSITIONS = [3, 1, 1, 0, -1, 4, 3, 2 ** 31 - 1, -(2 ** 31), 3];

interface Case {
  readonly dtype: DType;
  readonly mode: 'add' | 'set';
  readonly extents: readonly number[];
  /** Where the position of an iteration stands. */
  readonly positionAt: Index;
  readonly index: Index;
  readonly stride: number;
  readonly positionType?: 'int32' | 'uint32';
}

function scatter({
  dtype,
  mode,
  extents,
  positionAt,
  index,
  stride,
  positionType = 'int32',
}: Case): ScatterKernel {
  const count = extents.reduce((product, extent) => product * extent, 1);
  return {
    kind: 'scatter',
    operands: [
      { dtype: positionType, length: POSITIONS.length, access: 'read' },
      { dtype, length: count, access: 'read' },
      { dtype, length: 64, access: 'update' },
    ],
    extents,
    mode,
    target: 2,
    index,
    position: load(0, positionType, positionAt),
    stride,
    extent: 4,
    value: load(1, dtype, rowMajor(extents)),
  };
}

function expectScatter(options: Case): void {
  const kernel = scatter(options);
  const { dtype } = options;
  // Small whole numbers, so that sums are exact in every order but the last set.
  const values = filled(dtype, scattered(kernel.operands[1]!.length, 1, 60).map(Math.floor));
  expectSame(kernel, [
    filled(options.positionType ?? 'int32', POSITIONS),
    values,
    filled(dtype, scattered(64, 0, 9).map(Math.floor)),
  ]);
}

for (const mode of ['add', 'set'] as const) {
  test.each(EVERY_DTYPE.filter((dtype) => mode === 'set' || dtype !== 'bool'))(`${mode} %s`, (dtype) => {
    for (const positionType of ['int32', 'uint32'] as const) {
      for (const width of [1, 2, 3, 4, 7, 8, 11, 16]) {
        // rows of a table, its rows upside down, its columns
        expectScatter({
          dtype,
          mode,
          extents: [10, width],
          positionAt: affine(0, [0, 1]),
          index: affine(0, [1, 1]),
          stride: width,
          positionType,
        });
        expectScatter({
          dtype,
          mode,
          extents: [10, width],
          positionAt: affine(0, [0, 1]),
          index: affine(width - 1, [1, -1]),
          stride: width,
          positionType,
        });
        expectScatter({
          dtype,
          mode,
          extents: [10, width],
          positionAt: affine(0, [0, 1]),
          index: affine(0, [1, 4]),
          stride: 1,
          positionType,
        });
        expectScatter({
          dtype,
          mode,
          extents: [width, 10],
          positionAt: affine(0, [1, 1]),
          index: affine(0, [0, 1]),
          stride: width,
          positionType,
        });
      }
      // single elements, one position for all, and no loop at all
      expectScatter({
        dtype,
        mode,
        extents: [10],
        positionAt: affine(0, [0, 1]),
        index: affine(5),
        stride: 7,
        positionType,
      });
      expectScatter({
        dtype,
        mode,
        extents: [3, 2, 5],
        positionAt: affine(2),
        index: affine(0, [0, 5], [2, 1]),
        stride: 16,
        positionType,
      });
      expectScatter({
        dtype,
        mode,
        extents: [],
        positionAt: affine(2),
        index: affine(1),
        stride: 3,
        positionType,
      });
    }
  });
}

test('sums have the order of the iterations', () => {
  const kernel = scatter({
    dtype: 'float32',
    mode: 'add',
    extents: [3, 5],
    positionAt: affine(6),
    index: affine(0, [1, 1]),
    stride: 16,
  });
  const arrays = [
    filled('int32', POSITIONS),
    filled('float32', [
      ...Array<number>(5).fill(1),
      ...Array<number>(5).fill(1e8),
      ...Array<number>(5).fill(-1e8),
    ]),
    filled('float32', [0], 64),
  ];
  expectSame(kernel, arrays);
  // (1 + 1e8) − 1e8 is 0 in float32, and not 1
  expect(runCompiled(kernel, arrays)[2]!.slice(48, 53)).toEqual(new Float32Array(5));
});

test('values and positions that are computed', () => {
  const base = scatter({
    dtype: 'float32',
    mode: 'add',
    extents: [6, 7],
    positionAt: affine(0),
    index: affine(0, [1, 1]),
    stride: 7,
  });
  const position: Scalar = { op: 'cast', dtype: 'int32', x: load(1, 'float32', affine(0, [0, 7])) };
  const value: Scalar = {
    op: 'binary',
    dtype: 'float32',
    kind: 'mul',
    a: base.value,
    b: load(1, 'float32', affine(0, [0, 7])),
  };
  expectSame({ ...base, position, value }, [
    filled('int32', POSITIONS),
    filled('float32', scattered(42, -1, 5)),
    filled('float32', [0], 64),
  ]);
});

test('an axis of length 0 takes nothing', () => {
  const kernel = {
    ...scatter({
      dtype: 'float32',
      mode: 'set',
      extents: [10],
      positionAt: affine(0, [0, 1]),
      index: affine(0),
      stride: 1,
    }),
    extent: 0,
  };
  expectSame(kernel, [filled('int32', [0], 10), filled('float32', [1], 10), filled('float32', [5], 64)]);
});
