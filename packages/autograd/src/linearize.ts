/**
 * The first step of every derivative of a function: its value at copies of the arguments that require
 * gradients, and the gradients of that value with respect to the copies. For modules among the arguments,
 * copies are substituted for the parameters.
 */
import {
  add,
  constant,
  describe,
  identity,
  isFloat,
  isGradientEnabled,
  operandOf,
  tracked,
  withGradient,
} from '@firsthand/graph';
import type { Node } from '@firsthand/graph';
import {
  checkOptions,
  describeValue,
  DTypeError,
  OptionError,
  type OptionKeys,
  ShapeError,
} from '@firsthand/linalg';
import { gradient, hasOrigin, transforming } from './gradient.ts';
import { withoutStatistics } from './statistics.ts';
import { substituteNodes } from './node-substitution.ts';
import { placedOn } from './stored.ts';
import { Tensor } from './tensor.ts';
import { derivativeOf, mapTree, type TreeVariable, variablesOf, withVariables } from './tree.ts';

/** Numbers of arguments; negative ones count from the last. */
export type Argnums = number | readonly number[];

/** Which arguments a function is differentiated with respect to: the first, if not given. */
export interface ArgnumsOptions<N extends Argnums = Argnums> {
  readonly argnums?: N | undefined;
}

/** Options of derivatives of functions. */
export interface TransformOptions<
  N extends Argnums = Argnums,
  H extends boolean = boolean,
> extends ArgnumsOptions<N> {
  /** Whether the function gives `[value, auxiliary]`, of which only the value is differentiated. */
  readonly hasAux?: H | undefined;
}

const TRANSFORM_KEYS: OptionKeys<TransformOptions> = { argnums: true, hasAux: true };

/** The options; a number or an array is short for `{ argnums }`. @throws OptionError for an unknown key */
export function transformOptions(
  operation: string,
  options: Argnums | TransformOptions | undefined,
): TransformOptions {
  if (typeof options === 'number' || Array.isArray(options)) return { argnums: options as Argnums };
  return checkOptions(operation, options as TransformOptions, TRANSFORM_KEYS);
}

/** The positions of `argnums`. @throws OptionError for one that does not exist, or that occurs twice */
function positionsOf(operation: string, argnums: Argnums, count: number): readonly number[] {
  const list: readonly number[] = typeof argnums === 'number' ? [argnums] : argnums;
  const positions = list.map((number) => {
    const position = number < 0 ? number + count : number;
    if (Number.isInteger(number) && position >= 0 && position < count) return position;
    throw new OptionError({
      operation,
      problem: `there is no argument ${number}: the function was called with ${count}`,
      expected: count === 0 ? 'a call with arguments' : `argnums from ${-count} to ${count - 1}`,
    });
  });
  if (positions.length === 0 || new Set(positions).size < positions.length) {
    throw new OptionError({
      operation,
      problem: `argnums are [${list.join(', ')}]`,
      expected: 'one or more arguments, each once',
    });
  }
  return positions;
}

/** @throws OptionError for what is no function; of a tensor, it names `gradients` */
export function requireFunction(operation: string, f: unknown): void {
  if (typeof f === 'function') return;
  const isTensor = f instanceof Tensor;
  throw new OptionError({
    operation,
    problem: `${isTensor ? 'a tensor' : describeValue(f)} where a function is wanted`,
    expected: 'a function',
    remedy: isTensor
      ? 'write gradients(u, [x, t]) for the gradients of a tensor'
      : `write ${operation}((x) => …)`,
  });
}

/** A function's value, and the copies with respect to which it can be differentiated. */
export interface Linearized {
  readonly value: unknown;
  readonly variables: readonly TreeVariable[];
  /** The copies of the variables. */
  readonly inputs: readonly Node[];
  /** The derivative's structure, made of a part for each variable. */
  structure(parts: readonly unknown[]): unknown;
}

/**
 * Runs `f` on copies of the variables of the named arguments.
 * @param beside a structure for each named argument, whose parts are given with the variables
 * @throws DTypeError for an argument without a floating-point tensor, or with a tensor of another dtype
 */
export function linearize(
  operation: string,
  f: (...args: never[]) => unknown,
  args: readonly unknown[],
  argnums: Argnums,
  beside: readonly unknown[] = [],
): Linearized {
  requireFunction(operation, f);
  const positions = positionsOf(operation, argnums, args.length);
  const groups = positions.map((position, index) => {
    const variables = variablesOf(args[position], beside[index]);
    requireDifferentiable(operation, position, args[position], variables);
    return variables;
  });
  return withGradient(true, () =>
    withoutStatistics(() => {
      const parameters = new Map<Tensor, Node>();
      const copies = groups.map((group) =>
        group.map(({ tensor, isParameter }) => {
          const copy = (isParameter ? parameters.get(tensor) : undefined) ?? tracked(tensor.read());
          if (isParameter) parameters.set(tensor, copy);
          return copy;
        }),
      );
      const replaced = args.map((arg, position) => {
        const index = positions.indexOf(position);
        return index < 0
          ? arg
          : withVariables(
              arg,
              copies[index]!.map((copy) => new Tensor(copy)),
            );
      });
      const value: unknown = transforming(() =>
        substituteNodes(parameters, () => (f as (...all: unknown[]) => unknown)(...replaced)),
      );
      refuseAsynchronous(operation, value);
      const structure = (parts: readonly unknown[]): unknown => {
        let start = 0;
        const each = positions.map((position, index) => {
          const end = start + groups[index]!.length;
          const part = derivativeOf(args[position], parts.slice(start, end));
          start = end;
          return part;
        });
        return typeof argnums === 'number' ? each[0] : each;
      };
      return { value, variables: groups.flat(), inputs: copies.flat(), structure };
    }),
  );
}

