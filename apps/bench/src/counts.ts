/**
 * What the contenders ask of WebGPU in a run, as a table: how much is begun, moved and made, and what a page
 * pays for it.
 */
import { drawTable } from '@firsthand/kit/table';
import { DESCRIPTIONS } from './contender.ts';
import type { Timed } from './measure.ts';
import { formatNumber } from './numbers.ts';
import type { Row } from './results.ts';

type Column = readonly [title: string, of: (timed: Timed) => string];

const count =
  (name: string) =>
  ({ notes }: Timed): string =>
    String(notes[name] ?? '–');

const milliseconds = (value: number | undefined): string =>
  value === undefined ? '–' : formatNumber(Math.max(value, 0));

/** Of a later run, where it is not said otherwise. */
const COLUMNS: readonly Column[] = [
  ['dispatches', count('dispatches')],
  ['submits', count('submits')],
  ['passes', count('passes')],
  ['write-\nBuffer', count('writes')],
  ['buffers\nfirst/later', ({ firstNotes, notes }) => `${firstNotes['buffers']} / ${notes['buffers']}`],
  ['MB made\nby first', ({ firstNotes }) => formatNumber((firstNotes['createdBytes'] ?? 0) / 1e6)],
  ['first\nrun, ms', ({ firstRun }) => formatNumber(firstRun)],
  ['its longest\nblock, ms', ({ firstNotes }) => milliseconds(firstNotes['longestBlock'])],
  ['Java-\nScript, ms', ({ notes }) => milliseconds(notes['javascript'])],
  ['calls,\nms', ({ notes }) => milliseconds(notes['calls'])],
];

const EXPLANATIONS = [
  'first run: with making kernels; its longest block: how long the page stands still in it; MB made: buffers created until it was over',
  'JavaScript: of a run outside of the calls of WebGPU, until all is handed over; calls: the time inside of them',
];

/** @returns the table, and below it what some of its columns mean */
export function renderCounts(rows: readonly Row[]): string {
  const body = rows.flatMap(({ task, outcomes }) => {
    const timed = [...outcomes].flatMap(([name, outcome]) =>
      outcome.kind === 'timed' ? [{ name, outcome }] : [],
    );
    if (timed.length === 0) return [];
    return [
      [task.title, ...COLUMNS.map(() => '')],
      ...timed.map(({ name, outcome }) => [
        `  ${DESCRIPTIONS[name].title}`,
        ...COLUMNS.map(([, of]) => of(outcome)),
      ]),
    ];
  });
  const table = drawTable(['asked of WebGPU, a run', ...COLUMNS.map(([title]) => title)], body);
  return [table, ...EXPLANATIONS].join('\n');
}
