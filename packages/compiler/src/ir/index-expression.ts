/**
 * Integer expressions over a kernel's loop variables: offset + Σ coefficient·atom, where an atom is a loop
 * variable, or the quotient or remainder of another expression by a constant. Movement operations rewrite
 * these. Quotients and remainders are rare: they are avoided where an expression without them is equal.
 */

/**
 * offset + Σ coefficient·atom. Atoms are distinct, coefficients are not 0, terms are in a canonical order.
 */
export interface Index {
  readonly offset: number;
  readonly terms: readonly Term[];
}

/** coefficient·atom */
export interface Term {
  readonly coefficient: number;
  readonly atom: Atom;
}

/** A loop variable by the number of its axis, or ⌊of/by⌋, or of mod by. */
export type Atom =
  | { readonly kind: 'axis'; readonly axis: number }
  | { readonly kind: 'quotient'; readonly of: Index; readonly by: number }
  | { readonly kind: 'remainder'; readonly of: Index; readonly by: number };

const ZERO: Index = { offset: 0, terms: [] };

/** The same number everywhere. */
export function constantIndex(offset: number): Index {
  return offset === 0 ? ZERO : { offset, terms: [] };
}

/** The value of one loop variable. */
export function axisIndex(axis: number): Index {
  return { offset: 0, terms: [{ coefficient: 1, atom: { kind: 'axis', axis } }] };
}

/** A text that is the same for equal atoms, and orders terms: loop variables first. */
function atomKey(atom: Atom): string {
  if (atom.kind === 'axis') return String.fromCharCode(33 + atom.axis);
  return `~${atom.kind === 'quotient' ? '/' : '%'}${atom.by}(${indexKey(atom.of)})`;
}

/** A text that is the same for equal expressions, and for no others. */
function indexKey({ offset, terms }: Index): string {
  let key = String(offset);
  for (const { coefficient, atom } of terms) key += `,${coefficient}${atomKey(atom)}`;
  return key;
}

/** Whether two expressions are the same. */
export function equalIndex(a: Index, b: Index): boolean {
  if (a === b) return true;
  if (a.offset !== b.offset || a.terms.length !== b.terms.length) return false;
  return a.terms.every(
    ({ coefficient, atom }, position) =>
      coefficient === b.terms[position]!.coefficient && equalAtom(atom, b.terms[position]!.atom),
  );
}

function equalAtom(a: Atom, b: Atom): boolean {
  if (a.kind === 'axis') return b.kind === 'axis' && a.axis === b.axis;
  if (b.kind === 'axis') return false;
  return a.kind === b.kind && a.by === b.by && equalIndex(a.of, b.of);
}

/** a·x + shift */
export function scaleIndex({ offset, terms }: Index, coefficient: number, shift = 0): Index {
  if (coefficient === 0) return constantIndex(shift);
  if (coefficient === 1) return shift === 0 ? { offset, terms } : { offset: offset + shift, terms };
  return {
    offset: offset * coefficient + shift,
    terms: terms.map((term) => ({ coefficient: term.coefficient * coefficient, atom: term.atom })),
  };
}

/**
 * The sum of expressions. A quotient and a remainder of one expression that fit together become the
 * expression again.
 */
