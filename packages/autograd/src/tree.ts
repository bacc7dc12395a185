/**
 * Nested structures of tensors ("pytrees"): arrays, plain objects and maps hold parts, everything else is a
 * leaf. The variables of a structure are its tensors, and of a module in it the parameters that are not
 * frozen; a derivative has the structure of what it is taken with respect to.
 */
import { isPlain } from './guards.ts';
import { Tensor } from './tensor.ts';

/** An object that is differentiated with respect to its parameters: a module of nn. */
export interface ParameterOwner {
  namedParameters(): ReadonlyMap<string, Tensor>;
}

/**
 * The structure of a derivative with respect to `T`: a tensor for each tensor, a map by path for each module,
 * and null for values that have no derivative (numbers, strings, functions).
 */
export type TensorsOf<T> = T extends Tensor
  ? Tensor
  : T extends ParameterOwner
    ? Map<string, Tensor>
    : T extends ReadonlyMap<infer K, infer V>
      ? Map<K, TensorsOf<V>>
      : T extends ((...args: never[]) => unknown) | ArrayBufferView
        ? null
        : T extends object
          ? { -readonly [K in keyof T]: TensorsOf<T[K]> }
          : null;

function isParameterOwner(value: unknown): value is ParameterOwner {
  return (
    typeof value === 'object' &&
    value !== null &&
    'namedParameters' in value &&
    typeof value.namedParameters === 'function'
  );
}

/**
 * The same structure with its leaves replaced. A leaf's path is made of the keys that lead to it,
 * `layers.0.weight`.
 * @param beside another structure, whose leaves are passed with the leaves of the same path; a leaf of it is
 *   passed with all leaves below its path
 */
export function mapTree(
  tree: unknown,
  replace: (leaf: unknown, path: string, beside: unknown) => unknown,
  beside?: unknown,
  path = '',
): unknown {
  const below = (part: unknown, key: unknown): unknown =>
    mapTree(
      part,
      replace,
      isNode(beside) ? partOf(beside, key) : beside,
      path === '' ? String(key) : `${path}.${String(key)}`,
    );
  if (Array.isArray(tree)) return tree.map(below);
  if (tree instanceof Map) return new Map([...tree].map(([key, part]) => [key as unknown, below(part, key)]));
  if (isPlain(tree))
    return Object.fromEntries(Object.entries(tree).map(([key, part]) => [key, below(part, key)]));
  return replace(tree, path, beside);
}

const isNode = (tree: unknown): tree is object => Array.isArray(tree) || tree instanceof Map || isPlain(tree);

function partOf(tree: object, key: unknown): unknown {
  if (tree instanceof Map) return tree.get(key);
  return Object.hasOwn(tree, key as PropertyKey) ? Reflect.get(tree, key as PropertyKey) : undefined;
}

/** The tensors of a structure, in order, without those of modules. */
export function tensorsOf(tree: unknown): Tensor[] {
  const found: Tensor[] = [];
  mapTree(tree, (leaf) => (leaf instanceof Tensor ? found.push(leaf) : 0));
  return found;
}

/** A variable of a derivative. */
export interface TreeVariable {
  readonly tensor: Tensor;
  readonly path: string;
  /** Whether it belongs to a module, which is not rebuilt: nodes are substituted for its parameters. */
  readonly isParameter: boolean;
  readonly beside: unknown;
}

/** The parameters of a module that are not frozen. */
const trainable = (module: ParameterOwner): [string, Tensor][] =>
  [...module.namedParameters()].filter(([, parameter]) => parameter.requiresGrad);

/** The variables of a structure, in order, each with the leaf of `beside` at its path. */
export function variablesOf(tree: unknown, beside?: unknown): TreeVariable[] {
  const found: TreeVariable[] = [];
  mapTree(
    tree,
    (leaf, path, other) => {
      if (leaf instanceof Tensor) found.push({ tensor: leaf, path, isParameter: false, beside: other });
      if (!isParameterOwner(leaf)) return;
      for (const [name, tensor] of trainable(leaf)) {
        const part = isNode(other) ? partOf(other, name) : other;
        found.push({ tensor, path: path === '' ? name : `${path}.${name}`, isParameter: true, beside: part });
      }
    },
    beside,
  );
  return found;
}

/**
 * The structure with `parts`, one for each variable, in place of the tensors. Modules and other leaves stay.
 */
export function withVariables(tree: unknown, parts: readonly unknown[]): unknown {
  let next = 0;
  return mapTree(tree, (leaf) => {
    if (leaf instanceof Tensor) return parts[next++];
    if (isParameterOwner(leaf)) next += trainable(leaf).length;
    return leaf;
  });
}

/**
 * The structure of a derivative: `parts`, one for each variable, a map by path for a module, and null for
 * other leaves.
 */
export function derivativeOf(tree: unknown, parts: readonly unknown[]): unknown {
  let next = 0;
  return mapTree(tree, (leaf) => {
    if (leaf instanceof Tensor) return parts[next++];
    if (!isParameterOwner(leaf)) return null;
    return new Map(trainable(leaf).map(([name]) => [name, parts[next++]]));
  });
}
