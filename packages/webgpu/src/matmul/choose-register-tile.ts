/**
 * Which register tile is the fastest: the one that costs least, as counted from the costs of what it does.
 * They are nanoseconds of one core of a busy machine, fitted to 67 runs of shapes and tiles on SwiftShader
 * (half of them within 4 %, all within a quarter); only their ratios matter. A larger tile has fewer loads, a
 * smaller one wastes less at the edges and is compiled sooner.
 */
import type { ContractKernel } from '@firsthand/compiler';
import type { AdapterProfile } from '../emit/profile.ts';
import { extentOf, type RegisterTile } from './register-tile.ts';
import { tilesOf } from './tile-grid.ts';

const ROWS = [1, 2, 3, 4, 6, 8, 12, 16] as const;
const COLUMNS = [1, 2, 3, 4, 8] as const;

/**
 * Of a vector of lanes each: a multiplication and addition, a load, a sum that is stored; then what a turn
 * and a workgroup cost beside them.
 */
const NANOSECONDS = { product: 2.25, load: 17, store: 54, turn: 13, workgroup: 480 } as const;
/** Compiling a tile, by the products and the loads in its text. */
const COMPILING = { product: 460_000, load: 850_000 } as const;
/** So often will a shader run, as if it were known: compiling counts as this part of a run. */
const RUNS = 500;
/** Cores that a machine has, as if it were known: fewer workgroups leave some without work. */
const CORES = 4;

/** The tile for a product. */
export function chooseRegisterTile(kernel: ContractKernel, profile: AdapterProfile): RegisterTile {
  const costs = registerTiles(profile).map((tile) => ({ tile, cost: costOf(kernel, tile) }));
  return costs.reduce((best, other) => (other.cost < best.cost ? other : best)).tile;
}

/**
 * All tiles for an adapter. Lanes can tell each other what they have loaded where it is known how many run in
 * step.
 */
function registerTiles({ subgroups }: AdapterProfile): readonly RegisterTile[] {
  const inStep = subgroups !== null && subgroups.least === subgroups.most ? subgroups.least : null;
  const width = inStep ?? 4;
  const unroll = Math.max(4, width);
  return (['n', 'm'] as const).flatMap((lanes) =>
    ROWS.flatMap((rows) =>
      COLUMNS.map((columns) => ({ lanes, width, rows, columns, unroll, broadcasts: inStep !== null })),
    ),
  );
}

/** Nanoseconds that a product takes with a tile, and that compiling adds. */
function costOf(kernel: ContractKernel, tile: RegisterTile): number {
  const { lanes, width, rows, columns, unroll, broadcasts: tells } = tile;
  const [shared, own] = lanes === 'n' ? [rows, columns] : [columns, rows];
  const [products, loads] = [rows * columns, own + (tells ? shared / width : shared)];
  const { product, load, store, turn, workgroup } = NANOSECONDS;
  const step = products * product + loads * load + turn / unroll;
  const rounds = Math.ceil(tilesOf(kernel, extentOf(tile)) / CORES);
  const compiling = unroll * (products * COMPILING.product + loads * COMPILING.load);
  return rounds * (kernel.k * step + products * store + workgroup) + compiling / RUNS / CORES;
}
