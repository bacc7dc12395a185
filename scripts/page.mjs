// Serves a page of this repository with Vite's own command, from its source: a change shows at once, and Vite
// prints where the page is.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { root } from './workspace.mjs';

/**
 * Runs the `vite` of a page's workspace folder in this process, so that its signals, streams and exit status
 * are the program's own.
 * @param {string} folder the workspace folder, such as `apps/mnist-page`
 * @param {readonly string[]} args for Vite, such as `--port 8000`
 */
export async function servePage(folder, args) {
  const home = join(root, folder);
  const manifest = createRequire(join(home, 'package.json')).resolve('vite/package.json');
  const program = join(dirname(manifest), JSON.parse(readFileSync(manifest, 'utf8')).bin.vite);
  process.chdir(home);
  process.argv = [process.argv[0] ?? 'node', program, ...args];
  await import(pathToFileURL(program).href);
}
