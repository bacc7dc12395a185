/** The times of a plan's kernels, from stamps at the beginning and end of each. */
import { withTimes, type Roofline } from '@firsthand/compiler';
import type { PlanReport } from '@firsthand/runtime';
import { now } from '../engine/clock.ts';

/** The times of one plan's latest run. */
export class KernelTimes {
  readonly #roofline: Roofline;
  readonly #seconds: Float64Array;
  /** Start of the current kernel, in milliseconds. */
  #start = 0;
  /** Whether the latest run is complete. */
  #isComplete = false;

  /** @param roofline the ceilings that the kernels are compared with */
  constructor(roofline: Roofline, kernels: number) {
    this.#roofline = roofline;
    this.#seconds = new Float64Array(kernels);
  }

  /** Records the end of a kernel, or the beginning of the next, by −1. */
  readonly stamp = (kernel: number): void => {
    const time = now();
    if (kernel < 0) this.#start = time;
    else this.#seconds[kernel] = (time - this.#start) / 1000;
    this.#isComplete = kernel === this.#seconds.length - 1;
  };

  /** Adds the times of the latest run to a report; unchanged if there was none, or it failed. */
  addTo(report: PlanReport): PlanReport {
    return this.#isComplete ? withTimes(report, this.#seconds, this.#roofline) : report;
  }
}
