/**
 * Whether a plan is run by all threads or by the first alone. Threads wait for each other after every few
 * kernels, so where other programs keep the cores busy they may take many times as long as one. Which is
 * faster is found out while programs run, again and again; the bits are the same.
 */
import { now } from '../clock.ts';

type Way = 'together' | 'alone';
const OTHER: { readonly [K in Way]: Way } = { together: 'alone', alone: 'together' };

/**
 * After so many runs by the faster way the other is tried; and then after every so many: one thread alone is
 * seldom worth a trial, since it takes as long as it took whatever others do.
 */
const TRIALS: readonly number[] = [2, 4, 8, 16, 32];
const TRIAL: { readonly [K in Way]: number } = { together: 256, alone: 64 };
/** Runs of a trial, of which the fastest counts: in the first, threads may have to be woken. */
const TRIAL_RUNS = 3;
/** A trial ends with a run that takes so many milliseconds more than the faster way: waking takes less. */
const WAKING = 1;
/**
 * How much a slower run counts, and how slow it may be at most: whatever else the machine does makes some
 * runs of any way slow, and it is a row of them that tells.
 */
const WEIGHT = 1 / 8;
const SLOWEST = 2;

/** What is known of one plan. */
export class Pace {
  /** Milliseconds of late; infinite until it is known. */
  readonly #times: Record<Way, number> = { together: Infinity, alone: Infinity };
  /** Runs since the faster way has become another. */
  #runs = 0;
  /** Runs that are left of a trial, and the fastest of those that it has had. */
  #left = 0;
  #fastest = Infinity;

  /** Runs the faster way, or now and then the other. */
  run(together: () => void, alone: () => void): void {
    if (
      this.#left === 0 &&
      (TRIALS.includes(this.#runs) || (this.#runs > 0 && this.#runs % TRIAL[this.#faster] === 0))
    )
      this.#left = TRIAL_RUNS;
    const isTrial = this.#left > 0;
    const way = isTrial ? OTHER[this.#faster] : this.#faster;
    const start = now();
    if (way === 'together') together();
    else alone();
    const taken = now() - start;
    if (isTrial) this.#try(way, taken);
    else this.#learn(way, taken);
  }

  #try(way: Way, taken: number): void {
    this.#fastest = Math.min(this.#fastest, taken);
    this.#left = taken > this.#times[this.#faster] + WAKING ? 0 : this.#left - 1;
    if (this.#left > 0) return;
    this.#learn(way, this.#fastest);
    this.#fastest = Infinity;
  }

  #learn(way: Way, taken: number): void {
    const before = this.#faster;
    this.#times[way] = blend(this.#times[way], taken);
    this.#runs = this.#faster === before ? this.#runs + 1 : 0;
  }

  /** The way that was faster of late. */
  get #faster(): Way {
    return this.#times.together <= this.#times.alone ? 'together' : 'alone';
  }
}

/**
 * A faster run counts at once: what was slower may have been the first, with code that the engine had not
 * optimized.
 */
function blend(earlier: number, now: number): number {
  return now < earlier ? now : earlier + (Math.min(now, SLOWEST * earlier) - earlier) * WEIGHT;
}
