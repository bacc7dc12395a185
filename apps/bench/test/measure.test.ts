// How a task goes: who is wrong or fails is told apart and not timed, turns alternate, and the slow have
// fewer of them.
import { describe, expect, test } from 'vitest';
import type { ContenderName } from '../src/contender.ts';
import type { ContenderClient } from '../src/contender-process.ts';
import { type Effort, measure, type Outcome } from '../src/measure.ts';
import type { Reply, Request } from '../src/protocol.ts';
import { TASKS } from '../src/tasks.ts';

const effort: Effort = { rounds: 3, round: 10, warmUp: 5, most: 100 };
const [task] = TASKS;

/** A contender that answers from a script, and writes down what it is asked. */
function scripted(
  log: string[],
  name: ContenderName,
  answers: Partial<Record<Request['kind'], Reply>>,
): ContenderClient {
  const usual: Record<Request['kind'], Reply> = {
    prepare: { kind: 'prepared', outputs: [Float32Array.of(1, 2)], times: [8, 4], notes: {} },
    warmUp: { kind: 'done', notes: {} },
    time: { kind: 'times', times: [4, 4] },
    release: { kind: 'done', notes: { plans: 1 } },
  };
  return {
    async ask(request) {
      log.push(`${name} ${request.kind}`);
      return answers[request.kind] ?? usual[request.kind];
    },
    stop() {},
  };
}

async function run(
  script: Partial<Record<ContenderName, Partial<Record<Request['kind'], Reply>>>>,
  judge?: Partial<Record<Request['kind'], Reply>>,
): Promise<{ outcomes: ReadonlyMap<ContenderName, Outcome>; log: string[] }> {
  const log: string[] = [];
  const names = Object.keys(script) as ContenderName[];
  const contenders = new Map(names.map((name) => [name, scripted(log, name, script[name]!)]));
  const asked = judge === undefined ? null : scripted(log, 'loops', judge);
  return { outcomes: await measure(task!, contenders, effort, () => {}, asked), log };
}

test('contenders take turns, in an order that turns too', async () => {
  const { log } = await run({ firsthand: {}, 'tfjs-wasm': {}, loops: {} });
  const turns = log.filter((line) => line.endsWith('time')).map((line) => line.split(' ')[0]);
  expect([turns.slice(0, 3), turns.slice(3, 6), turns.slice(6)]).toEqual([
    ['loops', 'firsthand', 'tfjs-wasm'],
    ['firsthand', 'tfjs-wasm', 'loops'],
    ['tfjs-wasm', 'loops', 'firsthand'],
  ]);
});

test('times are summed up, and compared with those of this project', async () => {
  const { outcomes } = await run({ firsthand: { time: { kind: 'times', times: [2] } }, loops: {} });
  expect([...outcomes.keys()]).toEqual(['firsthand', 'loops']);
  expect(outcomes.get('loops')).toEqual({
    kind: 'timed',
    firstRun: 8,
    time: { median: 4, low: 4, high: 4, count: 6 },
    rounds: [
      [4, 4],
      [4, 4],
      [4, 4],
    ],
    factor: 2,
    firstNotes: {},
    notes: { plans: 1 },
  });
});

test('without this project there is nothing to compare with', async () => {
  const { outcomes } = await run({ loops: {} });
  expect(outcomes.get('loops')).toMatchObject({ kind: 'timed', factor: null });
});

describe('who is not timed', () => {
  const timed = (log: readonly string[]): string[] => [
    ...new Set(log.filter((line) => line.endsWith('time')).map((line) => line.split(' ')[0]!)),
  ];

  test('is who computes something else', async () => {
    const { outcomes, log } = await run({
      firsthand: {
        prepare: { kind: 'prepared', outputs: [Float32Array.of(1, 2.1)], times: [8, 4], notes: {} },
      },
      loops: {},
    });
    expect(outcomes.get('firsthand')).toEqual({
      kind: 'wrong',
      message: 'output 0, element 1 is 2.0999999046325684 instead of 2',
    });
    expect(outcomes.get('loops')).toMatchObject({ kind: 'timed', factor: null });
    expect(timed(log)).toEqual(['loops']);
    expect(log).toContain('firsthand release');
  });

  test('is who cannot, or fails', async () => {
    const { outcomes, log } = await run({
      'ort-web': { prepare: { kind: 'unable' } },
      'jax-js': { prepare: { kind: 'failed', message: 'out of memory' } },
      loops: {},
    });
    expect(outcomes.get('ort-web')).toEqual({ kind: 'unable' });
    expect(outcomes.get('jax-js')).toEqual({ kind: 'failed', message: 'out of memory' });
    expect(timed(log)).toEqual(['loops']);
  });

  test('is who fails in the middle, from then on', async () => {
    const { outcomes, log } = await run({
      firsthand: { time: { kind: 'failed', message: 'gone' } },
      loops: {},
    });
    expect(outcomes.get('firsthand')).toEqual({ kind: 'failed', message: 'gone' });
    expect(outcomes.get('loops')).toMatchObject({ kind: 'timed', factor: null });
    expect(log.filter((line) => line === 'firsthand time').length).toBe(1);
  });

  test('is not the ceiling, which computes nothing', async () => {
    const { outcomes } = await run({
      'mul-add': { prepare: { kind: 'prepared', outputs: [], times: [8, 4], notes: {} } },
      loops: {},
    });
    expect(outcomes.get('mul-add')).toMatchObject({ kind: 'timed' });
  });
});

describe('plain loops that take no turn', () => {
  test('say what is right, and have no outcome', async () => {
    const wrong: Reply = { kind: 'prepared', outputs: [Float32Array.of(1, 3)], times: [8, 4], notes: {} };
    const { outcomes, log } = await run({ firsthand: {}, 'jax-js': { prepare: wrong } }, {});
    expect(log.slice(0, 3)).toEqual(['loops prepare', 'loops release', 'firsthand prepare']);
    expect(log.filter((line) => line.startsWith('loops')).length).toBe(2);
    expect([...outcomes].map(([name, { kind }]) => [name, kind])).toEqual([
      ['firsthand', 'timed'],
      ['jax-js', 'wrong'],
    ]);
  });

  test('end the comparison if they fail', async () => {
    const failing = run({ firsthand: {} }, { prepare: { kind: 'failed', message: 'gone' } });
    await expect(failing).rejects.toThrow('matmul/64: the plain loops do not say what is right: gone');
  });
});

describe('the slow', () => {
  const slow = (milliseconds: number) => ({
    firsthand: {},
    loops: {
      prepare: {
        kind: 'prepared',
        outputs: [Float32Array.of(1, 2)],
        times: [200, milliseconds],
        notes: {},
      } as const,
    },
  });

  test('have fewer rounds', async () => {
    const { log } = await run(slow(50));
    expect(log.filter((line) => line === 'loops time').length).toBe(2);
    expect(log.filter((line) => line === 'firsthand time').length).toBe(3);
    expect(log).not.toContain('loops warmUp');
  });

  test('or none, and are known by their first runs', async () => {
    const { outcomes, log } = await run(slow(150));
    expect(log).not.toContain('loops time');
    expect(outcomes.get('loops')).toMatchObject({
      time: { median: 150, count: 1 },
      factor: 37.5,
      firstRun: 200,
    });
  });
});
