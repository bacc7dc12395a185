// Mutation testing of the packages below the devices: Stryker changes a sample of their lines, one at a time
// (`<` to `<=`, `a && b` to `a`, a call to nothing), in a copy of the repository. A change that no test of
// the package notices is given to the conformance suite, on one device; one that nothing notices is listed,
// and the share of those noticed may not fall below the package's floor.
// `node scripts/mutants.mjs [package …]`.
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { root, run } from './workspace.mjs';

/**
 * How many lines are sampled, the percentage of changes that tests must notice, and the device on which the
 * conformance suite is about the package. A floor stands some points below what was measured
 * (CONTRIBUTING.md), since new code changes the sample.
 * @type {Readonly<Record<string, { readonly lines: number, readonly floor: number, readonly device?:
 *   'reference' | 'interpreter' }>>}
 */
const packages = {
  linalg: { lines: 40, floor: 80, device: 'reference' },
  graph: { lines: 30, floor: 40, device: 'reference' },
  runtime: { lines: 30, floor: 40, device: 'reference' },
  autograd: { lines: 30, floor: 85, device: 'reference' },
  compiler: { lines: 30, floor: 60, device: 'interpreter' },
  nn: { lines: 60, floor: 85 },
  optim: { lines: 60, floor: 75 },
  data: { lines: 60, floor: 90 },
  train: { lines: 60, floor: 85 },
};

const copy = join(root, 'tests/.mutants');

/** Copies what tests need. The links between packages are relative: those of the copy lead to the copy. */
function copyRepository() {
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy, { recursive: true });
  const filter = (/** @type {string} */ path) =>
    !/\/(?:dist|\.turbo|\.vite|bench)(?:\/|$)/.test(path.slice(root.length).replaceAll('\\', '/'));
  for (const part of [
    'packages',
    'tests/support',
    'tsconfig.base.json',
    'tsconfig.check.json',
    'vitest.shared.ts',
  ])
    cpSync(join(root, part), join(copy, part), { recursive: true, verbatimSymlinks: true, filter });
}

/**
 * The sample: the lines of code whose hashes are least. A line keeps its hash wherever its file is edited, so
 * the sample changes only where code does.
 * @param {string} name of the package
 * @returns {string[]} Stryker's patterns, `file:line-line`
 */
