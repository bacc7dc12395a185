// The packed files, as two well-known referees see them: publint (does the manifest point at what is there?) and "are the types wrong?" (does TypeScript
// resolve what Node resolves?). Both are first shown a package that is wrong.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { expect, inject, test } from 'vitest';

import { root } from '../support/repository.ts';

const execute = promisify(execFile);

/** publint's messages on a packed file, none if it is content. */
async function publintMessages(path: string): Promise<string[]> {
  const { buffer, byteOffset, byteLength } = readFileSync(path);
  const tarball = buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
  const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
  return messages.map((message) => formatMessage(message, pkg, { color: false }) ?? message.code);
}

const typesAreRight = (path: string): Promise<unknown> =>
  execute(join(root, 'node_modules/.bin/attw'), [path, '--profile', 'esm-only', '--no-emoji', '--no-color']);

test('a wrong package is refused by both', async () => {
  const home = mkdtempSync(join(tmpdir(), 'firsthand-wrong-'));
  mkdirSync(join(home, 'dist'));
  const exportsMap = { '.': { default: './dist/index.js', types: './dist/index.d.ts' } };
  writeFileSync(join(home, 'package.json'), JSON.stringify({ name: 'wrong', version: '1.0.0', type: 'module', exports: exportsMap }));
  writeFileSync(join(home, 'dist/index.js'), 'export const a = 1;\n');
  writeFileSync(join(home, 'dist/index.d.ts'), 'export { a } from "./missing.js";\n');
  await execute('npm', ['pack', '--ignore-scripts', '--loglevel=error'], { cwd: home });
  const tarball = join(home, 'wrong-1.0.0.tgz');
  expect(await publintMessages(tarball)).toContainEqual(expect.stringContaining('types should be the first'));
  await expect(typesAreRight(tarball)).rejects.toThrow();
  rmSync(home, { recursive: true });
});

test.each(Object.entries(inject('tarballs')))('%s', async (_, path) => {
  expect(await publintMessages(path)).toEqual([]);
  await typesAreRight(path);
});
