// What a library costs besides its speed: programs of those that need no peer are built, weighed and started,
// and processes are asked for their memory.
import { describe, expect, test } from 'vitest';
import { weigh } from '../src/cold-build.ts';
import type { ProcessContender } from '../src/contender.ts';
import type { ContenderClient } from '../src/contender-process.ts';
import { type FootprintSetting, measureFootprint } from '../src/footprint.ts';
import { EFFORTS } from '../src/measure.ts';
import type { Reply } from '../src/protocol.ts';
import { type MLPTask, TASKS } from '../src/tasks.ts';

/** Milliseconds that a busy machine may take. */
const PATIENCE = 60_000;

const task = TASKS.find(({ id }) => id === 'training/mlp')!.work as MLPTask;

/** Processes that train the GPT, or not, and have held so many bytes. */
function setting(
  peaks: Partial<Record<ProcessContender, number>>,
  unable: readonly ProcessContender[] = [],
): FootprintSetting {
  const start = (name: ProcessContender): ContenderClient => ({
    async ask({ kind }): Promise<Reply> {
      if (kind === 'release') return { kind: 'done', notes: { peakResidentBytes: peaks[name]! } };
      if (Number.isNaN(peaks[name])) return { kind: 'failed', message: 'gone' };
      return unable.includes(name)
        ? { kind: 'unable' }
        : { kind: 'prepared', outputs: [], times: [1], notes: {} };
    },
    stop() {},
  });
  return {
    contenders: Object.keys(peaks) as ProcessContender[],
    effort: { ...EFFORTS.quick, rounds: 2 },
    start,
  };
}

test(
  'a start is timed from outside, in turns, and is over with the first loss, which is right',
  async () => {
    const told: string[] = [];
    const outcomes = await measureFootprint(
      { kind: 'footprint', of: 'coldStart' },
      setting({ firsthand: 0, uncompiled: 0, loops: 0 }),
      (name, what) => told.push(`${name} ${what}`),
    );
    expect(told).toEqual([
      'firsthand start 1 of 2',
      'loops start 1 of 2',
      'firsthand start 2 of 2',
      'loops start 2 of 2',
    ]);
    expect([...outcomes].map(([name, { kind }]) => [name, kind])).toEqual([
      ['firsthand', 'timed'],
      ['uncompiled', 'unable'],
      ['loops', 'timed'],
    ]);
    expect(outcomes.get('firsthand')).toMatchObject({ time: { count: 2 }, factor: 1 });
  },
  PATIENCE,
);

test('a page that trains is weighed before and after gzip', async () => {
  const [own, loops] = [await weigh('firsthand', task), await weigh('loops', task)];
  expect(own.gzipped).toBeLessThan(own.minified / 2);
  expect(own.gzipped).toBeGreaterThan(50_000);
  expect(own.gzipped).toBeLessThan(160_000);
  expect(loops.gzipped).toBeLessThan(10_000);
});

describe('memory', () => {
  const memory = (peaks: Partial<Record<ProcessContender, number>>, unable?: readonly ProcessContender[]) =>
    measureFootprint({ kind: 'footprint', of: 'memory' }, setting(peaks, unable), () => {});

  test('is what a process of its own has held, in megabytes', async () => {
    const outcomes = await memory({ firsthand: 160e6, 'tfjs-wasm': 320e6 });
    expect(outcomes.get('tfjs-wasm')).toMatchObject({ kind: 'timed', time: { median: 320 }, factor: 2 });
  });

  test('is not asked of ceilings; who cannot train or fails is said to', async () => {
    const outcomes = await memory({ 'mul-add': 1e6, 'jax-js': Number.NaN, 'ort-web': 1e6 }, ['ort-web']);
    expect(outcomes).toEqual(
      new Map<string, object>([
        ['mul-add', { kind: 'unable' }],
        ['jax-js', { kind: 'failed', message: 'gone' }],
        ['ort-web', { kind: 'unable' }],
      ]),
    );
  });
});
