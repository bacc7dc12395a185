/**
 * The results as a picture: a row for each task, a dot for each contender, as far to the right as it takes
 * longer than this project, on a logarithmic axis. Vega-Lite describes it, Vega draws it as SVG without a
 * browser.
 */
import { DESCRIPTIONS, OURS } from './contender.ts';
import { GROUP_TITLES, describeSetting, type Results, type Row } from './results.ts';
import type { Group } from './tasks.ts';

interface Dot {
  readonly task: string;
  readonly contender: string;
  readonly factor: number;
}

function dotsOf(rows: readonly Row[]): Dot[] {
  return rows.flatMap(({ task, outcomes }) =>
    [...outcomes].flatMap(([name, outcome]) =>
      outcome.kind === 'timed' && outcome.factor !== null
        ? [
            {
              task: titleOf(task),
              contender: DESCRIPTIONS[name].title,
              factor: name === OURS ? 1 : outcome.factor,
            },
          ]
        : [],
    ),
  );
}

/** A gradient's title says whose only below its function's. */
function titleOf({ id, title }: Row['task']): string {
  return id.endsWith('-gradient') ? id.replace(/^.*\//, '').replace('-gradient', ', gradient') : title;
}

/** The description of one group's dots. */
function groupView(group: Group, rows: readonly Row[], contenders: readonly string[]): object {
  const order = rows.map(({ task }) => titleOf(task));
  const y = {
    field: 'task',
    type: 'nominal',
    sort: order,
    title: null,
    axis: { grid: true, labelLimit: 200 },
  };
  const color = {
    field: 'contender',
    type: 'nominal',
    sort: contenders,
    scale: { domain: contenders, scheme: 'tableau10' },
    title: null,
  };
  return {
    title: { text: GROUP_TITLES[group].replace(/,.*/, ''), anchor: 'start', frame: 'group' },
    width: 560,
    height: { step: 20 },
    data: { values: dotsOf(rows) },
    mark: { type: 'point', filled: true, size: 70, opacity: 0.9 },
    encoding: {
      y,
      color,
      x: {
        field: 'factor',
        type: 'quantitative',
        scale: { type: 'log', nice: false, padding: 8 },
        title: group === 'footprint' ? 'relative to firsthand' : 'time, relative to firsthand',
        axis: { format: '~g' },
      },
    },
  };
}

/** @returns an SVG document */
export async function renderChart({ rows, setting }: Results): Promise<string> {
  const vega = await import('vega');
  const { compile } = await import('vega-lite');
  const names = [
    ...new Set(
      rows.flatMap(({ outcomes }) =>
        [...outcomes].flatMap(([name, { kind }]) => (kind === 'timed' ? [name] : [])),
      ),
    ),
  ];
  const contenders = names.map((name) => DESCRIPTIONS[name].title);
  const groups = [...new Set(rows.map(({ task }) => task.group))];
  const views = groups.map((group) =>
    groupView(
      group,
      rows.filter(({ task }) => task.group === group),
      contenders,
    ),
  );
  const { spec } = compile({
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    title: {
      text: groups.includes('footprint')
        ? 'Relative to firsthand: to the right is slower, or more'
        : 'Time relative to firsthand: to the right is slower',
      subtitle: describeSetting(setting),
    },
    vconcat: views,
    resolve: { scale: { color: 'shared', x: 'shared' } },
  } as Parameters<typeof compile>[0]);
  return new vega.View(vega.parse(spec), { renderer: 'none' }).toSVG();
}
