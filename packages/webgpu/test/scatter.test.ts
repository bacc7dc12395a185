// Writing by position against the interpreter: adding and setting, positions out of range, equal ones, every dtype, and targets dealt out in every way.
import type { Index, Scalar, ScatterKernel } from '@firsthand/compiler';
import { sizeOf, type DType } from '@firsthand/linalg';
import { describe, expect, test } from 'vitest';
import { affine, DTYPES_OF_WGSL, expectSame, filled, load, planOf, rowMajor, scattered } from './support/kernels.ts';

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

function scatter({ dtype, mode, extents, positionAt, index, stride, positionType = 'int32' }: Case): ScatterKernel {
  return {
    kind: 'scatter',
    operands: [
      { dtype: positionType, length: POSITIONS.length, access: 'read' },
      { dtype, length: sizeOf(extents), access: 'read' },
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

async function expectScatter(options: Case): Promise<void> {
  const kernel = scatter(options);
  // Small whole numbers, so that sums are exact in every order but the last set.
  const values = filled(options.dtype, scattered(kernel.operands[1]!.length, 1, 60).map(Math.floor));
  const target = filled(options.dtype, scattered(64, 0, 9).map(Math.floor));
  await expectSame(kernel, [filled(options.positionType ?? 'int32', POSITIONS), values, target]);
}

describe.each(['add', 'set'] as const)('%s', (mode) => {
  test.each(DTYPES_OF_WGSL.filter((dtype) => mode === 'set' || dtype !== 'bool'))('%s', async (dtype) => {
    for (const positionType of ['int32', 'uint32'] as const) {
      const shared = { dtype, mode, positionType };
      for (const width of [1, 3, 16]) {
        const rows = { ...shared, extents: [10, width], positionAt: affine(0, [0, 1]) };
        await expectScatter({ ...rows, index: affine(0, [1, 1]), stride: width });
        await expectScatter({ ...rows, index: affine(width - 1, [1, -1]), stride: width });
        await expectScatter({ ...rows, index: affine(0, [1, 4]), stride: 1 });
        await expectScatter({ ...shared, extents: [width, 10], positionAt: affine(0, [1, 1]), index: affine(0, [0, 1]), stride: width });
      }
      // single elements, one position for all, no loop at all, and targets that are not told apart
      await expectScatter({ ...shared, extents: [10], positionAt: affine(0, [0, 1]), index: affine(5), stride: 7 });
      await expectScatter({ ...shared, extents: [3, 2, 5], positionAt: affine(2), index: affine(0, [0, 5], [2, 1]), stride: 16 });
      await expectScatter({ ...shared, extents: [], positionAt: affine(2), index: affine(1), stride: 3 });
      await expectScatter({ ...shared, extents: [10, 3], positionAt: affine(0, [0, 1]), index: affine(0, [0, 1], [1, 2]), stride: 5 });
    }
  });
});
