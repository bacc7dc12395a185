// `npm start`: installs what one app needs, and nothing else, then runs it from its source. `node scripts/start.mjs <app> [arguments]`.
import { install, readJson } from './workspace.mjs';

const [app = 'mnist', ...rest] = process.argv.slice(2);
const args = rest[0] === '--' ? rest.slice(1) : rest;
const folder = `apps/${app}`;
if (install({ folder, filter: `${readJson(`${folder}/package.json`).name}...` })) {
  const { runTypeScript } = await import('./typescript.mjs');
  await runTypeScript(folder, readJson(`${folder}/package.json`).main, args);
} else {
  console.error(`The installation failed; nothing was started. Repair the cause above and run the command again.`);
  process.exitCode = 1;
}
