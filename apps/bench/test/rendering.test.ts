// What comes out, from fixed results: tables, JSON, chart, and the progress of a run that nobody watches.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { renderChart } from '../src/chart.ts';
import { renderCounts } from '../src/counts.ts';
import { renderDocs, writeDocs } from '../src/docs.ts';
import { EFFORTS, type Outcome, type Timed } from '../src/measure.ts';
import { formatFactor, formatNumber, formatPercent } from '../src/numbers.ts';
import { startProgress } from '../src/progress.ts';
import { describeSetting, type Results, toJson } from '../src/results.ts';
import { summarize } from '../src/statistics.ts';
import { renderTables } from '../src/table.ts';
import { TASKS } from '../src/tasks.ts';

const timed = (
  rounds: readonly (readonly number[])[],
  factor: number | null,
  more: Partial<Timed> = {},
): Timed => ({
  kind: 'timed',
  firstRun: 100,
  time: summarize(rounds.flat()),
  rounds,
  factor,
  firstNotes: {},
  notes: {},
  ...more,
});

const row = (
  id: string,
  outcomes: ConstructorParameters<
    typeof Map<'firsthand' | 'mul-add' | 'jax-js' | 'ort-web' | 'loops', Outcome>
  >[0],
) => ({
  task: TASKS.find((task) => task.id === id)!,
  outcomes: new Map(outcomes),
});

const results: Results = {
  setting: {
    node: '20.20.2',
    flags: [],
    processor: 'some processor',
    cores: 2,
    device: 'wasm',
    effort: EFFORTS.quick,
    versions: { 'a-library': '1.2.3' },
    page: null,
  },
  rows: [
    row('matmul/512', [
      ['firsthand', timed([[8, 10, 12]], 1)],
      ['mul-add', timed([[9, 9, 9]], 0.9)],
      ['ort-web', timed([[20, 20, 20]], 2)],
      ['loops', timed([[400]], 40)],
    ]),
    row('elementwise/exp', [
      ['firsthand', timed([[1, 1, 1]], 1)],
      ['mul-add', { kind: 'unable' }],
      ['jax-js', { kind: 'wrong', message: 'output 0, element 1 is 3 instead of 2' }],
      ['ort-web', { kind: 'failed', message: 'the process ended' }],
    ]),
    row('elementwise/exp-gradient', [
      ['firsthand', timed([[2, 2]], 1)],
      ['ort-web', { kind: 'unable' }],
    ]),
    row('training/mlp', [
      [
        'firsthand',
        timed([[3]], 1, { firstNotes: { plans: 2, planMilliseconds: 41.4 }, notes: { plans: 2 } }),
      ],
      ['mul-add', timed([[1]], 0.3)],
      ['jax-js', timed([[6]], 2)],
    ]),
  ],
};

test('numbers have three digits', () => {
  expect([1139, 27.123, 0.4567, 0.01612, 9.999].map(formatNumber)).toEqual([
    '1139',
    '27.1',
    '0.46',
    '0.016',
    '10.00',
  ]);
  expect([0.034, 1].map(formatPercent)).toEqual(['3 %', '100 %']);
  expect([0.314, 2, 12.345, 271.8].map(formatFactor)).toEqual(['0.31×', '2.00×', '12.3×', '272×']);
});

test('the tables', () => {
  expect(renderTables(results).split('\n')).toEqual([
    '┌───────────────────┬────────────┬───────────┬───────────┬───────┐',
    '│ products, GFLOP/s │  firsthand │   mul+add │   ort-web │ loops │',
    '├───────────────────┼────────────┼───────────┼───────────┼───────┤',
    '│ 512³              │ 26.8 ±10 % │ 29.8 ±0 % │ 13.4 ±0 % │  0.67 │',
    '│                   │            │     0.90× │     2.00× │ 40.0× │',
    '└───────────────────┴────────────┴───────────┴───────────┴───────┘',
    '┌─────────────────────────────┬───────────┬────────┬─────────┐',
    '│ elementwise and by rows, ms │ firsthand │ jax-js │ ort-web │',
    '├─────────────────────────────┼───────────┼────────┼─────────┤',
    '│ exp 1M                      │ 1.00 ±0 % │  WRONG │  FAILED │',
    '│   its gradient              │ 2.00 ±0 % │      – │       – │',
    '└─────────────────────────────┴───────────┴────────┴─────────┘',
    '┌───────────────────┬───────────┬─────────┬────────┐',
    '│ training step, ms │ firsthand │ mul+add │ jax-js │',
    '├───────────────────┼───────────┼─────────┼────────┤',
    '│ MLP 784-128-10    │      3.00 │    1.00 │   6.00 │',
    '│                   │           │   0.30× │  2.00× │',
    '└───────────────────┴───────────┴─────────┴────────┘',
    'elementwise/exp, jax-js: wrong: output 0, element 1 is 3 instead of 2',
    'elementwise/exp, ort-web: failed: the process ended',
    'training/mlp, firsthand: first step 100 ms, 41.4 ms of it in prepare for 2 plans; later 0 more',
    'training/mlp, jax-js: first step 100 ms',
  ]);
});

