// `npm test`: everything that must hold, stage by stage, with the time of each; a stage that fails does not
// keep the next from running. `published` and `fresh`, which use a core each, run at once. The last line counts
// tests as the runners' own reports do; a stage that fails without a failed test counts as one. Words name the
// only stages to run. `--full` adds the long tests (FIRSTHAND_FULL=1: test files read the variable to raise
// their number of runs) and the stages that are long as a whole.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { install, pnpm, pnpmInBackground, run } from './workspace.mjs';

const reports = mkdtempSync(join(tmpdir(), 'firsthand-test-'));
const full = process.argv.includes('--full');
const env = { ...process.env, TURBO_TELEMETRY_DISABLED: '1', ...(full ? { FIRSTHAND_FULL: '1' } : {}) };

/**
 * Runs a tool that is installed in the root.
 * @param {...string} args
 */
const tool = (...args) => pnpm(['exec', ...args], { env }) === 0;

/**
 * What vitest runs with: once, leaving its report where the count below finds it.
 * @param {string} name of the report
 */
const vitestRun = (name) => [
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${join(reports, `${name}.json`)}`,
];

/**
 * Runs vitest.
 * @param {string} name of the report
 * @param {...string} args
 */
const vitest = (name, ...args) => tool('vitest', ...vitestRun(name), ...args);

/**
 * Starts vitest beside the next stage; its output is printed when both have ended.
 * @param {string} name of the report
 * @param {...string} args
 */
const vitestInBackground = async (name, ...args) => {
  const log = join(reports, `${name}.log`);
  const status = await pnpmInBackground(['exec', 'vitest', ...vitestRun(name), ...args], log, env);
  console.log(`\n━━ ${name}, which ran at the same time\n${readFileSync(log, 'utf8')}`);
  return status === 0;
};

/**
 * Runs vitest in another Node, which npx brings.
 * @param {number} version of Node
 * @param {string} name of the report
 * @param {...string} args
 */
const vitestInNode = (version, name, ...args) =>
  run(
    'npx',
    [
      '--yes',
      '--loglevel=error',
      `node@${version}`,
      'node_modules/vitest/vitest.mjs',
      ...vitestRun(name),
      ...args,
    ],
    {
      env,
      shell: process.platform === 'win32',
    },
  ) === 0;

const turbo = ['turbo', 'run', '--output-logs=errors-only', '--ui=stream', '--continue'];

/**
 * A check that gives a promise runs in the background, beside the stages after it.
 * @type {readonly { name: string, long?: true, check: () => boolean | Promise<boolean> }[]}
 */
const stages = [
  { name: 'install', check: () => install() },
  { name: 'lint', check: () => tool('oxlint', '--type-aware') },
  { name: 'format', check: () => tool('oxfmt', '--check') },
  { name: 'unused', check: () => tool('knip') },
  { name: 'typecheck', check: () => tool(...turbo, 'typecheck') },
  { name: 'build', check: () => tool(...turbo, 'build') },
  { name: 'test', check: () => vitest('test') },
  { name: 'browser', check: () => vitest('browser', '--root', 'tests/browser') },
  {
    name: 'node24',
    long: true,
    check: () =>
      vitestInNode(
        24,
        'node24',
        'packages/wasm/',
        'packages/conformance/test/wasm',
        'packages/conformance/relaxed/wasm',
      ),
  },
  { name: 'naga', long: true, check: () => run('node', ['scripts/naga.mjs'], { env }) === 0 },
  { name: 'mutants', long: true, check: () => run('node', ['scripts/mutants.mjs'], { env }) === 0 },
  { name: 'api', check: () => vitest('api', '--root', 'tests/api') },
  { name: 'published', check: () => vitestInBackground('published', '--root', 'tests/published') },
  { name: 'fresh', check: () => vitest('fresh', '--root', 'tests/fresh') },
];

/**
 * The tests that a stage's report counts, and the names of those that it skipped; none where it wrote no
 * report.
 */
const reportOf = (/** @type {string} */ name) => {
  const path = join(reports, `${name}.json`);
  const report = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : { testResults: [] };
  const tests = report.testResults.flatMap((/** @type {any} */ file) => file.assertionResults);
  const skipped = tests
    .filter((/** @type {any} */ test) => !['passed', 'failed'].includes(test.status))
    .map((/** @type {any} */ test) => test.fullName);
  return { passed: report.numPassedTests ?? 0, failed: report.numFailedTests ?? 0, skipped };
};

const chosen = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const unknown = chosen.filter((word) => !stages.some(({ name }) => name === word));
if (unknown.length > 0)
  throw new Error(
    `no such stage: ${unknown.join(', ')}; there are ${stages.map(({ name }) => name).join(', ')}`,
  );

/**
 * What a stage came to.
 * @param {string} name
 * @param {boolean} ok
 * @param {number} start of the stage, ms
 */
const resultOf = (name, ok, start) => {
  const count = reportOf(name);
  const seconds = (performance.now() - start) / 1000;
  return { name, ok, seconds, ...count, failed: ok ? count.failed : Math.max(1, count.failed) };
};

const beginning = performance.now();
/** @type {Promise<ReturnType<typeof resultOf>>[]} */
const stageResults = [];
for (const { name, check } of stages.filter(({ name, long }) =>
  chosen.length === 0 ? full || long !== true : chosen.includes(name),
)) {
  console.log(`\n━━ ${name}`);
  const start = performance.now();
  const ok = check();
  stageResults.push(
    typeof ok === 'boolean'
      ? Promise.resolve(resultOf(name, ok, start))
      : ok.then((value) => resultOf(name, value, start)),
  );
  if (name === 'install' && !ok) break;
}
const results = await Promise.all(stageResults);
const whole = (performance.now() - beginning) / 1000;
rmSync(reports, { recursive: true });

const sum = (/** @type {(result: typeof results[number]) => number} */ part) =>
  results.reduce((total, result) => total + part(result), 0);
console.log('');
for (const { name, ok, seconds } of results)
  console.log(`${ok ? '✓' : '✗'} ${name.padEnd(10)} ${seconds.toFixed(1).padStart(6)} s`);
console.log(`  ${'in all'.padEnd(10)} ${whole.toFixed(1).padStart(6)} s`);
const skipped = results.flatMap((result) => result.skipped);
if (skipped.length > 0)
  console.log(
    `\n!! ${skipped.length} SKIPPED:\n${skipped.map((/** @type {string} */ name) => `!!   ${name}`).join('\n')}`,
  );
const failed = sum((result) => result.failed);
console.log(`\n${sum((result) => result.passed)} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
