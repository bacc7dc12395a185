// Every example in the documentation runs against the source, type-checks, prints what it says, and imports
// nothing but its own package and the floors below: the READMEs' blocks, the docstrings' `@example`s; so does
// every example of the pages in docs/. The programs lie in tests/.examples while they are tested.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { setDefaultDevice } from '@firsthand/autograd';
import { createReference } from '@firsthand/runtime';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { command, tool } from './support/command.ts';
import { checked, claimsIn, type Example, examplesOfMarkdown, examplesOfSource } from './support/examples.ts';
import { besides, filesUnder, importsOf, publicPackages, read, root } from './support/repository.ts';

const home = join(root, 'tests/.examples');
const programOf = ({ file, line }: Example): string =>
  join(home, `${file.replaceAll(/[/.]/g, '-')}-${line}.ts`);
const write = (example: Example): void => writeFileSync(programOf(example), checked(example));

const examplesByPackage = publicPackages.map(({ folder, manifest }) => ({
  name: manifest.name,
  allowed: [manifest.name, ...besides(manifest)],
  examples: [
    ...filesUnder(folder, 'README.md')
      .filter((file) => file === `${folder}/README.md`)
      .flatMap((file) => examplesOfMarkdown(file, read(file))),
    ...filesUnder(`${folder}/src`, '.ts').flatMap((file) => examplesOfSource(file, read(file))),
  ],
}));

const examplesOfPages = filesUnder('docs', '.md').flatMap((file) => examplesOfMarkdown(file, read(file)));

beforeAll(() => {
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  for (const example of [...examplesByPackage.flatMap(({ examples }) => examples), ...examplesOfPages])
    write(example);
});

// All examples share this process; each is written for the device that is there without a choice.
beforeEach(() => setDefaultDevice(createReference()));

describe('the extraction can fail', () => {
  const page = (body: string): Example[] => examplesOfMarkdown('made-up.md', body);

  test('takes the ts blocks of a page, and no others', () => {
    expect(page('a\n```ts\nlet x = 1;\n```\n```sh\nls\n```\n```text\n```ts is not a fence\n```\n')).toEqual([
      { file: 'made-up.md', line: 3, code: 'let x = 1;\n' },
    ]);
    expect(() => page('```ts\nlet x = 1;\n')).toThrow('made-up.md:1: this fence is never closed');
  });

  test('takes the @example of a docstring, with its line', () => {
    const text =
      '// @example\n/** one line */\n\n/**\n * Adds.\n * @example\n * ```ts\n * let x = 1;\n *   x;\n * ```\n * @returns a sum\n */\nexport const a = 1;';
    expect(examplesOfSource('a.ts', text)).toEqual([{ file: 'a.ts', line: 8, code: 'let x = 1;\n  x;\n' }]);
    expect(() => examplesOfSource('a.ts', '/**\n * @example\n * add(1, 2)\n */')).toThrow(
      'a.ts:2: an @example holds one block',
    );
  });

  test('a false claim throws, naming the line; a true one does not', async () => {
    const [lie, truth] = page(
      "```ts\nconst x: number = 2;\nconsole.log('x', x); // x 3\n```\n```ts\nconsole.log([1,\t2]); // [ 1, 2 ]\n```\n",
    );
    expect([lie!, truth!].map(claimsIn)).toEqual([1, 1]);
    write(lie!);
    write(truth!);
    await expect(import(programOf(lie!))).rejects.toThrow('line 2 of the example prints x 2, and claims x 3');
    await import(programOf(truth!));
    rmSync(programOf(lie!));
    rmSync(programOf(truth!));
  });
});

/** What an example imports besides the named packages and Node's modules. */
const foreignTo = (allowed: readonly string[], example: Example): string[] =>
  importsOf(programOf(example), example.code).filter(
    (specifier) => !allowed.includes(specifier.replace(/\/node$/, '')) && !specifier.startsWith('node:'),
  );

describe.each(examplesByPackage)('$name', ({ name, allowed, examples }) => {
  test('has an example in its README', () => {
    expect(examples.filter(({ file }) => file.endsWith('README.md'))).not.toEqual([]);
  });

  test.each(examples)('$file:$line', async (example) => {
    expect(foreignTo(allowed, example), `an example of ${name} may import ${allowed.join(', ')}`).toEqual([]);
    await import(programOf(example));
  });
});

describe('docs', () => {
  const published = publicPackages.map(({ manifest }) => manifest.name);
  test.each(examplesOfPages)('$file:$line', async (example) => {
    expect(foreignTo(published, example), 'an example of a page may import published packages').toEqual([]);
    await import(programOf(example));
  });
});

test('every example type-checks', () => {
  const config = {
    extends: '../../tsconfig.check.json',
    compilerOptions: { noUnusedLocals: false },
    include: ['*.ts'],
  };
  writeFileSync(join(home, 'tsconfig.json'), JSON.stringify(config));
  const compile = (): string => command(home, tool('tsc'), '-p', '.');
  expect(compile).not.toThrow();
  const wrong = join(home, 'wrong.ts');
  writeFileSync(wrong, "export const x: number = 'a';\n");
  expect(compile).toThrow('wrong.ts(1,14): error TS2322');
  rmSync(wrong);
});
