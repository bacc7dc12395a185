// Writing by position against the interpreter: adding and setting, positions out of range, equal ones, every
// dtype, and targets dealt out in every way.
import { grad } from '@firsthand/autograd';
import type { Index, ScatterKernel } from '@firsthand/compiler';
import { DTYPES, sizeOf, type DType, type TypedArray } from '@firsthand/linalg';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { scatterPartition } from '../src/kernels/scatter-partition.ts';
import {
  affine,
  DTYPES_OF_WGSL,
  expectSame,
  filled,
  kernelsOf,
  load,
  PROFILES,
  rowMajor,
  runOnGPU,
  scattered,
} from './support/kernels.ts';

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
        await expectScatter({
          ...shared,
          extents: [width, 10],
          positionAt: affine(0, [1, 1]),
          index: affine(0, [0, 1]),
          stride: width,
        });
      }
      // single elements, one position for all, no loop at all, and slices that overlap
      await expectScatter({
        ...shared,
        extents: [10],
        positionAt: affine(0, [0, 1]),
        index: affine(5),
        stride: 7,
      });
      await expectScatter({
        ...shared,
        extents: [3, 2, 5],
        positionAt: affine(2),
        index: affine(0, [0, 5], [2, 1]),
        stride: 16,
      });
      await expectScatter({ ...shared, extents: [], positionAt: affine(2), index: affine(1), stride: 3 });
      await expectScatter({
        ...shared,
        extents: [10, 3],
        positionAt: affine(0, [0, 1]),
        index: affine(0, [0, 1], [1, 2]),
        stride: 5,
      });
    }
  });
});

/**
 * A scatter of `steps` rows of `slices` elements to `extent` rows of a target, or, if it is turned, of their
 * columns; its positions are of the rows alone.
 */
function tableKernel(
  dtype: DType,
  mode: 'add' | 'set',
  steps: number,
  slices: number,
  extent: number,
  isTurned: boolean,
): ScatterKernel {
  const at = isTurned
    ? { index: affine(0, [1, extent]), stride: 1 }
    : { index: affine(0, [1, 1]), stride: slices };
  return {
    kind: 'scatter',
    operands: [
      { dtype: 'int32', length: steps, access: 'read' },
      { dtype, length: steps * slices, access: 'read' },
      { dtype, length: extent * slices, access: 'update' },
    ],
    extents: [steps, slices],
    mode,
    target: 2,
    ...at,
    extent,
    position: load(0, 'int32', affine(0, [0, 1])),
    value: load(1, dtype, rowMajor([steps, slices])),
  };
}

/** Positions from −2 to two beyond the last, and small whole numbers. */
function tableArrays({ operands, extent }: ScatterKernel): TypedArray[] {
  return operands.map(({ dtype, length }, operand) =>
    filled(
      dtype,
      scattered(length, operand === 0 ? -2 : 0, operand === 0 ? extent + 2 : 9, operand).map(Math.floor),
    ),
  );
}

/** Whether an invocation has one, several or all targets of a slice, and whether steps are in chunks. */
function partitionOf(kernel: ScatterKernel, profile: 'software' | 'hardware'): string {
  const { stripes, chunks } = scatterPartition(kernel, PROFILES[profile]);
  return `${stripes === kernel.extent ? 'one' : stripes === 1 ? 'all' : 'several'}, ${chunks === 1 ? 'whole' : 'cut'}`;
}

describe('targets are divided among invocations', () => {
  test.each<[string, 'software' | 'hardware', number, number, number]>([
    ['one, whole', 'software', 50, 2, 5],
    ['several, whole', 'software', 200, 2, 30],
    ['all, whole', 'software', 60, 70, 5],
    ['one, cut', 'software', 3000, 1, 1],
    ['several, cut', 'software', 10000, 1, 1001],
    ['all, cut', 'software', 10000, 2, 5],
    ['one, whole', 'hardware', 30, 300, 5],
    ['several, whole', 'hardware', 50, 20, 1001],
    ['one, cut', 'hardware', 3000, 3, 7],
    ['several, cut', 'hardware', 3000, 1, 1001],
  ])('%s (%s, %i steps, %i slices, %i targets of each)', async (way, profile, steps, slices, extent) => {
    for (const isTurned of [false, true]) {
      for (const mode of ['add', 'set'] as const) {
        const kernel = tableKernel(isTurned ? 'int32' : 'float32', mode, steps, slices, extent, isTurned);
        expect(partitionOf(kernel, profile)).toBe(way);
        await expectSame(kernel, tableArrays(kernel), undefined, [PROFILES[profile]]);
      }
    }
  });
});

test('of every size', async () => {
  const size = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max });
  const modes = fc.constantFrom('add' as const, 'set' as const);
  await fc.assert(
    fc.asyncProperty(
      size(3000),
      size(9),
      size(40),
      modes,
      fc.constantFrom(...DTYPES_OF_WGSL),
      fc.boolean(),
      async (steps, slices, extent, mode, dtype, isTurned) => {
        const kernel = tableKernel(
          dtype === 'bool' && mode === 'add' ? 'uint32' : dtype,
          mode,
          steps,
          slices,
          extent,
          isTurned,
        );
        // Sums of half precision are rounded once here, and at every step there.
        await expectSame(
          kernel,
          tableArrays(kernel),
          dtype === 'float16' && mode === 'add' ? { relative: 0.02, absolute: 0 } : undefined,
        );
      },
    ),
    { numRuns: 12 },
  );
});

