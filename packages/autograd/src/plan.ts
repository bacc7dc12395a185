/**
 * Plans. A trace gives a **traced graph**: the nodes, the source of each argument of its program and the
 * target of each output. A **plan** is a traced graph with the facts of one trace: its numbers, its guards,
 * the structure of its result. Traces that differ in numbers only share a traced graph and its programs.
 */
import type { ErrorFacts } from '@firsthand/linalg';
import { DeviceError, leaf, postOrder, Recorder, sameList } from '@firsthand/graph';
import { getDefaultDevice, bufferOf, deviceOf } from '@firsthand/runtime';
import type { ConstantNode, TraceTree, HostValue, Leaf, Node, TypedArray } from '@firsthand/graph';
import type { BufferReference, Device, Executable, Handle } from '@firsthand/runtime';
import type { Guards } from './guards.ts';
import { rebuild, Result } from './structure.ts';
import { Tensor } from './tensor.ts';
import { Trace } from './trace.ts';
import type { DifferentiableHandle } from './trace.ts';

/** Where an argument of the program comes from. */
export type Source =
  | { readonly kind: 'argument'; readonly index: number }
  | { readonly kind: 'handle'; readonly handle: Handle }
  | { readonly kind: 'gradient'; readonly variable: DifferentiableHandle }
  | { readonly kind: 'host'; readonly index: number }
  | { readonly kind: 'number'; readonly index: number }
  | { readonly kind: 'data'; readonly index: number }
  | { readonly kind: 'constant'; readonly buffer: BufferReference };

/** Where an output goes: it becomes the new value of a variable, or of its gradient. */
export type Target =
  | { readonly kind: 'handle'; readonly handle: Handle; readonly requiresGrad: boolean }
  | { readonly kind: 'gradient'; readonly variable: DifferentiableHandle };

export interface Rebinding {
  readonly target: Target;
  readonly value: Node;
  /** The placeholder of the old value, whose storage may be overwritten. */
  readonly before: Leaf | null;
}

/** The executable for one set of buffers that a run overwrites, and for the numbers compiled into it. */
export interface Variant {
  readonly overwrites: string;
  readonly executable: Executable;
  readonly sources: readonly Source[];
  /** The constants compiled into the executable, by their index in the graph, and their values. */
  readonly embedded: readonly number[];
  readonly values: readonly number[];
  /** The number of its latest run, among all runs of plans. */
  lastRun: number;
}

/** A result that is neither an argument nor a variable: an output of the program. */
export interface Root {
  readonly node: Node;
  /** Why it cannot be differentiated, null if it has no gradient. */
  readonly closed: ErrorFacts | null;
}

/** The graph of a trace, shared by all traces that build the same nodes. */
export interface TracedGraph {
  readonly device: Device;
  /** The handles that its traces rebind, their new values, and the nodes that they return. */
  readonly end: readonly unknown[];
  readonly handles: readonly { readonly handle: Handle; readonly requiresGrad: boolean }[];
  readonly gradients: readonly { readonly variable: DifferentiableHandle; readonly present: boolean }[];
  readonly rebindings: readonly Rebinding[];
  /** Variables whose gradient is null after the call. */
  readonly cleared: readonly DifferentiableHandle[];
  readonly roots: readonly Root[];
  readonly constants: readonly ConstantNode[];
  /** The constants that are known to vary. */
  readonly varying: Set<Node>;
  readonly data: readonly Leaf[];
  readonly sourceOf: ReadonlyMap<Node, Source>;
  readonly variants: Variant[];
  /** Number of nodes. */
  readonly size: number;
  /** Bytes of memory that it keeps alive, an estimate. */
  readonly bytes: number;
}

export interface Plan {
  readonly graph: TracedGraph;
  readonly guards: Guards;
  /** The values of the graph's constants. */
  readonly values: readonly number[];
  readonly samples: readonly (() => HostValue)[];
  /**
   * The host data of which the function has made tensors: their buffers, and a copy of the elements where
   * plans are verified.
   */
  readonly data: readonly { readonly buffer: BufferReference; readonly elements: TypedArray | null }[];
  /** The function's result, with a `Result` for each tensor that is no variable. */
  readonly value: unknown;
  /** Whether the next trace is expected to have other numbers: they are arguments of its programs then. */
  readonly isTracedAgain: boolean;
  /** The variant for each set of buffers that a run overwrites. */
  readonly variants: Map<string, Variant>;
}

