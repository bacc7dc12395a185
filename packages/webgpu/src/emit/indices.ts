/**
 * Index expressions as WGSL: i32 arithmetic on loop variables. Quotients are floored; WGSL's division
 * truncates, so an operand that may be negative is shifted by a multiple of the divisor first.
 */
import { axisName, boundsOf, type Atom, type Index, type Term } from '@firsthand/compiler';

/** An index expression as text. `extents` are those of all loop variables. */
export function indexText({ offset, terms }: Index, extents: readonly number[]): string {
  let text = '';
  for (const { coefficient, atom } of terms) text += signed(text, coefficient, atomText(atom, extents));
  return offset !== 0 || text === '' ? text + signed(text, offset, '') : text;
}

function signed(text: string, coefficient: number, atom: string): string {
  const magnitude = Math.abs(coefficient);
  const term = atom === '' ? String(magnitude) : magnitude === 1 ? atom : `${magnitude} * ${atom}`;
  if (text === '') return coefficient < 0 ? `-${term}` : term;
  return ` ${coefficient < 0 ? '-' : '+'} ${term}`;
}

function atomText(atom: Atom, extents: readonly number[]): string {
  if (atom.kind === 'axis') return axisName(atom.axis);
  const { of, by } = atom;
  const [low] = boundsOf(of, extents);
  // ⌊x/by⌋ = ⌊(x + s·by)/by⌋ − s
  const shift = low < 0 ? Math.ceil(-low / by) : 0;
  const text = indexText({ offset: of.offset + shift * by, terms: of.terms }, extents);
  if (atom.kind === 'remainder') return `((${text}) % ${by})`;
  return shift === 0 ? `((${text}) / ${by})` : `((${text}) / ${by} - ${shift})`;
}

/** Splits an index into the terms over outer loop variables only, and the others: their sum is the index. */
export function splitIndex(
  { offset, terms }: Index,
  isOuter: (axis: number) => boolean,
): { readonly outer: Index; readonly inner: Index } {
  const outer: Term[] = [];
  const inner: Term[] = [];
  for (const term of terms) (axesOf(term.atom).every(isOuter) ? outer : inner).push(term);
  return {
    outer: { offset: outer.length > 0 ? offset : 0, terms: outer },
    inner: { offset: outer.length > 0 ? 0 : offset, terms: inner },
  };
}

/** The loop variables in an atom. */
function axesOf(atom: Atom): readonly number[] {
  return atom.kind === 'axis' ? [atom.axis] : atom.of.terms.flatMap((term) => axesOf(term.atom));
}

/** The loop variables in an expression. */
export function axesIn({ terms }: Index): readonly number[] {
  return terms.flatMap(({ atom }) => axesOf(atom));
}