test('infinities and NaN are set and added as they are', async () => {
  for (const mode of ['add', 'set'] as const) {
    for (const [steps, extent] of [
      [20, 4],
      [4000, 4],
    ] as const) {
      const kernel = tableKernel('float32', mode, steps, 1, extent, false);
      const arrays = [
        filled('int32', [0, 1, 1, 2], steps),
        filled('float32', [NaN, Infinity, -Infinity, Infinity], steps),
        filled('float32', [0, 0, 0, NaN], extent),
      ];
      await expectSame(kernel, arrays);
    }
  }
});

test('sums of many keep their digits', async () => {
  const kernel = tableKernel('float32', 'add', 40_000, 1, 3, false);
  const arrays = [
    filled('int32', [0, 1, 1, 2], 40_000),
    filled('float32', scattered(40_000, 0, 1)),
    filled('float32', [0], 3),
  ];
  const wanted = [0, 0, 0];
  arrays[0]!.forEach((position, step) => (wanted[position]! += arrays[1]![step]!));
  for (const profile of Object.values(PROFILES)) {
    const [, , sums] = await runOnGPU(kernel, arrays, profile);
    wanted.forEach((sum, index) => expect(Math.abs(sums![index]! / sum - 1)).toBeLessThan(2e-5));
  }
});

test('more slices than a dispatch has workgroups along one dimension', async () => {
  const rows = 64 * 65537;
  const kernel: ScatterKernel = {
    ...tableKernel('int32', 'add', 1, rows, 1, false),
    position: { op: 'const', dtype: 'int32', value: 0 },
  };
  const arrays = [filled('int32', [0], 1), filled('int32', [1, 2, 3], rows), filled('int32', [5, 7], rows)];
  const [, , sums] = await runOnGPU(kernel, arrays, PROFILES.software);
  expect(sums!.findIndex((sum, index) => sum !== 1 + (index % 3) + (index % 2 === 0 ? 5 : 7))).toBe(-1);
});

describe('as the compiler has it', () => {
  const f = 'float32';
  const i = 'int32';
  test.each<[string, () => readonly ScatterKernel[]]>([
    [
      'rows added to a table',
      () =>
        kernelsOf(
          'scatter',
          (b, at, x) => [b.scatterAdd(0, at.reshape(20, 1).expand(20, 6), x)],
          [f, [9, 6]],
          [i, [20]],
          [f, [20, 6]],
        ),
    ],
    [
      'along the last axis',
      () =>
        kernelsOf('scatter', (b, at, x) => [b.scatterAdd(1, at, x)], [f, [5, 7]], [i, [5, 11]], [f, [5, 11]]),
    ],
    [
      'along a middle axis',
      () =>
        kernelsOf(
          'scatter',
          (b, at, x) => [b.scatterAdd(1, at, x)],
          [f, [3, 5, 4]],
          [i, [3, 8, 4]],
          [f, [3, 8, 4]],
        ),
    ],
    [
      'of integers',
      () => kernelsOf('scatter', (b, at, x) => [b.scatterAdd(0, at, x)], [i, [6]], [i, [500]], [i, [500]]),
    ],
    [
      'the gradient of gather',
      () =>
        kernelsOf(
          'scatter',
          (x, at) => [grad((each) => each.gather(1, at).square().sum())(x)],
          [f, [4, 9]],
          [i, [4, 3]],
        ),
    ],
    [
      'the gradient of an embedding',
      () =>
        kernelsOf(
          'scatter',
          (w, at, y) => [grad((each) => each.indexSelect(0, at).mul(y).sum())(w)],
          [f, [11, 8]],
          [i, [3, 5]],
          [f, [3, 5, 8]],
        ),
    ],
    [
      'the gradient of a transposed table',
      () =>
        kernelsOf(
          'scatter',
          (w, at, y) => [grad((each) => each.transpose().indexSelect(1, at).mul(y).sum())(w)],
          [f, [11, 8]],
          [i, [6]],
          [f, [8, 6]],
        ),
    ],
    [
      'of a transpose',
      () =>
        kernelsOf(
          'scatter',
          (b, at, x) => [b.scatterAdd(0, at, x.transpose())],
          [f, [5, 4]],
          [i, [7, 4]],
          [f, [4, 7]],
        ),
    ],
  ])('%s', async (_, kernels) => {
    const found = kernels();
    expect(found.length).toBeGreaterThan(0);
    for (const kernel of found) {
      // Positions are below the extent, mostly; all else is whole.
      const arrays = kernel.operands.map(({ dtype, length }, operand) =>
        filled(dtype, scattered(length, DTYPES[dtype].isFloat ? -9 : 0, 9, operand).map(Math.floor)),
      );
      await expectSame(kernel, arrays);
    }
  });
});
