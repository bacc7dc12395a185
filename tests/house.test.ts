// The house stands: imports between packages go down only, no package holds a cycle, and a package's manifest
// names what it imports. Each rule is first shown to fail on a made-up repository that breaks it.
import { posix } from 'node:path';

import { describe, expect, test } from 'vitest';

import { examplesOfMarkdown } from './support/examples.ts';
import { cycles, floors, forbidden, type Import, nodeAccess, seesNodes } from './support/imports.ts';
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
    ['linalg', '@firsthand/graph', 'from linalg (floor 0) to graph (floor 1)'],
    ['nn', '@firsthand/optim', 'from nn (floor 4) to optim (floor 4)'],
    ['graph', '@firsthand/graph', 'from graph (floor 1) to graph (floor 1)'],
    ['graph', '@firsthand/linalg/src/shape.ts', "is not this package's own"],
    ['graph', 'lodash', "is not this package's own"],
    ['graph', 'fs', "is not this package's own"],
    ['graph', 'node:fs', 'only the ./node entry point of graph may'],
    ['train', '@firsthand/data/node', 'only the ./node entry point of train may'],
    ['graph', './node', 'does not end in .ts'],
    ['attic', '@firsthand/linalg', 'attic has no floor'],
  ];
  test.each(wrong)('%s may not import %s', (from, specifier, reason) => {
    expect(forbidden([{ from, file: 'a.ts', isNodeEntry: false, specifier }])).toEqual([
      expect.stringContaining(reason),
    ]);
  });

  test('a floor below, a file beside and, in an entry point for Node, Node are allowed', () => {
    const right = ['@firsthand/data', '@firsthand/data/node', './fit.ts', 'node:fs'].map((specifier) => ({
      from: 'train',
      file: 'node.ts',
      isNodeEntry: true,
      specifier,
    }));
    expect(forbidden(right)).toEqual([]);
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
  test('has a floor, and imports what is below it', () => {
    expect(floors[name]).toBeTypeOf('number');
    expect(forbidden(imports)).toEqual([]);
  });

  test('holds no import cycle', () => {
    expect(cycles(edgesWithin(imports))).toEqual([]);
  });

  test('names every package that it imports in its manifest', () => {
    const imported = [
      ...new Set(
        imports
          .map(({ specifier }) => specifier)
          .filter((specifier) => specifier.startsWith('@firsthand/'))
          .map((specifier) => specifier.replace(/\/node$/, '')),
      ),
    ];
    const declared = Object.keys(
      publicPackages.find(({ manifest }) => manifest.name === `@firsthand/${name}`)?.manifest.dependencies ??
        {},
    );
    expect(declared).toEqual(expect.arrayContaining(imported));
  });
});

describe('nodes', () => {
  const above = [
    ...publicPackages.filter(({ manifest }) => !seesNodes.has(manifest.name.replace('@firsthand/', ''))),
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
