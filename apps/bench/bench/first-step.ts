// The first training step of the MLP and of the GPT in fresh processes, one thread: medians of milliseconds
// by phase. Arguments are other checkouts of this repository, such as an older one: their processes and ours
// take turns, so that whatever else the machine does meets all of them. `BENCH_TASKS=training/gpt` picks
// tasks, `BENCH_ROUNDS=9` is how many processes each has.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { FirstStep } from '../src/cold/first-step.ts';
import { median } from '../src/statistics.ts';

const HERE = join(import.meta.dirname, '../../../../../..');
const TASKS = (process.env['BENCH_TASKS'] ?? 'training/mlp,training/gpt').split(',');
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 9);
const FLAGS = (process.env['BENCH_FLAGS'] ?? '').split(' ').filter((flag) => flag !== '');

/** Bundles our program over the sources of a checkout. @returns its file */
async function programOf(checkout: string, number: number): Promise<string> {
  const source = readFileSync(join(HERE, 'apps/bench/src/cold/first-step.ts'), 'utf8');
  const call = 'firstStep(process.argv[2]).then((step) => console.log(JSON.stringify(step)));';
  const outfile = join(import.meta.dirname, `first-step-${number}.cjs`);
  await build({
    stdin: {
      contents: `${source}\n${call}`,
      resolveDir: join(checkout, 'apps/bench/src/cold'),
      loader: 'ts',
    },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    conditions: ['@firsthand/source'],
    logLevel: 'error',
  });
  return outfile;
}

const checkouts = [HERE, ...process.argv.slice(2)];
const programs = await Promise.all(checkouts.map(programOf));
for (const task of TASKS) {
  const steps = programs.map((): FirstStep[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [number, program] of programs.entries()) {
      const printed = execFileSync(process.execPath, [...FLAGS, program, task], { encoding: 'utf8' });
      steps[number]!.push(JSON.parse(printed) as FirstStep);
    }
  }
  console.log(`\n## ${task}\n`);
  for (const [number, list] of steps.entries()) {
    const phases = Object.keys(list[0]!) as (keyof FirstStep)[];
    const figures = phases.map((phase) => `${phase} ${median(list.map((step) => step[phase])).toFixed(1)}`);
    console.log(`${number === 0 ? 'this checkout' : checkouts[number]!}: ${figures.join(', ')}`);
  }
}
