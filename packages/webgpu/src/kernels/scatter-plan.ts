/**
 * Who writes what in a scatter kernel: how its work is dealt out to invocations, chosen by a rough estimate
 * of cost.
 */
import { isAffine, type ScatterKernel } from '@firsthand/compiler';
import { sizeOf } from '@firsthand/linalg';
import { axesIn } from '../emit/indices.ts';
import { range } from './axes.ts';
import type { AdapterProfile } from '../profile.ts';

/** How the work is dealt out: each combination of a place, a hand and a part has an invocation. */
export interface ScatterPlan {
  /** Axes that the target's index depends on: each of their places has targets of its own. */
  readonly kept: readonly number[];
  /** The other axes, whose places are steps in row-major order. */
  readonly walked: readonly number[];
  readonly places: number;
  readonly steps: number;
  /**
   * Among how many hands the targets of one place are dealt out: a power of two, or as many as there are
   * targets. All of them look at all steps.
   */
  readonly hands: number;
  /** In how many parts the steps are cut. What each part finds is put together by a second shader. */
  readonly parts: number;
}

/** Invocations that keep an adapter busy. */
const ENOUGH = { software: 32, hardware: 16384 } as const;
/** What costs how much, where a look at a position costs 1: an update of memory, and a further shader. */
const UPDATE = { software: 3, hardware: 20 } as const;
const SHADER = { software: 5000, hardware: 2000 } as const;
/** Steps of a part at the least, and words of working memory at the most. */
const PART_STEPS = 64;
const MOST_WORDS = 2 ** 22;

/** Chooses a plan: the cheapest one, of all numbers of hands and parts. */
export function scatterPlan(kernel: ScatterKernel, { isSoftware }: AdapterProfile): ScatterPlan {
  const { extents, index, extent } = kernel;
  const axes = range(extents.length);
  const size = (some: readonly number[]): number => sizeOf(some.map((axis) => extents[axis]!));
  // Where targets are not told apart, one invocation does all.
  if (!isInjective(kernel))
    return { kept: [], walked: axes, places: 1, steps: size(axes), hands: 1, parts: 1 };
  const used = new Set(axesIn(index));
  const [kept, walked] = [axes.filter((axis) => used.has(axis)), axes.filter((axis) => !used.has(axis))];
  const [places, steps] = [size(kept), size(walked)];
  const adapter = isSoftware ? 'software' : 'hardware';
  const rounds = (pieces: number): number => Math.max(1, pieces / ENOUGH[adapter]);
  const cost = (hands: number, parts: number): number => {
    const update = hands === extent ? 1 / extent : UPDATE[adapter] / hands;
    const clearing = parts > 1 && hands < extent ? extent / hands : 0;
    const finishing = parts > 1 ? SHADER[adapter] + 2 * parts * rounds(places * extent) : 0;
    return rounds(places * hands * parts) * ((steps / parts) * (1 + update) + clearing) + finishing;
  };
  let best = { hands: extent, parts: 1 };
  for (
    let parts = 1;
    parts === 1 || (parts * PART_STEPS <= steps && parts * places * extent <= MOST_WORDS);
    parts *= 2
  ) {
    for (const hands of [extent, ...powersBelow(extent)]) {
      if (cost(hands, parts) < cost(best.hands, best.parts)) best = { hands, parts };
    }
  }
  return { kept, walked, places, steps, ...best };
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
