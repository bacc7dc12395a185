// What every package's folder must hold so that a stranger can install, read and trust it: its manifest, its
// README, its tests. The exports map stands here whole, since sources, declarations and JavaScript must be
// found by it in this repository and after publication alike; what only runs in Node is an entry point of its
// own, `./node`.
import { describe, expect, test } from 'vitest';

import { entriesOf, filesUnder, publicPackages, read, workspaces } from './support/repository.ts';

/**
 * The exports map that every package has: its entry points by name, in the order in which they must be tried.
 */
const exportsMap = (entries: readonly string[]): object => ({
  ...Object.fromEntries(
    entries.map((entry) => [
      entry === 'index' ? '.' : `./${entry}`,
      {
        '@firsthand/source': `./src/${entry}.ts`,
        types: `./dist/${entry}.d.ts`,
        default: `./dist/${entry}.js`,
      },
    ]),
  ),
  './package.json': './package.json',
});

describe.each(publicPackages.map(({ folder, manifest }) => ({ folder, manifest, name: manifest.name })))(
  '$name',
  ({ folder, manifest, name }) => {
    test('is named after its folder and says what it is', () => {
      expect(name).toBe(folder.replace('packages/', '@firsthand/'));
      expect(manifest.description?.length).toBeGreaterThan(30);
    });

    test('is MIT, ESM, free of side effects, and runs where it says', () => {
      expect(manifest).toMatchObject({
        license: 'MIT',
        type: 'module',
        sideEffects: false,
        engines: { node: '>=20.19' },
        files: ['dist', '!dist/tsconfig.tsbuildinfo', 'src'],
      });
      const names = Object.keys(entriesOf(manifest)).map((subpath) =>
        subpath === '.' ? 'index' : subpath.slice(2),
      );
      expect(JSON.stringify(manifest.exports)).toBe(JSON.stringify(exportsMap(names)));
      expect(names.filter((entry) => entry !== 'node')).toEqual(['index']);
    });

    test('has no runtime dependency outside this repository', () => {
      const outside = (list: Readonly<Record<string, string>> = {}): string[] =>
        Object.entries(list).flatMap(([dependency, range]) =>
          dependency.startsWith('@firsthand/') && range === 'workspace:*' ? [] : `${dependency}@${range}`,
        );
      // A peer that the platform may lack, and that nobody is made to install: Node has no WebGPU of its own.
      const isOptional = (peer: string): boolean => manifest.peerDependenciesMeta?.[peer]?.optional === true;
      const peers = Object.fromEntries(
        Object.entries(manifest.peerDependencies ?? {}).filter(([peer]) => !isOptional(peer)),
      );
      expect([manifest.dependencies, peers, manifest.optionalDependencies].flatMap(outside)).toEqual([]);
      expect(outside({ '@firsthand/linalg': 'workspace:*', lodash: '4' })).toEqual(['lodash@4']);
    });

    test('has a README under its name, and tests', () => {
      expect(read(`${folder}/README.md`).startsWith(`# ${name}\n`)).toBe(true);
      expect(filesUnder(`${folder}/test`, '.test.ts')).not.toEqual([]);
    });
  },
);

test('every package of the house shares one version', () => {
  expect(new Set(publicPackages.map(({ manifest }) => manifest.version)).size).toBe(1);
});

test('no lock file or manifest names a registry', () => {
  const manifests = [...workspaces('packages'), ...workspaces('apps')].map(
    ({ folder }) => `${folder}/package.json`,
  );
  for (const file of ['pnpm-lock.yaml', 'package.json', ...manifests])
    expect(read(file), file).not.toMatch(/https?:\/\//);
});
