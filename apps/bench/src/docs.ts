/**
 * The results as a page of the documentation: where and how they were measured, how to repeat it, and for each group of tasks a chart and a table. The page is
 * `benchmarks.md`, its charts lie beside it in `benchmarks/`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderChart } from './chart.ts';
import { DESCRIPTIONS } from './contender.ts';
import { GROUP_TITLES, type Results, type Row, type Setting } from './results.ts';
import { cellLines, columnsOf, remarks } from './table.ts';
import type { Group } from './tasks.ts';

const PAGE = 'benchmarks.md';
/** The folder of the charts. */
const CHARTS = 'benchmarks';

/** The group's results alone. */
const ofGroup = ({ setting, rows }: Results, group: Group): Results => ({ setting, rows: rows.filter(({ task }) => task.group === group) });

const groupsOf = ({ rows }: Results): Group[] => [...new Set(rows.map(({ task }) => task.group))];

/** @param numeric whether all columns but the first have numbers, which stand to the right */
function tableOf(head: readonly string[], body: readonly (readonly string[])[], numeric: boolean): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const alignments = head.map((_, column) => (numeric && column > 0 ? '--:' : '---'));
  return [line(head), `|${alignments.join('|')}|`, ...body.map(line)].join('\n');
}

function resultsTable(rows: readonly Row[]): string {
  const columns = columnsOf(rows);
  const body = rows.map(({ task, outcomes }) => [
    task.title.trim(),
    ...columns.map((name) => cellLines(task, name, outcomes.get(name)).join('<br>')),
  ]);
  return tableOf(['', ...columns.map((name) => DESCRIPTIONS[name].title)], body, true);
}

function settingTable({ processor, cores, node, flags, device, effort, versions }: Setting): string {
  const rows: readonly [string, string][] = [
    ['processor', `${processor}, ${cores} cores`],
    ['engine', [`Node ${node}`, ...flags].join(' ')],
    ['device of this project', device],
    ['rounds', `${effort.rounds} of ${effort.round} ms, after ${effort.warmUp} ms of warming up`],
    ...Object.entries(versions),
  ];
  return tableOf(['measured with', ''], rows, false);
}

const INTRODUCTION = `# Benchmarks

How fast this project is beside other libraries and beside plain loops, with the same numbers going in, all taking turns in one run. [apps/bench](../apps/bench) says what
exactly is timed, who the contenders are, and what makes it fair. This page is written by it; to repeat the run and write the page anew:

\`\`\`sh
npm run bench:peers -- --docs docs
\`\`\`

A cell has the median, with half the distance of the quartiles, and below it how many times as long the contender takes as this project: \`2.00×\` means that this
project is twice as fast. In the charts the same factors stand on a logarithmic axis.`;

/** @returns the page as Markdown */
export function renderDocs(results: Results): string {
  const sections = groupsOf(results).map((group) => {
    const { rows } = ofGroup(results, group);
    const title = GROUP_TITLES[group];
    const parts = [`## ${title[0]!.toUpperCase()}${title.slice(1)}`, `![${title}](${CHARTS}/${group}.svg)`, resultsTable(rows)];
    const notes = remarks(rows).map((text) => `- ${text}`);
    return [...parts, ...(notes.length > 0 ? [notes.join('\n')] : [])].join('\n\n');
  });
  const who = columnsOf(results.rows).map((name) => [DESCRIPTIONS[name].title, DESCRIPTIONS[name].text]);
  const contenders = tableOf(['contender', 'what it is'], who, false);
  return `${[INTRODUCTION, settingTable(results.setting), contenders, ...sections].join('\n\n')}\n`;
}

/**
 * Writes the page and its charts.
 * @returns the files
 */
export async function writeDocs(results: Results, folder: string): Promise<readonly string[]> {
  mkdirSync(join(folder, CHARTS), { recursive: true });
  const files = new Map([[join(folder, PAGE), renderDocs(results)]]);
  for (const group of groupsOf(results)) files.set(join(folder, CHARTS, `${group}.svg`), await renderChart(ofGroup(results, group)));
  for (const [file, text] of files) writeFileSync(file, text);
  return [...files.keys()];
}
