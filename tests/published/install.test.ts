// A stranger installs one package: in an empty folder, with plain npm, from the packed files of it, of the
// floors below it and of what its README installs beside it, and from nowhere else. Then the first example of
// its README runs in plain Node and prints what it says, and it type-checks against the published
// declarations, in a project that knows nothing of Node, as a web page's.
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

import { transform } from 'esbuild';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';

import { command, tool } from '../support/command.ts';
import { checked, claimsIn, examplesOfMarkdown } from '../support/examples.ts';
import { besides, publicPackages, read, root } from '../support/repository.ts';

const tarballs = inject('tarballs');

/** The names of a package and of every package that it depends on, directly or not. */
function withAllBelow(name: string): string[] {
  const direct = Object.keys(
    publicPackages.find(({ manifest }) => manifest.name === name)?.manifest.dependencies ?? {},
  );
  return [...new Set([name, ...direct.flatMap(withAllBelow)])].toSorted();
}

/** The files under a folder, named from it. */
const filesOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) =>
    entry.isFile() ? relative(folder, join(entry.parentPath, entry.name)) : [],
  );

let home = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'firsthand-stranger-'));
});
afterEach(() => rmSync(home, { recursive: true }));

test.each(publicPackages.map(({ folder, manifest }) => [manifest.name, folder, manifest] as const))(
  '%s',
  async (name, folder, manifest) => {
    const needed = [...new Set([name, ...besides(manifest)].flatMap(withAllBelow))].toSorted();
    writeFileSync(join(home, 'package.json'), '{ "private": true, "type": "module" }');
    command(
      home,
      'npm',
      'install',
      '--offline',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
      ...needed.map((each) => tarballs[each]!),
    );
    expect(readdirSync(join(home, 'node_modules')).filter((entry) => !entry.startsWith('.'))).toEqual([
      '@firsthand',
    ]);
    expect(readdirSync(join(home, 'node_modules/@firsthand')).map((entry) => `@firsthand/${entry}`)).toEqual(
      needed,
    );
    expect(
      filesOf(join(home, 'node_modules', name)).filter(
        (file) => !/^(LICENSE|README\.md|package\.json|src\/.*\.ts|dist\/.*\.(js|d\.ts)(\.map)?)$/.test(file),
      ),
    ).toEqual([]);

    // What the platform may lack, and the README installs beside the package.
    for (const peer of Object.keys(manifest.peerDependenciesMeta ?? {})) {
      expect(read(`${folder}/README.md`)).toContain(`npm install ${peer}`);
      symlinkSync(join(root, 'tests/node_modules', peer), join(home, 'node_modules', peer));
    }

    const [example] = examplesOfMarkdown(`${folder}/README.md`, read(`${folder}/README.md`));
    expect(claimsIn(example!), 'the first example prints something and says what').toBeGreaterThan(0);
    writeFileSync(
      join(home, 'example.js'),
      (await transform(checked(example!), { loader: 'ts', target: 'node20' })).code,
    );
    command(home, process.execPath, 'example.js');

    writeFileSync(join(home, 'example.ts'), example!.code);
    const compilerOptions = {
      strict: true,
      noEmit: true,
      target: 'ES2023',
      module: 'NodeNext',
      types: [],
    };
    writeFileSync(join(home, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['example.ts'] }));
    command(home, tool('tsc'), '-p', '.');
  },
);
