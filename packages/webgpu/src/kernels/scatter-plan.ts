/**
 * Who writes what in a scatter kernel: how its work is dealt out to invocations, chosen by a rough estimate
 * of cost.
 */
import { isAffine, type ScatterKernel } from '@firsthand/compiler';
import { sizeOf } from '@firsthand/linalg';
import { axesIn } from '../emit/indices.ts';
import { range } from '../emit/axes.ts';
import type { AdapterProfile } from '../emit/profile.ts';

/** How the work is dealt out: each combination of a place, a hand and a part has an invocation. */
export interface ScatterPlan {
  /** Axes that the target's index depends on: each of their places has targets of its own. */
  readonly parallelAxes: readonly number[];
  /** The other axes, whose places are steps in row-major order. */
  readonly sequentialAxes: readonly number[];
  readonly targetSlices: number;
  readonly steps: number;
  /**
   * Among how many hands the targets of one place are dealt out: a power of two, or as many as there are
   * targets. All of them look at all steps.
   */
  readonly stripes: number;
  /** In how many parts the steps are cut. What each part finds is put together by a second shader. */
  readonly chunks: number;
}

/** Invocations that keep an adapter busy. */
const ENOUGH = { software: 32, hardware: 16384 } as const;
/** What costs how much, where a look at a position costs 1: an update of memory, and a further shader. */
const UPDATE = { software: 3, hardware: 20 } as const;
const SHADER = { software: 5000, hardware: 2000 } as const;
/** Steps of a part at the least, and words of working memory at the most. */
const LEAST_CHUNK_STEPS = 64;
const MOST_WORDS = 2 ** 22;

/** Chooses a plan: the cheapest one, of all numbers of hands and parts. */
export function scatterPlan(kernel: ScatterKernel, { isSoftware }: AdapterProfile): ScatterPlan {
  const { extents, index, extent } = kernel;
  const axes = range(extents.length);
  const size = (some: readonly number[]): number => sizeOf(some.map((axis) => extents[axis]!));
  // Where targets are not told apart, one invocation does all.
  if (!isInjective(kernel))
    return {
      parallelAxes: [],
      sequentialAxes: axes,
      targetSlices: 1,
      steps: size(axes),
      stripes: 1,
      chunks: 1,
    };
  const used = new Set(axesIn(index));
  const [parallelAxes, sequentialAxes] = [
    axes.filter((axis) => used.has(axis)),
    axes.filter((axis) => !used.has(axis)),
  ];
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
      if (cost(stripes, chunks) < cost(best.stripes, best.chunks))
        best = { stripes: stripes, chunks: chunks };
    }
  }
  return {
    parallelAxes: parallelAxes,
    sequentialAxes: sequentialAxes,
    targetSlices: targetSlices,
    steps,
    ...best,
  };
}

/** Powers of two that are smaller than a number. */
function powersBelow(limit: number): readonly number[] {
  return range(Math.ceil(Math.log2(limit))).map((exponent) => 2 ** exponent);
}

/**
 * Whether index + position·stride is another number for each place of the index's axes and each position:
 * every step is larger than what all smaller ones reach.
 */
function isInjective({ extents, index, stride, extent }: ScatterKernel): boolean {
  if (!isAffine(index)) return false;
  const steps = index.terms.map(({ coefficient: factor }, term) => ({
    size: Math.abs(factor),
    count: extents[axesIn(index)[term]!]!,
  }));
  let reach = 0;
  for (const { size, count } of [...steps, { size: stride, count: extent }].toSorted(
    (a, b) => a.size - b.size,
  )) {
    if (count > 1 && size <= reach) return false;
    reach += size * (count - 1);
  }
  return true;
}