function sample(name) {
  const src = `packages/${name}/src`;
  const files = readdirSync(join(copy, src), { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  return files
    .flatMap((file) =>
      readFileSync(join(copy, src, file), 'utf8')
        .split('\n')
        .map((text, index) => ({
          text: text.trim(),
          pattern: `${src}/${file.replaceAll('\\', '/')}:${index + 1}-${index + 1}`,
        }))
        .filter(({ text }) => /^(?!\/|\*|import\b|export (?:type|interface|\{|\*)).*[(=<>&|+?!]/.test(text)),
    )
    .map((line) => ({
      ...line,
      hash: createHash('sha256')
        .update(line.pattern.replace(/:.*/, '') + line.text)
        .digest('hex'),
    }))
    .toSorted((a, b) => (a.hash < b.hash ? -1 : 1))
    .slice(0, packages[name].lines)
    .map(({ pattern }) => pattern);
}

/**
 * One change to a file.
 * @typedef {{ readonly file: string, readonly line: number, readonly from: string, readonly to: string,
 *   readonly range: string, readonly caught: boolean }} Mutant
 */

/**
 * Makes every change that Stryker knows in the ranges `mutate`, each with the tests that reach it. Two kinds
 * are left out: strings, of which most are messages, and a wrong name of an operation is a type error; and
 * code that runs only when its file is loaded, since every test would reach it.
 * @param {string} tests
 * @param {readonly string[]} mutate
 * @returns {Mutant[]}
 */
function mutants(tests, mutate) {
  writeFileSync(
    join(copy, 'vitest.config.ts'),
    // Stryker's time limits hold, which know how long each test takes without a change.
    `import { mergeConfig } from 'vitest/config';
import { testConfigFor } from './vitest.shared.ts';
export default mergeConfig(testConfigFor('${tests}'), { test: { testTimeout: 600_000 } });
`,
  );
  const options = {
    plugins: [fileURLToPath(import.meta.resolve('@stryker-mutator/vitest-runner'))],
    testRunner: 'vitest',
    mutate,
    mutator: { excludedMutations: ['StringLiteral'] },
    inPlace: true,
    disableTypeChecks: false,
    ignoreStatic: true,
    concurrency: 2,
    timeoutMS: 20_000,
    dryRunTimeoutMinutes: 10,
    logLevel: 'warn',
    reporters: ['progress-append-only', 'json'],
    jsonReporter: { fileName: 'report.json' },
  };
  writeFileSync(join(copy, 'stryker.json'), JSON.stringify(options));
  const stryker = join(root, 'node_modules/@stryker-mutator/core/bin/stryker.js');
  // Without the long tests, which would be run for each change.
  const env = { ...process.env, FIRSTHAND_FULL: '' };
  if (run(process.execPath, [stryker, 'run', 'stryker.json'], { cwd: copy, env }) !== 0)
    throw new Error(`Stryker failed with ${tests}`);
  /**
   * @type {{ files: Record<string, { source: string, mutants: { replacement: string, status: string,
   * location: Record<'start' | 'end', { line: number, column: number }> }[] }> }}
   */
  const report = JSON.parse(readFileSync(join(copy, 'report.json'), 'utf8'));
  return Object.entries(report.files).flatMap(([file, { source, mutants: found }]) => {
    const lines = source.split('\n');
    return found
      .filter(({ status }) => status !== 'Ignored')
      .map(({ replacement, status, location: { start, end } }) => ({
        file,
        line: start.line,
        from:
          lines[start.line - 1]?.slice(
            start.column - 1,
            start.line === end.line ? end.column - 1 : undefined,
          ) ?? '',
        to: replacement.replaceAll(/\s+/g, ' '),
        range: `${file}:${start.line}:${start.column - 1}-${end.line}:${end.column - 1}`,
        caught: status !== 'Survived' && status !== 'NoCoverage',
      }));
  });
}

/**
 * Scores one package.
 * @param {string} name
 */
function score(name) {
  console.log(`\n━━ ${name}`);
  const { device, floor } = packages[name];
  const all = mutants(`packages/${name}/test/**/*.test.ts`, sample(name));
  const missed = all.filter(({ caught }) => !caught);
  const retried =
    device === undefined || missed.length === 0
      ? missed
      : mutants(
          `packages/conformance/test/${device}.test.ts`,
          missed.map(({ range }) => range),
        );
  const survivors = missed.filter(
    ({ range, to }) => !retried.some((mutant) => mutant.caught && mutant.range === range && mutant.to === to),
  );
  return {
    name,
    floor,
    all: all.length,
    own: all.length - missed.length,
    conformance: missed.length - survivors.length,
    survivors,
  };
}

const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !(name in packages));
if (unknown.length > 0)
  throw new Error(`not scored: ${unknown.join(', ')}; there are ${Object.keys(packages).join(', ')}`);

copyRepository();
const results = Object.keys(packages)
  .filter((name) => chosen.length === 0 || chosen.includes(name))
  .map(score);
rmSync(copy, { recursive: true, force: true });

for (const { name, survivors } of results) {
  console.log(`\n${name}: ${survivors.length} survivors`);
  for (const { file, line, from, to } of survivors) console.log(`  ${file}:${line}  ${from} → ${to}`);
}
console.log('\npackage    mutants  own tests  conformance  survivors  caught  floor');
for (const { name, floor, all, own, conformance, survivors } of results) {
  const caught = (100 * (own + conformance)) / all;
  console.log(
    name.padEnd(8) +
      [all, own, conformance, survivors.length]
        .map((count, column) => String(count).padStart([10, 11, 13, 11][column] ?? 0))
        .join('') +
      `${caught.toFixed(0)} %`.padStart(8) +
      `${floor} %`.padStart(7),
  );
  if (!(caught >= floor)) process.exitCode = 1;
}
