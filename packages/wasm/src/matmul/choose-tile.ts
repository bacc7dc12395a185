/**
 * Which register tile is fastest depends on the engine's compiler and on the processor's latencies, so it is
 * measured once, by a race. All tiles give the same bits: the choice affects time alone.
 */
import type { ContractKernel, Index } from '@firsthand/compiler';
import { Module } from '../assembler/module.ts';
import { now } from '../engine/clock.ts';
import type { Features } from '../engine/features.ts';
import { planMatmulKernel } from './matmul.ts';
import type { Tile } from './register-tile.ts';
import { tilesFor } from './tile-sizes.ts';

/** Milliseconds after which a race ends. */
const LIMIT = 10;
/**
 * Iterations after which it ends even if the clock stands still; the fastest processor takes a microsecond
 * for each.
 */
const MOST_ROUNDS = 10_000;
/** A tile is preferred to the first only if it is faster by this factor: less is noise. */
const MARGIN = 1.05;
/** A tile that is slower than the fastest by this factor has not been optimized by the engine yet. */
const UNOPTIMIZED = 1.6;

/** The shape of the race: a multiple of all tiles, small enough for a first-level cache. */
const RACE = { m: 60, n: 48, k: 64 };

/**
 * The fastest tile here, found in less than 20 ms; the likeliest where the engine's optimizing compiler is
 * not done by then.
 */
export function chooseTile(features: Features): Tile {
  const tiles = tilesFor(features);
  const runs = raceOf(tiles, features);
  const best = tiles.map(() => Infinity);
  const until = now() + LIMIT;
  let start = now();
  for (let round = 0; round < MOST_ROUNDS && start < until; round++) {
    runs.forEach((run, index) => {
      run();
      const end = now();
      best[index] = Math.min(best[index]!, end - start);
      start = end;
    });
  }
  const fastest = Math.min(...best);
  if (best[0]! < fastest * MARGIN || best[0]! > fastest * UNOPTIMIZED) return tiles[0]!;
  return tiles[best.indexOf(fastest)]!;
}

/** The same product by each tile. */
function raceOf(tiles: readonly Tile[], features: Features): readonly (() => void)[] {
  const { m, n, k } = RACE;
  const index = (...factors: readonly number[]): Index => {
    return {
      offset: 0,
      terms: factors.flatMap((factor, axis) =>
        factor === 0 ? [] : [{ coefficient: factor, atom: { kind: 'axis', axis } }],
      ),
    };
  };
  const lengths = [m * k, k * n, m * n];
  const kernel: ContractKernel = {
    kind: 'contract',
    operands: lengths.map((length, operand) => ({
      dtype: 'float32',
      length,
      access: operand === 2 ? 'write' : 'read',
    })),
    batch: [],
    m,
    n,
    k,
    dtype: 'float32',
    a: { operand: 0, index: index(k, 0, 1) },
    b: { operand: 1, index: index(0, 1, n) },
    stores: [{ operand: 2, index: index(n, 1), value: { op: 'total', dtype: 'float32' } }],
    rowEpilogue: null,
  };
  const addresses = [0, 0, 0];
  let end = 0;
  lengths.forEach((length, operand) => {
    addresses[operand] = end;
    end += 4 * length;
  });
  const plans = tiles.map((tile) => planMatmulKernel(kernel, tile));
  const bytes = end + Math.max(...plans.map(({ scratch }) => scratch));
  const pages = Math.ceil(bytes / 65536);
  const module = new Module({ initial: pages, maximum: pages, shared: false });
  const tools = { features, functions: new Map(), module };
  plans.forEach((plan, number) => {
    const params = new Array<'i32'>(lengths.length + 1).fill('i32');
    module.function(
      `tile${number}`,
      { params, results: [] },
      (code, locals) => plan.emit(code, locals, tools, null),
      {
        exported: true,
      },
    );
  });
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.toBytes()), { env: { memory } });
  return tiles.map((_, number) => {
    const run = exports[`tile${number}`] as (...addresses: number[]) => void;
    return () => run(...addresses, end);
  });
}
