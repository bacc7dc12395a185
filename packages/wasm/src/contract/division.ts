/**
 * Which loop of a matrix product threads share, and whether it is worth while to finish its rows at once:
 * what has to do with rows that are whole in one thread.
 */
import type { ContractKernel } from '@firsthand/compiler';
import { planLoop } from '../kernels/loop-plan.ts';
import { partitionAxis, mostEven, type Partition } from '../threads/partition.ts';
import { commonPlan, isRowByRow, planContract } from './plan.ts';
import { rowKernel } from './row-kernel.ts';
import type { Tile } from './tile.ts';
import { tileFor, TILES } from './tiles.ts';

/**
 * Rows that a product must have for its rows to be finished by it: fewer are shared unevenly among threads,
 * which columns are not.
 */
const LEAST_ROWS = 32;

/**
 * The loop that threads share: over independent products if there are enough of them; else over columns, each
 * packed by the thread that uses it, or over rows, whichever packs less in every thread. Where rows are
 * finished, each is whole in one thread.
 */
export function divideContract(kernel: ContractKernel, fastest: Tile): Partition | null {
  const plan = planContract(kernel, tileFor(kernel.dtype, fastest));
  const { axes, columns, wholeColumns, ranges, packsA, packsB, fills, sharedAxes } = plan;
  const { m, n, k } = kernel;
  const batch = kernel.batch.map((extent, axis) =>
    sharedAxes.includes(axis) ? null : partitionAxis(axis, extent, 1),
  );
  const byRows = partitionAxis(axes.m, m, ranges[0]!.height);
  if (kernel.rowEpilogue !== null) return mostEven([...batch, byRows]);
  const byColumns = partitionAxis(axes.n, wholeColumns, columns);
  const isDearByColumns = (packsA || fills.a !== null ? m * k : 0) > (packsB || fills.b !== null ? n * k : 0);
  return mostEven([...batch, ...(isDearByColumns ? [byRows, byColumns] : [byColumns, byRows])]);
}

/**
 * Whether rows are better finished where they are computed: all columns and all of k in one block, so that a
 * tile of rows is whole before the next begins, and sweeps whose lanes lie along the columns, since where
 * rows lie along the lanes many are needed at a time.
 */
export function fusesRowEpilogue(kernel: ContractKernel): boolean {
  const { m, rowEpilogue } = kernel;
  if (rowEpilogue === null || m < LEAST_ROWS || planLoop(rowKernel(kernel, rowEpilogue)).lanesAreRows)
    return false;
  const common = commonPlan(kernel);
  return TILES.every((tile) => isRowByRow(planContract(kernel, tile, common)));
}
