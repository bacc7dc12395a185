/**
 * Which register tile is fastest: costs are counted as measured on SwiftShader, in nanoseconds of one core, and the tile that costs least is taken. That is a table of a few costs instead
 * of one of many shapes.
 */
import type { ContractKernel } from '@firsthand/compiler';
import type { AdapterProfile } from '../profile.ts';
import { workgroupsOf, type RegisterTile } from './register-tile.ts';

const ROWS = [1, 2, 3, 4, 6, 8, 12, 16] as const;
const COLUMNS = [1, 2, 3, 4, 8] as const;

/** The tile for a product. */
export function chooseTile(kernel: ContractKernel, profile: AdapterProfile): RegisterTile {
  const tiles = candidates(profile);
  return tiles.reduce((best, tile) => (costOf(kernel, tile) < costOf(kernel, best) ? tile : best));
}

/** Every tile that there is. */
export function candidates({ subgroups }: AdapterProfile): readonly RegisterTile[] {
  const tells = subgroups !== null && subgroups.least === subgroups.most;
  const width = tells ? subgroups.least : 4;
  return (['n', 'm'] as const).flatMap((lanes) =>
    ROWS.flatMap((rows) => COLUMNS.map((columns) => ({ lanes, width, rows, columns, unroll: Math.max(4, width), tells }))),
  );
}

const NANOSECONDS = { product: 1.2, load: 15, store: 30, workgroup: 1000 } as const;
const CORES = 4;

/** Nanoseconds that a tile takes for a product, as far as can be told. */
export function costOf(kernel: ContractKernel, tile: RegisterTile): number {
  const workgroups = workgroupsOf(kernel, tile);
  const { rows, columns, lanes } = tile;
  const { product, load, store, workgroup } = NANOSECONDS;
  const told = tile.tells ? 1 / tile.width : 1;
  const step = rows * columns * product + rows * load * (lanes === 'n' ? told : 1) + columns * load * (lanes === 'm' ? told : 1);
  const each = kernel.k * step + rows * columns * store + workgroup;
  return Math.ceil(workgroups / CORES) * each;
}
