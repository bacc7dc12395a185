/**
 * The register tiles that are worth trying. Sixteen vector registers, of which engines keep one for
 * themselves, hold the sums, one side of the operands, and what passes through. With a multiplication and an
 * addition apart, 8 to 10 sums are enough to hide the addition's latency; fused ones take longer and want 10
 * to 12.
 */
import type { DType } from '@firsthand/graph';
import type { Features } from '../engine/features.ts';
import type { Tile } from './tile.ts';

const SMALL: Tile = { rows: 4, vectors: 2, unrolls: true };
const HIGH: Tile = { rows: 5, vectors: 2, unrolls: false };
const HIGHEST: Tile = { rows: 6, vectors: 2, unrolls: false };
const SQUARE: Tile = { rows: 3, vectors: 3, unrolls: false };

/** All tiles. */
export const TILES: readonly Tile[] = [SMALL, HIGH, HIGHEST, SQUARE];

/** The tiles that may be fastest for float32, the likeliest first. */
export function tilesFor({ relaxedSimd }: Features): readonly Tile[] {
  return relaxedSimd ? [HIGHEST, HIGH, SMALL, SQUARE] : [SMALL, HIGH, SQUARE];
}

/** The tile for a dtype, given the one that is fastest for float32: integers have no fused multiply-add. */
export function tileFor(dtype: DType, fastest: Tile): Tile {
  return dtype === 'float32' || dtype === 'float64' ? fastest : SMALL;
}
