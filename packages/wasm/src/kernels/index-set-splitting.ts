/**
 * Index-set splitting: an axis is split where a bounds predicate changes. A padded or concatenated array is
 * guarded by comparisons of a loop variable with constants: between these the loop needs no comparison, and
 * an excluded branch is not computed at all.
 */
import type { BoundsPredicate } from '../scalar/indices.ts';

/** from ≤ loop variable < to */
export interface IndexRange {
  readonly from: number;
  readonly to: number;
}

/**
 * The ranges of 0 … extent, in order; one range if there would be more than `most`. A predicate that also
 * changes along the axis `beside` is decided there, for one value of this axis after the other.
 */
export function splitIndexSet(
  predicates: readonly BoundsPredicate[],
  axis: number,
  extent: number,
  most: number,
  beside: number | null = null,
): readonly IndexRange[] {
  const breaks = new Set<number>();
  for (const { index, low, high } of predicates) {
    const axisTerm = index.terms.find(({ atom }) => atom.kind === 'axis' && atom.axis === axis);
    if (axisTerm === undefined) continue;
    const [other, ...more] = index.terms.filter((term) => term !== axisTerm);
    if (other !== undefined) {
      const isBeside = more.length === 0 && other.atom.kind === 'axis' && other.atom.axis === beside;
      for (let value = 1; isBeside && value < extent; value++) breaks.add(value);
      continue;
    }
    for (const bound of [low, high]) {
      // The first value at which coefficient·value + offset reaches the bound, or falls below it.
      const at = (bound - index.offset) / axisTerm.coefficient;
      const first = axisTerm.coefficient > 0 ? Math.ceil(at) : Math.floor(at) + 1;
      if (first > 0 && first < extent) breaks.add(first);
    }
  }
  if (breaks.size >= most) return [{ from: 0, to: extent }];
  const ends = [...breaks].sort((a, b) => a - b);
  return [...ends, extent].map((to, index) => ({ from: ends[index - 1] ?? 0, to }));
}
