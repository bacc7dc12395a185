// Source files look as the house wants them: what a parser can see is in support/style.ts, the rest is in
// .oxlintrc.json; both are shown to fail first.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { command, tool } from './support/command.ts';
import { filesUnder, read, root, workspaces } from './support/repository.ts';
import { faults, headerFaults, lineLimits } from './support/style.ts';

const header = '// A file of one idea, which this comment states in a sentence.\n';

describe('the rules can fail', () => {
  const wrong: readonly [string, string, RegExp][] = [
    ['no header', 'export const a = 1;\n', /opens without a comment/],
    ['a header of a word', '// Shapes.\nexport const a = 1;\n', /opens without a comment/],
    ['a long file', header + 'export const a = 1;\n'.repeat(lineLimits.allowed), /701 lines/],
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
