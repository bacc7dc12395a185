// Two questions about who imports whom, answered on plain data, so that the tests can ask them of this
// repository and of made-up ones that break the rules.

/** The house: each package's floor. An import goes to a lower floor, never to its own or above. */
export const floors: Readonly<Record<string, number>> = {
  linalg: 0,
  graph: 1,
  runtime: 2,
  autograd: 3,
  compiler: 3,
  wasm: 4,
  webgpu: 4,
  nn: 4,
  optim: 4,
  data: 4,
  train: 5,
  inspect: 6,
  transformer: 6,
  firsthand: 7,
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
 * The imports that a package may not make: of its own floor or above, past another package's entry points, of
 * Node outside its own `./node` entry point (all else must run in a web page), or of anything else.
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
    if (target === undefined) return refused("is not this package's own, a floor below's, or Node's");
    const [own, other] = [floors[from], floors[target]];
    if (own === undefined || other === undefined)
      return refused(`: ${own === undefined ? from : target} has no floor in the table`);
    return other < own ? [] : refused(`goes from ${from} (floor ${own}) to ${target} (floor ${other})`);
  });
}

/** The packages that see nodes. What others need of the graph, autograd gives them as tensors. */
export const seesNodes: ReadonlySet<string> = new Set([
  'linalg',
  'graph',
  'runtime',
  'autograd',
  'compiler',
  'wasm',
  'webgpu',
]);

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
    ...text.matchAll(/\.(?:read\(\)|owned\(\)|node\.(?:op|stored|inputs|attrs|owner|requiresGrad)\b)/g),
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