const BYTES_PER_NODE = 256;

/** True while the state that the trace has read is unchanged. */
export function planFits({ guards, graph: { handles, gradients, device } }: Plan): boolean {
  for (const { handle, requiresGrad } of handles) {
    const { node } = handle;
    if (node.requiresGrad !== requiresGrad || (node.device !== device && node.device !== null)) return false;
  }
  for (const { variable, present } of gradients) if ((variable.gradient !== null) !== present) return false;
  return guards.hold();
}

/** The arguments of a call, and the tensors and numbers among them. */
export interface Call {
  readonly args: readonly unknown[];
  readonly tensors: readonly Tensor[];
  readonly numbers: readonly number[];
}

/**
 * Traces `fn`.
 * @param traces the earlier traces; this one is added
 * @param options.isTracedAgain whether calls with other numbers were seen or are expected: numbers are
 *   arguments of the programs then
 * @param options.keepsData whether to copy host data, so that plans can be verified
 * @returns the plan, with the host values that the trace has sampled
 */
export function tracePlan(
  fn: (...args: readonly unknown[]) => unknown,
  { args, tensors, numbers }: Call,
  traces: TraceTree<TracedGraph>,
  guards: Guards,
  { isTracedAgain, keepsData }: { readonly isTracedAgain: boolean; readonly keepsData: boolean },
): { readonly plan: Plan; readonly hosts: readonly HostValue[] } {
  const recorder = new Recorder(traces, numbers);
  const trace = new Trace(recorder as Recorder<never>, guards);
  const placeholders: Tensor[] = [];
  const { roots, value } = trace.run(() => {
    for (const { shape, dtype, requiresGrad, name, device } of tensors) {
      const created = leaf({ role: 'argument', name, shape, dtype, host: null, sample: null }, device, {
        requiresGrad,
      });
      const argument = new Tensor(created, name).asVariable();
      trace.addArgument(argument);
      placeholders.push(argument);
    }
    const replaced = rebuild(
      args,
      (tensor) => placeholders[tensors.indexOf(tensor as Tensor)]!,
    ) as readonly unknown[];
    const returned = fn(...replaced);
    refuseLater(returned);
    // Results are read while their handles still hold what the function left in them.
    return describeResult(trace, returned, placeholders);
  });
  const end = endOf(trace, roots);
  const ends = recorder.ends();
  let graph = ends.find((each) => sameList(each.end, end));
  if (graph === undefined) ends.push((graph = createGraph(trace, roots, end, placeholders)));
  for (const constant of recorder.varying) graph.varying.add(constant);
  const plan: Plan = {
    graph,
    guards: trace.guards.settled(),
    values: trace.values,
    samples: trace.hosts.map(({ attrs }) => attrs.sample ?? ((): HostValue => attrs.host ?? 0)),
    data: trace.data.map(({ node, elements }) => ({
      buffer: bufferOf(node)!,
      elements: keepsData ? (elements?.slice() ?? null) : null,
    })),
    value,
    isTracedAgain,
    variants: new Map(),
  };
  return { plan, hosts: trace.hosts.map(({ attrs }) => attrs.host ?? 0) };
}

/** @throws DeviceError for a promise or a generator: its effects would come after the trace */
function refuseLater(returned: unknown): void {
  if (returned instanceof Promise) returned.catch(() => {});
  const mayIterate = typeof (returned as Partial<Generator> | null | undefined)?.next === 'function';
  const isGenerator =
    mayIterate && /^\[object (Async)?Generator\]$/.test(Object.prototype.toString.call(returned));
  if (!(returned instanceof Promise) && !isGenerator) return;
  throw new DeviceError({
    operation: 'compile',
    problem: `the function is ${isGenerator ? 'a generator' : 'asynchronous'}; values do not exist inside`,
    expected: 'the tensors',
    remedy: 'return the tensors and await them outside',
  });
}

