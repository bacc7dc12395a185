/**
 * Chooses the workgroup tile of the least cost: the multiply-adds of all tiles, edges included, weighted by
 * the throughput of the tile; a grid that is too small to fill the adapter counts as one that does. The
 * throughputs are estimates from the arithmetic intensity of the register tiles, not measured on hardware.
 */
import type { ContractKernel } from '@firsthand/compiler';
import type { AdapterProfile } from '../emit/profile.ts';
import { tileCount } from './tile-grid.ts';
import { bytesOf, invocationsOf, type WorkgroupTile } from './workgroup-tile.ts';

const COMMON = { buffers: 2, vectors: true } as const;
/** The tiles, from the largest to the smallest, with their throughput relative to the first. */
export const WORKGROUP_TILES: readonly { readonly tile: WorkgroupTile; readonly rate: number }[] = [
  { tile: { rows: 128, columns: 128, depth: 8, perInvocation: { rows: 8, columns: 8 }, ...COMMON }, rate: 1 },
  {
    tile: { rows: 64, columns: 64, depth: 16, perInvocation: { rows: 4, columns: 4 }, ...COMMON },
    rate: 0.7,
  },
  {
    tile: { rows: 32, columns: 64, depth: 16, perInvocation: { rows: 4, columns: 4 }, ...COMMON },
    rate: 0.65,
  },
  {
    tile: { rows: 64, columns: 32, depth: 16, perInvocation: { rows: 4, columns: 4 }, ...COMMON },
    rate: 0.65,
  },
  {
    tile: { rows: 32, columns: 32, depth: 16, perInvocation: { rows: 4, columns: 4 }, ...COMMON },
    rate: 0.6,
  },
  {
    tile: { rows: 16, columns: 64, depth: 16, perInvocation: { rows: 4, columns: 4 }, ...COMMON },
    rate: 0.5,
  },
  {
    tile: { rows: 64, columns: 16, depth: 16, perInvocation: { rows: 4, columns: 4 }, ...COMMON },
    rate: 0.5,
  },
  {
    tile: { rows: 16, columns: 16, depth: 16, perInvocation: { rows: 4, columns: 4 }, ...COMMON },
    rate: 0.3,
  },
];

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
