/**
 * Loop coalescing: two adjacent axes a (outer) and b (inner, `extent` long) merge where every index
 * expression contains them only as coefficient·(extent·a + b), as long as the product can be counted. Vector
 * code wants few, long loops.
 */
import { type Index, type Term } from '../ir/index-expression.ts';
import { MOST_ELEMENTS } from './countable.ts';

/** The merged loops, and the rewrite of index expressions over the old ones. */
export interface Coalesced {
  /** New extents. */
  readonly extents: readonly number[];
  /**
   * For each new axis how many of the first class of axes there are (rows), so that the caller can tell them
   * apart.
   */
  readonly rows: number;
  readonly rewrite: (index: Index) => Index;
}

/** Whether an expression sees the two axes as one. */
function fits({ terms }: Index, outer: number, inner: number, extent: number): boolean {
  let [outerCoefficient, innerCoefficient] = [0, 0];
  for (const { coefficient, atom } of terms) {
    if (atom.kind !== 'axis') {
      if (!fits(atom.of, outer, inner, extent)) return false;
    } else if (atom.axis === outer) outerCoefficient = coefficient;
    else if (atom.axis === inner) innerCoefficient = coefficient;
  }
  return outerCoefficient === innerCoefficient * extent;
}

/** Drops the outer axis of a merged pair: its part is in the inner one, which has its number afterwards. */
function renumber({ offset, terms }: Index, dropped: number): Index {
  const remaining: Term[] = [];
  for (const { coefficient, atom } of terms) {
    if (atom.kind !== 'axis')
      remaining.push({ coefficient: coefficient, atom: { ...atom, of: renumber(atom.of, dropped) } });
    else if (atom.axis !== dropped)
      remaining.push({
        coefficient: coefficient,
        atom: { kind: 'axis', axis: atom.axis > dropped ? atom.axis - 1 : atom.axis },
      });
  }
  return { offset, terms: remaining };
}

/**
 * Merges what can be merged among the axes 0 to rows − 1, and among the others.
 * @param indices every index expression of the kernel
 * @param mergeable whether an axis may merge with the one after it; all by default
 */
export function coalesce(
  extents: readonly number[],
  rows: number,
  indices: readonly Index[],
  mergeable: (outer: number) => boolean = () => true,
): Coalesced {
  let current = [...indices];
  let lengths = [...extents];
  let rowCount = rows;
  const dropped: number[] = [];
  for (let outer = lengths.length - 2; outer >= 0; outer--) {
    const inner = outer + 1;
    if (inner === rowCount || !mergeable(outer) || lengths[outer]! * lengths[inner]! > MOST_ELEMENTS)
      continue;
    if (!current.every((index) => fits(index, outer, inner, lengths[inner]!))) continue;
    current = current.map((index) => renumber(index, outer));
    lengths = [...lengths.slice(0, outer), lengths[outer]! * lengths[inner]!, ...lengths.slice(inner + 1)];
    if (inner < rowCount) rowCount--;
    dropped.push(outer);
  }
  return { extents: lengths, rows: rowCount, rewrite: (index) => dropped.reduce(renumber, index) };
}