test('a footprint is in a unit of its own, and tells what gzip makes of it', () => {
  const rows = [
    row('footprint/bundle', [
      ['firsthand', timed([[113]], 1, { notes: { minifiedBytes: 326_000 } })],
      ['jax-js', timed([[226]], 2)],
    ]),
  ];
  expect(renderTables({ ...results, rows })).toContain('│ page that trains, kB gzip │       113 │    226 │');
  expect(renderTables({ ...results, rows })).toContain('footprint/bundle, firsthand: 326 kB before gzip');
  expect(JSON.parse(toJson({ ...results, rows }))).toMatchObject({ tasks: [{ unit: 'kB', flops: null }] });
});

test('what was asked of WebGPU', () => {
  const first = { buffers: 3, createdBytes: 4_190_000, longestBlock: 9.5 };
  const later = {
    dispatches: 1,
    submits: 2,
    passes: 1,
    writes: 4,
    buffers: 0,
    javascript: 0.276,
    calls: 0.4,
  };
  const rows = [
    row('elementwise/softmax', [
      ['firsthand', timed([[8, 10, 12]], 1, { firstNotes: first, notes: later })],
      ['jax-js', { kind: 'failed', message: 'lost' }],
    ]),
  ];
  expect(renderCounts(rows).split('\n').slice(1, 7)).toEqual([
    '│ asked of WebGPU, a run │ dispatches │ submits │ passes │ write- │     buffers │  MB made │   first │ its longest │      Java- │ calls, │',
    '│                        │            │         │        │ Buffer │ first/later │ by first │ run, ms │   block, ms │ Script, ms │     ms │',
    '├────────────────────────┼────────────┼─────────┼────────┼────────┼─────────────┼──────────┼─────────┼─────────────┼────────────┼────────┤',
    '│ softmax 512×1024       │            │         │        │        │             │          │         │             │            │        │',
    '│   firsthand            │          1 │       2 │      1 │      4 │       3 / 0 │     4.19 │     100 │        9.50 │       0.28 │   0.40 │',
    '└────────────────────────┴────────────┴─────────┴────────┴────────┴─────────────┴──────────┴─────────┴─────────────┴────────────┴────────┘',
  ]);
});

test('the place names the adapter, and shouts if it is none', () => {
  const page = { browser: 'a browser', adapter: 'a vendor', software: true, features: [] };
  expect(describeSetting(results.setting)).toBe('Node 20.20.2, some processor, one thread');
  expect(describeSetting({ ...results.setting, page })).toBe('WebGPU on a vendor, a GPU IN SOFTWARE');
  expect(describeSetting({ ...results.setting, page: { ...page, software: false } })).toBe(
    'WebGPU on a vendor',
  );
});

test('the JSON has everything', () => {
  const { setting, tasks } = JSON.parse(toJson(results)) as {
    setting: object;
    tasks: { id: string; outcomes: object[] }[];
  };
  expect(setting).toEqual(results.setting);
  expect(tasks.map(({ id }) => id)).toEqual([
    'matmul/512',
    'elementwise/exp',
    'elementwise/exp-gradient',
    'training/mlp',
  ]);
  expect(tasks[0]).toMatchObject({ unit: 'GFLOP/s', flops: 2 * 512 ** 3 });
  expect(tasks[0]!.outcomes[0]).toEqual({
    contender: 'firsthand',
    kind: 'timed',
    rate: (2 * 512 ** 3) / 10 / 1e6,
    median: 10,
    low: 9,
    high: 11,
    count: 3,
    spread: 0.1,
    rounds: [10],
    factor: 1,
    firstRun: 100,
    firstNotes: {},
    notes: {},
  });
  expect(tasks[1]!.outcomes[2]).toEqual({
    contender: 'jax-js',
    kind: 'wrong',
    message: 'output 0, element 1 is 3 instead of 2',
  });
});

