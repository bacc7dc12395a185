/** Sums, products and quotients as text, without what changes nothing. */

/** `left + right` */
export function addText(left: string, right: string | number): string {
  const added = String(right);
  if (added === '0') return left;
  if (left === '0') return added;
  return added.startsWith('-') ? `${left} - ${added.slice(1)}` : `${left} + ${added}`;
}

/** Whether an operator can follow a text without parentheses. */
const WHOLE = /^[\w.]+(\([^()]*\))?$/;

/** `factor * text` */
export function mulText(factor: number, text: string): string {
  if (factor === 0 || text === '0') return '0';
  if (factor === 1) return text;
  if (/^\d+$/.test(text)) return String(factor * Number(text));
  return `${factor} * ${WHOLE.test(text) ? text : `(${text})`}`;
}

/** `text / by`, rounded down where nothing is negative. */
export function divText(text: string, by: number): string {
  return by === 1 ? text : `${WHOLE.test(text) ? text : `(${text})`} / ${by}`;
}
/** `text % by` */
export function modText(text: string, by: number): string {
  return by === 1 ? '0' : `${WHOLE.test(text) || /^\w+ \/ \d+$/.test(text) ? text : `(${text})`} % ${by}`;
}
