// The packed files, as two well-known referees see them: publint (does the manifest point at what is there?)
// and "are the types wrong?" (does TypeScript resolve what Node resolves?). Both are first shown a package
// that is wrong.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { expect, inject, test } from 'vitest';

import { command, tool } from '../support/command.ts';
import { root } from '../support/repository.ts';

/** publint's messages on a packed file, none if it is content. */
async function publintMessages(path: string): Promise<string[]> {
  const tarball = new Uint8Array(readFileSync(path)).buffer;
  const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
  return messages.map((message) => formatMessage(message, pkg, { color: false }) ?? message.code);
}

/** @throws Error with what is wrong with the types of a packed file */
const checkTypes = (path: string): string =>
  command(root, tool('attw'), path, '--profile', 'esm-only', '--no-emoji', '--no-color');

test('a wrong package is refused by both', async () => {
  const home = mkdtempSync(join(tmpdir(), 'firsthand-wrong-'));
  mkdirSync(join(home, 'dist'));
  const exportsMap = { '.': { default: './dist/index.js', types: './dist/index.d.ts' } };
  writeFileSync(
    join(home, 'package.json'),
    JSON.stringify({ name: 'wrong', version: '1.0.0', type: 'module', exports: exportsMap }),
  );
  writeFileSync(join(home, 'dist/index.js'), 'export const a = 1;\n');
  writeFileSync(join(home, 'dist/index.d.ts'), 'export { a } from "./missing.js";\n');
  command(home, 'npm', 'pack', '--ignore-scripts', '--loglevel=error');
  const tarball = join(home, 'wrong-1.0.0.tgz');
  expect(await publintMessages(tarball)).toContainEqual(expect.stringContaining('types should be the first'));
  expect(() => checkTypes(tarball)).toThrow('Internal resolution error');
  rmSync(home, { recursive: true });
});

test.each(Object.entries(inject('tarballs')))('%s', async (_, path) => {
  expect(await publintMessages(path)).toEqual([]);
  checkTypes(path);
});