function requireDifferentiable(
  operation: string,
  position: number,
  arg: unknown,
  variables: readonly TreeVariable[],
): void {
  if (variables.length === 0) {
    throw new DTypeError({
      operation,
      problem: `argument ${position} is ${describeValue(arg)}, without a tensor to differentiate with respect to`,
      expected: 'a tensor to differentiate with respect to',
      remedy:
        typeof arg === 'number'
          ? `pass tensor(${arg})`
          : 'pass a tensor, or tensors in arrays, objects and maps, or choose another with argnums',
    });
  }
  const wrong = variables.find(({ tensor }) => !isFloat(tensor.dtype));
  if (wrong === undefined) return;
  throw new DTypeError({
    operation,
    problem: `argument ${position}${wrong.path === '' ? '' : `, ${wrong.path},`} is ${describe(wrong.tensor.node)}, which has no derivative`,
    operands: [operandOf(wrong.tensor.node)],
    expected: 'float32',
    remedy: "use cast('float32'), or pass it as another argument",
  });
}

/** @throws GradientError for a promise: the function's values would come too late */
export function refuseAsynchronous(operation: string, value: unknown): void {
  if (!(value instanceof Promise)) return;
  value.catch(() => {});
  throw new DTypeError({
    operation,
    problem: 'the function is asynchronous',
    expected: 'a value of tensors',
    remedy: 'build its value of tensors and return it; await values outside',
  });
}

/** The node of a function's result. @throws DTypeError unless it is a tensor */
export function resultNode(operation: string, value: unknown, path = ''): Node {
  if (value instanceof Tensor) return value.read();
  const returned = `the function returned ${describeValue(value)}${path === '' ? '' : ` in ${path}`}`;
  throw new DTypeError({
    operation,
    problem: returned,
    expected: 'a tensor',
    remedy:
      value === undefined
        ? 'add a return statement'
        : typeof value === 'number'
          ? 'return the tensor itself, not its value'
          : 'return a tensor',
  });
}

/**
 * The nodes of the tensors in a function's result, in order. @throws DTypeError if something else is in it,
 * but for null in a structure
 */
export function resultNodes(operation: string, value: unknown): Node[] {
  const nodes: Node[] = [];
  mapTree(value, (leaf, path) => {
    if (leaf !== null || path === '') nodes.push(resultNode(operation, leaf, path));
  });
  return nodes;
}

/** The result with another tensor in place of each. */
export function withResults(value: unknown, nodes: readonly Node[]): unknown {
  let next = 0;
  return mapTree(value, (leaf) => (leaf instanceof Tensor ? new Tensor(nodes[next++]!) : leaf));
}

/** `[value, auxiliary]` of a function with `hasAux`. @throws DTypeError if it is something else */
export function splitAux(operation: string, result: unknown): readonly [unknown, unknown] {
  if (Array.isArray(result) && result.length === 2) return [result[0], result[1]];
  throw new DTypeError({
    operation,
    problem: `with hasAux, the function returned ${describeValue(result)}`,
    expected: 'an array [value, auxiliary]',
  });
}

/**
 * Whether these values depend on more than the copies: if nothing outside requires a gradient, the results of
 * a transform get no history, and keep no graph alive.
 */
export function hasHistory(nodes: readonly Node[], inputs: readonly Node[]): boolean {
  return isGradientEnabled() && hasOrigin(nodes, new Set(inputs));
}

/** The values as results of a transform: without history, if there is none outside. */
export function released(nodes: readonly Node[], history: boolean): readonly Node[] {
  return history
    ? nodes
    : nodes.map((node) => (node.requiresGrad ? withGradient(false, () => identity(node)) : node));
}

/**
 * Gradients with respect to the inputs of Σ seed·value over several values; zeros for inputs that no value
 * depends on.
 */
export function pullBack(
  values: readonly Node[],
  seeds: readonly (Node | null)[],
  inputs: readonly Node[],
  history = true,
): readonly Node[] {
  return withGradient(history, () => {
    const totals: (Node | undefined)[] = inputs.map(() => undefined);
    values.forEach((value, number) => {
      const seed = seeds[number] ?? null;
      if (seed === null) return;
      const gradients = gradient(value, seed, inputs);
      inputs.forEach((input, index) => {
        const found = gradients.get(input);
        const total = totals[index];
        if (found !== undefined) totals[index] = total === undefined ? found : add(total, found);
      });
    });
    return totals.map((total, index) => {
      const { shape, dtype, device } = inputs[index]!;
      return placedOn(total ?? constant(0, shape, dtype), device);
    });
  });
}

/** The node of a scalar function's value. @throws ShapeError, DTypeError naming the remedy */
export function scalarNode(operation: string, value: unknown): Node {
  const node = resultNode(operation, value);
  if (node.shape.some((extent) => extent !== 1)) {
    throw new ShapeError({
      operation,
      problem: `the function returned ${describe(node)}, which has several elements`,
      operands: [operandOf(node)],
      expected: 'one element',
      remedy: 'reduce them with sum() or mean(), or use jacobian for the derivative of each',
    });
  }
  if (isFloat(node.dtype)) return node;
  throw new DTypeError({
    operation,
    problem: `the function returned ${describe(node)}, which has no derivative`,
    operands: [operandOf(node)],
    expected: 'a floating-point value',
    remedy: "return a floating-point value: argmax, comparisons and cast('int32') cut gradients",
  });
}
