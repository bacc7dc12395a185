/**
 * Long work as a generator: it yields wherever it may be interrupted for a while, so that a page can draw a
 * frame in between.
 */

/** Work that gives a `T` at its end. */
export type Resumable<T> = Generator<void, T>;

/** Does all parts, one after the other. */
export function runToEnd<T>(work: Resumable<T>): T {
  let part = work.next();
  while (part.done !== true) part = work.next();
  return part.value;
}
