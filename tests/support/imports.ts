// Questions about who imports whom, answered on plain data, so that the tests can ask them of this repository
// and of made-up ones that break the rules.

/** The place of one package in the house. */
export interface Place {
  /** Imports go to lower floors only. */
  readonly floor: number;
  /** The packages that it imports: each of them, and no other. */
  readonly imports: readonly string[];
  /**
   * The folders of its `src`, from bottom to top: files of one import files of it and of those before it. The
   * root has the entry points: it imports any folder, and no folder imports it.
   */
  readonly folders?: readonly string[];
}

/** The house: what each package may import, and the order of its folders. */
export const house: Readonly<Record<string, Place>> = {
  linalg: { floor: 0, imports: [] },
  graph: { floor: 1, imports: ['linalg'], folders: ['ir', 'operations', 'composites', 'reference'] },
  runtime: { floor: 2, imports: ['linalg', 'graph'] },
  autograd: { floor: 3, imports: ['linalg', 'graph', 'runtime'] },
  compiler: {
    floor: 3,
    imports: ['linalg', 'graph', 'runtime'],
    folders: ['support', 'ir', 'report', 'simplify', 'schedule', 'lower', 'plan', 'interpreter'],
  },
  wasm: {
    floor: 4,
    imports: ['linalg', 'graph', 'runtime', 'compiler'],
    folders: [
      'assembler',
      'engine',
      'math',
      'scalar',
      'memory',
      'threads',
      'kernels',
      'matmul',
      'attention',
      'profile',
      'runtime',
    ],
  },
  webgpu: {
    floor: 4,
    imports: ['linalg', 'graph', 'runtime', 'compiler'],
    folders: ['scalar', 'emit', 'matmul', 'kernels', 'runtime'],
  },
  nn: { floor: 4, imports: ['linalg', 'autograd'] },
  optim: { floor: 4, imports: ['linalg', 'autograd'] },
  data: { floor: 4, imports: ['linalg'] },
  train: { floor: 5, imports: ['linalg', 'autograd', 'nn', 'optim', 'data'] },
};

/**
 * One import statement: the package that holds it, the file, whether that file is a package's `./node` entry
 * point, and the specifier.
 */
export interface Import {
  readonly from: string;
  readonly file: string;
  readonly isNodeEntry: boolean;
  readonly specifier: string;
}

/**
 * The imports that a package may not make: of a package that is not on its list, past another package's entry
 * points, of Node outside its own `./node` entry point (all else must run in a web page), or of anything else.
 * @returns one line for each, empty where all is well
 */
export function forbidden(imports: readonly Import[]): string[] {
  return imports.flatMap(({ from, file, isNodeEntry, specifier }) => {
    const refused = (reason: string): string[] => [`${file}: '${specifier}' ${reason}`];
    if (specifier.startsWith('./') || specifier.startsWith('../'))
      return specifier.endsWith('.ts') ? [] : refused('does not end in .ts');
    const [, target, subpath] = /^@firsthand\/([^/]+)(\/node)?$/.exec(specifier) ?? [];
    const needsNode = specifier.startsWith('node:') || subpath !== undefined;
    if (needsNode && !isNodeEntry) return refused(`needs Node: only the ./node entry point of ${from} may`);
    if (specifier.startsWith('node:')) return [];
    if (target === undefined) return refused('is neither of this repository nor of Node');
    const allowed = house[from]?.imports;
    if (allowed === undefined) return refused(`: ${from} has no place in the table`);
    return allowed.includes(target)
      ? []
      : refused(`: ${from} imports ${allowed.join(', ') || 'nothing'} only`);
  });
}

/**
 * Where the table itself is wrong: a list that goes to its own floor or above, or names a package that is none
 * or that nobody imports.
 * @param imported the packages that each package imports
 * @returns one line for each, empty where all is well
 */
export function misplaced(
  table: Readonly<Record<string, Place>>,
  imported: ReadonlyMap<string, ReadonlySet<string>>,
): string[] {
  return Object.entries(table).flatMap(([name, { floor, imports }]) =>
    imports.flatMap((target) => {
      const below = table[target]?.floor;
      if (below === undefined) return [`${name} lists ${target}, which has no place in the table`];
      if (below >= floor) return [`${name} (floor ${floor}) lists ${target} (floor ${below})`];
      return imported.get(name)?.has(target) === true
        ? []
        : [`${name} lists ${target} and does not import it`];
    }),
  );
}

/**
 * The imports within a package that go up: from a folder to one above it, or to the root.
 * @param folders from bottom to top
 * @param edges each file with the files that it imports, all relative to the package's `src`
 * @returns one line for each, empty where all is well
 */
export function upward(folders: readonly string[], edges: ReadonlyMap<string, readonly string[]>): string[] {
  const heightOf = (file: string): number => {
    const end = file.indexOf('/');
    return end < 0 ? folders.length : folders.indexOf(file.slice(0, end));
  };
  return [...edges].flatMap(([file, targets]) => {
    const height = heightOf(file);
    if (height < 0) return [`${file}: its folder is not in the table`];
    return targets
      .filter((target) => heightOf(target) > height)
      .map((target) => `${file} imports ${target}, which is above it`);
  });
}

/** Whether a package sees nodes. What the others need of the graph, autograd gives them as tensors. */
export const seesNodes = (name: string): boolean =>
  name === 'linalg' || name === 'graph' || house[name]?.imports.includes('graph') === true;

/**
 * What a file above autograd may not do: import from the graph, or reach for a tensor's node.
 * @param specifiers what the file imports
 * @returns one line for each, empty where all is well
 */
export function nodeAccess(file: string, text: string, specifiers: readonly string[]): string[] {
  const imported = specifiers.filter((specifier) =>
    /^@firsthand\/(graph|runtime|compiler)(\/|$)/.test(specifier),
  );
  const reached = [
    ...text.matchAll(/\.(?:read\(\)|owned\(\)|node\.(?:op|stored|inputs|attrs|variable|requiresGrad)\b)/g),
  ].map(([access]) => access);
  return [
    ...imported.map(
      (specifier) => `${file}: '${specifier}' is below autograd, which gives tensors for what it holds`,
    ),
    ...reached.map((access) => `${file}: ${access} reaches for a node; use or add a function of autograd`),
  ];
}

/**
 * Cycles in a graph of imports, by depth-first search: an edge to a file that is still being visited closes
 * one.
 * @param edges each file with the files that it imports
 * @returns each cycle found as `a → b → a`; empty if and only if there is none
 */
export function cycles(edges: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const finished = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    const start = path.indexOf(file);
    if (start >= 0) found.push([...path.slice(start), file].join(' → '));
    if (start >= 0 || finished.has(file)) return;
    path.push(file);
    for (const next of edges.get(file) ?? []) visit(next);
    path.pop();
    finished.add(file);
  };
  for (const file of edges.keys()) visit(file);
  return found;
}
