// Runs a TypeScript program of this repository with no build step: esbuild joins it and the `@firsthand/*`
// sources that it imports into one file of JavaScript, in some tens of milliseconds, and Node runs that file.
// Other packages stay outside; each is found from the folder of the file that imports it.
import { createRequire } from 'node:module';
import { isAbsolute, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';

import { root } from './workspace.mjs';

/**
 * Bundles a program.
 * @param {string} folder the workspace folder that it belongs to, such as `apps/mnist`
 * @param {string} file the program, relative to the folder
 * @returns {Promise<string>} the path of the JavaScript file, inside the folder's node_modules
 */
export async function bundle(folder, file) {
  const home = join(root, folder);
  const entry = join(home, file);
  const resolved = createRequire(import.meta.url).resolve('esbuild', { paths: [home, root] });
  const { build } = await import(pathToFileURL(resolved).href);
  const outfile = join(
    home,
    'node_modules/.cache/firsthand',
    `${relative(home, entry).replace(/\.ts$/, '')}.mjs`,
  );
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: true,
    logLevel: 'warning',
    absWorkingDir: root,
    conditions: ['@firsthand/source'],
    plugins: [{ name: 'packages', setup: keepOutside }],
  });
  return outfile;
}

/**
 * An esbuild plugin: leaves every package outside the bundle but this repository's own. A package that is not
 * installed fails when it is imported, as in Node.
 * @param {any} api
 */
function keepOutside(api) {
  api.onResolve(
    { filter: /^[^./]/ },
    async (
      /** @type {{ path: string, kind: string, resolveDir: string, pluginData: unknown }} */ request,
    ) => {
      const { path, kind, resolveDir, pluginData } = request;
      if (kind === 'entry-point' || pluginData === keepOutside || path.startsWith('@firsthand/'))
        return undefined;
      const found = await api.resolve(path, { kind, resolveDir, pluginData: keepOutside });
      const isFile = found.errors.length === 0 && isAbsolute(found.path);
      return { path: isFile ? pathToFileURL(found.path).href : path, external: true };
    },
  );
}

/**
 * Runs a program in this process, so that its signals, streams and exit status are the program's own.
 * @param {string} folder the workspace folder that it belongs to
 * @param {string} file the program, relative to the folder
 * @param {readonly string[]} args what it finds in `process.argv` from index 2
 */
export async function runTypeScript(folder, file, args) {
  const program = await bundle(folder, file);
  process.setSourceMapsEnabled(true);
  process.argv = [process.argv[0] ?? 'node', program, ...args];
  await import(pathToFileURL(program).href);
}
