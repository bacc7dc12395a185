// What the scripts know about this repository: where it is, which pnpm it names, and whether its dependencies
// are in place. Depends on Node alone, since it runs before anything is installed.
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Reads a JSON file of the repository.
 * @param {string} path relative to the root
 * @returns {any}
 */
export const readJson = (path) => JSON.parse(readFileSync(join(root, path), 'utf8'));

/**
 * Runs a command in the root with the terminal's own streams, except where `options` says otherwise.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnSyncOptions} [options]
 * @returns {number} its exit status; 1 where a signal ended it or it did not start
 */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (result.error) console.error(`${command}: ${result.error.message}`);
  return result.status ?? 1;
}

/**
 * Runs the pnpm that the root's package.json names, whether or not one is on PATH. Tools that it starts
 * (turbo) find it on PATH too.
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnSyncOptions} [options]
 * @returns {number} its exit status
 */
export const pnpm = (args, options = {}) =>
  run('npx', pnpmWords(args), { shell: process.platform === 'win32', ...options });

/** @param {readonly string[]} args */
const pnpmWords = (args) => ['--yes', '--loglevel=error', readJson('package.json').packageManager, ...args];

/**
 * Starts the same pnpm in the background, with its output in a file, since a pipe fills while `run` blocks.
 * @param {readonly string[]} args
 * @param {string} log the path of the file
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>} its exit status, once it has ended
 */
export function pnpmInBackground(args, log, env) {
  const output = openSync(log, 'w');
  const child = spawn('npx', pnpmWords(args), {
    cwd: root,
    env,
    stdio: ['ignore', output, output],
    shell: process.platform === 'win32',
  });
  closeSync(output);
  return new Promise((resolve) => {
    child.on('error', () => resolve(1));
    child.on('close', (code) => resolve(code ?? 1));
  });
}

/**
 * Installs dependencies, unless an installation at least as new as the lock file covers `folder`. A part is
 * installed without development dependencies; where the whole is installed already, the whole is brought up
 * to date.
 * @param {{ folder?: string, filter?: string }} [part] a workspace folder and pnpm's filter for it and what
 *   it needs; the whole workspace if absent
 * @returns {boolean} whether the dependencies are in place
 */
export function install({ folder, filter } = {}) {
  const statePath = join(root, 'node_modules/.pnpm-workspace-state-v1.json');
  const state = existsSync(statePath) ? JSON.parse(readFileSync(statePath, 'utf8')) : undefined;
  const whole = state !== undefined && state.filteredInstall === false;
  const fresh =
    state !== undefined && state.lastValidatedTimestamp >= statSync(join(root, 'pnpm-lock.yaml')).mtimeMs;
  if (fresh && (whole || (folder !== undefined && existsSync(join(root, folder, 'node_modules')))))
    return true;
  const scope = filter === undefined || whole ? [] : ['--filter', filter, '--prod'];
  return pnpm([...scope, 'install', '--frozen-lockfile', '--reporter=append-only']) === 0;
}
