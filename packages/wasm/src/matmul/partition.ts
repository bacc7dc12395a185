/**
 * Which loop of a matrix product threads share, and whether to fuse its row epilogue: both depend on whether
 * a row is whole in one thread.
 */
import type { ContractKernel } from '@firsthand/compiler';
import { lanesAreRows } from '../kernels/loop-plan.ts';
import { partitionAxis, mostEven, type Partition } from '../threads/partition.ts';
import { isRowByRow, planMatmul, type CommonPlan, type MatmulPlan } from './matmul-plan.ts';
import { rowKernel } from './row-kernel.ts';
import { TILES } from './tile-sizes.ts';

/**
 * Rows that a product must have for its row epilogue to be fused: fewer are shared unevenly among threads,
 * which columns are not.
 */
const LEAST_ROWS = 32;

/**
 * The loop that threads share: over independent products if there are enough of them; else over columns, each
 * packed by the thread that uses it, or over rows, whichever packs less in every thread. With a row epilogue
 * each row is whole in one thread.
 */
export function partitionMatmul(kernel: ContractKernel, plan: MatmulPlan): Partition | null {
  const { axes, columns, wholeColumns, ranges, packsA, packsB, implicit, sharedAxes } = plan;
  const { m, n, k } = kernel;
  const batch = kernel.batch.map((extent, axis) =>
    sharedAxes.includes(axis) ? null : partitionAxis(axis, extent, 1),
  );
  const byRows = partitionAxis(axes.m, m, ranges[0]!.height);
  if (kernel.rowEpilogue !== null) return mostEven([...batch, byRows]);
  const byColumns = partitionAxis(axes.n, wholeColumns, columns);
  const isDearByColumns =
    (packsA || implicit.a !== null ? m * k : 0) > (packsB || implicit.b !== null ? n * k : 0);
  return mostEven([...batch, ...(isDearByColumns ? [byRows, byColumns] : [byColumns, byRows])]);
}

/**
 * Whether to fuse the row epilogue: all columns and all of k in one block, so that a tile of rows is whole
 * before the next begins, and loops whose lanes run along the columns, since lanes that are rows need many
 * rows at a time. The answer holds for all tiles, so that the kernels of a program do not depend on the
 * machine.
 */
export function fusesRowEpilogue(kernel: ContractKernel, common: CommonPlan): boolean {
  const { m, rowEpilogue } = kernel;
  if (rowEpilogue === null || m < LEAST_ROWS || lanesAreRows(rowKernel(kernel, rowEpilogue))) return false;
  return TILES.every((tile) => isRowByRow(planMatmul(kernel, tile, common)));
}
