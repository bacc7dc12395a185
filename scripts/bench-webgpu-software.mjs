// `npm run bench:webgpu:software`: the comparison on WebGPU on a machine without a GPU, in the tests' headless Chromium, which has one in software.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { install, root, run } from './workspace.mjs';

/** The tests' own module that unpacks the browser, as JavaScript; it finds the repository by its own address, which stays that of the source. */
async function loadChromium() {
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

if (!install()) process.exit(1);
const { chromium } = await loadChromium();
const { executablePath, env } = chromium();
const words = process.argv.slice(2).filter((word) => word !== '--');
process.exitCode = run(process.execPath, ['scripts/start.mjs', 'bench', 'webgpu', '--chromium', executablePath, ...words], { env });
