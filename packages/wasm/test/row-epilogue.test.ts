// Row epilogues of products (softmax, normalisations, losses, sums) against the interpreter, and for which
// products the device asks for them.
import { printKernel, type ContractKernel, type Target } from '@firsthand/compiler';
import {
  add,
  cast,
  crossEntropy,
  gelu,
  layerNorm,
  matmul,
  permute,
  reduce,
  softmax,
  transpose,
  type Node,
} from '@firsthand/graph';
import { allocate, DTYPES, type DType, type TypedArray } from '@firsthand/linalg';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { planMatmulKernel } from '../src/matmul/matmul.ts';
import { isRowByRow, planMatmul } from '../src/matmul/matmul-plan.ts';
import { TILES } from '../src/matmul/tile-sizes.ts';
import { expectSame } from './support/kernels.ts';
import { argument, kernelsOf } from './support/programs.ts';

/** A target that fuses a product and the kernel of its rows where `fuses` says so. */
const fusing = (fuses: (kernel: ContractKernel) => boolean): Partial<Target> => ({
  plan: (kernel) => ({
    scratch: 0,
    fusesRowEpilogue: kernel.kind === 'contract' && kernel.rowEpilogue !== null && fuses(kernel),
  }),
  rowEpilogues: true,
});

const fuses = (kernel: ContractKernel): boolean =>
  planMatmulKernel(kernel, TILES[0]!).fusesRowEpilogue === true;

/** The only kernel of a program, which is a product that finishes its rows. */
function kernelOf(...roots: readonly Node[]): ContractKernel {
  const kernels = kernelsOf(roots, fusing(fuses));
  expect(kernels.map(({ kind }) => kind)).toEqual(['contract']);
  const kernel = kernels[0] as ContractKernel;
  expect(kernel.rowEpilogue, printKernel(kernel)).not.toBe(null);
  return kernel;
}

/** Numbers between −1 and 1; integers from 0 to 3. */
function numbers(dtype: DType, length: number, seed: number): TypedArray {
  const array = allocate(dtype, length);
  for (let index = 0; index < length; index++) {
    const word = Math.imul(index + 1009 * seed, 2654435761) >>> 8;
    array[index] = DTYPES[dtype].isFloat ? word / 2 ** 23 - 1 : word % 4;
  }
  return array;
}

/**
 * Sums of products are rounded otherwise than in the interpreter, and the epilogue propagates the difference.
 */
function expectFused(...roots: readonly Node[]): void {
  const kernel = kernelOf(...roots);
  const arrays = kernel.operands.map(({ dtype, length }, operand) => numbers(dtype, length, operand + 1));
  expectSame(kernel, arrays, { relative: 1e-4, absolute: 1e-4 });
}

const product = (m: number, k: number, n: number, dtype: DType = 'float32'): Node =>
  matmul(argument([m, k], dtype), argument([k, n], dtype));

describe('gives what the interpreter gives', () => {
  test('softmax', () => expectFused(softmax(product(50, 20, 33))));
  test('softmax of float64', () => expectFused(softmax(product(50, 20, 33, 'float64'))));
  test('an activation, then softmax', () => expectFused(softmax(gelu(product(45, 24, 70)))));
  test('a sum of each row, and the rows', () => {
    const rows = product(64, 64, 64);
    expectFused(reduce('sum', rows, { axis: 1 }), rows);
  });
  test('a sum of integers', () => expectFused(reduce('sum', product(40, 9, 21, 'int32'), { axis: 1 })));
  test('the largest of each row', () => expectFused(reduce('max', product(40, 9, 21), { axis: 1 })));
  test('layer normalisation of a residual stream', () => {
    const stream = add(argument([66, 48]), product(66, 30, 48));
    expectFused(layerNorm(stream, argument([48]), argument([48])), stream);
  });
  test('a loss that picks an element of each row', () =>
    expectFused(crossEntropy(product(48, 16, 40), argument([48], 'int32'))));
  test('scores of attention, whose heads lie side by side', () => {
    const heads = (): Node => permute(argument([2, 40, 3, 8]), [0, 2, 1, 3]); // (B, H, T, D)
    expectFused(softmax(matmul(heads(), transpose(heads()))));
  });
  test('a matrix that is computed on either side', () => {
    const [left, right] = [
      cast(argument([36, 24], 'int32'), 'float32'),
      cast(argument([24, 50], 'int32'), 'float32'),
    ];
    expectFused(softmax(matmul(left, right)));
  });
  test('of any shape', () => {
    const sizes = fc.record({
      m: fc.integer({ min: 32, max: 80 }),
      k: fc.integer({ min: 4, max: 70 }),
      n: fc.integer({ min: 24, max: 150 }),
    });
    fc.assert(
      fc.property(sizes, fc.option(fc.integer({ min: 2, max: 3 })), ({ m, k, n }, batch) => {
        const axes = batch === null ? [] : [batch];
        expectFused(softmax(matmul(argument([...axes, m, k]), argument([...axes, k, n]))));
      }),
      { numRuns: 40 },
    );
  });
});

describe('are fused', () => {
  /** The kernel that the compiler would make if it fused always. */
  const offered = (root: Node): ContractKernel => {
    const kernels: ContractKernel[] = [];
    kernelsOf(
      [root],
      fusing((kernel) => kernels.push(kernel) > 0),
    );
    return kernels[0]!;
  };
  test.each<[string, Node, boolean]>([
    ['where a tile of rows is whole before the next begins', softmax(product(512, 128, 512)), true],
    ['but not for a few rows', softmax(product(8, 128, 512)), false],
    ['nor where sums are cut', softmax(product(512, 2000, 64)), false],
    ['nor where columns are', softmax(product(512, 512, 4000)), false],
    ['nor where rows are so short that they lie along the lanes', softmax(product(512, 512, 3)), false],
  ])('%s', (_, root, expected) => {
    const kernel = offered(root);
    expect(fuses(kernel)).toBe(expected);
    if (!expected) return;
    for (const tile of TILES) {
      expect(isRowByRow(planMatmul(kernel, tile))).toBe(true);
      expect(planMatmulKernel(kernel, tile).partition!.axis, 'threads have whole rows').toBe(
        kernel.batch.length,
      );
    }
  });
});
