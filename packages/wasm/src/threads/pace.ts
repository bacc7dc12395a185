/**
 * Whether a plan is run by all threads or by the first alone. Threads wait for each other after every few kernels, so where other programs keep the cores busy they may take many
 * times as long as one. Which is faster is found out while programs run, again and again; the bits are the same.
 */

/** Every so many runs the slower way is tried again; in the beginning more often. */
const TRIAL = 64;
const FIRST_TRIALS: readonly number[] = [2, 4, 8, 16, 32];

/** What is known of one plan. */
export class Pace {
  /** Milliseconds of late; infinite until it is known. */
  #together = Infinity;
  #alone = Infinity;
  #runs = 0;

  /** Runs the faster way, or now and then the other. */
  run(together: () => void, alone: () => void): void {
    const isTrial = this.#runs % TRIAL === 0 ? this.#runs > 0 : FIRST_TRIALS.includes(this.#runs);
    const isTogether = this.#together <= this.#alone !== isTrial;
    this.#runs++;
    const start = performance.now();
    if (isTogether) together();
    else alone();
    const taken = performance.now() - start;
    if (isTogether) this.#together = blend(this.#together, taken);
    else this.#alone = blend(this.#alone, taken);
  }
}

/** A faster run counts at once: what was slower may have been the first, with code that the engine had not optimized. */
function blend(earlier: number, now: number): number {
  return now < earlier ? now : (earlier + now) / 2;
}
