/**
 * Index expressions as data: the axes that they depend on, their keys, shifts by lanes, and bounds predicates
 * with fewer loop variables.
 */
import type { Atom, Index, Term } from '@firsthand/compiler';

/** low ≤ index < high */
export interface BoundsPredicate {
  readonly index: Index;
  readonly low: number;
  readonly high: number;
}

/** The expression for lane axis + shift. */
export function shiftIndex(index: Index, axis: number, shift: number): Index {
  let { offset } = index;
  if (shift === 0) return index;
  const terms = index.terms.map(({ coefficient, atom }): Term => {
    if (atom.kind === 'axis') {
      if (atom.axis === axis) offset += coefficient * shift;
      return { coefficient, atom };
    }
    return { coefficient, atom: { ...atom, of: shiftIndex(atom.of, axis, shift) } };
  });
  return { offset, terms };
}

/** The axes that an expression depends on, as bits. */
export function axesOf({ terms }: Index): number {
  return terms.reduce((axes, { atom }) => axes | axesOfAtom(atom), 0);
}

/** The axes that an atom depends on, as bits. */
export function axesOfAtom(atom: Atom): number {
  return atom.kind === 'axis' ? 1 << atom.axis : axesOf(atom.of);
}

/** A key: equal for equal atoms, and for no others. */
export function keyOfAtom(atom: Atom): string {
  return atom.kind === 'axis'
    ? `a${atom.axis}`
    : `${atom.kind === 'quotient' ? '/' : '%'}${atom.by}(${keyOfIndex(atom.of)})`;
}

/** A key: equal for equal expressions, and for no others. */
export function keyOfIndex({ offset, terms }: Index): string {
  return `${offset}${terms.map(({ coefficient, atom }) => `,${coefficient}${keyOfAtom(atom)}`).join('')}`;
}

/** The largest number that divides both; the other one, where one of them is 0. */
export function greatestCommonDivisor(a: number, b: number): number {
  let [x, y] = [Math.abs(a), Math.abs(b)];
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}

/**
 * The same predicate without terms that cannot decide it: 0 ≤ 32·i + j − 32 < 64 is 0 ≤ 32·i − 32 < 64 where
 * j runs from 0 to 31.
 * @param rangeOf the smallest and the largest value of an expression
 */
export function coarsePredicate(
  predicate: BoundsPredicate,
  rangeOf: (index: Index) => readonly [number, number],
): BoundsPredicate {
  const { index, low, high } = predicate;
  const units = [...new Set(index.terms.map(({ coefficient }) => Math.abs(coefficient)))].filter(
    (unit) => unit > 1 && low % unit === 0 && high % unit === 0,
  );
  for (const unit of units.sort((a, b) => b - a)) {
    const small = index.terms.filter(({ coefficient }) => coefficient % unit !== 0);
    if (small.length === 0) continue;
    const [least, most] = rangeOf({ offset: index.offset, terms: small });
    const below = Math.floor(least / unit) * unit;
    if (most - below < unit)
      return {
        index: {
          offset: below,
          terms: index.terms.filter(({ coefficient }) => coefficient % unit === 0),
        },
        low,
        high,
      };
  }
  return predicate;
}
