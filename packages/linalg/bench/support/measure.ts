/**
 * How the benchmarks time a function: warmed up first, then the best of several runs, which is the one least
 * disturbed by the rest of the machine.
 */

/** The shortest of `runs` timed calls, in milliseconds. */
export function bestOf(runs: number, f: () => unknown): number {
  for (let i = 0; i < 3; i++) f();
  let best = Infinity;
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    f();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}
