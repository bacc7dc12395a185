/**
 * The libraries that this project is compared with. They are large and nothing else needs them, so they stay
 * outside of the workspace: `peers/` has a manifest and a lock file of its own, and npm installs from these
 * when the first comparison is run.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder with the peers' manifest: beside the sources, and above the bundle that is made of them. */
export function peersFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'peers/package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('the folder peers/ with its package.json is missing');
    folder = parent;
  }
  return join(folder, 'peers');
}

/** Loads a peer by its name, as a program in `peers/` would. */
export function loadPeer(name: string): unknown {
  return createRequire(join(peersFolder(), 'package.json'))(name);
}

/** The versions that are compared with, by name. */
export function peerVersions(): Readonly<Record<string, string>> {
  const { dependencies } = JSON.parse(readFileSync(join(peersFolder(), 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  return dependencies;
}

/** Whether what is installed is at least as new as the lock file. */
export function arePeersInstalled(folder: string = peersFolder()): boolean {
  const [installed, lock] = ['node_modules/.package-lock.json', 'package-lock.json'].map((file) =>
    join(folder, file),
  ) as [string, string];
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs;
}

/** Installs the peers, with npm's own output. @returns whether they are in place */
export function installPeers(): boolean {
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
  const { status } = spawnSync('npm', args, {
    cwd: peersFolder(),
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  return status === 0;
}