/** The effects and results of a trace as a list, which is equal for equal traced graphs. */
function endOf({ rebound, gradients }: Trace, roots: readonly Root[]): readonly unknown[] {
  const end: unknown[] = [];
  for (const { handle, node } of rebound) end.push(handle, node);
  for (const { variable, before, after } of gradients.values()) end.push(variable, before !== null, after);
  for (const { node, closed } of roots) end.push(node, closed);
  return end;
}

function createGraph(
  trace: Trace,
  roots: readonly Root[],
  end: readonly unknown[],
  args: readonly Tensor[],
): TracedGraph {
  const { handles, hosts, data, recorder } = trace;
  const gradients = [...trace.gradients.values()];
  const rebindings = rebindingsOf(trace);
  const sourceOf = new Map<Node, Source>();
  args.forEach(({ node }, index) => sourceOf.set(node, { kind: 'argument', index }));
  for (const { handle, placeholder } of handles) sourceOf.set(placeholder, { kind: 'handle', handle });
  for (const { variable, placeholder } of gradients)
    if (placeholder !== null) sourceOf.set(placeholder, { kind: 'gradient', variable });
  hosts.forEach((host, index) => sourceOf.set(host, { kind: 'host', index }));
  data.forEach(({ node }, index) => sourceOf.set(node, { kind: 'data', index }));
  recorder.constants.forEach((constant, index) => sourceOf.set(constant, { kind: 'number', index }));
  const outputs = [...rebindings.map(({ value }) => value), ...roots.map(({ node }) => node)];
  const order = postOrder(outputs, (node) => (node.stored === null ? node.inputs : []));
  const captured = order.reduce((bytes, node) => bytes + (bufferOf(node)?.storage.bytes ?? 0), 0);
  return {
    device: commonDevice([...order, ...handles.map(({ before }) => before), ...args.map(({ node }) => node)]),
    end,
    handles: handles.map(({ handle, before }) => ({ handle, requiresGrad: before.requiresGrad })),
    gradients: gradients.map(({ variable, before }) => ({
      variable,
      present: before !== null,
    })),
    rebindings,
    cleared: gradients.flatMap(({ variable, after }) => (after === null ? [variable] : [])),
    roots,
    constants: [...recorder.constants],
    varying: new Set(),
    data: data.map(({ node }) => node),
    sourceOf,
    variants: [],
    size: order.length,
    bytes: order.length * BYTES_PER_NODE + captured,
  };
}

/** The device of the first node that is on one. */
function commonDevice(nodes: readonly Node[]): Device {
  const first = nodes.find(({ device }) => device !== null);
  return (first === undefined ? null : deviceOf(first)) ?? getDefaultDevice();
}

function rebindingsOf({ rebound, gradients }: Trace): Rebinding[] {
  const handles = rebound.map(({ handle, node, placeholder }): Rebinding => ({
    target: { kind: 'handle', handle, requiresGrad: node.requiresGrad },
    value: node,
    before: placeholder,
  }));
  const accumulated = [...gradients.values()].flatMap(({ variable, after, placeholder }): Rebinding[] =>
    after === null || after === placeholder
      ? []
      : [{ target: { kind: 'gradient', variable }, value: after, before: placeholder }],
  );
  return [...handles, ...accumulated];
}

/** A result that is an argument or a variable is that tensor again; all others are outputs. */
function describeResult(
  trace: Trace,
  result: unknown,
  args: readonly Tensor[],
): { readonly roots: readonly Root[]; readonly value: unknown } {
  const roots: Root[] = [];
  const described = new Map<Tensor, Tensor | Result>();
  const describe = (tensor: Tensor): Tensor | Result => {
    const node = tensor.read();
    const argument = args.indexOf(tensor);
    if (argument >= 0) return new Result('argument', argument);
    if (trace.hasAdopted(tensor)) return tensor;
    return new Result(
      'output',
      roots.push({ node, closed: node.requiresGrad ? (node.closed ?? OUTSIDE) : null }) - 1,
    );
  };
  const value = rebuild(result, (each) => {
    const tensor = each as Tensor;
    const known = described.get(tensor) ?? describe(tensor);
    described.set(tensor, known);
    return known;
  });
  return { roots, value };
}

const OUTSIDE: ErrorFacts = {
  operation: 'backward',
  problem: 'this value comes out of a compiled function, which keeps no graph',
  expected: 'a graph',
  remedy: 'call backward inside the function, or do not compile it',
};
