// The tests' browser and its GPU in software, for scripts: they are TypeScript, which Node 20 does not run.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { root } from './workspace.mjs';

/**
 * The tests' own module, as JavaScript; it finds the repository by its own address, which stays that of the
 * source. The whole must be installed.
 * @returns {Promise<typeof import('../tests/support/chromium.ts')>}
 */
export async function loadChromium() {
  const source = join(root, 'tests/support/chromium.ts');
  const outfile = join(root, 'tests/node_modules/.cache/firsthand/support/chromium.mjs');
  const { build } = await import('esbuild');
  await build({
    entryPoints: [source],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    define: { 'import.meta.url': JSON.stringify(pathToFileURL(source).href) },
  });
  return import(pathToFileURL(outfile).href);
}
