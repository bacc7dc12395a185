/** The time, wherever the package runs: audio worklets have no `performance`. */

/**
 * Milliseconds since some moment. The clock may be coarse, or stand still while code runs: loops that wait
 * for it to go on are bounded by a number of rounds as well.
 */
export function now(): number {
  const { performance } = globalThis as { readonly performance?: { now(): number } };
  return performance?.now() ?? Date.now();
}
