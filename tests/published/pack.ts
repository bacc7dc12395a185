// Before the tests of the packages as published: every public package is packed once, from its built files,
// as the registry would get it. Whoever imports `tarballs` gets the paths of the packed files by package
// name.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { TestProject } from 'vitest/node';

import { command } from '../support/command.ts';
import { publicPackages, read, root } from '../support/repository.ts';

declare module 'vitest' {
  interface ProvidedContext {
    readonly tarballs: Readonly<Record<string, string>>;
  }
}

/** Packs the packages into a folder of their own, which is removed when the tests have run. */
export function setup(project: TestProject): () => void {
  const destination = mkdtempSync(join(tmpdir(), 'firsthand-packed-'));
  const { packageManager } = JSON.parse(read('package.json')) as { packageManager: string };
  const tarballs: Record<string, string> = {};
  for (const { folder, manifest } of publicPackages) {
    if (!existsSync(join(root, folder, 'dist/index.js')))
      throw new Error(`${manifest.name} is not built: run \`npm run build\` first`);
    command(
      join(root, folder),
      'npx',
      '--yes',
      '--loglevel=error',
      packageManager,
      'pack',
      '--pack-destination',
      destination,
    );
    tarballs[manifest.name] = join(
      destination,
      `${manifest.name.slice(1).replace('/', '-')}-${manifest.version}.tgz`,
    );
  }
  project.provide('tarballs', tarballs);
  return () => rmSync(destination, { recursive: true });
}
