/**
 * Interning: kernels of one plan that are equal part by part become one object, so that what a target makes
 * of a kernel (its text, its code) is made once, however often an unrolled loop runs it. Comparing two
 * kernels costs a fraction of printing one.
 */
import type { Kernel } from '../kernel.ts';

/**
 * The kernel among those that are known which is equal to this one; this one, which becomes known, where
 * there is none.
 */
export function interned(kernel: Kernel, known: Kernel[]): Kernel {
  const first = known.find((each) => isEqual(each, kernel, new Map()));
  if (first === undefined) known.push(kernel);
  return first ?? kernel;
}

/**
 * Whether two values are the same, or lists or records of equal values.
 * @param equal pairs that have been found to be equal: expressions share parts, and may be exponentially long
 *   as trees
 */
function isEqual(a: unknown, b: unknown, equal: Map<unknown, unknown>): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (equal.get(a) === b) return true;
  const keys = Object.keys(a) as (keyof object)[];
  const isSame =
    keys.length === Object.keys(b).length && keys.every((key) => key in b && isEqual(a[key], b[key], equal));
  if (isSame) equal.set(a, b);
  return isSame;
}
