// Each package's public declarations are what its committed api.txt says. A change that is meant is written
// by `npm run api:update`, and reviewed as the difference of that file. Every exported name has a docstring.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { publicDeclarations } from '../support/api.ts';
import { entriesOf, publicPackages, root } from '../support/repository.ts';

test('the snapshot holds what users can see, and nothing else', () => {
  const dist = join(mkdtempSync(join(tmpdir(), 'firsthand-api-')), 'dist');
  mkdirSync(dist);
  const files = {
    'index.d.ts':
      "/** The index. */\nexport { f } from './f.ts';\nexport * from './g.ts';\nexport * as space from './h.ts';\nexport type { Far } from 'far';\n",
    'f.d.ts':
      "import type { Shape } from './shape.ts';\n/** Adds. */\nexport declare function f(a: Shape/* no */): Box;\nexport declare function f(a: number): Box;\ninterface Box {\n    /** A side. */\n    a: 1;\n\n    b: 2;\n}\nexport declare const hidden: 1;\n",
    'g.d.ts': 'export declare const y: 1, z: 2;\n',
    'h.d.ts': "/** One. */\nexport declare const one: import('./i.ts').I;\n",
    'node.d.ts': "import { f } from './f.ts';\n/** Reads. */\nexport declare const read: typeof f;\n",
    'i.d.ts': 'export type I = 1;\n',
    'shape.d.ts':
      'export type Shape = readonly Size[];\nexport type Size = number;\nexport type Unused = 1;\n',
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dist, name), text);
  expect(publicDeclarations(dist, ['index.d.ts', 'node.d.ts'])).toEqual({
    text: `// exported by index.d.ts
export * as space from './h.ts';
export * from './g.ts';
export type { Far } from 'far';
export { f } from './f.ts';

// f.d.ts
interface Box {
    a: 1;
    b: 2;
}
export declare function f(a: Shape): Box;
export declare function f(a: number): Box;

// g.d.ts
export declare const y: 1, z: 2;

// h.d.ts
export declare const one: import('./i.ts').I;

// i.d.ts
export type I = 1;

// node.d.ts
export declare const read: typeof f;

// shape.d.ts
export type Shape = readonly Size[];
export type Size = number;
`,
    undocumented: ['g.d.ts: y', 'g.d.ts: z'],
  });
  writeFileSync(join(dist, 'f.d.ts'), "export { f } from './lost.ts';\n");
  expect(() => publicDeclarations(dist, ['index.d.ts'])).toThrow(
    "'./lost.ts', which is not among the built declarations",
  );
  rmSync(join(dist, '..'), { recursive: true });
});

describe.each(publicPackages.map(({ folder, manifest }) => ({ folder, manifest, name: manifest.name })))(
  '$name',
  ({ folder, manifest }) => {
    const entries = Object.values(entriesOf(manifest)).map(({ types }) => types.replace('./dist/', ''));

    test('declares what its api.txt says, and every name that it exports has a docstring', async () => {
      const { text, undocumented } = publicDeclarations(join(root, folder, 'dist'), entries);
      await expect(text).toMatchFileSnapshot(join(root, folder, 'api.txt'));
      expect(undocumented).toEqual([]);
    });
  },
);
