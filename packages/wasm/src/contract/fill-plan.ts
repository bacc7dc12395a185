/**
 * Where a matrix of a product lies nowhere (the windows of a convolution, a cast), a block of it at a time is
 * computed into working memory, where the product finds it as it finds any matrix: implicit GEMM (Chetlur et
 * al., "cuDNN: Efficient Primitives for Deep Learning", 2014). A block is filled piece by piece.
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
import type { ContractPlan } from './plan.ts';

/** The pieces of a computed matrix. */
export interface FillPlan {
  readonly factor: TiledMatrix;
  /** Values of k, and of n (or m, in the left matrix), in a piece. */
  readonly inPiece: { readonly k: number; readonly n: number };
  /** Whether neighbours along k are better neighbours in working memory than those along n. */
  readonly alongK: boolean;
}

/**
 * Plans the pieces.
 * @param most values of k, and of n, that a piece should have at most
 */
export function planFill(
  { batch }: ContractKernel,
  computed: ImplicitMatrix,
  most: { readonly k: number; readonly n: number },
): FillPlan {
  const factor = tileMatrix(computed, batch.length, most);
  const first = batch.length + 2;
  const { k, n } = factor;
  const run = (axis: number, extent: number): number => (isContiguous(factor, axis) ? extent : 1);
  return {
    factor,
    inPiece: { k: sizeOf(k.inside), n: sizeOf(n.inside) },
    // Longer runs of what lies side by side already are copied faster.
    alongK:
      run(first + k.inside.length - 1, k.inside.at(-1)!) >
      run(first + k.inside.length + n.inside.length - 1, n.inside.at(-1)!),
  };
}

/** Whether all that is loaded lies side by side along an axis. */
function isContiguous({ value }: TiledMatrix, axis: number): boolean {
  return scalarsIn([value]).every(
    (scalar) => scalar.op !== 'load' || coefficientOf(scalar.index, axis) === 1,
  );
}

/**
 * The kernel that computes a piece, given the values of its first axes: the batch axes, then the numbers of
 * the piece along k and n. Its last operand is the piece in working memory, where neighbours along k and n
 * are `strides` elements apart.
 */
function pieceKernel(
  { batch, operands, dtype }: ContractKernel,
  { factor: { value, k, n } }: FillPlan,
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

/** The loops of the pieces of both matrices; null for one that is stored. */
export interface Pieces {
  readonly a: LoopPlan | null;
  readonly b: LoopPlan | null;
}

/** Plans the loops of pieces, whose first axes have their values: the batch axes, and the numbers of the piece. */
export function planPieces(kernel: ContractKernel, { axes, fills, strides }: ContractPlan): Pieces {
  const { bytes } = DTYPES[kernel.dtype];
  const plan = (fill: FillPlan | null, of: readonly number[], axis: number): LoopPlan | null =>
    fill === null
      ? null
      : planLoop(
          pieceKernel(kernel, fill, { k: of[axes.k]! / bytes, n: of[axis]! / bytes }),
          kernel.batch.length + 2,
        );
  return { a: plan(fills.a, strides.a, axes.m), b: plan(fills.b, strides.b, axes.n) };
}

/** stride·place of loops in row-major order. */
function linear(extents: readonly number[], first: number, stride: number): readonly Term[] {
  let factor = stride * sizeOf(extents);
  return extents.flatMap((extent, axis): readonly Term[] => {
    factor /= extent;
    return extent === 1 ? [] : [{ coefficient: factor, atom: { kind: 'axis', axis: first + axis } }];
  });
}
