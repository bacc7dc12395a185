/**
 * Where the time of this project's own programs goes: each task on the wasm device, which times its kernels,
 * and a table of them. Nobody is compared, and nothing is installed.
 */
import { type PlanReport, setDefaultDevice } from '@firsthand/autograd';
import { reportTable } from '@firsthand/train';
import { createWasm } from '@firsthand/wasm';
import { describeMachine } from './comparison.ts';
import { type PreparedPrograms, preparePrograms } from './contenders/firsthand.ts';
import type { Effort } from './measure.ts';
import { formatNumber } from './numbers.ts';
import type { Options } from './options.ts';

/** A run with the times of its kernels. */
interface Profile {
  readonly report: PlanReport;
  /** Of the whole run, in milliseconds. */
  readonly milliseconds: number;
}

/** @returns true, once all tables are printed */
export async function profile({ tasks, effort }: Options): Promise<boolean> {
  const { node, flags, processor, cores } = describeMachine();
  const device = await createWasm({ timings: true, threads: { wait: true } });
  setDefaultDevice(device);
  console.log(`Node ${node} ${flags.join(' ')}`.trimEnd());
  console.log(`${processor}, ${cores} cores; firsthand on the wasm device, which times its kernels`);
  for (const { id, work } of tasks) {
    if (work.kind === 'footprint') continue; // not of kernels
    const prepared = preparePrograms(work);
    const { report, milliseconds } = await fastestRun(prepared, effort);
    prepared.release();
    const inKernels = report.kernels.reduce((sum, { seconds = 0 }) => sum + 1000 * seconds, 0);
    console.log(
      `\n${id}: ${formatNumber(milliseconds)} ms, ${formatNumber(inKernels)} of them in kernels; the fastest of ${effort.rounds} runs`,
    );
    console.log(reportTable(report));
  }
  device.dispose();
  return true;
}

/** The fastest of the runs after warming up: what else the machine does only makes them slower. */
async function fastestRun(prepared: PreparedPrograms, { warmUp, rounds }: Effort): Promise<Profile> {
  for (const until = performance.now() + warmUp; performance.now() < until;) await prepared.run();
  let fastest: Profile | null = null;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    await prepared.run();
    const milliseconds = performance.now() - start;
    if (fastest === null || milliseconds < fastest.milliseconds)
      fastest = { report: prepared.reports().at(-1)!, milliseconds };
  }
  return fastest!;
}
