// `npm start`: installs what one app needs, and nothing else, then runs it from its source, in Node or, where
// its `main` is a page, served to a browser. `node scripts/start.mjs <app> [arguments]`.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { install, readJson, root } from './workspace.mjs';

const [app = 'mnist', ...rest] = process.argv.slice(2);
const args = rest[0] === '--' ? rest.slice(1) : rest;
// What has no `main` is a library of the apps.
const apps = readdirSync(join(root, 'apps')).filter(
  (folder) => readJson(`apps/${folder}/package.json`).main !== undefined,
);
if (!apps.includes(app)) throw new Error(`no app named ${app}; there are ${apps.toSorted().join(', ')}`);

const folder = `apps/${app}`;
const { name, main } = readJson(`${folder}/package.json`);
if (install({ folder, filter: `${name}...` })) {
  const { runTypeScript } = await import('./typescript.mjs');
  const { servePage } = await import('./page.mjs');
  await (main.endsWith('.html') ? servePage(folder, args) : runTypeScript(folder, main, args));
} else {
  console.error(
    'The installation failed; nothing was started. Repair the cause above and run the command again.',
  );
  process.exitCode = 1;
}
