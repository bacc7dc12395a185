// Each command that README and CONTRIBUTING name, in a fresh clone, in a terminal without a language and in
// one that speaks English: it does what the page says. The order is a newcomer's: the programs install what
// they need, one after the other, and the tools all of it. Whole runs, and tools that `npm test` runs anyway,
// are left to FIRSTHAND_FULL=1.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { readSafetensors } from '@firsthand/data';
import { chromium as playwright } from 'playwright';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { chromium } from '../support/chromium.ts';
import { read } from '../support/repository.ts';
import { Clone } from './clone.ts';

const isFull = process.env['FIRSTHAND_FULL'] === '1';
/** Options of a run that takes a moment. */
const SMALL = '--epochs 2 --examples 1500 --batch-size 32 --hidden 16';

/** The commands of the two pages that are run below, or why they are not. */
const COMMANDS: Readonly<
  Record<
    string,
    | 'here'
    | 'here, FIRSTHAND_FULL=1'
    | 'is this very run'
    | 'a stage of npm run test:full'
    | 'waits for a person'
    | 'needs other libraries'
  >
> = {
  'npm start': 'here',
  'npm start -- --resume': 'here',
  'npm start -- [options]': 'here',
  'npm run page': 'here',
  'npm run page -- [options]': 'here',
  'npm run by-hand': 'here',
  'npm run by-hand -- [options]': 'here',
  'npm run bench -- [word …]': 'here',
  'npm run lint': 'here, FIRSTHAND_FULL=1',
  'npm run typecheck': 'here, FIRSTHAND_FULL=1',
  'npm run build': 'here, FIRSTHAND_FULL=1',
  'npm run format': 'here, FIRSTHAND_FULL=1',
  'npm run api:update': 'here, FIRSTHAND_FULL=1',
  'npx pnpm@10 --filter @firsthand/autograd test': 'here, FIRSTHAND_FULL=1',
  'npx vitest run test/matmul.test.ts': 'here, FIRSTHAND_FULL=1',
  'node scripts/check.mjs <stage> …': 'here, FIRSTHAND_FULL=1',
  'node scripts/mutants.mjs [package …]': 'a stage of npm run test:full',
  'npm test': 'is this very run',
  'npm run test:full': 'is this very run',
  'npx pnpm@10 changeset': 'waits for a person',
  'npm run bench:peers': 'needs other libraries',
  'npm run bench:peers -- [options]': 'needs other libraries',
  'npm run bench:webgpu': 'needs other libraries',
  'npm run bench:webgpu -- [options]': 'needs other libraries',
  'npm run bench:webgpu:software -- [options]': 'needs other libraries',
};

