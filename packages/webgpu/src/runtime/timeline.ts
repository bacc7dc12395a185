/**
 * A queue that keeps jobs in order before they reach the GPU's queue: a job runs at once, unless an earlier
 * one waits for its program to be planned or its pipelines to be compiled.
 */

interface Job {
  readonly ready: Promise<void> | null;
  readonly run: () => void;
  readonly fail: (error: unknown) => void;
}

/** A queue of jobs, first in, first out. */
export class Timeline {
  readonly #jobs: Job[] = [];
  #isBusy = false;

  /**
   * Runs a job after all earlier ones and after `ready`; calls `fail` instead if `ready` or the job fails.
   */
  add(ready: Promise<void> | null, run: () => void, fail: (error: unknown) => void): void {
    if (ready === null && !this.#isBusy) return run();
    this.#jobs.push({ ready, run, fail });
    if (!this.#isBusy) void this.#work();
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    for (let job = this.#jobs.shift(); job !== undefined; job = this.#jobs.shift()) {
      try {
        await job.ready;
        job.run();
      } catch (error) {
        job.fail(error);
      }
    }
    this.#isBusy = false;
  }
}
