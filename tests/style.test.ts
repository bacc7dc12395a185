// Source files look as the house wants them: what a parser can see is in support/style.ts, the rest is in
// .oxlintrc.json; both are shown to fail first.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { command, tool } from './support/command.ts';
import { filesUnder, read, root, workspaces } from './support/repository.ts';
import { faults, headerFaults, lineLimits, longLines, pageFaults } from './support/style.ts';
import { pageWordFaults, twinNames, wordFaults } from './support/words.ts';

const header = '// A file of one idea, which this comment states in a sentence.\n';

describe('the rules can fail', () => {
  const wrong: readonly [string, string, RegExp][] = [
    ['no header', 'export const a = 1;\n', /opens without a comment/],
    ['a header of a word', '// Shapes.\nexport const a = 1;\n', /opens without a comment/],
    ['a long file', header + 'export const a = 1;\n'.repeat(lineLimits.allowed), /1101 lines/],
    ['a call', `${header}import { f } from './f.ts';\nf();\n`, /:3: ExpressionStatement at the top level/],
    ['a condition', `${header}if (true) {}\n`, /:2: IfStatement/],
    ['an enum', `${header}enum E { A }\n`, /:2: TSEnumDeclaration/],
    ['an exported enum', `${header}export enum E { A }\n`, /:2: TSEnumDeclaration/],
    ['an import for its effects alone', `${header}import './a.ts';\n`, /:2: ImportDeclaration/],
    ['a default export', `${header}export default 1;\n`, /ExportDefaultDeclaration/],
  ];
  test.each(wrong)('%s', (_, text, reason) => {
    expect(faults('a.ts', text)).toEqual([expect.stringMatching(reason)]);
  });

  test('a good file has no fault', () => {
    const good = `${header}import type { A } from './a.ts';\nexport const a: A = 1;\nconst b = 2;\nexport type C = 1;\nexport function f(): number {\n  return b;\n}\n`;
    expect(faults('a.ts', good)).toEqual([]);
    expect(headerFaults('a.mjs', `#!/usr/bin/env node\n${header}`)).toEqual([]);
  });

  const wrongWords: readonly [string, string, string, RegExp][] = [
    ['the name of a file', 'packages/a/src/slab-turns.ts', '', /^packages\/a.*"slab": write shared-memory/],
    ['a name', 'a.ts', 'export const placeOf = 1;\n', /:1: placeOf has "place"/],
    ['a part of a name', 'a.ts', 'export interface A {\n  readonly keptAxes: 1;\n}\n', /:2: keptAxes/],
    ['a private name', 'a.ts', 'class A {\n  #heldBuffers = 1;\n}\n', /:2: heldBuffers has "held"/],
    ['a comment', 'a.ts', '// The slab\n// of a tile.\n', /:1: a comment has "slab"/],
    ['a paraphrase', 'a.ts', '\n/** Whether what is\n * done with a row. */\n', /:2: .*"what is done with"/],
    ['a verb for a noun', 'a.ts', '// Where an array lies.\n', /"lies": write is stored/],
  ];
  test.each(wrongWords)('a refused word in %s', (_, path, text, reason) => {
    expect(wordFaults(path, text)).toEqual(expect.arrayContaining([expect.stringMatching(reason)]));
  });

  test('the field’s own senses and others’ names are no faults', () => {
    const good =
      '// Adds in place, with two decimal places.\nexport const inPlace = [].fill(0).own;\nexport const loopNest = 1;\n';
    expect(wordFaults('packages/a/src/in-place.ts', good)).toEqual([]);
    expect(pageWordFaults('a.md', 'Adds in place.\n\n```ts\nconst place = 1;\n```\n')).toEqual([]);
  });

  test('names that are a letter apart in one folder', () => {
    expect(twinNames(['a/tile.ts', 'a/tiles.ts', 'b/tile.ts', 'a/loop.ts'])).toEqual([
      'a/tile.ts and tiles.ts differ by one letter',
    ]);
    expect(twinNames(['a/f32.ts', 'a/i32.ts'])).toHaveLength(1);
    expect(twinNames(['a/float32.ts', 'a/float64.ts', 'a/scan.ts', 'a/scan-plan.ts'])).toEqual([]);
  });

  test('lines that are too long, but for texts that cannot be broken', () => {
    const long = 'x'.repeat(120);
    expect(longLines('a.ts', `export const a = 1; // ${long}\n`)).toEqual(['a.ts:1: 143 columns']);
    expect(longLines('a.ts', `const a = 1;\nconst b = ${long};\n`)).toEqual(['a.ts:2: 131 columns']);
    for (const text of [`'${long}'`, `\`\n${long}\``, `/${long}/`])
      expect(longLines('a.ts', `const a = ${text};\n`)).toEqual([]);
  });

  test('pages with long lines, long sentences and refused words', () => {
    const sentence = `A sentence ${'that goes on '.repeat(26)}and ends.`;
    expect(pageFaults('a.md', sentence)).toEqual([
      expect.stringMatching(/358 columns/),
      expect.stringMatching(/a sentence of 358 characters/),
    ]);
    expect(pageFaults('a.md', sentence.replaceAll('goes on that', 'goes on.\nIt'))).toEqual([]);
    expect(pageFaults('a.md', `\`\`\`\n${sentence}\n\`\`\`\n`)).toEqual([]);
    expect(pageWordFaults('a.md', 'Where it lies.')).toEqual(['a.md: "lies": write is stored, is, stands']);
  });

  test('the linter refuses any, default exports, console, floating promises and focused tests', () => {
    const home = mkdtempSync(join(tmpdir(), 'firsthand-lint-'));
    const source = join(home, 'packages/attic/src');
    mkdirSync(source, { recursive: true });
    for (const file of ['.oxlintrc.json', 'tsconfig.base.json'])
      copyFileSync(join(root, file), join(home, file));
    writeFileSync(join(home, 'tsconfig.json'), '{ "extends": "./tsconfig.base.json" }');
    writeFileSync(
      join(source, 'wrong.ts'),
      'export const a: any = 1;\nexport default a;\nconst later = async (): Promise<number> => 1;\nexport function f(): void {\n  later();\n  console.log(window);\n}\n',
    );
    writeFileSync(
      join(source, 'wrong.test.ts'),
      "import { expect, test } from 'vitest';\ntest.only('a', () => {\n  expect(1).toBe(1);\n});\ntest('b', () => {});\n",
    );
    const lint = (): string => command(home, tool('oxlint'), '--type-aware', '-f', 'unix');
    const rules = [
      'no-explicit-any',
      'no-default-export',
      'no-console',
      'no-restricted-globals',
      'no-floating-promises',
      'no-focused-tests',
      'expect-expect',
    ];
    for (const rule of rules) expect(lint, rule).toThrow(`(${rule})`);
    rmSync(home, { recursive: true });
  });
});

