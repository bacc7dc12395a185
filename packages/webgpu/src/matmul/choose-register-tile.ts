/**
 * Chooses the register tile of the least cost, by a model: nanoseconds of one core of a busy machine, fitted
 * to 67 runs of shapes and tiles on SwiftShader (half of them within 4 %, all within a quarter). Only their
 * ratios matter. A larger tile loads less; a smaller one wastes less at the edges, and compiles faster.
 */
import type { ContractKernel } from '@firsthand/compiler';
import type { AdapterProfile } from '../emit/profile.ts';
import { extentOf, type RegisterTile } from './register-tile.ts';
import { tileCount } from './tile-grid.ts';

const ROWS = [1, 2, 3, 4, 6, 8, 12, 16] as const;
const COLUMNS = [1, 2, 3, 4, 8] as const;

/** Per vector of lanes: a multiply-add, a load, the epilogue of a sum. Then an iteration, and a workgroup. */
const NANOSECONDS = { product: 2.25, load: 17, store: 54, iteration: 13, workgroup: 480 } as const;
/** Nanoseconds of compile time per multiply-add and per load in the text. */
const COMPILING = { product: 460_000, load: 850_000 } as const;
/** Assumed runs of a shader: its compile time counts divided by these. */
const RUNS = 500;
/** Assumed cores: fewer workgroups leave some idle. */
const CORES = 4;

/** The register tile for a product. */
export function chooseRegisterTile(kernel: ContractKernel, profile: AdapterProfile): RegisterTile {
  const costs = registerTiles(profile).map((tile) => ({ tile, cost: costOf(kernel, tile) }));
  return costs.reduce((best, other) => (other.cost < best.cost ? other : best)).tile;
}

/** All tiles for an adapter. Lanes can broadcast where the subgroup size is known. */
function registerTiles({ subgroups }: AdapterProfile): readonly RegisterTile[] {
  const subgroupSize = subgroups !== null && subgroups.least === subgroups.most ? subgroups.least : null;
  const width = subgroupSize ?? 4;
  const unroll = Math.max(4, width);
  return (['n', 'm'] as const).flatMap((lanes) =>
    ROWS.flatMap((rows) =>
      COLUMNS.map((columns) => ({ lanes, width, rows, columns, unroll, broadcasts: subgroupSize !== null })),
    ),
  );
}

/** Nanoseconds of a product with a tile, and its share of compiling. */
function costOf(kernel: ContractKernel, tile: RegisterTile): number {
  const { lanes, width, rows, columns, unroll, broadcasts } = tile;
  const [common, perLane] = lanes === 'n' ? [rows, columns] : [columns, rows];
  const [products, loads] = [rows * columns, perLane + (broadcasts ? common / width : common)];
  const { product, load, store, iteration, workgroup } = NANOSECONDS;
  const step = products * product + loads * load + iteration / unroll;
  const rounds = Math.ceil(tileCount(kernel, extentOf(tile)) / CORES);
  const compiling = unroll * (products * COMPILING.product + loads * COMPILING.load);
  return rounds * (kernel.k * step + products * store + workgroup) + compiling / RUNS / CORES;
}
