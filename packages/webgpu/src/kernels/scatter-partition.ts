/** How a scatter is divided among invocations: the cheapest division, by a rough estimate of its cost. */
import { isAffine, type ScatterKernel } from '@firsthand/compiler';
import { sizeOf } from '@firsthand/linalg';
import { axesIn } from '../emit/indices.ts';
import { range } from '../emit/axes.ts';
import type { AdapterProfile } from '../emit/profile.ts';

/** The division: each combination of a slice, a stripe and a chunk has an invocation. */
export interface ScatterPartition {
  /** Axes in the target's index: each combination of them has a slice of targets of its own. */
  readonly parallelAxes: readonly number[];
  /** The other axes: their combinations are the steps, in row-major order. */
  readonly sequentialAxes: readonly number[];
  readonly targetSlices: number;
  readonly steps: number;
  /**
   * Stripes of a slice: target t is in stripe t mod stripes. A power of two, or the number of targets. Each
   * invocation reads the positions of all steps.
   */
  readonly stripes: number;
  /** Chunks of the steps, whose results a second shader combines. */
  readonly chunks: number;
}

/** Invocations that keep an adapter busy. */
const ENOUGH = { software: 32, hardware: 16384 } as const;
/** Estimated costs, in reads of a position: an update of memory, and another dispatch. */
const UPDATE = { software: 3, hardware: 20 } as const;
const SHADER = { software: 5000, hardware: 2000 } as const;
/** Steps of a chunk, at least; words of working memory, at most. */
const LEAST_CHUNK_STEPS = 64;
const MOST_WORDS = 2 ** 22;

/** The cheapest division, over all numbers of stripes and chunks. */
export function scatterPartition(kernel: ScatterKernel, { isSoftware }: AdapterProfile): ScatterPartition {
  const { extents, index, extent } = kernel;
  const axes = range(extents.length);
  const size = (some: readonly number[]): number => sizeOf(some.map((axis) => extents[axis]!));
  // Where slices may overlap, one invocation does everything.
  const whole = { targetSlices: 1, steps: size(axes), stripes: 1, chunks: 1 };
  if (!isInjective(kernel)) return { parallelAxes: [], sequentialAxes: axes, ...whole };
  const used = new Set(axesIn(index));
  const parallelAxes = axes.filter((axis) => used.has(axis));
  const sequentialAxes = axes.filter((axis) => !used.has(axis));
  const [targetSlices, steps] = [size(parallelAxes), size(sequentialAxes)];
  const adapter = isSoftware ? 'software' : 'hardware';
  const rounds = (items: number): number => Math.max(1, items / ENOUGH[adapter]);
  const cost = (stripes: number, chunks: number): number => {
    const update = stripes === extent ? 1 / extent : UPDATE[adapter] / stripes;
    const clearing = chunks > 1 && stripes < extent ? extent / stripes : 0;
    const finishing = chunks > 1 ? SHADER[adapter] + 2 * chunks * rounds(targetSlices * extent) : 0;
    return rounds(targetSlices * stripes * chunks) * ((steps / chunks) * (1 + update) + clearing) + finishing;
  };
  let best = { stripes: extent, chunks: 1 };
  for (
    let chunks = 1;
    chunks === 1 || (chunks * LEAST_CHUNK_STEPS <= steps && chunks * targetSlices * extent <= MOST_WORDS);
    chunks *= 2
  ) {
    for (const stripes of [extent, ...powersBelow(extent)]) {
      if (cost(stripes, chunks) < cost(best.stripes, best.chunks)) best = { stripes, chunks };
    }
  }
  return { parallelAxes, sequentialAxes, targetSlices, steps, ...best };
}

/** Powers of two that are smaller than a number. */
function powersBelow(limit: number): readonly number[] {
  return range(Math.ceil(Math.log2(limit))).map((exponent) => 2 ** exponent);
}

/**
 * Whether index + position·stride is injective in the index's axes and the position: each stride exceeds the
 * sum of the ranges of all smaller ones.
 */
function isInjective({ extents, index, stride, extent }: ScatterKernel): boolean {
  if (!isAffine(index)) return false;
  const strides = index.terms.map(({ coefficient }, term) => ({
    size: Math.abs(coefficient),
    count: extents[axesIn(index)[term]!]!,
  }));
  strides.push({ size: stride, count: extent });
  let reach = 0;
  for (const { size, count } of strides.toSorted((a, b) => a.size - b.size)) {
    if (count > 1 && size <= reach) return false;
    reach += size * (count - 1);
  }
  return true;
}
