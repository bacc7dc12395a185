/** Time in a training: the throughput of an epoch, the time that is left, and yields to the event loop. */

/** Counts batches and examples per second, from its construction on. */
export class Throughput {
  readonly #began = performance.now();
  readonly #secondsBefore: number;
  #batches = 0;
  #examples = 0;

  /** @param secondsBefore that the epoch took before it was interrupted */
  constructor(secondsBefore: number = 0) {
    this.#secondsBefore = secondsBefore;
  }

  /** Adds batches, and the examples in all of them. */
  count(batches: number, examples: number): void {
    this.#batches += batches;
    this.#examples += examples;
  }

  get batches(): number {
    return this.#batches;
  }

  /** that the epoch has taken, before an interruption and since */
  get seconds(): number {
    return this.#secondsBefore + this.#elapsed;
  }

  get #elapsed(): number {
    return (performance.now() - this.#began) / 1000;
  }

  /** since its construction: an interruption does not slow it down */
  get examplesPerSecond(): number {
    return this.#examples / Math.max(this.#elapsed, 1e-6);
  }

  /** The seconds that this number of further batches will take, at the throughput so far. */
  secondsFor(batches: number): number {
    return (batches * this.#elapsed) / this.#batches;
  }
}

/** Milliseconds between two yields: the longest time for which signals, timers and pages wait. */
const YIELD_INTERVAL = 50;

/** A function that yields to the event loop if the last yield is too long ago. */
export function eventLoopYielder(): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < YIELD_INTERVAL) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    last = performance.now();
  };
}
