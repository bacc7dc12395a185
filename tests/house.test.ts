// The house stands: a package imports what the table lists, folders inside it import lower folders only, no
// package holds a cycle, and its manifest names what it imports. Each rule is first shown to fail on a made-up
// repository that breaks it.
import { posix } from 'node:path';

import { describe, expect, test } from 'vitest';

import { examplesOfMarkdown } from './support/examples.ts';
import {
  cycles,
  forbidden,
  house,
  type Import,
  misplaced,
  nodeAccess,
  seesNodes,
  upward,
} from './support/imports.ts';
import { entriesOf, filesUnder, importsOf, publicPackages, read, workspaces } from './support/repository.ts';

const importsByPackage = new Map<string, Import[]>(
  publicPackages.map(({ folder, manifest }) => {
    const from = manifest.name.replace('@firsthand/', '');
    const nodeEntry = posix.join(folder, entriesOf(manifest)['./node']?.['@firsthand/source'] ?? 'none');
    const importsIn = (file: string): Import[] =>
      importsOf(file, read(file)).map((specifier) => ({
        from,
        file,
        isNodeEntry: file === nodeEntry,
        specifier,
      }));
    return [from, filesUnder(`${folder}/src`, '.ts').flatMap(importsIn)];
  }),
);

const edgesWithin = (imports: readonly Import[]): Map<string, string[]> => {
  const edges = new Map<string, string[]>();
  for (const { file, specifier } of imports) {
    const targets = edges.get(file) ?? [];
    if (specifier.startsWith('.')) targets.push(posix.join(posix.dirname(file), specifier));
    edges.set(file, targets);
  }
  return edges;
};

describe('the rules can fail', () => {
  const wrong: readonly [string, string, string][] = [
    ['linalg', '@firsthand/graph', 'linalg imports nothing only'],
    ['nn', '@firsthand/optim', 'nn imports linalg, autograd only'],
    ['nn', '@firsthand/graph', 'nn imports linalg, autograd only'],
    ['graph', '@firsthand/graph', 'graph imports linalg only'],
    ['graph', '@firsthand/linalg/src/shape.ts', 'is neither of this repository'],
    ['graph', 'lodash', 'is neither of this repository'],
    ['graph', 'fs', 'is neither of this repository'],
    ['graph', 'node:fs', 'only the ./node entry point of graph may'],
    ['train', '@firsthand/data/node', 'only the ./node entry point of train may'],
    ['graph', './node', 'does not end in .ts'],
    ['attic', '@firsthand/linalg', 'attic has no place in the table'],
  ];
  test.each(wrong)('%s may not import %s', (from, specifier, reason) => {
    expect(forbidden([{ from, file: 'a.ts', isNodeEntry: false, specifier }])).toEqual([
      expect.stringContaining(reason),
    ]);
  });

  test('a package on the list, a file beside and, in an entry point for Node, Node are allowed', () => {
    const right = ['@firsthand/data', '@firsthand/data/node', './fit.ts', 'node:fs'].map((specifier) => ({
      from: 'train',
      file: 'node.ts',
      isNodeEntry: true,
      specifier,
    }));
    expect(forbidden(right)).toEqual([]);
  });

  test('a list that goes up, sideways or nowhere, and a permission that nobody uses, are found', () => {
    const table = {
      low: { floor: 0, imports: ['high'] },
      mid: { floor: 1, imports: ['low', 'beside'] },
      beside: { floor: 1, imports: ['attic'] },
      high: { floor: 2, imports: ['mid', 'low'] },
    };
    const imported = new Map([
      ['mid', new Set(['low', 'beside'])],
      ['high', new Set(['mid'])],
    ]);
    expect(misplaced(table, imported)).toEqual([
      'low (floor 0) lists high (floor 2)',
      'mid (floor 1) lists beside (floor 1)',
      'beside lists attic, which has no place in the table',
      'high lists low and does not import it',
    ]);
  });

  test('an import of a higher folder, of the root, or from a folder without a place is found', () => {
    const edges = new Map([
      ['index.ts', ['top/a.ts', 'low/b.ts']],
      ['top/a.ts', ['low/b.ts', 'top/c.ts']],
      ['low/b.ts', ['top/c.ts', 'low/d.ts', 'index.ts']],
      ['attic/e.ts', ['low/b.ts']],
    ]);
    expect(upward(['low', 'top'], edges)).toEqual([
      'low/b.ts imports top/c.ts, which is above it',
      'low/b.ts imports index.ts, which is above it',
      'attic/e.ts: its folder is not in the table',
    ]);
  });

  test('a cycle is found, through types and re-exports too, and a diamond is none', () => {
    const a = importsOf('a.ts', "import type { B } from './b.ts';\n// import './c.ts'\nexport const a = 1;");
    const b = importsOf('b.ts', "export { c } from './c.ts';\nexport * from './d.ts';");
    const c = importsOf('c.ts', "export const load = () => import('./a.ts');");
    expect([a, b, c]).toEqual([['./b.ts'], ['./c.ts', './d.ts'], ['./a.ts']]);
    const imports = Object.entries({ 'a.ts': a, 'b.ts': b, 'c.ts': c }).flatMap(([file, list]) =>
      list.map((specifier) => ({ from: 'x', file, isNodeEntry: false, specifier })),
    );
    expect(cycles(edgesWithin(imports))).toEqual(['a.ts → b.ts → c.ts → a.ts']);
    expect(cycles(new Map(Object.entries({ a: ['b', 'c'], b: ['d'], c: ['d'], d: [] })))).toEqual([]);
    expect(cycles(new Map([['a', ['a']]]))).toEqual(['a → a']);
  });
});