export function addIndices(...parts: readonly Index[]): Index {
  const filled = parts.filter(({ offset, terms }) => offset !== 0 || terms.length > 0);
  if (filled.length <= 1) return filled[0] ?? ZERO;
  if (filled.every(isAffine)) return filled.reduce(addAffine);
  let offset = 0;
  const sums = new Map<string, { coefficient: number; atom: Atom }>();
  const collect = (part: Index, scale: number): void => {
    offset += scale * part.offset;
    for (const { coefficient, atom } of part.terms) {
      const key = atomKey(atom);
      const known = sums.get(key);
      if (known === undefined) sums.set(key, { coefficient: scale * coefficient, atom });
      else known.coefficient += scale * coefficient;
    }
  };
  for (const part of filled) collect(part, 1);
  // x = by·⌊x/by⌋ + x mod by, again as long as what comes out fits with something.
  for (let isDone = false; !isDone;) {
    isDone = true;
    for (const [key, { coefficient, atom }] of sums) {
      if (atom.kind !== 'remainder' || coefficient === 0) continue;
      const partner = sums.get(atomKey({ kind: 'quotient', of: atom.of, by: atom.by }));
      if (partner === undefined || partner.coefficient !== coefficient * atom.by) continue;
      sums.delete(key);
      partner.coefficient = 0;
      collect(atom.of, coefficient);
      isDone = false;
      break;
    }
  }
  const terms = [...sums].filter(([, { coefficient }]) => coefficient !== 0);
  terms.sort(([a], [b]) => (a < b ? -1 : 1));
  return { offset, terms: terms.map(([, term]) => term) };
}

/** The sum of expressions in loop variables alone: their terms are in order already. */
function addAffine(a: Index, b: Index): Index {
  const terms: Term[] = [];
  let [i, j] = [0, 0];
  while (i < a.terms.length || j < b.terms.length) {
    const [x, y] = [a.terms[i], b.terms[j]];
    const [left, right] = [axisOf(x), axisOf(y)];
    if (left === right) {
      const coefficient = x!.coefficient + y!.coefficient;
      if (coefficient !== 0) terms.push({ coefficient: coefficient, atom: x!.atom });
    } else {
      terms.push(left < right ? x! : y!);
    }
    if (left <= right) i++;
    if (right <= left) j++;
  }
  return { offset: a.offset + b.offset, terms };
}

function axisOf(term: Term | undefined): number {
  return term?.atom.kind === 'axis' ? term.atom.axis : Infinity;
}

/** The smallest and the largest value, for loop variables from 0 to extent − 1. */
export function boundsOf({ offset, terms }: Index, extents: readonly number[]): readonly [number, number] {
  let low = offset;
  let high = offset;
  for (const { coefficient, atom } of terms) {
    const [least, most] = atomBounds(atom, extents);
    low += coefficient * (coefficient > 0 ? least : most);
    high += coefficient * (coefficient > 0 ? most : least);
  }
  return [low, high];
}

function atomBounds(atom: Atom, extents: readonly number[]): readonly [number, number] {
  if (atom.kind === 'axis') return [0, extents[atom.axis]! - 1];
  if (atom.kind === 'remainder') return [0, atom.by - 1];
  const [low, high] = boundsOf(atom.of, extents);
  return [Math.floor(low / atom.by), Math.floor(high / atom.by)];
}

/** x = by·whole + rest */
interface Divided {
  readonly whole: Index;
  readonly rest: Index;
}

/** With everything that `by` divides in `whole`. */
function divide({ offset, terms }: Index, by: number): Divided {
  const divided = terms.filter(({ coefficient }) => coefficient % by === 0);
  const left = terms.filter(({ coefficient }) => coefficient % by !== 0);
  const shift = Math.floor(offset / by);
  return {
    whole: {
      offset: shift,
      terms: divided.map(({ coefficient, atom }) => ({ coefficient: coefficient / by, atom })),
    },
    rest: { offset: offset - shift * by, terms: left },
  };
}

/** With the largest multiple of `by` in each coefficient moved to `whole`: 31·i + j is 30·i + (i + j). */
function divideCoefficients({ offset, terms }: Index, by: number): Divided {
  const part = (of: (coefficient: number) => number): readonly Term[] =>
    terms.flatMap(({ coefficient, atom }) =>
      of(coefficient) === 0 ? [] : [{ coefficient: of(coefficient), atom }],
    );
  const whole = {
    offset: Math.floor(offset / by),
    terms: part((coefficient) => Math.floor(coefficient / by)),
  };
  return {
    whole,
    rest: {
      offset: offset - whole.offset * by,
      terms: part((coefficient) => coefficient - Math.floor(coefficient / by) * by),
    },
  };
}

