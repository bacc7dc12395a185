/**
 * Sums, products, quotients and remainders of non-negative integers as text, simplified where that is free.
 */

/** `left + right` */
export function addText(left: string, right: string | number): string {
  const added = String(right);
  if (added === '0') return left;
  if (left === '0') return added;
  return added.startsWith('-') ? `${left} - ${added.slice(1)}` : `${left} + ${added}`;
}

/** A name, a number or a call: an operator can follow it without parentheses. */
const ATOM = /^[\w.]+(\([^()]*\))?$/;

/** `factor * text` */
export function mulText(factor: number, text: string): string {
  if (factor === 0 || text === '0') return '0';
  if (factor === 1) return text;
  if (/^\d+$/.test(text)) return String(factor * Number(text));
  return `${factor} * ${ATOM.test(text) ? text : `(${text})`}`;
}

/** `text / by`, rounded down. */
export function divText(text: string, by: number): string {
  return by === 1 ? text : `${ATOM.test(text) ? text : `(${text})`} / ${by}`;
}
/** `text % by` */
export function modText(text: string, by: number): string {
  return by === 1 ? '0' : `${ATOM.test(text) || /^\w+ \/ \d+$/.test(text) ? text : `(${text})`} % ${by}`;
}
