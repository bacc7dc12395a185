// The program as a whole, on the reference device and without peers: processes start, take turns, and what
// they computed is written.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chromium } from '../../../tests/support/chromium.ts';
import { CONTENDER_MARK, engineFlags, startContender } from '../src/contender-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'firsthand-bench-'));
/** Milliseconds that a busy machine may take. */
const PATIENCE = 60_000;
let program = '';

beforeAll(async () => {
  const { bundle } = (await import(join(import.meta.dirname, '../../../scripts/typescript.mjs'))) as {
    bundle: (folder: string, file: string) => Promise<string>;
  };
  program = await bundle('apps/bench', 'src/main.ts');
}, PATIENCE);

afterAll(() => rmSync(folder, { recursive: true }));

test(
  'a comparison from beginning to end',
  () => {
    const [json, svg] = [join(folder, 'a.json'), join(folder, 'a.svg')];
    const who = ['--contenders', 'firsthand', 'uncompiled', 'mul-add', 'loops'];
    const args = [
      program,
      '--quick',
      '--device',
      'reference',
      ...who,
      '--only',
      'matmul/64',
      'training/mlp',
      '--json',
      json,
      '--svg',
      svg,
    ];
    const output = execFileSync(process.execPath, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    expect(output).toContain('firsthand on the reference device');
    expect(output).toMatch(/│ 64³ .*\d/);
    expect(output).toMatch(
      /training\/mlp, firsthand: first step .* ms, .* ms of it in prepare for \d plans?; later 0 more/,
    );
    const { tasks } = JSON.parse(readFileSync(json, 'utf8')) as {
      tasks: { id: string; outcomes: { contender: string; kind: string }[] }[];
    };
    const kinds = tasks.map(({ id, outcomes }) => [
      id,
      ...outcomes.map(({ contender, kind }) => `${contender} ${kind}`),
    ]);
    expect(kinds).toEqual([
      ['matmul/64', 'firsthand timed', 'uncompiled unable', 'mul+add timed', 'loops timed'],
      ['matmul/64-chain', 'firsthand timed', 'uncompiled unable', 'mul+add timed', 'loops timed'],
      ['training/mlp', 'firsthand timed', 'uncompiled timed', 'mul+add timed', 'loops timed'],
    ]);
    expect(readFileSync(svg, 'utf8')).toContain('</svg>');
  },
  PATIENCE,
);

test(
  'a profile',
  () => {
    const args = [program, '--profile', '--quick', '--only', 'training/mlp', 'elementwise/exp'];
    const output = execFileSync(process.execPath, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const tables = output.split('\n\n').slice(1);
    expect(
      tables.map((table) => /^(.*): .* ms, .* of them in kernels; the fastest of 3 runs\n/.exec(table)?.[1]),
    ).toEqual(['elementwise/exp', 'elementwise/exp-gradient', 'training/mlp']);
    for (const table of tables) {
      expect(table).toMatch(/\nkernel .* ms +of time +GFLOP\/s +GB\/s +at best +of\n/);
      expect(table).toMatch(/\ntotal .* 100\.0 %.* % +(?:arithmetic|memory|caches|several)\s*$/);
    }
    expect(tables[2]).toMatch(/\n.*matmul.* 64×784×128 .* % +(?:arithmetic|memory|caches)\n/);
  },
  PATIENCE,
);

test(
  'a comparison in a page, on a GPU in software',
  () => {
    const json = join(folder, 'b.json');
    const { executablePath, env } = chromium();
    const args = [
      program,
      'webgpu',
      '--quick',
      '--chromium',
      executablePath,
      '--contenders',
      'firsthand',
      '--only',
      'matmul/256x',
    ];
    const output = execFileSync(process.execPath, [...args, '--json', json], {
      encoding: 'utf8',
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    expect(output).toContain('adapter: google, swiftshader');
    expect(output.match(/THIS IS A GPU IN SOFTWARE/g)).toHaveLength(2);
    expect(output).toMatch(/│ 256×384×1536 .*\d/);
    const { setting, tasks } = JSON.parse(readFileSync(json, 'utf8')) as {
      setting: { page: { software: boolean } };
      tasks: { outcomes: { kind: string; factor: number; notes: Record<string, number> }[] }[];
    };
    expect(setting.page.software).toBe(true);
    expect(tasks.map(({ outcomes }) => outcomes)).toEqual([
      [
        expect.objectContaining({
          kind: 'timed',
          factor: 1,
          firstNotes: expect.objectContaining({
            dispatches: expect.any(Number),
            createdBytes: expect.any(Number),
          }),
          notes: expect.objectContaining({ submits: expect.any(Number), javascript: expect.any(Number) }),
        }),
      ],
    ]);
    expect(tasks[0]!.outcomes[0]!.notes['dispatches']).toBeGreaterThan(0);
  },
  2 * PATIENCE,
);

test('a contender that dies is a failure, then and later', async () => {
  const dying = join(folder, 'dying.mjs');
  execFileSync(process.execPath, [
    '-e',
    `require('fs').writeFileSync(${JSON.stringify(dying)}, "process.on('message', () => { throw new Error('no more'); });")`,
  ]);
  const asked = startContender(dying, 'loops', { device: 'reference' });
  const failed = {
    kind: 'failed',
    message: expect.stringMatching(/the process ended with exit code 1: Error: no more$/),
  };
  expect(await asked.ask({ kind: 'release' })).toEqual(failed);
  expect(await asked.ask({ kind: 'release' })).toEqual(failed);
});

test('a contender gets the flags of the engine, and not the program that started the comparison', () => {
  expect(
    engineFlags([
      '--experimental-wasm-relaxed-simd',
      '-e',
      'code',
      '--input-type=module',
      '--conditions',
      'x',
      '--no-liftoff',
    ]),
  ).toEqual(['--experimental-wasm-relaxed-simd', '--no-liftoff']);
});

test('a contender that takes itself for the program starts nothing', () => {
  const run = (): string =>
    execFileSync(process.execPath, [program], {
      encoding: 'utf8',
      stdio: 'pipe',
      env: { ...process.env, [CONTENDER_MARK]: '1' },
    });
  expect(run).toThrow(
    expect.objectContaining({ status: 2, stderr: 'error: a contender cannot start a comparison\n' }),
  );
});

test('a wrong argument is said in a line, with exit code 2', () => {
  const run = (): string =>
    execFileSync(process.execPath, [program, '--only', 'attic'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  expect(run).toThrow(
    expect.objectContaining({ status: 2, stderr: expect.stringContaining('--only attic names no task') }),
  );
});