test('every command of the two pages is known here', () => {
  const text = `${read('README.md')}\n${read('CONTRIBUTING.md')}`;
  const named = [...text.matchAll(/(?:`|^)((?:npm|npx|node) [^`#\n]+?)\s*(?:`|#.*$|$)/gm)].map(
    ([, command]) => command!,
  );
  expect(named.length).toBeGreaterThan(20);
  expect([...new Set(named)].toSorted()).toEqual(Object.keys(COMMANDS).toSorted());
});

describe.each(['C', 'en_US.UTF-8'])('LANG=%s', (language) => {
  let clone: Clone;
  beforeAll(() => {
    clone = new Clone(language);
  });
  afterAll(() => clone.remove());

  /** Runs a command line that must end well. */
  const succeed = async (line: string): Promise<string> => {
    const { code, output } = await clone.run(line);
    expect(code, `${line}\n${output}`).toBe(0);
    return output;
  };
  const accuracyIn = (output: string): number => Number(/test accuracy (\S+) %/.exec(output)?.[1]);
  /** A checkpoint's tensors, as their bytes. */
  const tensors = (file: string): unknown =>
    [...readSafetensors(readFileSync(join(clone.folder, file))).tensors].map(([name, { data }]) => [
      name,
      Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex'),
    ]);

  test('npm start installs what it needs, trains, reports and saves', async () => {
    const output = await succeed(`npm start -- ${SMALL} --out whole.safetensors`);
    expect(output).toContain('1,500 handwritten digits to learn from, 10,000 to be tested on');
    expect(output).toMatch(/^epoch 2\/2 {2}loss \d\.\d+ {2}accuracy \d+\.\d+ %/m);
    expect(accuracyIn(output)).toBeGreaterThan(70);
    expect(output).toContain('saved in whole.safetensors');
  });

  test('stopped with Ctrl-C, it goes on with npm start -- --resume, bit for bit; then for longer', async () => {
    const { output } = await clone.run(`npm start -- ${SMALL}`, { until: /^training: /m, signal: 'SIGINT' });
    expect(output).toMatch(
      /^stopped after step \d+, in epoch \d of 2\nsaved in mnist\.safetensors\nto go on: npm start -- --resume$/m,
    );
    const resumed = await succeed('npm start -- --resume');
    expect(resumed).toMatch(/^resumed after step \d+ of 94$/m);
    expect(tensors('mnist.safetensors')).toEqual(tensors('whole.safetensors'));
    const longer = await succeed('npm start -- --resume mnist.safetensors --epochs 3');
    expect(longer).toMatch(/^epoch 3\/3 /m);
    expect(accuracyIn(longer)).toBeGreaterThan(accuracyIn(resumed) - 5);
  });

  test('a second npm start keeps the first one’s file', async () => {
    const before = readFileSync(join(clone.folder, 'mnist.safetensors'));
    expect(await succeed(`npm start -- ${SMALL}`)).toContain(
      'mnist.safetensors is there already: it will be kept as mnist.1.safetensors',
    );
    expect(readFileSync(join(clone.folder, 'mnist.1.safetensors'))).toEqual(before);
  });

  test('npm run by-hand trains, and with --help does not', async () => {
    const output = await succeed('npm run by-hand -- --epochs 1 --examples 1000');
    expect(output).toMatch(/^untrained: test accuracy \S+ %\nepoch 1\/1: loss \d\.\d+, test accuracy \S+ %/m);
    const help = await succeed('npm run by-hand -- --help');
    expect(help).toContain('Usage: npm run by-hand -- [options]');
    expect(help).not.toContain('test accuracy');
  });

  test('npm run page serves a page that trains', async () => {
    const { found, stop } = await clone.serve(
      'npm run page -- --port 0',
      /Local: +(http:\/\/localhost:\d+\/)/,
    );
    const { executablePath, args, env } = chromium();
    const browser = await playwright.launch({
      executablePath,
      args: [...args],
      env: { ...env, LANG: language, LC_ALL: language, LANGUAGE: language },
    });
    try {
      const page = await browser.newPage();
      page.setDefaultTimeout(120_000);
      const faults: string[] = [];
      page.on('pageerror', (error) => faults.push(String(error)));
      await page.goto(found[1]!);
      await page.getByRole('status').filter({ hasText: 'Ready.' }).waitFor();
      await page.getByText('Settings').click();
      await page.getByLabel('epochs', { exact: true }).fill('1');
      await page.getByLabel('training images', { exact: true }).fill('2000');
      await page.getByRole('button', { name: 'Start' }).click();
      await page.getByRole('status').filter({ hasText: 'Done.' }).waitFor();
      expect(
        await page.locator('.tiles div', { hasText: 'test accuracy' }).locator('dd').textContent(),
      ).toMatch(/^\d+\.\d+ %$/);
      expect(await page.getByRole('alert').isVisible()).toBe(false);
      expect(faults).toEqual([]);
    } finally {
      await browser.close();
      await stop();
    }
  });

  test('npm run bench -- matmul installs the rest, and measures on the CPU and on the GPU', async () => {
    // The GPU's program comes last; its first figure shows that all have come so far. In one language that is
    // enough, and the first program in the other.
    const figure = (name: string): RegExp =>
      new RegExp(
        `^# packages/${name}/bench/matmul\\.bench\\.ts\\n(?:.*\\n)*?.*\\d(?: GFLOP/s|, compiled in)`,
        'm',
      );
    const until = figure(language === 'C' ? 'webgpu' : 'linalg');
    const { code, output } = await clone.run('npm run bench -- matmul', isFull ? {} : { until });
    if (isFull) expect(code, output).toBe(0);
    for (const name of isFull || language === 'C' ? ['linalg', 'wasm', 'webgpu'] : ['linalg'])
      expect(output).toMatch(figure(name));
    expect(output).not.toMatch(/Error/);
  });

  if (!isFull) return;

  test('npm start trains to about 98 %', async () => {
    expect(accuracyIn(await succeed('npm start -- --out full.safetensors'))).toBeGreaterThan(97.5);
  });

  test('npm run by-hand reads 97.7 %', async () => {
    const shares = [...(await succeed('npm run by-hand')).matchAll(/test accuracy (\S+) %/g)].map(
      ([, share]) => Number(share),
    );
    expect(shares.at(-1)).toBeGreaterThan(97.4);
  });

  test.each([
    ['npm run build', '.'],
    ['npm run typecheck', '.'],
    ['npm run lint', '.'],
    ['npm run format', '.'],
    ['node scripts/check.mjs lint format', '.'],
    ['npm run api:update', '.'],
    ['npx --yes pnpm@10 --filter @firsthand/autograd test', '.'],
    ['npx vitest run test/matmul.test.ts', 'packages/linalg'],
  ])('%s, in %s', async (line, folder) => {
    const { code, output } = await clone.run(line, { folder });
    expect(code, output).toBe(0);
  });
});
