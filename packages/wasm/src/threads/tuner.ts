/**
 * The threading tuner: decides for one plan whether all threads run it or the first alone. Parallel runs meet
 * at barriers, which cost much where other programs keep the cores busy. So the tuner keeps a moving average
 * of the time of each mode, runs the faster one, and probes the other at growing intervals. Both give the
 * same bits.
 */
import { now } from '../engine/clock.ts';

type Mode = 'parallel' | 'serial';
const OTHER: { readonly [K in Mode]: Mode } = { parallel: 'serial', serial: 'parallel' };

/** Runs in the faster mode after which the slower one is probed. */
const FIRST_PROBES: readonly number[] = [2, 4, 8, 16, 32];
/** Runs between later probes, by the faster mode. Other programs change the time of serial runs little. */
const PROBE_INTERVAL: { readonly [K in Mode]: number } = { parallel: 256, serial: 64 };
/** Runs of a probe. The fastest counts: in the first, threads may have to be woken. */
const PROBE_RUNS = 3;
/**
 * A probe ends early if a run takes this many milliseconds longer than the faster mode. Waking takes less.
 */
const WAKE_MS = 1;
/** Weight of a slower sample in the moving average; samples are clipped at `CLIP` times the average. */
const WEIGHT = 1 / 8;
const CLIP = 2;

/** The measured times of one plan, and the choice that follows from them. */
export class ThreadTuner {
  /** Moving average of milliseconds; infinite before the first sample. */
  readonly #times: Record<Mode, number> = { parallel: Infinity, serial: Infinity };
  /** Runs since the faster mode changed. */
  #runs = 0;
  /** Runs left of the probe in progress, and its fastest run so far, in milliseconds. */
  #probesLeft = 0;
  #fastest = Infinity;

  /** Runs the plan in the faster mode, or probes the other. */
  run(parallel: () => void, serial: () => void): void {
    if (
      this.#probesLeft === 0 &&
      (FIRST_PROBES.includes(this.#runs) ||
        (this.#runs > 0 && this.#runs % PROBE_INTERVAL[this.#faster] === 0))
    )
      this.#probesLeft = PROBE_RUNS;
    const isProbe = this.#probesLeft > 0;
    const mode = isProbe ? OTHER[this.#faster] : this.#faster;
    const start = now();
    if (mode === 'parallel') parallel();
    else serial();
    const time = now() - start;
    if (isProbe) this.#recordProbe(mode, time);
    else this.#record(mode, time);
  }

  #recordProbe(mode: Mode, time: number): void {
    this.#fastest = Math.min(this.#fastest, time);
    this.#probesLeft = time > this.#times[this.#faster] + WAKE_MS ? 0 : this.#probesLeft - 1;
    if (this.#probesLeft > 0) return;
    this.#record(mode, this.#fastest);
    this.#fastest = Infinity;
  }

  #record(mode: Mode, time: number): void {
    const before = this.#faster;
    this.#times[mode] = average(this.#times[mode], time);
    this.#runs = this.#faster === before ? this.#runs + 1 : 0;
  }

  get #faster(): Mode {
    return this.#times.parallel <= this.#times.serial ? 'parallel' : 'serial';
  }
}

/** A faster sample replaces the average: the earlier ones may have run code that was not optimized yet. */
function average(before: number, time: number): number {
  return time < before ? time : before + (Math.min(time, CLIP * before) - before) * WEIGHT;
}
