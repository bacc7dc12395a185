/**
 * Memory planning: offsets of intermediates in the arena. Each lives from the kernel that writes it to the
 * last that reads it, and two with overlapping lives share no bytes: packing of intervals, known as dynamic
 * storage allocation. Greedy by size with best fit is close to the optimum on the lives of networks
 * (Pisarchyk and Lee 2020, "Efficient Memory Management for Deep Neural Net Inference"); a few orders are
 * tried, and the smallest arena is used.
 */
import { ALIGNMENT } from '../ir/kernel.ts';

/**
 * An array to allocate: its bytes, and the numbers of the first and the last kernel that touch it, both
 * included.
 */
export interface MemoryRequest {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

/** Offsets in one arena. */
export interface MemoryPlan {
  /** Bytes from the start of the arena, one per request: multiples of the alignment. */
  readonly offsets: readonly number[];
  /** Bytes of the arena, a multiple of the alignment. */
  readonly arenaBytes: number;
  /** The largest sum of bytes alive at one kernel: no arena is smaller. */
  readonly liveBytes: number;
}

/**
 * Assigns offsets so that no two requests that are live at one kernel share a byte.
 * @param requests in any order; a request of 0 bytes gets offset 0
 * @param alignment bytes to which offsets are rounded
 */
export function planMemory(requests: readonly MemoryRequest[], alignment: number = ALIGNMENT): MemoryPlan {
  const lives = livesOf(requests, alignment);
  const least = mostAlive(lives, lives.sizes);
  let best: Placement = { offsets: new Float64Array(), size: Infinity };
  for (const order of Object.values(ORDERS)) {
    const placement = assignOffsets(lives, order);
    if (placement.size < best.size) best = placement;
    if (best.size === least) break;
  }
  return {
    offsets: Array.from(best.offsets, (offset) => offset * alignment),
    arenaBytes: best.size * alignment,
    liveBytes: mostAlive(
      lives,
      Float64Array.from(requests, ({ bytes }) => bytes),
    ),
  };
}

/**
 * The requests as columns; sizes are in units of the alignment, rounded up, and may be larger than any
 * memory.
 */
interface Lives {
  readonly sizes: Float64Array;
  readonly firsts: Int32Array;
  readonly lasts: Int32Array;
}

function livesOf(requests: readonly MemoryRequest[], alignment: number): Lives {
  return {
    sizes: Float64Array.from(requests, ({ bytes }) => Math.ceil(bytes / alignment)),
    firsts: Int32Array.from(requests, ({ first }) => first),
    lasts: Int32Array.from(requests, ({ last }) => last),
  };
}

/**
 * The largest sum of `sizes` alive at one kernel: each is added at its first, and taken away after its last.
 */
function mostAlive({ firsts, lasts }: Lives, sizes: ArrayLike<number>): number {
  const changes = new Float64Array(lasts.reduce((end, last) => Math.max(end, last), 0) + 2);
  for (let request = 0; request < sizes.length; request++) {
    changes[firsts[request]!]! += sizes[request]!;
    changes[lasts[request]! + 1]! -= sizes[request]!;
  }
  let alive = 0;
  let most = 0;
  for (const change of changes) {
    alive += change;
    most = Math.max(most, alive);
  }
  return most;
}

/** In which order requests are placed: negative where `a` goes before `b`. */
type Order = (lives: Lives, a: number, b: number) => number;
const ORDERS: { readonly [name: string]: Order } = {
  size: ({ sizes, firsts }, a, b) => sizes[b]! - sizes[a]! || firsts[a]! - firsts[b]!,
  area: ({ sizes, firsts, lasts }, a, b) =>
    sizes[b]! * (lasts[b]! - firsts[b]! + 1) - sizes[a]! * (lasts[a]! - firsts[a]! + 1) ||
    firsts[a]! - firsts[b]!,
  firstUse: ({ sizes, firsts }, a, b) => firsts[a]! - firsts[b]! || sizes[b]! - sizes[a]!,
};

interface Placement {
  readonly offsets: Float64Array;
  readonly size: number;
}

/** Numbers kept of each request that has been placed. */
const FIRST = 0;
const LAST = 1;
const START = 2;
const END = 3;
const FIELDS = 4;

/**
 * One after the other, each into the smallest gap that holds it between those that live at the same time,
 * else above them.
 */
function assignOffsets(lives: Lives, order: Order): Placement {
  const { sizes, firsts, lasts } = lives;
  const offsets = new Float64Array(sizes.length);
  /** What has been placed, by ascending start: side by side, since every placement reads it all. */
  const placed = new Float64Array(sizes.length * FIELDS);
  let length = 0;
  let arena = 0;
  const requests = Int32Array.from(sizes, (_, request) => request).sort((a, b) => order(lives, a, b));
  for (const request of requests) {
    const size = sizes[request]!;
    if (size === 0) continue;
    const offset = smallestGap(placed, length, firsts[request]!, lasts[request]!, size);
    let at = length;
    while (at > 0 && placed[at - FIELDS + START]! > offset) at -= FIELDS;
    placed.copyWithin(at + FIELDS, at, length);
    placed[at + FIRST] = firsts[request]!;
    placed[at + LAST] = lasts[request]!;
    placed[at + START] = offset;
    placed[at + END] = offset + size;
    length += FIELDS;
    offsets[request] = offset;
    arena = Math.max(arena, offset + size);
  }
  return { offsets, size: arena };
}

function smallestGap(
  placed: Float64Array,
  length: number,
  first: number,
  last: number,
  size: number,
): number {
  let best = -1;
  let smallest = Infinity;
  let end = 0;
  for (let at = 0; at < length; at += FIELDS) {
    if (placed[at + FIRST]! > last || placed[at + LAST]! < first) continue;
    const gap = placed[at + START]! - end;
    if (gap >= size && gap < smallest) {
      best = end;
      smallest = gap;
    }
    if (placed[at + END]! > end) end = placed[at + END]!;
  }
  return best < 0 ? end : best;
}
