/** The comparison on the processor, from beginning to end: everyone starts, each in a process of its own, and the tasks are gone through. */
import { describeMachine, goThrough, publish, requirePeers } from './comparison.ts';
import { CONTENDERS } from './contender.ts';
import { startContender } from './contender-process.ts';
import { writeDocs } from './docs.ts';
import { measure } from './measure.ts';
import type { Options } from './options.ts';
import type { Results } from './results.ts';
import { renderTables } from './table.ts';

/**
 * @param program the file of this program
 * @returns whether every contender did its tasks, and did them right
 */
export async function benchmark(options: Options, program: string): Promise<boolean> {
  const { tasks, effort, device } = options;
  requirePeers(options.contenders, CONTENDERS);
  const setting = { ...describeMachine(), device, effort, page: null };
  console.log(`Node ${setting.node} ${setting.flags.join(' ')}`.trimEnd());
  console.log(`${setting.processor}, ${setting.cores} cores, everyone on one thread; firsthand on the ${device} device`);
  const contenders = new Map(options.contenders.map((name) => [name, startContender(program, name, options)]));
  const rows = await goThrough(tasks, (task, tell) => measure(task, contenders, effort, tell)).finally(() => {
    for (const asked of contenders.values()) asked.stop();
  });
  const results: Results = { setting, rows };
  const done = await publish(results, renderTables(results), options);
  if (options.docs !== null) for (const file of await writeDocs(results, options.docs)) console.log(`written: ${file}`);
  return done;
}
