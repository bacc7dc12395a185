/**
 * The results as pages of the documentation. Each engine has one in `benchmarks/`, with its charts in a
 * folder of its name: where and how they were measured, how to repeat it, and for each group of tasks a chart
 * and a table. `benchmarks.md` leads to all that are there.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderChart } from './chart.ts';
import { DESCRIPTIONS } from './contender.ts';
import { GROUP_TITLES, type Results, type Row, type Setting } from './results.ts';
import { entryLines, columnsOf, remarks } from './table.ts';
import type { Group } from './tasks.ts';

const INDEX = 'benchmarks.md';
/** The folder of the pages. */
const PAGES = 'benchmarks';

/** What an engine's page and its folder of charts are called: its name and its major version. */
const nameOf = ({ setting }: Results): string => `node-${setting.node.split('.')[0]}`;

/** The group's results alone. */
const ofGroup = ({ setting, rows }: Results, group: Group): Results => ({
  setting,
  rows: rows.filter(({ task }) => task.group === group),
});

const groupsOf = ({ rows }: Results): Group[] => [...new Set(rows.map(({ task }) => task.group))];

/** @param numeric whether all columns but the first have numbers, which stand to the right */
function tableOf(head: readonly string[], body: readonly (readonly string[])[], numeric: boolean): string {
  const line = (entries: readonly string[]): string => `| ${entries.join(' | ')} |`;
  const alignments = head.map((_, column) => (numeric && column > 0 ? '--:' : '---'));
  return [line(head), `|${alignments.join('|')}|`, ...body.map(line)].join('\n');
}

function resultsTable(rows: readonly Row[]): string {
  const columns = columnsOf(rows);
  const body = rows.map(({ task, outcomes }) => [
    task.title.trim(),
    ...columns.map((name) => entryLines(task, name, outcomes.get(name)).join('<br>')),
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

const INTRODUCTION = `How fast this project is beside other libraries and beside plain loops, with the same numbers going in, all taking turns in one run. [apps/bench](../../apps/bench) says
what exactly is timed, who the contenders are, and what makes it fair. This page is written by it; to repeat the run and write the page anew:

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
    const parts = [
      `## ${title[0]!.toUpperCase()}${title.slice(1)}`,
      `![${title}](${nameOf(results)}/${group}.svg)`,
      resultsTable(rows),
    ];
    const notes = remarks(rows).map((text) => `- ${text}`);
    return [...parts, ...(notes.length > 0 ? [notes.join('\n')] : [])].join('\n\n');
  });
  const who = columnsOf(results.rows).map((name) => [DESCRIPTIONS[name].title, DESCRIPTIONS[name].text]);
  const contenders = tableOf(['contender', 'what it is'], who, false);
  const title = `# Benchmarks on Node ${results.setting.node}`;
  return `${[title, INTRODUCTION, settingTable(results.setting), contenders, ...sections].join('\n\n')}\n`;
}

/** The page that leads to those of the engines. */
function renderIndex(names: readonly string[]): string {
  const entries = names.map((name) => `- [${name.replace('node-', 'Node ')}](${PAGES}/${name}.md)`);
  return `# Benchmarks\n\nThis project beside other libraries, measured in one run for each engine:\n\n${entries.join('\n')}\n`;
}

/**
 * Writes the page of this run's engine with its charts, and the page that leads to it.
 * @returns the files
 */
export async function writeDocs(results: Results, folder: string): Promise<readonly string[]> {
  const name = nameOf(results);
  const pages = join(folder, PAGES);
  mkdirSync(join(pages, name), { recursive: true });
  const files = new Map([[join(pages, `${name}.md`), renderDocs(results)]]);
  for (const group of groupsOf(results))
    files.set(join(pages, name, `${group}.svg`), await renderChart(ofGroup(results, group)));
  for (const [file, text] of files) writeFileSync(file, text);
  const names = readdirSync(pages).flatMap((file) =>
    file.endsWith('.md') ? [file.slice(0, -'.md'.length)] : [],
  );
  const index = join(folder, INDEX);
  writeFileSync(index, renderIndex(names.sort()));
  return [...files.keys(), index];
}
