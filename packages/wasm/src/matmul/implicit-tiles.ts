/** The loop kernels that compute one tile of an implicit matrix into working memory. */
import type { ContractKernel, LoopKernel, Term } from '@firsthand/compiler';
import { DTYPES, sizeOf } from '@firsthand/linalg';
import { planLoop, type LoopPlan } from '../kernels/loop-plan.ts';
import type { ImplicitPlan } from './implicit-plan.ts';
import type { MatmulPlan } from './matmul-plan.ts';

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
