/**
 * The order of work. What is asked for is done at once, unless something before it waits for a pipeline to be
 * compiled: then it waits behind it. What has been handed to the GPU's own queue is in order already.
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
   * Does a job after all that were added before, and after `ready`; where that fails, `fail` is called in its
   * place.
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
