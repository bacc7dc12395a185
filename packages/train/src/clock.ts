/**
 * Time in a training: how fast an epoch goes, when it will be over, and when the event loop had its last
 * turn.
 */

/** Counts batches and examples against the clock, from its making on. */
export class Pace {
  readonly #began = performance.now();
  readonly #secondsBefore: number;
  #batches = 0;
  #examples = 0;

  /** @param secondsBefore that the epoch took before it was interrupted */
  constructor(secondsBefore: number = 0) {
    this.#secondsBefore = secondsBefore;
  }

  /** Counts batches with so many examples in all. */
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

  /** since its making: an interruption does not slow it down */
  get examplesPerSecond(): number {
    return this.#examples / Math.max(this.#elapsed, 1e-6);
  }

  /** What so many more batches will take, at the pace so far. */
  secondsFor(batches: number): number {
    return (batches * this.#elapsed) / this.#batches;
  }
}

/** Between turns of the event loop, in milliseconds: signals, timers and pages are kept waiting no longer. */
const TURN = 50;

/** A function that lets the event loop turn if it has not for a while. */
export function turnTaker(): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < TURN) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    last = performance.now();
  };
}
