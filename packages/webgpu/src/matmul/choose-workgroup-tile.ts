/**
 * Chooses the workgroup tile of the least cost: the multiply-adds of all tiles, edges included, weighted by
 * the throughput of the tile; a grid that is too small to fill the adapter counts as one that does. The
 * throughputs are estimates from the arithmetic intensity of the register tiles, not measured on hardware.
 */
import type { ContractKernel } from '@firsthand/compiler';
import type { AdapterProfile } from '../emit/profile.ts';
import { tileCount } from './tile-grid.ts';
import { bytesOf, invocationsOf, type WorkgroupTile } from './workgroup-tile.ts';

/** Rows, columns, depth, rows and columns of an invocation; throughput relative to the first. */
const SIZES = [
  [128, 128, 8, 8, 1],
  [64, 64, 16, 4, 0.7],
  [32, 64, 16, 4, 0.65],
  [64, 32, 16, 4, 0.65],
  [32, 32, 16, 4, 0.6],
  [16, 64, 16, 4, 0.5],
  [64, 16, 16, 4, 0.5],
  [16, 16, 16, 4, 0.3],
] as const;

/** The tiles, from the largest to the smallest, with their throughput. */
export const WORKGROUP_TILES: readonly { readonly tile: WorkgroupTile; readonly rate: number }[] =
  /* @__PURE__ */ SIZES.map(([rows, columns, depth, side, rate]) => ({
    tile: { rows, columns, depth, perInvocation: { rows: side, columns: side }, buffers: 2, vectors: true },
    rate,
  }));

/** Workgroups that keep an adapter busy. */
const ENOUGH = 128;

/** The tile for a product, of those that fit the adapter; null where none does. */
export function chooseWorkgroupTile(
  kernel: ContractKernel,
  { maxInvocations, workgroupBytes }: AdapterProfile,
): WorkgroupTile | null {
  let best: WorkgroupTile | null = null;
  let least = Infinity;
  for (const { tile, rate } of WORKGROUP_TILES) {
    if (invocationsOf(tile) > maxInvocations || bytesOf(tile) > workgroupBytes) continue;
    const workgroups = tileCount(kernel, tile);
    const cost = (Math.max(workgroups, ENOUGH) * tile.rows * tile.columns) / rate;
    if (cost < least) [best, least] = [tile, cost];
  }
  return best;
}
