/**
 * An implicit matrix in tiles: the innermost of the loops that make up k and n (or m) run inside a tile,
 * where indices are affine in them; the outer ones become two counters, the tile's number along k and along
 * n, whose division gives the outer loop variables once per tile.
 */
import { sizeOf } from '@firsthand/linalg';
import { addIndices, axisIndex, scaleIndex, substitute, type Index } from './index-expression.ts';
import type { ImplicitMatrix, Scalar } from './kernel.ts';
import { scalarRewriter } from './rewrite-scalar.ts';
import { unflatten } from './coordinates.ts';

/** Shortest part of a loop that is split because it does not fit a tile. */
const SHORTEST = 16;

/** The pieces of a computed matrix along one of its sides. */
export interface TiledAxis {
  /** How many there are. */
  readonly count: number;
  /** Extents of the loops inside of each; at least one. */
  readonly inside: readonly number[];
}

/**
 * A computed matrix whose value has the batch axes, then the numbers of the piece along k and along n, then
 * the loops inside a piece: those of k, then those of n.
 */
export interface TiledMatrix {
  readonly value: Scalar;
  readonly k: TiledAxis;
  readonly n: TiledAxis;
}

interface Cut {
  readonly outside: readonly number[];
  readonly inside: readonly number[];
}

/**
 * The innermost loops with at most `most` iterations in all. If the last loop alone is longer, it is split,
 * or stays whole if no part divides it; `most` 1 gives single iterations.
 */
function cut(extents: readonly number[], most: number): Cut {
  let first = extents.length;
  for (let size = 1; first > 0 && size * extents[first - 1]! <= most; first--) size *= extents[first - 1]!;
  if (first < extents.length) return { outside: extents.slice(0, first), inside: extents.slice(first) };
  const [outside, last] = [extents.slice(0, -1), extents.at(-1)!];
  if (most === 1) return { outside: extents, inside: [1] };
  let part = Math.floor(most);
  while (part >= SHORTEST && last % part !== 0) part--;
  return part < SHORTEST
    ? { outside, inside: [last] }
    : { outside: [...outside, last / part], inside: [part] };
}

/** The loop variables of one side, from the counter of tiles and the loops inside a tile. */
function loopIndices(
  loops: readonly number[],
  { outside, inside }: Cut,
  counter: number,
  first: number,
): readonly Index[] {
  const count = sizeOf(outside);
  const indices = unflatten(axisIndex(counter), outside, {
    extents: Array.from({ length: counter + 1 }, () => count),
    splits: new Map(),
  });
  const inner = inside.map((_, axis) => axisIndex(first + axis));
  if (outside.length + inside.length === loops.length) return [...indices, ...inner];
  return [...indices.slice(0, -1), addIndices(scaleIndex(indices.at(-1)!, inside[0]!), inner[0]!)];
}

/**
 * Cuts a matrix that is computed inside of `batch` loops.
 * @param most values of k, and of n, in a piece
 */
export function tileMatrix(
  { value, inner, outer }: ImplicitMatrix,
  batch: number,
  most: { readonly k: number; readonly n: number },
): TiledMatrix {
  const [k, n] = [cut(inner, most.k), cut(outer, most.n)];
  const first = batch + 2;
  const indices = [
    ...Array.from({ length: batch }, (_, axis) => axisIndex(axis)),
    ...loopIndices(inner, k, batch, first),
    ...loopIndices(outer, n, batch + 1, first + k.inside.length),
  ];
  return {
    value: scalarRewriter((index) => substitute(index, (axis) => indices[axis]!))(value),
    k: { count: sizeOf(k.outside), inside: k.inside },
    n: { count: sizeOf(n.outside), inside: n.inside },
  };
}
