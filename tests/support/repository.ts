// What the repository's tests know about the repository: its packages, their manifests, their source files
// and what each file imports. Source is read by a real parser (oxc), so that an import in a comment is none
// and a type-only import is one.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

import { parseSync } from 'oxc-parser';

export const root: string = fileURLToPath(new URL('../..', import.meta.url));

/** Where one entry point of a package is found: its source, its built declarations, its built JavaScript. */
export interface Entry {
  readonly '@firsthand/source': string;
  readonly types: string;
  readonly default: string;
}

/** The part of a package.json that the tests look at. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly description?: string;
  readonly license?: string;
  readonly type?: string;
  readonly sideEffects?: boolean;
  readonly files?: readonly string[];
  readonly engines?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, Entry | './package.json'>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** A folder of the workspace with its package.json. */
export interface Workspace {
  readonly folder: string;
  readonly manifest: Manifest;
}

/** The text of a file, named from the root. */
export const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** The workspace folders directly inside `group`, in order of their names. */
export function workspaces(group: 'packages' | 'apps'): Workspace[] {
  return readdirSync(join(root, group))
    .toSorted()
    .map((name) => `${group}/${name}`)
    .filter((folder) => existsSync(join(root, folder, 'package.json')))
    .map((folder) => ({ folder, manifest: JSON.parse(read(`${folder}/package.json`)) as Manifest }));
}

/** The packages that the registry gets. */
export const publicPackages: readonly Workspace[] = workspaces('packages').filter(
  ({ manifest }) => manifest.private !== true,
);

/** The entry points of a package by their subpath, `.` and perhaps `./node`. */
export const entriesOf = ({ exports: map = {} }: Manifest): Readonly<Record<string, Entry>> =>
  Object.fromEntries(
    Object.entries(map).flatMap(([subpath, entry]) =>
      typeof entry === 'string' ? [] : [[subpath, entry] as const],
    ),
  );

/**
 * Every file under a folder (named from the root, as the results are) whose name ends in `ending`; none where
 * the folder does not exist.
 */
export function filesUnder(folder: string, ending: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .filter((path) => !path.includes('node_modules/'))
    .toSorted();
}

/**
 * Every specifier that a file imports or re-exports from, types included, dynamic imports of a plain string
 * too.
 */
export function importsOf(path: string, text: string): string[] {
  const { module, errors } = parseSync(path, text);
  if (errors.length > 0) throw new SyntaxError(`${path}: ${errors.map((error) => error.message).join('; ')}`);
  const reexported = module.staticExports.flatMap(({ entries }) =>
    entries.flatMap(({ moduleRequest }) => moduleRequest?.value ?? []),
  );
  const dynamic = module.dynamicImports.map(
    ({ moduleRequest }) =>
      /^['"](.*)['"]$/.exec(text.slice(moduleRequest.start, moduleRequest.end))?.[1] ?? [],
  );
  return [
    ...new Set([
      ...module.staticImports.map(({ moduleRequest }) => moduleRequest.value),
      ...reexported,
      ...dynamic.flat(),
    ]),
  ];
}

/**
 * The packages of this repository that the examples of a package import besides its own: what it depends on,
 * and what its README says to install beside it.
 */
export const besides = ({ dependencies = {}, devDependencies = {} }: Manifest): string[] =>
  Object.keys({ ...dependencies, ...devDependencies }).filter((name) => name.startsWith('@firsthand/'));