describe.each([...importsByPackage])('%s', (name, imports) => {
  test('imports what its list allows', () => {
    expect(forbidden(imports)).toEqual([]);
  });

  test('has folders that import lower ones only', () => {
    const root = `packages/${name}/src/`;
    const within = (file: string): string => (file.startsWith(root) ? file.slice(root.length) : file);
    const edges = [...edgesWithin(imports)].map(
      ([file, targets]) => [within(file), targets.map(within)] as const,
    );
    expect(edges.length).toBeGreaterThan(0);
    expect(upward(house[name]?.folders ?? [], new Map(edges))).toEqual([]);
  });

  test('holds no import cycle', () => {
    expect(cycles(edgesWithin(imports))).toEqual([]);
  });

  test('depends in its manifest on the packages of its list, and on no other of this repository', () => {
    const { manifest } = publicPackages.find((each) => each.manifest.name === `@firsthand/${name}`)!;
    const declared = Object.keys(manifest.dependencies ?? {}).flatMap((each) =>
      each.startsWith('@firsthand/') ? [each.replace('@firsthand/', '')] : [],
    );
    expect(declared.toSorted()).toEqual(house[name]?.imports.toSorted());
  });
});

describe('the table', () => {
  test('goes down, and permits nothing that nobody uses', () => {
    const imported = new Map(
      [...importsByPackage].map(([name, imports]) => [
        name,
        new Set(imports.flatMap(({ specifier }) => /^@firsthand\/([^/]+)/.exec(specifier)?.[1] ?? [])),
      ]),
    );
    expect(misplaced(house, imported)).toEqual([]);
    expect(Object.keys(house).toSorted()).toEqual([...importsByPackage.keys()].toSorted());
  });

  test('is the one that the readme shows', () => {
    const rows = [...read('README.md').matchAll(/^\| (\d+) \| \[`@firsthand\/([a-z]+)`\]/gm)];
    expect(Object.fromEntries(rows.map(([, floor, name]) => [name, Number(floor)]))).toEqual(
      Object.fromEntries(Object.entries(house).map(([name, { floor }]) => [name, floor])),
    );
  });
});

describe('nodes', () => {
  const above = [
    ...publicPackages.filter(({ manifest }) => !seesNodes(manifest.name.replace('@firsthand/', ''))),
    ...workspaces('apps'),
  ];

  test('the rule can fail', () => {
    const wrong =
      "import { type Node } from '@firsthand/graph';\nexport const f = (x: Tensor): Node => x.read();\nif (x.node.op === 'leaf') throw x;\n";
    expect(nodeAccess('a.ts', wrong, importsOf('a.ts', wrong))).toEqual([
      expect.stringContaining("'@firsthand/graph' is below autograd"),
      expect.stringContaining('.read() reaches for a node'),
      expect.stringContaining('.node.op reaches for a node'),
    ]);
    const right =
      "import { tensor } from '@firsthand/autograd';\nexport const x = [tensor(1).add(2), process.versions.node, new Set<Node>()];\n";
    expect(nodeAccess('a.ts', right, importsOf('a.ts', right))).toEqual([]);
  });

  test.each(above.map(({ folder }) => folder))('%s has tensors, and touches none', (folder) => {
    const sources = [...filesUnder(`${folder}/src`, '.ts'), ...filesUnder(`${folder}/bench`, '.ts')].map(
      (file) => [file, read(file)] as const,
    );
    const examples = filesUnder(folder, 'README.md')
      .filter((file) => file === `${folder}/README.md`)
      .flatMap((file) =>
        examplesOfMarkdown(file, read(file)).map(({ line, code }) => [`${file}:${line}`, code] as const),
      );
    expect(sources.length).toBeGreaterThan(0);
    expect(
      [...sources, ...examples].flatMap(([file, text]) => nodeAccess(file, text, importsOf('a.ts', text))),
    ).toEqual([]);
  });

  test('an operation and a kernel of one’s own need none', () => {
    const file = 'packages/webgpu/README.md';
    const examples = examplesOfMarkdown(file, read(file)).filter(({ code }) => code.includes('defineKernel'));
    expect(examples.length).toBeGreaterThan(0);
    expect(
      examples.flatMap(({ line, code }) => nodeAccess(`${file}:${line}`, code, importsOf('a.ts', code))),
    ).toEqual([]);
  });
});

describe.each(['packages/conformance', ...workspaces('apps').map(({ folder }) => folder)])(
  '%s, which nobody imports',
  (folder) => {
    test('holds no import cycle', () => {
      const edges = new Map(
        filesUnder(`${folder}/src`, '.ts').map((file) => [
          file,
          importsOf(file, read(file)).flatMap((specifier) =>
            specifier.startsWith('.') ? [posix.join(posix.dirname(file), specifier)] : [],
          ),
        ]),
      );
      expect(edges.size).toBeGreaterThan(0);
      expect(cycles(edges)).toEqual([]);
    });
  },
);
