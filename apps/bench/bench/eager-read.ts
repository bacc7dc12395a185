// Eager reads of values that require a gradient, whose programs are cached: microseconds of processor time of
// a read. An argument is another checkout of this repository, such as an older one: both are loaded into this
// process and take turns in short blocks, so that whatever else the machine does meets both.
// `BENCH_ROUNDS=9` is the number of rounds, of which medians are printed.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import type * as program from '../src/eager/reads.ts';
import { median } from '../src/statistics.ts';

type Program = typeof program;

const HERE = join(import.meta.dirname, '../../../../../..');
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 9);
/** Short blocks in a round, and reads in a block. */
const BLOCKS = 20;
const READS = 50;
const WARM_UP = 1500;

/** Bundles our program over the sources of a checkout, and loads it. */
async function programOf(checkout: string, number: number): Promise<Program> {
  const outfile = join(import.meta.dirname, `eager-read-${number}.mjs`);
  await build({
    stdin: {
      contents: readFileSync(join(HERE, 'apps/bench/src/eager/reads.ts'), 'utf8'),
      resolveDir: join(checkout, 'apps/bench/src'),
      loader: 'ts',
    },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['@firsthand/source'],
    logLevel: 'error',
  });
  return (await import(pathToFileURL(outfile).href)) as Program;
}

/** Microseconds of processor time of `count` reads, one after another. */
async function timeOf(read: () => Promise<number>, count: number): Promise<number> {
  const start = process.cpuUsage();
  for (let index = 0; index < count; index++) await read();
  const { user, system } = process.cpuUsage(start);
  return user + system;
}

const checkouts = [HERE, ...process.argv.slice(2, 3)];
const sides = await Promise.all(
  checkouts.map(async (checkout, number) => {
    const program = await programOf(checkout, number);
    return { program, made: await program.createReads() };
  }),
);
for (const name of Object.keys(sides[0]!.made.reads)) {
  const rounds = sides.map((): number[] => []);
  for (let round = -1; round < ROUNDS; round++) {
    const totals = sides.map(() => 0);
    const blocks = round < 0 ? 1 : BLOCKS;
    const reads = round < 0 ? WARM_UP : READS;
    for (let block = 0; block < blocks; block++) {
      for (let turn = 0; turn < sides.length; turn++) {
        const number = block % 2 === 0 ? turn : sides.length - 1 - turn;
        const { program, made } = sides[number]!;
        program.select(made);
        totals[number]! += await timeOf(made.reads[name]!, reads);
      }
    }
    if (round >= 0) totals.forEach((total, number) => rounds[number]!.push(total / (BLOCKS * READS)));
  }
  const [ours, theirs] = rounds.map((list) => median(list));
  const ratio =
    theirs === undefined ? '' : `, other checkout ${theirs.toFixed(1)}, ratio ${(theirs / ours!).toFixed(2)}`;
  console.log(`${name}: ${ours!.toFixed(1)} µs${ratio}`);
}
process.exit(0);
