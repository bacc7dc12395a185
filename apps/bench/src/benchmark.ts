/**
 * The comparison on the processor, from beginning to end: everyone starts, each in a process of its own, and
 * the tasks are gone through.
 */
import { describeMachine, goThrough, publish, requirePeers, type Tell } from './comparison.ts';
import { CONTENDERS, isTorch, type ProcessContender } from './contender.ts';
import { type ContenderClient, startContender } from './contender-process.ts';
import { writeDocs } from './docs.ts';
import { type FootprintSetting, measureFootprint } from './footprint.ts';
import { measure, type Outcomes } from './measure.ts';
import type { Options } from './options.ts';
import type { Results } from './results.ts';
import { renderTables } from './table.ts';
import type { Task } from './tasks.ts';
import { python, startTorch, torchVersion } from './torch.ts';

/**
 * @param program the file of this program
 * @returns whether every contender did its tasks, and did them right
 */
export async function benchmark(options: Options, program: string): Promise<boolean> {
  const { tasks, effort, device } = options;
  requirePeers(options.contenders, CONTENDERS);
  const torch = options.contenders.some(isTorch) ? torchVersion() : null;
  const names = options.contenders.filter((name) => torch !== null || !isTorch(name));
  if (names.length < options.contenders.length)
    console.log(`PyTorch takes no part: ${python()} has none; FIRSTHAND_PYTHON may name another`);
  const machine = describeMachine();
  const versions = torch === null ? machine.versions : { ...machine.versions, torch };
  const setting = { ...machine, versions, device, effort, page: null };
  console.log(`Node ${setting.node} ${setting.flags.join(' ')}`.trimEnd());
  console.log(
    `${setting.processor}, ${setting.cores} cores, one thread where nothing else is said; firsthand on the ${device} device`,
  );
  const start = (name: ProcessContender): ContenderClient =>
    isTorch(name) ? startTorch(name) : startContender(program, name, options);
  const contenders = new Map(names.map((name) => [name, start(name)]));
  const footprint: FootprintSetting = { contenders: names, effort, start };
  const measureOne = (task: Task, tell: Tell): Promise<Outcomes> =>
    task.work.kind === 'footprint'
      ? measureFootprint(task.work, footprint, tell)
      : measure(task, contenders, effort, tell);
  const rows = await goThrough(tasks, measureOne).finally(() => {
    for (const client of contenders.values()) client.stop();
  });
  const results: Results = { setting, rows };
  const done = await publish(results, renderTables(results), options);
  if (options.docs !== null)
    for (const file of await writeDocs(results, options.docs)) console.log(`written: ${file}`);
  return done;
}