const sources = [...workspaces('packages'), ...workspaces('apps')].flatMap(({ folder }) =>
  filesUnder(`${folder}/src`, '.ts'),
);

test('source files state their idea, are short, and do nothing when imported', () => {
  const library = sources.filter((path) => path.startsWith('packages/'));
  expect(library.flatMap((path) => faults(path, read(path)))).toEqual([]);
  const long = sources.filter((path) => read(path).split('\n').length - 1 > lineLimits.advised);
  if (long.length > 0) console.warn(`more than ${lineLimits.advised} lines: ${long.join(', ')}`);
});

test('apps, scripts, tests and benchmarks state their idea', () => {
  const others = [
    'apps',
    'scripts',
    'tests',
    ...workspaces('packages').flatMap(({ folder }) => [`${folder}/test`, `${folder}/bench`]),
  ];
  const files = others.flatMap((folder) => [...filesUnder(folder, '.ts'), ...filesUnder(folder, '.mjs')]);
  const named = files.filter((path) => !path.includes('/.examples/') && !path.endsWith('vitest.config.ts'));
  expect(named.flatMap((path) => headerFaults(path, read(path)))).toEqual([]);
});

const all = [...workspaces('packages'), ...workspaces('apps')].map(({ folder }) => folder);

test.each(all)('%s speaks the field’s words, and its lines end in time', (folder) => {
  const inside = filesUnder(`${folder}/src`, '.ts');
  expect(inside.length).toBeGreaterThan(0);
  expect(inside.flatMap((path) => wordFaults(path, read(path)))).toEqual([]);
  expect(twinNames(inside)).toEqual([]);
  const files = [...inside, ...filesUnder(`${folder}/test`, '.ts'), ...filesUnder(`${folder}/bench`, '.ts')];
  expect(files.flatMap((path) => longLines(path, read(path)))).toEqual([]);
  const page = `${folder}/README.md`;
  expect([...pageFaults(page, read(page)), ...pageWordFaults(page, read(page))]).toEqual([]);
});

test.each([
  'README.md',
  'CONTRIBUTING.md',
  ...['architecture', 'glossary', 'numerics', 'semantics'].map((page) => `docs/${page}.md`),
])('%s has short sentences and the field’s words', (page) => {
  expect([...pageFaults(page, read(page)), ...pageWordFaults(page, read(page))]).toEqual([]);
});

test('the glossary is sorted, and defines each word once', () => {
  const words = [...read('docs/glossary.md').matchAll(/^\| ([a-z][^|]*?) \|/gm)].map(([, word]) => word!);
  expect(words.length).toBeGreaterThan(20);
  expect(words.slice(1)).toEqual([...new Set(words.slice(1))].toSorted());
});
