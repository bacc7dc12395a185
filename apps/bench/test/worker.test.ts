// A contender's side: what it answers, and how it times. The clock here moves only when the contender runs.
import { describe, expect, test } from 'vitest';
import type { Contender } from '../src/contender.ts';
import { type Host, Worker } from '../src/worker.ts';

/** A contender whose every run takes so many milliseconds of `now`'s time, and the first ten more. */
function createSlow(milliseconds: number): {
  readonly contender: Contender;
  readonly place: Host;
  readonly log: string[];
} {
  let time = 0;
  let runs = 0;
  const log: string[] = [];
  const contender: Contender = {
    async prepare(work) {
      if (work.kind === 'training') return null;
      if (work.kind === 'map') throw new TypeError('no maps here');
      return {
        run() {
          time += milliseconds + (runs++ === 0 ? 10 : 0);
        },
        outputs: async () => [Float32Array.of(runs)],
        notes: () => ({ runs }),
        release() {
          log.push('released');
        },
      };
    },
  };
  return { contender, place: { now: () => time, pause: async () => {} }, log };
}

test('a task is prepared, run and shown; the first run is slower', async () => {
  const { contender, place } = createSlow(3);
  expect(
    await new Worker(contender, place).answer({ kind: 'prepare', task: 'matmul/64', runs: 2, enough: 100 }),
  ).toEqual({
    kind: 'prepared',
    outputs: [Float32Array.of(2)],
    times: [13, 3],
    notes: { runs: 1 },
  });
});

test('a footprint is not asked of a contender', async () => {
  const { contender, place } = createSlow(3);
  const reply = await new Worker(contender, place).answer({
    kind: 'prepare',
    task: 'footprint/bundle',
    runs: 1,
    enough: 1,
  });
  expect(reply).toEqual({ kind: 'unable' });
});

test('a process of its own tells how much memory it has held', async () => {
  const { contender, place } = createSlow(3);
  const worker = new Worker(contender, { ...place, peakMemory: () => 5e6 });
  await worker.answer({ kind: 'prepare', task: 'matmul/64', runs: 1, enough: 1 });
  expect(await worker.answer({ kind: 'release' })).toEqual({
    kind: 'done',
    notes: { runs: 1, peakResidentBytes: 5e6 },
  });
});

test('a long run is the last', async () => {
  const { contender, place } = createSlow(3);
  const reply = await new Worker(contender, place).answer({
    kind: 'prepare',
    task: 'matmul/64',
    runs: 5,
    enough: 12,
  });
  expect(reply).toMatchObject({ times: [13] });
});

describe('timing', () => {
  const timesOf = async (milliseconds: number, budget: number): Promise<readonly number[]> => {
    const { contender, place } = createSlow(milliseconds);
    const worker = new Worker(contender, place);
    await worker.answer({ kind: 'prepare', task: 'matmul/64', runs: 2, enough: 100 });
    const reply = await worker.answer({ kind: 'time', milliseconds: budget });
    if (reply.kind !== 'times') throw new Error(reply.kind);
    return reply.times;
  };

  test('fills its time with long runs one by one', async () => {
    expect(await timesOf(4, 10)).toEqual([4, 4, 4]);
  });

  test('runs at least once', async () => {
    expect(await timesOf(50, 10)).toEqual([50]);
  });

  test('takes short runs together', async () => {
    expect(await timesOf(0.25, 10)).toEqual([0.25, 0.25, 0.25, 0.25, 0.25]);
  });
});

test('what it cannot do, what fails and what is not there are replies', async () => {
  const { contender, place, log } = createSlow(1);
  const worker = new Worker(contender, place);
  expect(await worker.answer({ kind: 'time', milliseconds: 1 })).toEqual({
    kind: 'failed',
    message: 'Error: no task is prepared',
  });
  expect(await worker.answer({ kind: 'prepare', task: 'training/mlp', runs: 1, enough: 100 })).toEqual({
    kind: 'unable',
  });
  expect(await worker.answer({ kind: 'prepare', task: 'elementwise/exp', runs: 1, enough: 100 })).toEqual({
    kind: 'failed',
    message: 'TypeError: no maps here',
  });
  expect(await worker.answer({ kind: 'prepare', task: 'attic', runs: 1, enough: 100 })).toMatchObject({
    kind: 'failed',
  });
  await worker.answer({ kind: 'prepare', task: 'matmul/64', runs: 1, enough: 100 });
  expect(await worker.answer({ kind: 'warmUp', milliseconds: 5 })).toEqual({ kind: 'done', notes: {} });
  expect(await worker.answer({ kind: 'release' })).toMatchObject({
    kind: 'done',
    notes: { runs: expect.any(Number) },
  });
  expect(log).toEqual(['released']);
});
