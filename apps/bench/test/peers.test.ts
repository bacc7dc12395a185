// The peers are pinned to one version each, by a lock file that works with any registry.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { arePeersInstalled, peersFolder, peerVersions } from '../src/peers.ts';

test('every version is exact, and locked with a digest', () => {
  const { packages } = JSON.parse(readFileSync(join(peersFolder(), 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version?: string; integrity?: string }>;
  };
  for (const [name, version] of Object.entries(peerVersions())) {
    expect(version, name).toMatch(/^\d+\.\d+\.\d+$/);
    expect(packages[`node_modules/${name}`]?.version, name).toBe(version);
  }
  for (const [path, { integrity }] of Object.entries(packages))
    if (path !== '') expect(integrity, path).toMatch(/^sha512-/);
});

test('no registry is named', () => {
  const lock = readFileSync(join(peersFolder(), 'package-lock.json'), 'utf8');
  expect(lock).not.toMatch(/https?:\/\//);
  expect(lock).not.toContain('"resolved"');
});

test('they are installed if what is there is as new as the lock file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'firsthand-peers-'));
  try {
    const [lock, installed] = ['package-lock.json', 'node_modules/.package-lock.json'].map((file) =>
      join(folder, file),
    ) as [string, string];
    writeFileSync(lock, '{}');
    expect(arePeersInstalled(folder)).toBe(false);
    mkdirSync(join(folder, 'node_modules'));
    writeFileSync(installed, '{}');
    expect(arePeersInstalled(folder)).toBe(true);
    utimesSync(installed, 1, 1);
    expect(arePeersInstalled(folder)).toBe(false);
    expect(existsSync(lock)).toBe(true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