/** The division whose remainder is known to be between 0 and by − 1; null where none is known. */
function divideExactly(x: Index, by: number, extents: readonly number[]): Divided | null {
  for (const division of [divide, divideCoefficients]) {
    const divided = division(x, by);
    const [low, high] = boundsOf(divided.rest, extents);
    if (low >= 0 && high < by) return divided;
  }
  return null;
}

/** Splits wanted of loop variables, so that no quotients remain: axis → the extents of the inner parts. */
export type Splits = Map<number, number>;

/** Notes that an axis would better be two loops: its quotient and remainder by `inner` occur. */
function wantSplit(rest: Index, by: number, extents: readonly number[], splits: Splits): void {
  for (const { coefficient, atom } of rest.terms) {
    if (atom.kind !== 'axis' || by % coefficient !== 0) continue;
    const inner = by / coefficient;
    const extent = extents[atom.axis]!;
    if (inner > 1 && inner < extent && extent % inner === 0 && !splits.has(atom.axis))
      splits.set(atom.axis, inner);
  }
}

/** ⌊x/by⌋ */
export function quotient(x: Index, by: number, extents: readonly number[], splits: Splits): Index {
  if (by === 1) return x;
  const exact = divideExactly(x, by, extents);
  if (exact !== null) return exact.whole;
  const { whole, rest } = divide(x, by);
  wantSplit(rest, by, extents, splits);
  return addIndices(whole, {
    offset: 0,
    terms: [{ coefficient: 1, atom: { kind: 'quotient', of: rest, by } }],
  });
}

/** x mod by, from 0 to by − 1 */
export function remainder(x: Index, by: number, extents: readonly number[], splits: Splits): Index {
  if (by === 1) return ZERO;
  const exact = divideExactly(x, by, extents);
  if (exact !== null) return exact.rest;
  const { rest } = divide(x, by);
  wantSplit(rest, by, extents, splits);
  return { offset: 0, terms: [{ coefficient: 1, atom: { kind: 'remainder', of: rest, by } }] };
}

/** The value of an expression for given loop variables. */
export function evaluateIndex({ offset, terms }: Index, position: readonly number[]): number {
  let value = offset;
  for (const { coefficient, atom } of terms) value += coefficient * evaluateAtom(atom, position);
  return value;
}

function evaluateAtom(atom: Atom, position: readonly number[]): number {
  if (atom.kind === 'axis') return position[atom.axis]!;
  const value = evaluateIndex(atom.of, position);
  const whole = Math.floor(value / atom.by);
  return atom.kind === 'quotient' ? whole : value - whole * atom.by;
}

/** The coefficient of one loop variable; null where the variable occurs inside a quotient or remainder. */
export function coefficientOf({ terms }: Index, axis: number): number | null {
  let coefficient = 0;
  for (const term of terms) {
    if (term.atom.kind === 'axis') {
      if (term.atom.axis === axis) coefficient = term.coefficient;
    } else if (dependsOn(term.atom.of, axis)) {
      return null;
    }
  }
  return coefficient;
}

/** Whether the value changes with the loop variable. */
export function dependsOn({ terms }: Index, axis: number): boolean {
  return terms.some(({ atom }) => (atom.kind === 'axis' ? atom.axis === axis : dependsOn(atom.of, axis)));
}

/** Whether the expression has no quotients and remainders. */
export function isAffine({ terms }: Index): boolean {
  return terms.every(({ atom }) => atom.kind === 'axis');
}

/** The expression with another expression substituted for each loop variable. */
export function substitute({ offset, terms }: Index, of: (axis: number) => Index): Index {
  const parts = terms.map(({ coefficient, atom }) => {
    if (atom.kind === 'axis') return scaleIndex(of(atom.axis), coefficient);
    return {
      offset: 0,
      terms: [{ coefficient: coefficient, atom: { ...atom, of: substitute(atom.of, of) } }],
    };
  });
  return addIndices(constantIndex(offset), ...parts);
}
