/**
 * What a library costs before it computes, and beside its speed: how long a new process takes to its first
 * loss, how many bytes a page loads to train the MLP, and how much memory the process holds that trains the
 * GPT. Nothing here is timed by the contender itself.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildCold, COLD_CONTENDERS, type ColdContender, weigh } from './cold-build.ts';
import { firstLoss } from './cold/loops.ts';
import { firstDifference } from './compare.ts';
import { CEILINGS, type ContenderName, type Notes, OURS, type ProcessContender } from './contender.ts';
import { type ContenderClient, engineFlags } from './contender-process.ts';
import type { Effort, Outcome, Outcomes } from './measure.ts';
import { factor, summarize } from './statistics.ts';
import { type FootprintTask, type MLPTask, TASKS } from './tasks.ts';

/** Longer than any start takes, in milliseconds. */
const TIMEOUT = 60_000;

/** What it takes to measure. */
export interface FootprintSetting {
  readonly contenders: readonly ProcessContender[];
  readonly effort: Effort;
  /** Starts a contender's process, a new one at each call. */
  start(name: ProcessContender): ContenderClient;
}

type Tell = (name: ContenderName, what: string) => void;

/** Values by contender, in the unit of the task, or what went wrong. */
type Measured = Map<
  ProcessContender,
  { readonly values: readonly number[]; readonly notes: Notes } | Outcome
>;

export async function measureFootprint(
  { of }: FootprintTask,
  setting: FootprintSetting,
  tell: Tell,
): Promise<Outcomes> {
  const measured = await { coldStart: coldStarts, bundle: bundles, memory: memories }[of](setting, tell);
  const ours = measured.get(OURS);
  const ourValues = ours !== undefined && 'values' in ours ? ours.values : null;
  return new Map(
    setting.contenders.map((name): [ContenderName, Outcome] => {
      const found = measured.get(name) ?? { kind: 'unable' };
      if ('kind' in found) return [name, found];
      const rounds = found.values.map((value) => [value]);
      const ratio =
        ourValues === null
          ? null
          : factor(
              ourValues.map((value) => [value]),
              rounds,
            );
      const { notes } = found;
      return [
        name,
        {
          kind: 'timed',
          firstRun: found.values[0]!,
          time: summarize(found.values),
          rounds,
          factor: ratio,
          firstNotes: notes,
          notes,
        },
      ];
    }),
  );
}

const mlp = (): MLPTask => TASKS.find(({ id }) => id === 'training/mlp')!.work as MLPTask;

const coldAmong = (names: readonly ProcessContender[]): readonly ColdContender[] =>
  COLD_CONTENDERS.filter((name) => names.includes(name));

/** Milliseconds from the start of a process to its first loss, in turns. */
async function coldStarts({ contenders, effort }: FootprintSetting, tell: Tell): Promise<Measured> {
  const task = mlp();
  const expected = [Float32Array.of(await firstLoss(task))];
  const folder = mkdtempSync(join(tmpdir(), 'firsthand-cold-'));
  const times = new Map<ColdContender, number[]>();
  const failures: Measured = new Map();
  try {
    const files = new Map<ColdContender, string>();
    for (const name of coldAmong(contenders)) files.set(name, await buildCold(name, task, folder));
    for (let round = 0; round < effort.rounds; round++) {
      for (const [name, file] of files) {
        if (failures.has(name)) continue;
        tell(name, `start ${round + 1} of ${effort.rounds}`);
        const { milliseconds, words } = await startOnce(file);
        const difference =
          words === null ? null : firstDifference([Float32Array.of(Number(words))], expected);
        if (words === null)
          failures.set(name, { kind: 'failed', message: 'the program ended without a loss' });
        else if (difference !== null) failures.set(name, { kind: 'wrong', message: difference });
        else times.set(name, [...(times.get(name) ?? []), milliseconds]);
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return new Map([
    ...[...times].map(([name, values]) => [name, { values, notes: {} }] as const),
    ...failures,
  ]);
}

/**
 * Starts a program of Node, which is ended when it has said its first words; these are null if there are
 * none.
 */
function startOnce(file: string): Promise<{ readonly milliseconds: number; readonly words: string | null }> {
  return new Promise((resolve) => {
    const start = performance.now();
    const child = spawn(process.execPath, [...engineFlags(process.execArgv), file], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let said: { readonly milliseconds: number; readonly words: string } | null = null;
    const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT);
    child.stdout.once('data', (chunk: Buffer) => {
      said = { milliseconds: performance.now() - start, words: chunk.toString().trim() };
      child.kill('SIGKILL');
    });
    child.once('close', () => {
      clearTimeout(timer);
      resolve(said ?? { milliseconds: performance.now() - start, words: null });
    });
  });
}

/** Kilobytes after gzip. */
async function bundles({ contenders }: FootprintSetting, tell: Tell): Promise<Measured> {
  const measured: Measured = new Map();
  for (const name of coldAmong(contenders)) {
    tell(name, 'bundle');
    const { minified, gzipped } = await weigh(name, mlp());
    measured.set(name, { values: [gzipped / 1e3], notes: { minifiedBytes: minified } });
  }
  return measured;
}

const GPT = 'training/gpt';
const STEPS = 3;

/** Peak memory of the process in megabytes, after some steps of the GPT and nothing else. */
async function memories({ contenders, start }: FootprintSetting, tell: Tell): Promise<Measured> {
  const measured: Measured = new Map();
  for (const name of contenders) {
    if (CEILINGS.has(name)) continue;
    tell(name, 'memory');
    const client = start(name);
    const reply = await client.ask({ kind: 'prepare', task: GPT, runs: STEPS, enough: Number.MAX_VALUE });
    const released = await client.ask({ kind: 'release' });
    client.stop();
    const peak = released.kind === 'done' ? released.notes['peakResidentBytes'] : undefined;
    if (reply.kind === 'failed') measured.set(name, { kind: 'failed', message: reply.message });
    else if (reply.kind === 'prepared' && peak !== undefined)
      measured.set(name, { values: [peak / 1e6], notes: released.kind === 'done' ? released.notes : {} });
  }
  return measured;
}
