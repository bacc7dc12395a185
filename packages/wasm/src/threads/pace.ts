/**
 * Whether a plan is run by all threads or by the first alone. Threads wait for each other after every few kernels, so where other programs keep the cores busy they may take many
 * times as long as one. Which is faster is found out while programs run, again and again; the bits are the same.
 */

/** After so many runs by the faster way the other is tried; and then after every so many. */
const TRIALS: readonly number[] = [2, 4, 8, 16, 32];
const TRIAL = 64;
/** How much a slower run counts: other programs make some runs of any way slow. */
const WEIGHT = 1 / 8;

/** What is known of one plan. */
export class Pace {
  /** Milliseconds of late; infinite until it is known. */
  #together = Infinity;
  #alone = Infinity;
  /** Runs since the faster way has become another. */
  #runs = 0;

  /** Runs the faster way, or now and then the other. */
  run(together: () => void, alone: () => void): void {
    const isTrial = TRIALS.includes(this.#runs) || (this.#runs > 0 && this.#runs % TRIAL === 0);
    const before = this.#isTogetherFaster;
    const isTogether = before !== isTrial;
    const start = performance.now();
    if (isTogether) together();
    else alone();
    const taken = performance.now() - start;
    if (isTogether) this.#together = blend(this.#together, taken);
    else this.#alone = blend(this.#alone, taken);
    this.#runs = this.#isTogetherFaster === before ? this.#runs + 1 : 0;
  }

  get #isTogetherFaster(): boolean {
    return this.#together <= this.#alone;
  }
}

/** A faster run counts at once: what was slower may have been the first, with code that the engine had not optimized. */
function blend(earlier: number, now: number): number {
  return now < earlier ? now : earlier + (now - earlier) * WEIGHT;
}
