/**
 * The candidate register tiles. Sixteen vector registers, of which engines reserve one, hold the sums, one
 * side of the operands, and temporaries. With separate multiplication and addition, 8 to 10 sums hide the
 * latency of the addition; fused ones take longer and want 10 to 12.
 */
import type { DType } from '@firsthand/graph';
import type { Features } from '../engine/features.ts';
import type { Tile } from './register-tile.ts';

const SMALL: Tile = { rows: 4, vectors: 2, unrolls: true };
const HIGH: Tile = { rows: 5, vectors: 2, unrolls: false };
const HIGHEST: Tile = { rows: 6, vectors: 2, unrolls: false };
const SQUARE: Tile = { rows: 3, vectors: 3, unrolls: false };

/** All tiles. */
export const TILES: readonly Tile[] = [SMALL, HIGH, HIGHEST, SQUARE];

/** The candidates for float32, the likeliest first. */
export function tilesFor({ relaxedSimd }: Features): readonly Tile[] {
  return relaxedSimd ? [HIGHEST, HIGH, SMALL, SQUARE] : [SMALL, HIGH, SQUARE];
}

/** The tile for a dtype, given the fastest one for float32: integers have no fused multiply-add. */
export function tileFor(dtype: DType, fastest: Tile): Tile {
  return dtype === 'float32' || dtype === 'float64' ? fastest : SMALL;
}
