/**
 * Long work in short slices, so that a page can draw frames while a program is being planned. What fits into
 * the first slice is done at once; the rest is done in later turns of the event loop, one piece of work after
 * the other.
 */
import type { InParts } from '@firsthand/compiler';
import { macrotask } from '@firsthand/graph';

/**
 * Milliseconds of a slice: a quarter of a frame at 60 per second; the first comes after whatever has asked
 * for the program.
 */
const SLICE_MILLISECONDS = 4;

/** Work that is under way, or done. */
export class TimeSlicedTask<T> {
  readonly #work: InParts<T>;
  #outcome: { readonly value: T } | { readonly error: unknown } | null = null;
  #settle: () => void = () => {};
  /** Resolves when the work is done or has failed. */
  readonly settled: Promise<void> = new Promise((resolve) => (this.#settle = resolve));

  constructor(work: InParts<T>) {
    this.#work = work;
  }

  get isDone(): boolean {
    return this.#outcome !== null;
  }

  /** Works until a time, as `performance.now()` has it, or to the end. */
  advance(until: number): void {
    try {
      while (this.#outcome === null) {
        const part = this.#work.next();
        if (part.done === true) this.#outcome = { value: part.value };
        else if (performance.now() >= until) return;
      }
    } catch (error) {
      this.#outcome = { error };
    }
    this.#settle();
  }

  /** What the work gives; whatever is left of it is done at once. @throws what the work throws */
  finish(): T {
    this.advance(Infinity);
    if ('error' in this.#outcome!) throw this.#outcome.error;
    return this.#outcome!.value;
  }
}

/** The work of one device. */
export class TimeSlicer {
  readonly #waiting: TimeSlicedTask<unknown>[] = [];

  /** Begins a piece of work. @throws what it throws in its first slice */
  start<T>(work: InParts<T>): TimeSlicedTask<T> {
    const sliced = new TimeSlicedTask(work);
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
