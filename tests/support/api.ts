// The public declarations of a package as text: what its entry points export, and every declaration that
// those mention, without comments, by file and in order of name. Two versions of the text differ if and only
// if a user's types may; reviewing that difference is reviewing the API.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

import { parseSync } from 'oxc-parser';

/**
 * A top-level declaration of a file. `mentions` are all identifiers in it, which is more than the names that
 * it refers to.
 */
interface Declaration {
  readonly text: string;
  readonly documented: boolean;
  readonly mentions: ReadonlySet<string>;
  readonly importedFiles: readonly string[];
}

/** A name in a file of the package. The name `*` stands for all that the file exports. */
interface Origin {
  readonly file: string;
  readonly name: string;
}

interface DeclarationFile {
  readonly declarations: ReadonlyMap<string, readonly Declaration[]>;
  readonly imports: ReadonlyMap<string, Origin>;
  /** By exported name; a re-export of everything in a file has that file's name as its key. */
  readonly exports: ReadonlyMap<string, Origin>;
  /** The statements that re-export, as they stand. */
  readonly reexports: readonly string[];
}

type Tree = {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
};

const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && 'type' in value && 'start' in value;

/** A node of the syntax tree and all nodes below it. */
const nodesIn = (node: Tree): Tree[] => [node, ...Object.values(node).flat().filter(isTree).flatMap(nodesIn)];

/**
 * The file that a specifier names inside the package: `./a.ts`, `./a.js` and `./a` in `dist/b.d.ts` to `dist/a.d.ts`.
 * Undefined for another package.
 */
function target(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  const file = join(dirname(from), `${specifier.replace(/\.[jt]s$/, '')}.d.ts`);
  if (!existsSync(file))
    throw new Error(`${from} refers to '${specifier}', which is not among the built declarations`);
  return file;
}

function readDeclarations(file: string): DeclarationFile {
  const source = readFileSync(file, 'utf8');
  const { program, comments, module } = parseSync(file, source);
  const textOf = ({ start, end }: { readonly start: number; readonly end: number }): string => {
    const inside = comments.filter((comment) => comment.start >= start && comment.end <= end);
    const starts = [start, ...inside.map((comment) => comment.end)];
    const ends = [...inside.map((comment) => comment.start), end];
    const bare = starts.map((from, index) => source.slice(from, ends[index])).join('');
    return bare.replace(/[ \t]+$/gm, '').replace(/\n{2,}/g, '\n');
  };

  const declarations = new Map<string, Declaration[]>();
  const exported = new Map<string, Origin>();
  const reexports: string[] = [];
  for (const statement of program.body) {
    if (statement.type === 'ImportDeclaration') continue;
    const inner =
      'declaration' in statement && statement.declaration !== null ? statement.declaration : statement;
    const nodes = nodesIn(inner as unknown as Tree);
    const names =
      inner.type === 'VariableDeclaration'
        ? inner.declarations.map(({ id }) => id)
        : 'id' in inner
          ? [inner.id]
          : [];
    if (names.length === 0 && textOf(statement) !== 'export {};') reexports.push(textOf(statement));
    const before = comments.findLast(({ end }) => end <= statement.start);
    const declaration = {
      text: textOf(statement),
      documented:
        before !== undefined &&
        before.value.startsWith('*') &&
        source.slice(before.end, statement.start).trim() === '',
      mentions: new Set(
        nodes.flatMap(({ type, name }) => (type === 'Identifier' && typeof name === 'string' ? name : [])),
      ),
      importedFiles: nodes.flatMap((node) =>
        node.type === 'TSImportType' && isTree(node['source'])
          ? (target(file, String(node['source']['value'])) ?? [])
          : [],
      ),
    };
    for (const id of names) {
      if (id === null || id.type !== 'Identifier')
        throw new Error(`${file}: a declaration of an unknown form: ${declaration.text}`);
      declarations.set(id.name, [...(declarations.get(id.name) ?? []), declaration]);
    }
  }

  const imports = new Map<string, Origin>();
  for (const { moduleRequest, entries } of module.staticImports) {
    const origin = target(file, moduleRequest.value);
    if (origin !== undefined)
      for (const { importName, localName } of entries)
        imports.set(localName.value, { file: origin, name: importName.name ?? '*' });
  }
  for (const { entries } of module.staticExports) {
    for (const { exportName, importName, localName, moduleRequest } of entries) {
      const origin = moduleRequest === null ? file : target(file, moduleRequest.value);
      if (origin === undefined) continue;
      const name = moduleRequest === null ? localName.name : importName.name;
      exported.set(exportName.name ?? origin, { file: origin, name: name ?? '*' });
    }
  }
  return { declarations, imports, exports: exported, reexports };
}

/**
 * The public declarations of a built package.
 * @param dist the folder that holds its declarations
 * @param entries the entry points in it, such as `index.d.ts`
 * @returns the text, and the exported names whose declaration has no docstring
 * @throws Error where a declaration refers to a file that is not there
 */
export function publicDeclarations(
  dist: string,
  entries: readonly string[],
): { text: string; undocumented: string[] } {
  const files = new Map<string, DeclarationFile>();
  const fileAt = (path: string): DeclarationFile => {
    const known = files.get(path) ?? readDeclarations(path);
    files.set(path, known);
    return known;
  };

  const reached = new Map<string, Map<string, string>>();
  const seen = new Set<string>();
  const undocumented: string[] = [];
  const reach = ({ file, name }: Origin, isPublic: boolean): void => {
    const key = `${file} ${name} ${isPublic}`;
    if (seen.has(key)) return;
    seen.add(key);
    const { declarations, imports, exports } = fileAt(file);
    if (name === '*') {
      for (const origin of exports.values()) reach(origin, isPublic);
      return;
    }
    const here = declarations.get(name);
    if (here === undefined) {
      const elsewhere = imports.get(name) ?? exports.get(name);
      const everything = [...exports].flatMap(([exportedAs, origin]) =>
        exportedAs === origin.file && origin.name === '*' ? origin.file : [],
      );
      if (elsewhere !== undefined) reach(elsewhere, isPublic);
      else
        for (const each of everything)
          if (fileAt(each).exports.has(name)) reach({ file: each, name }, isPublic);
      return;
    }
    if (isPublic && !here.some(({ documented }) => documented))
      undocumented.push(`${relative(dist, file)}: ${name}`);
    const declared = reached.get(file) ?? new Map<string, string>();
    reached.set(file, declared.set(name, here.map(({ text }) => text).join('\n')));
    for (const { mentions, importedFiles } of here) {
      for (const mention of mentions)
        if (mention !== name && (declarations.has(mention) || imports.has(mention)))
          reach({ file, name: mention }, false);
      for (const each of importedFiles) reach({ file: each, name: '*' }, false);
    }
  };

  for (const entry of entries) reach({ file: join(dist, entry), name: '*' }, true);
  const sections = [...reached]
    .map(([file, declared]) => [relative(dist, file).replaceAll('\\', '/'), declared] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([file, declared]) => {
      const texts = [...declared].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text);
      return `// ${file}\n${[...new Set(texts)].join('\n')}\n`;
    });
  const exported = entries.flatMap((entry) => {
    const { reexports } = fileAt(join(dist, entry));
    return reexports.length === 0 ? [] : `// exported by ${entry}\n${reexports.toSorted().join('\n')}\n`;
  });
  return { text: [...exported, ...sections].join('\n'), undocumented: undocumented.toSorted() };
}
