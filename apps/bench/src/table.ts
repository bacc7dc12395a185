/**
 * The results in the terminal, a table for each group of tasks. A cell has the median with half the distance
 * of the quartiles, and below it how many times as long the contender takes as this project: more than 1
 * means that this project is faster.
 */
import { drawTable } from '@firsthand/kit/table';
import { CEILINGS, type ContenderName, DESCRIPTIONS, OURS } from './contender.ts';
import type { Outcome } from './measure.ts';
import { formatFactor, formatNumber, formatPercent } from './numbers.ts';
import { GROUP_TITLES, type Results, type Row, unitOf } from './results.ts';
import { spread } from './statistics.ts';
import type { Group, Task } from './tasks.ts';

/** The median with its spread; below it, for the others, the factor. */
export function entryLines(task: Task, name: ContenderName, outcome: Outcome | undefined): readonly string[] {
  if (outcome === undefined || outcome.kind === 'unable') return ['–'];
  if (outcome.kind === 'wrong') return ['WRONG'];
  if (outcome.kind === 'failed') return ['FAILED'];
  const { time, factor } = outcome;
  const rate = formatNumber(unitOf(task).of(time.median));
  const first = time.count > 1 ? `${rate} ±${formatPercent(spread(time))}` : rate;
  return name === OURS || factor === null ? [first] : [first, formatFactor(factor)];
}

/** The contenders that did, or should have done, one of the tasks. */
export function columnsOf(rows: readonly Row[]): ContenderName[] {
  const takesPart = ({ outcomes }: Row, name: ContenderName): boolean =>
    (outcomes.get(name)?.kind ?? 'unable') !== 'unable';
  const names = new Set(rows.flatMap(({ outcomes }) => [...outcomes.keys()]));
  return [...names].filter((name) => rows.some((row) => takesPart(row, name)));
}

function groupTable(group: Group, rows: readonly Row[]): string {
  const columns = columnsOf(rows);
  return drawTable(
    [GROUP_TITLES[group], ...columns.map((name) => DESCRIPTIONS[name].title)],
    rows.map(({ task, outcomes }) => [
      task.title,
      ...columns.map((name) => entryLines(task, name, outcomes.get(name)).join('\n')),
    ]),
  );
}

/**
 * What the tables have no room for: first steps of training with the making of plans in them, and what went
 * wrong, each thing once.
 */
export function remarks(rows: readonly Row[]): string[] {
  const tasksByRemark = new Map<string, string[]>();
  for (const { task, outcomes } of rows) {
    for (const [name, outcome] of outcomes) {
      const remark = remarkOn(task, name, outcome);
      if (remark === null) continue;
      const text = `${DESCRIPTIONS[name].title}: ${remark}`;
      tasksByRemark.set(text, [...(tasksByRemark.get(text) ?? []), task.id]);
    }
  }
  return [...tasksByRemark].map(
    ([text, [first, ...others]]) =>
      `${first}${others.length > 0 ? ` and ${others.length} more` : ''}, ${text}`,
  );
}

function remarkOn(task: Task, name: ContenderName, outcome: Outcome): string | null {
  if (outcome.kind === 'wrong' || outcome.kind === 'failed') return `${outcome.kind}: ${outcome.message}`;
  if (outcome.kind === 'timed' && outcome.notes['minifiedBytes'] !== undefined)
    return `${formatNumber(outcome.notes['minifiedBytes'] / 1e3)} kB before gzip`;
  if (outcome.kind !== 'timed' || task.group !== 'training' || CEILINGS.has(name)) return null;
  const { firstRun, firstNotes, notes } = outcome;
  const first = `first step ${formatNumber(firstRun)} ms`;
  const [plans, all, milliseconds] = [firstNotes['plans'], notes['plans'], firstNotes['planMilliseconds']];
  if (plans === undefined || all === undefined || milliseconds === undefined) return first;
  return `${first}, ${formatNumber(milliseconds)} ms of it in prepare for ${plans} ${plans === 1 ? 'plan' : 'plans'}; later ${all - plans} more`;
}

/** All of it, as text of about a hundred columns. */
export function renderTables({ rows }: Results): string {
  const groups = [...new Set(rows.map(({ task }) => task.group))];
  const tables = groups.map((group) =>
    groupTable(
      group,
      rows.filter(({ task }) => task.group === group),
    ),
  );
  return [...tables, ...remarks(rows)].join('\n');
}
