/**
 * An implicit matrix (the windows of a convolution, a cast) is computed one block at a time into working
 * memory, where the product reads it like any stored matrix: implicit GEMM (Chetlur et al., "cuDNN: Efficient
 * Primitives for Deep Learning", 2014). A block is computed tile by tile.
 */
import {
  tileMatrix,
  coefficientOf,
  scalarsIn,
  type ImplicitMatrix,
  type ContractKernel,
  type LoopKernel,
  type TiledMatrix,
  type Term,
} from '@firsthand/compiler';
import { DTYPES, sizeOf } from '@firsthand/linalg';
import { planLoop, type LoopPlan } from '../kernels/loop-plan.ts';
import type { MatmulPlan } from './matmul-plan.ts';

/** The tiles of an implicit matrix. */
export interface ImplicitPlan {
  readonly matrix: TiledMatrix;
  /** Values of k, and of n (of m in the left matrix), in a tile. */
  readonly tile: { readonly k: number; readonly n: number };
  /** Whether the packed block is contiguous along k rather than along n. */
  readonly alongK: boolean;
}

/**
 * Plans the tiles.
 * @param most values of k, and of n, in a tile at most
 */
export function planImplicitMatrix(
  { batch }: ContractKernel,
  computed: ImplicitMatrix,
  most: { readonly k: number; readonly n: number },
): ImplicitPlan {
  const matrix = tileMatrix(computed, batch.length, most);
  const first = batch.length + 2;
  const { k, n } = matrix;
  const run = (axis: number, extent: number): number => (isContiguous(matrix, axis) ? extent : 1);
  return {
    matrix: matrix,
    tile: { k: sizeOf(k.inside), n: sizeOf(n.inside) },
    // Contiguous runs are copied fastest: the packed block is contiguous along the longer ones.
    alongK:
      run(first + k.inside.length - 1, k.inside.at(-1)!) >
      run(first + k.inside.length + n.inside.length - 1, n.inside.at(-1)!),
  };
}

/** Whether all loads are contiguous along an axis. */
function isContiguous({ value }: TiledMatrix, axis: number): boolean {
  return scalarsIn([value]).every(
    (scalar) => scalar.op !== 'load' || coefficientOf(scalar.index, axis) === 1,
  );
}

/**
 * The kernel that computes one tile, given the values of its first axes: the batch axes, then the numbers of
 * the tile along k and n. Its last operand is the tile in working memory, whose strides along k and n are
 * `strides` elements.
 */
function tileKernel(
  { batch, operands, dtype }: ContractKernel,
  { matrix: { value, k, n } }: ImplicitPlan,
  strides: { readonly k: number; readonly n: number },
): LoopKernel {
  const extents = [...batch, k.count, n.count, ...k.inside, ...n.inside];
  const first = batch.length + 2;
  const terms = [
    ...linear(k.inside, first, strides.k),
    ...linear(n.inside, first + k.inside.length, strides.n),
  ];
  const length = strides.k * sizeOf(k.inside) + strides.n * sizeOf(n.inside);
  return {
    kind: 'loop',
    operands: [...operands, { dtype, length, access: 'write' }],
    rows: extents.slice(0, -1),
    columns: extents.slice(-1),
    reductions: [],
    passes: [{ reductions: [], stores: [{ operand: operands.length, index: { offset: 0, terms }, value }] }],
    rowStores: [],
  };
}

/** The loops of the tiles of both matrices; null for a stored matrix. */
export interface ImplicitTiles {
  readonly a: LoopPlan | null;
  readonly b: LoopPlan | null;
}

/** Plans the loops of the tiles. Their first axes are bound: the batch axes, and the numbers of the tile. */
export function planImplicitTiles(
  kernel: ContractKernel,
  { axes, implicit, strides }: MatmulPlan,
): ImplicitTiles {
  const { bytes } = DTYPES[kernel.dtype];
  const plan = (implicit: ImplicitPlan | null, of: readonly number[], axis: number): LoopPlan | null =>
    implicit === null
      ? null
      : planLoop(
          tileKernel(kernel, implicit, { k: of[axes.k]! / bytes, n: of[axis]! / bytes }),
          kernel.batch.length + 2,
        );
  return { a: plan(implicit.a, strides.a, axes.m), b: plan(implicit.b, strides.b, axes.n) };
}

/** stride·index of loops in row-major order. */
function linear(extents: readonly number[], first: number, stride: number): readonly Term[] {
  let matrix = stride * sizeOf(extents);
  return extents.flatMap((extent, axis): readonly Term[] => {
    matrix /= extent;
    return extent === 1 ? [] : [{ coefficient: matrix, atom: { kind: 'axis', axis: first + axis } }];
  });
}
