/** A comparison from beginning to end: the peers are put in place, everyone starts, the tasks are gone through, the results are shown and written. */
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { type ContenderName, DESCRIPTIONS, PEERS } from './contender.ts';
import { type Asked, engineFlags, startContender } from './contender-process.ts';
import { renderChart } from './chart.ts';
import { measure } from './measure.ts';
import { formatNumber } from './numbers.ts';
import { type Options, UsageError } from './options.ts';
import { arePeersInstalled, installPeers, peersFolder, peerVersions } from './peers.ts';
import { startProgress } from './progress.ts';
import { type Results, type Row, type Setting, toJson, UNITS } from './results.ts';
import { renderTables } from './table.ts';

/**
 * @param program the file of this program
 * @returns whether every contender did its tasks, and did them right
 */
export async function benchmark(options: Options, program: string): Promise<boolean> {
  if (options.contenders.some((name) => PEERS.has(name))) requirePeers();
  const setting = describe(options);
  console.log(`Node ${setting.node} ${setting.flags.join(' ')}`.trimEnd());
  console.log(`${setting.processor}, ${setting.cores} cores, everyone on one thread; firsthand on the ${setting.device} device`);
  const contenders = new Map(options.contenders.map((name) => [name, startContender(program, name, options)]));
  const rows = await measureAll(options, contenders).finally(() => {
    for (const asked of contenders.values()) asked.stop();
  });
  const results: Results = { setting, rows };
  console.log(renderTables(results));
  if (options.json !== null) writeFileSync(options.json, toJson(results));
  if (options.svg !== null) writeFileSync(options.svg, await renderChart(results));
  for (const file of [options.json, options.svg]) if (file !== null) console.log(`written: ${file}`);
  return rows.every(({ outcomes }) => [...outcomes.values()].every(({ kind }) => kind === 'timed' || kind === 'unable'));
}

async function measureAll({ tasks, effort }: Options, contenders: ReadonlyMap<ContenderName, Asked>): Promise<Row[]> {
  const progress = startProgress(process.stderr, tasks.length);
  const rows: Row[] = [];
  try {
    for (const task of tasks) {
      progress.begin(task.id);
      const outcomes = await measure(task, contenders, effort, (name, what) => progress.tell(`${DESCRIPTIONS[name].title}, ${what}`));
      rows.push({ task, outcomes });
      progress.complete(lineOf({ task, outcomes }));
    }
  } finally {
    progress.stop();
  }
  return rows;
}

/** A task's results in a line. */
function lineOf({ task, outcomes }: Row): string {
  const unit = UNITS[task.group];
  const parts = [...outcomes].flatMap(([name, outcome]) => {
    if (outcome.kind === 'unable') return [];
    const { title } = DESCRIPTIONS[name];
    return [`${title} ${outcome.kind === 'timed' ? formatNumber(unit.of(outcome.time.median, task)) : outcome.kind.toUpperCase()}`];
  });
  return `${task.id} (${unit.name}): ${parts.join(', ')}`;
}

/** @throws UsageError where the peers are neither there nor to be had */
function requirePeers(): void {
  if (arePeersInstalled()) return;
  console.log(`installing the libraries to compare with into ${peersFolder()}, once; about 52 MB to download`);
  if (installPeers()) return;
  throw new UsageError(
    'error: the peers could not be installed; without them there is: --contenders firsthand uncompiled mul-add madd loops',
    1,
  );
}

function describe({ device, effort }: Options): Setting {
  const [processor] = os.cpus();
  return {
    node: process.versions.node,
    flags: engineFlags(process.execArgv),
    processor: processor?.model.trim() ?? 'unknown processor',
    cores: os.cpus().length,
    device,
    effort,
    versions: peerVersions(),
  };
}
