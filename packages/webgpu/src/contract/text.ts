/** Sums and products as text, without what adds nothing. */

/** `left + right` */
export function sum(left: string, right: string | number): string {
  const added = String(right);
  if (added === '0') return left;
  if (left === '0') return added;
  return added.startsWith('-') ? `${left} - ${added.slice(1)}` : `${left} + ${added}`;
}

/** `factor * text` */
export function times(factor: number, text: string): string {
  if (factor === 0 || text === '0') return '0';
  if (factor === 1) return text;
  if (/^\d+$/.test(text)) return String(factor * Number(text));
  return `${factor} * ${/^[\w.]+(\([^()]*\))?$/.test(text) ? text : `(${text})`}`;
}
