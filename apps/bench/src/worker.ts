/**
 * A contender's side of the protocol: it prepares, runs and times itself, so that no message comes between
 * the clock and the work.
 */
import type { Contender, Notes, Prepared } from './contender.ts';
import type { Reply, Request } from './protocol.ts';
import { TASKS } from './tasks.ts';

/** The shortest time that the clock measures well, in milliseconds: shorter runs are timed in groups. */
const LEAST = 2;

/** What the process or page of a contender offers it. */
export interface Host {
  /** The time in milliseconds. */
  now(): number;
  /** Gives finalizers and other tasks of the engine their turn, as in any program. */
  pause(): Promise<void>;
  /** Peak memory of the process in bytes, where the contender has one of its own. */
  peakMemory?(): number;
}

/** Answers requests for one contender. */
export class Worker {
  readonly #contender: Contender;
  readonly #host: Host;
  #prepared: Prepared | null = null;
  /** Of a run, in milliseconds, as last seen. */
  #estimate = 0;

  constructor(contender: Contender, host: Host) {
    this.#contender = contender;
    this.#host = host;
  }

  /** Never rejects: what goes wrong is a reply too. */
  async answer(request: Request): Promise<Reply> {
    try {
      switch (request.kind) {
        case 'prepare':
          return await this.#prepare(request);
        case 'warmUp':
          await this.#time(request.milliseconds);
          return { kind: 'done', notes: {} };
        case 'time':
          return { kind: 'times', times: await this.#time(request.milliseconds) };
        case 'release':
          return this.#release();
      }
    } catch (error) {
      return {
        kind: 'failed',
        message: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
      };
    }
  }

  async #prepare({ task: id, runs, enough }: Extract<Request, { kind: 'prepare' }>): Promise<Reply> {
    const task = TASKS.find((each) => each.id === id);
    if (task === undefined) throw new RangeError(`there is no task ${id}`);
    if (task.work.kind === 'footprint') return { kind: 'unable' };
    this.#prepared = await this.#contender.prepare(task.work);
    if (this.#prepared === null) return { kind: 'unable' };
    const times: number[] = [];
    let notes: Notes = {};
    while (times.length < runs && (times.at(-1) ?? 0) <= enough) {
      const start = this.#host.now();
      await this.#prepared.run();
      times.push(this.#host.now() - start);
      if (times.length === 1) notes = this.#prepared.notes?.() ?? {};
    }
    this.#estimate = times.at(-1)!;
    return { kind: 'prepared', outputs: await this.#prepared.outputs(), times, notes };
  }

  async #time(milliseconds: number): Promise<number[]> {
    if (this.#prepared === null) throw new Error('no task is prepared');
    globalThis.gc?.();
    const times: number[] = [];
    for (let left = milliseconds; left > 0 || times.length === 0;) {
      const runs = Math.max(1, Math.ceil(LEAST / Math.max(this.#estimate, 1e-4)));
      const start = this.#host.now();
      for (let run = 0; run < runs; run++) {
        const running = this.#prepared.run();
        if (running !== undefined) await running;
      }
      const passed = this.#host.now() - start;
      this.#estimate = passed / runs;
      times.push(this.#estimate);
      left -= passed;
      await this.#host.pause();
    }
    return times;
  }

  #release(): Reply {
    const peak = this.#host.peakMemory?.();
    const notes = { ...this.#prepared?.notes?.(), ...(peak !== undefined && { peakResidentBytes: peak }) };
    this.#prepared?.release();
    this.#prepared = null;
    return { kind: 'done', notes };
  }
}