describe('the chart', () => {
  const chart = renderChart(results);

  test('is one SVG document with a row for each task and a colour for each contender', async () => {
    const svg = await chart;
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg"[^]*<\/svg>$/);
    for (const text of [
      '512³',
      'exp 1M',
      'exp, gradient',
      'MLP 784-128-10',
      'mul+add',
      'loops',
      'Node 20.20.2, some processor, one thread',
    ]) {
      expect(svg).toContain(`>${text}<`);
    }
  });

  test('has a dot for each time, and none for what is wrong', async () => {
    const dots = [...(await chart).matchAll(/aria-roledescription="point"/g)].length;
    const times = results.rows
      .flatMap(({ outcomes }) => [...outcomes.values()])
      .filter(({ kind }) => kind === 'timed');
    expect(dots).toBe(times.length);
  });

  test('puts what takes twice as long further to the right', async () => {
    const places = new Map(
      [
        ...(await chart).matchAll(
          /aria-label="[^"]*task: 512³; contender: ([^";]+)"[^>]*transform="translate\(([\d.]+),/g,
        ),
      ].map(([, contender, x]) => [contender, Number(x)]),
    );
    const [ceiling, own, other] = ['mul+add', 'firsthand', 'ort-web'].map((name) => places.get(name)!) as [
      number,
      number,
      number,
    ];
    expect(ceiling).toBeLessThan(own);
    expect(own).toBeLessThan(other);
  });
});

describe('the page of the documentation', () => {
  const page = renderDocs(results);

  test('says where it was measured, and with what', () => {
    for (const line of [
      '| processor | some processor, 2 cores |',
      '| engine | Node 20.20.2 |',
      '| a-library | 1.2.3 |',
    ])
      expect(page).toContain(line);
    expect(page).toContain('npm run bench:peers -- --docs docs');
    expect(page).toContain('| loops | plain loops over typed arrays; they say what is right |');
  });

  test('has a table for each group, with medians, spreads and factors', () => {
    const from = page.indexOf('## Products, GFLOP/s');
    expect(page.slice(from).split('\n').slice(0, 7)).toEqual([
      '## Products, GFLOP/s',
      '',
      '![products, GFLOP/s](node-20/matmul.svg)',
      '',
      '|  | firsthand | mul+add | ort-web | loops |',
      '|---|--:|--:|--:|--:|',
      '| 512³ | 26.8 ±10 % | 29.8 ±0 %<br>0.90× | 13.4 ±0 %<br>2.00× | 0.67<br>40.0× |',
    ]);
    expect(page).toContain('- training/mlp, jax-js: first step 100 ms\n');
  });

  test('is written with the charts that it shows', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'firsthand-docs-'));
    const files = await writeDocs(results, folder);
    const charts = [...page.matchAll(/\]\((node-20\/\w+\.svg)\)/g)].map(([, path]) =>
      join(folder, 'benchmarks', path!),
    );
    expect(charts).not.toEqual([]);
    expect(files).toEqual([join(folder, 'benchmarks/node-20.md'), ...charts, join(folder, 'benchmarks.md')]);
    expect(readFileSync(files[0]!, 'utf8')).toBe(page);
    for (const chart of charts) expect(readFileSync(chart, 'utf8')).toMatch(/^<svg/);
    await writeDocs({ ...results, setting: { ...results.setting, node: '24.1.0' } }, folder);
    const index = readFileSync(join(folder, 'benchmarks.md'), 'utf8');
    expect(index).toContain('- [Node 20](benchmarks/node-20.md)\n- [Node 24](benchmarks/node-24.md)\n');
    rmSync(folder, { recursive: true });
  });
});

test('in a pipe progress is a line for each task', async () => {
  const stream = new PassThrough();
  const progress = startProgress(stream as unknown as NodeJS.WriteStream, 12);
  progress.begin('a');
  progress.tell('loops, check');
  progress.complete('a: loops 1.00');
  progress.stop();
  expect(String(stream.read())).toBe(' 1/12  a: loops 1.00\n');
});
