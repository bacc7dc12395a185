/**
 * What every comparison does, wherever its contenders live: the peers are put in place, the tasks are gone
 * through, the results are shown and written.
 */
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { UsageError } from '@firsthand/kit/options';
import { type ContenderName, DESCRIPTIONS, PEERS } from './contender.ts';
import { engineFlags } from './contender-process.ts';
import { renderChart } from './chart.ts';
import type { Outcomes } from './measure.ts';
import { formatNumber } from './numbers.ts';
import type { Choices } from './options.ts';
import { arePeersInstalled, installPeers, peersFolder, peerVersions } from './peers.ts';
import { startProgress } from './progress.ts';
import { type Results, type Row, type Setting, toJson, unitOf } from './results.ts';
import type { Task } from './tasks.ts';

/** Hears what is going on in a task. */
export type Tell = (name: ContenderName, what: string) => void;

/**
 * Goes through the tasks, and shows how far it is.
 * @param hear gets each task's results in a line
 */
export async function goThrough(
  tasks: readonly Task[],
  measureOne: (task: Task, tell: Tell) => Promise<Outcomes>,
  hear: (line: string) => void = () => {},
): Promise<Row[]> {
  const progress = startProgress(process.stderr, tasks.length);
  const rows: Row[] = [];
  try {
    for (const task of tasks) {
      progress.begin(task.id);
      const outcomes = await measureOne(task, (name, what) =>
        progress.tell(`${DESCRIPTIONS[name].title}, ${what}`),
      );
      rows.push({ task, outcomes });
      const line = lineOf({ task, outcomes });
      progress.complete(line);
      hear(line);
    }
  } finally {
    progress.stop();
  }
  return rows;
}

/** A task's results in a line. */
function lineOf({ task, outcomes }: Row): string {
  const unit = unitOf(task);
  const parts = [...outcomes].flatMap(([name, outcome]) => {
    if (outcome.kind === 'unable') return [];
    const { title } = DESCRIPTIONS[name];
    return [
      `${title} ${outcome.kind === 'timed' ? formatNumber(unit.of(outcome.time.median)) : outcome.kind.toUpperCase()}`,
    ];
  });
  return `${task.id} (${unit.name}): ${parts.join(', ')}`;
}

/**
 * Prints the tables, and writes the requested files.
 * @returns whether every contender did its tasks, and did them right
 */
export async function publish(
  results: Results,
  tables: string,
  { json, svg }: Choices<ContenderName>,
): Promise<boolean> {
  console.log(tables);
  if (json !== null) writeFileSync(json, toJson(results));
  if (svg !== null) writeFileSync(svg, await renderChart(results));
  for (const file of [json, svg]) if (file !== null) console.log(`written: ${file}`);
  return results.rows.every(({ outcomes }) =>
    [...outcomes.values()].every(({ kind }) => kind === 'timed' || kind === 'unable'),
  );
}

/**
 * Puts the peers in place if one of them takes part.
 * @param all whom there is to choose from
 * @throws UsageError where the peers are neither there nor to be had
 */
export function requirePeers(chosen: readonly ContenderName[], all: readonly ContenderName[]): void {
  if (!chosen.some((name) => PEERS.has(name)) || arePeersInstalled()) return;
  console.log(
    `installing the libraries to compare with into ${peersFolder()}, once; about 55 MB to download`,
  );
  if (installPeers()) return;
  const others = all.filter((name) => !PEERS.has(name)).join(' ');
  throw new UsageError(
    `error: the peers could not be installed; without them there is: --contenders ${others}`,
    1,
  );
}

/** This machine, this engine and the versions. */
export function describeMachine(): Omit<Setting, 'device' | 'effort' | 'page'> {
  const [processor] = os.cpus();
  return {
    node: process.versions.node,
    flags: engineFlags(process.execArgv),
    processor: processor?.model.trim() ?? 'unknown processor',
    cores: os.cpus().length,
    versions: peerVersions(),
  };
}
