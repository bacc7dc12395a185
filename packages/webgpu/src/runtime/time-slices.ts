/**
 * Time slicing: long tasks yield to the event loop, so that a page draws frames while a program is planned.
 * The first slice runs at once, the others in later turns of the event loop, one task after the other.
 */
import type { Resumable } from '@firsthand/compiler';
import { macrotask } from '@firsthand/runtime';

/** Milliseconds of a slice: a quarter of a frame at 60 per second; the caller's work precedes the first. */
const SLICE_MILLISECONDS = 4;

/** A task that is in progress, or settled. */
export class TimeSlicedTask<T> {
  readonly #task: Resumable<T>;
  #outcome: { readonly value: T } | { readonly error: unknown } | null = null;
  #resolveSettled: () => void = () => {};
  /** Resolves when the task has ended or failed. */
  readonly settled: Promise<void> = new Promise((resolve) => (this.#resolveSettled = resolve));

  constructor(task: Resumable<T>) {
    this.#task = task;
  }

  get isDone(): boolean {
    return this.#outcome !== null;
  }

  /** Resumes the task until a time of `performance.now()`, or to its end. */
  advance(until: number): void {
    try {
      while (this.#outcome === null) {
        const step = this.#task.next();
        if (step.done === true) this.#outcome = { value: step.value };
        else if (performance.now() >= until) return;
      }
    } catch (error) {
      this.#outcome = { error };
    }
    this.#resolveSettled();
  }

  /** Completes the task at once. @returns its result @throws what the task throws */
  finish(): T {
    this.advance(Infinity);
    if ('error' in this.#outcome!) throw this.#outcome.error;
    return this.#outcome!.value;
  }
}

/** The tasks of one device. */
export class TimeSlicer {
  readonly #waiting: TimeSlicedTask<unknown>[] = [];

  /** Starts a task. @throws what it throws in its first slice */
  start<T>(task: Resumable<T>): TimeSlicedTask<T> {
    const sliced = new TimeSlicedTask(task);
    if (this.#waiting.length === 0) sliced.advance(performance.now() + SLICE_MILLISECONDS);
    if (sliced.isDone) {
      sliced.finish();
      return sliced;
    }
    if (this.#waiting.push(sliced) === 1) void this.#work();
    return sliced;
  }

  async #work(): Promise<void> {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      await macrotask();
      first.advance(performance.now() + SLICE_MILLISECONDS);
      if (first.isDone) this.#waiting.shift();
    }
  }
}
