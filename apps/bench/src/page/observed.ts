/**
 * A contender with its calls of WebGPU counted, run by run; what it asks for is noted beside its times. A run
 * is over when the GPU has done all of it: a library that has not waited itself for the last of what it
 * submitted is waited for, by its queue.
 */
import type { Contender, Notes, Prepared } from '../contender.ts';
import type { Work } from '../tasks.ts';
import { median } from '../statistics.ts';
import { watchBlocks } from './blocks.ts';
import type { Counts, Instrument, Watch } from './instrument.ts';

/** A contender that can be looked at. */
export class Observed implements Contender {
  /** Whether the time of its JavaScript is measured, which makes runs slower. */
  closely = false;
  readonly #contender: Contender;
  readonly #instrument: Instrument;

  constructor(contender: Contender, instrument: Instrument) {
    this.#contender = contender;
    this.#instrument = instrument;
  }

  async prepare(work: Work): Promise<Prepared | null> {
    const instrument = this.#instrument;
    const begin = instrument.counts;
    const prepared = await this.#contender.prepare(work);
    if (prepared === null) return null;
    const watches: Watch[] = [];
    let last: Notes = {};
    let runs = 0;
    const run = async (): Promise<void> => {
      const before = instrument.begin();
      const watch = this.closely ? instrument.watch() : null;
      try {
        const running = prepared.run();
        watch?.returned();
        await running;
        await instrument.complete();
      } finally {
        instrument.unwatch();
      }
      if (watch !== null) watches.push(watch);
      last = { ...difference(instrument.counts, before) };
    };
    return {
      async run() {
        if (runs++ > 0) return run();
        const blocks = watchBlocks();
        await run().finally(blocks.stop);
        last = {
          ...last,
          createdBytes: instrument.counts.bytes - begin.bytes,
          longestBlock: blocks.longest(),
        };
      },
      outputs: () => prepared.outputs(),
      notes: () => ({ ...prepared.notes?.(), ...last, ...timesOf(watches) }),
      release: () => prepared.release(),
    };
  }
}

/** Medians of what was looked at. */
function timesOf(watches: readonly Watch[]): Notes {
  if (watches.length === 0) return {};
  return {
    javascript: median(watches.map((each) => each.javascript)),
    calls: median(watches.map((each) => each.calls)),
  };
}

function difference(after: Counts, before: Counts): Counts {
  const names = Object.keys(after) as (keyof Counts)[];
  return Object.fromEntries(names.map((name) => [name, after[name] - before[name]])) as unknown as Counts;
}
