/** The clock of any environment: audio worklets have no `performance`. */

/**
 * Milliseconds since some moment. The clock may be coarse, or not advance while code runs: loops that wait
 * for it also count their iterations.
 */
export function now(): number {
  const { performance } = globalThis as { readonly performance?: { now(): number } };
  return performance?.now() ?? Date.now();
}
