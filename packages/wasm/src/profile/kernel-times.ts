/**
 * The times of a plan's kernels, taken down while it runs: a stamp where a kernel begins, and one where it is
 * done.
 */
import { withTimes, type Roofline } from '@firsthand/compiler';
import type { PlanReport } from '@firsthand/runtime';
import { now } from '../engine/clock.ts';

/** The kernels of one plan, in its latest run. */
export class KernelTimes {
  readonly #roofline: Roofline;
  readonly #seconds: Float64Array;
  /** When the kernel that runs has begun, in milliseconds. */
  #start = 0;
  /** Whether the latest run has come to its end. */
  #isComplete = false;

  /** @param roofline what the kernels are put beside */
  constructor(roofline: Roofline, kernels: number) {
    this.#roofline = roofline;
    this.#seconds = new Float64Array(kernels);
  }

  /** Takes down that a kernel is done; −1 says that the next one begins. */
  readonly stamp = (kernel: number): void => {
    const time = now();
    if (kernel < 0) this.#start = time;
    else this.#seconds[kernel] = (time - this.#start) / 1000;
    this.#isComplete = kernel === this.#seconds.length - 1;
  };

  /** A report with the times of the latest run; as it was if there was none, or it has failed. */
  addTo(report: PlanReport): PlanReport {
    return this.#isComplete ? withTimes(report, this.#seconds, this.#roofline) : report;
  }
}
