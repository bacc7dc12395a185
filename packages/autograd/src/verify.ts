/**
 * Verification of a compiled function. Guards cannot see JavaScript variables that it has captured: tracing
 * it once more and comparing the two traces finds those that have changed since, and names the difference.
 */
import { describe, type Node, postOrder, titleOf } from '@firsthand/graph';
import { type Handle } from '@firsthand/runtime';
import { FirsthandError, type TypedArray } from '@firsthand/linalg';
import { isPlain } from './guards.ts';
import type { TracedGraph, Plan } from './plan.ts';
import { Result } from './structure.ts';
import { Tensor } from './tensor.ts';

/**
 * A compiled function would give another result than the plain one: a variable that it has captured has
 * changed since it was traced.
 */
export class CaptureError extends FirsthandError {
  override readonly name: string = 'CaptureError';
  /** The differences to the time when the function was traced, in words. */
  readonly differences: readonly string[];

  constructor(differences: readonly string[]) {
    super({
      operation: 'compile',
      problem: `the function is not what it was when it was traced: ${differences.join('; ')}`,
      expected: 'the function that was traced',
      remedy:
        'a captured variable has changed, which compile does not follow: pass it as an argument, keep it in a field of a module, or read it with guard(object, key)',
    });
    this.differences = differences;
  }
}

/** @throws CaptureError if a second trace of the function differs from the one of `plan` */
export function requireSamePlan(plan: Plan, again: Plan): void {
  const differences =
    plan.graph === again.graph ? otherNumbers(plan, again) : otherGraph(plan.graph, again.graph);
  if (differences.length === 0 && !sameResult(plan.value, again.value))
    differences.push('it returns other values that are no tensors');
  if (differences.length > 0) throw new CaptureError(differences);
}

function nodesOf({ rebindings, roots }: TracedGraph): readonly Node[] {
  return postOrder(
    [...rebindings.map(({ value }) => value), ...roots.map(({ node }) => node)],
    ({ inputs }) => inputs,
  );
}

/** The first operation that reads a constant, but for movements. */
function readerOf(constant: Node, nodes: readonly Node[]): string {
  const moved = new Set([constant]);
  for (const node of nodes) {
    if (!node.inputs.some((input) => moved.has(input))) continue;
    if (node.op !== 'movement') return `${titleOf(node)} (${describe(node)})`;
    moved.add(node);
  }
  return describe(constant);
}

function otherNumbers({ graph, values, data }: Plan, again: Plan): string[] {
  const nodes = nodesOf(graph);
  const numbers = values.flatMap((value, index) =>
    Object.is(value, again.values[index]) || !nodes.includes(graph.constants[index]!)
      ? []
      : [`the number ${value} in ${readerOf(graph.constants[index]!, nodes)} is ${again.values[index]} now`],
  );
  const arrays = data.flatMap(({ elements }, index) =>
    sameElements(elements, again.data[index]!.elements)
      ? []
      : [`the data of a tensor, ${describe(graph.data[index]!)}, are others now`],
  );
  return [...numbers, ...arrays];
}

function sameElements(a: TypedArray | null, b: TypedArray | null): boolean {
  return (
    a === null ||
    b === null ||
    (a.length === b.length && a.every((value, index) => Object.is(value, b[index])))
  );
}

const nameOf = (handle: Handle | undefined): string =>
  handle === undefined ? 'none' : describe(handle.node);

function otherGraph(graph: TracedGraph, again: TracedGraph): string[] {
  const length = Math.max(graph.handles.length, again.handles.length);
  for (let index = 0; index < length; index++) {
    const [before, now] = [graph.handles[index]?.handle, again.handles[index]?.handle];
    if (before !== now) return [`where it read the variable ${nameOf(before)}, it reads ${nameOf(now)} now`];
  }
  const [before, now] = [nodesOf(graph), nodesOf(again)];
  const position = before.findIndex((node, index) => node !== now[index]);
  const [first, second] = [before[position], now[position < 0 ? before.length : position]];
  if (first === undefined && second === undefined) return ['it assigns or returns other tensors'];
  const title = (node: Node | undefined): string =>
    node === undefined ? 'nothing more' : `${titleOf(node)} (${describe(node)})`;
  return [`where it built ${title(first)}, it builds ${title(second)} now`];
}

/** Whether two results are equal, but for the values of outputs; objects of a class may be new ones. */
function sameResult(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (a instanceof Result && b instanceof Result) return a.kind === b.kind && a.index === b.index;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null)
    return typeof a === 'function' && typeof b === 'function';
  if (a instanceof Result || b instanceof Result || a instanceof Tensor || b instanceof Tensor) return false;
  const isList = (
    value: object,
  ): value is readonly unknown[] | ReadonlyMap<unknown, unknown> | ReadonlySet<unknown> =>
    Array.isArray(value) || value instanceof Map || value instanceof Set;
  if (isList(a) && isList(b)) return sameList([...a], [...b]);
  if (isPlain(a) && isPlain(b)) return sameList(Object.entries(a).flat(1), Object.entries(b).flat(1));
  return Object.getPrototypeOf(a) === Object.getPrototypeOf(b);
}

const sameList = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((each, index) => sameResult(each, b[index]));
