/**
 * Parts of an axis in which no guard changes. A padded or concatenated array is guarded by comparisons of a
 * loop variable with constants: between these the loop needs no comparison, and what a guard excludes is not
 * computed at all.
 */
import type { Guard } from '../scalar/indices.ts';

/** from ≤ loop variable < to */
export interface Segment {
  readonly from: number;
  readonly to: number;
}

/**
 * The parts of 0 … extent, in order; one part if there would be more than `most`. A guard that changes along
 * another axis `beside` as well is decided there, for one value of this axis after the other.
 */
export function segmentsOf(
  guards: readonly Guard[],
  axis: number,
  extent: number,
  most: number,
  beside: number | null = null,
): readonly Segment[] {
  const breaks = new Set<number>();
  for (const { index, low, high } of guards) {
    const own = index.terms.find(({ atom }) => atom.kind === 'axis' && atom.axis === axis);
    if (own === undefined) continue;
    const [other, ...more] = index.terms.filter((term) => term !== own);
    if (other !== undefined) {
      const isBeside = more.length === 0 && other.atom.kind === 'axis' && other.atom.axis === beside;
      for (let value = 1; isBeside && value < extent; value++) breaks.add(value);
      continue;
    }
    for (const bound of [low, high]) {
      // The first value at which factor·value + offset has reached the bound, or has fallen below it.
      const at = (bound - index.offset) / own.coefficient;
      const first = own.coefficient > 0 ? Math.ceil(at) : Math.floor(at) + 1;
      if (first > 0 && first < extent) breaks.add(first);
    }
  }
  if (breaks.size >= most) return [{ from: 0, to: extent }];
  const ends = [...breaks].sort((a, b) => a - b);
  return [...ends, extent].map((to, index) => ({ from: ends[index - 1] ?? 0, to }));
}
