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
  type TiledMatrix,
} from '@firsthand/compiler';
import { sizeOf } from '@firsthand/linalg';

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
