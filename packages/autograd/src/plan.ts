/**
 * A plan is what remains of a trace: where each argument of the program comes from, where each output goes, and what must be as
 * it was for the plan to fit. Replaying builds no graph.
 */
import {
  DeviceError,
  getDefaultDevice,
  GradientError,
  isExclusive,
  leaf,
  postOrder,
  replaceGeneration,
  requireReadable,
  runtimeOf,
  storedAttributes,
} from '@firsthand/graph';
import type { Cell, Device, Executable, Handle, HostValue, Leaf, Node, Runtime } from '@firsthand/graph';
import { rebuild } from './structure.ts';
import { Tensor } from './tensor.ts';
import { Trace } from './trace.ts';
import type { Guards } from './guards.ts';
import type { GradientOwner } from './trace.ts';

/** Where an argument of the program comes from. */
type Source =
  | { readonly kind: 'argument'; readonly index: number }
  | { readonly kind: 'handle'; readonly handle: Handle }
  | { readonly kind: 'gradient'; readonly owner: GradientOwner }
  | { readonly kind: 'host'; readonly index: number }
  | { readonly kind: 'constant'; readonly cell: Cell };

/** Where an output goes: it becomes the new value of a variable, or of its gradient. */
type Target =
  | { readonly kind: 'handle'; readonly handle: Handle; readonly requiresGrad: boolean }
  | { readonly kind: 'gradient'; readonly owner: GradientOwner };

interface Rebinding {
  readonly target: Target;
  readonly value: Node;
  /** The leaf that stands for the value before, whose storage may be overwritten. */
  readonly before: Leaf | null;
}

/** The executable for one choice of what is overwritten in place. */
interface Variant {
  readonly executable: Executable;
  readonly sources: readonly Source[];
  /** The number of its latest run, among all runs of plans. */
  lastRun: number;
}

type Result =
  | { readonly kind: 'output'; readonly index: number; readonly closed: string | null }
  | { readonly kind: 'argument'; readonly index: number }
  | { readonly kind: 'handle'; readonly tensor: Tensor };

export interface Plan {
  readonly device: Device;
  readonly guards: Guards;
  readonly handles: readonly { readonly handle: Handle; readonly requiresGrad: boolean }[];
  readonly gradients: readonly { readonly owner: GradientOwner; readonly present: boolean }[];
  readonly rebindings: readonly Rebinding[];
  /** Owners whose gradient is null after the call. */
  readonly cleared: readonly GradientOwner[];
  readonly roots: readonly Node[];
  readonly samples: readonly (() => HostValue)[];
  readonly sourceOf: ReadonlyMap<Node, Source>;
  readonly variants: Map<string, Variant>;
  readonly value: unknown;
  readonly results: ReadonlyMap<Tensor, Result>;
  /** What the plan keeps alive, roughly. */
  readonly bytes: number;
}

const BYTES_PER_NODE = 256;

let runs = 0;

/** True while everything that the trace depended on is as it was. */
export function planFits({ guards, handles, gradients, device }: Plan): boolean {
  for (const { handle, requiresGrad } of handles) {
    const { node } = handle;
    if (node.requiresGrad !== requiresGrad || (node.device !== device && node.device !== null)) return false;
  }
  for (const { owner, present } of gradients) if ((owner.gradient !== null) !== present) return false;
  return guards.hold();
}

/** Traces `fn`, and gives the plan with the host values that the trace has sampled. */
export function buildPlan(
  fn: (...args: readonly unknown[]) => unknown,
  args: readonly unknown[],
  tensors: readonly Tensor[],
): { readonly plan: Plan; readonly hosts: readonly HostValue[] } {
  const trace = new Trace();
  const placeholders = new Map<Tensor, Tensor>();
  const sourceOf = new Map<Node, Source>();
  const value = trace.run(() => {
    tensors.forEach((tensor, index) => {
      const { shape, dtype, requiresGrad, name } = tensor;
      const created = leaf({ role: 'argument', name, shape, dtype, host: null, sample: null }, tensor.device, { requiresGrad });
      const argument = new Tensor(created, name).owned();
      trace.addArgument(argument);
      placeholders.set(tensor, argument);
      sourceOf.set(created, { kind: 'argument', index });
    });
    const replaced = rebuild(args, (tensor) => placeholders.get(tensor)!) as readonly unknown[];
    const result = fn(...replaced);
    if (result instanceof Promise) {
      result.catch(() => {});
      throw new DeviceError('compile: the function is asynchronous; values do not exist inside, return the tensors and await them outside');
    }
    // Results are read while their handles still hold what the function left in them.
    return { result, nodes: readResults(result) };
  });
  for (const { handle, placeholder } of trace.handles.values()) sourceOf.set(placeholder, { kind: 'handle', handle });
  for (const { owner, placeholder } of trace.gradients.values()) {
    if (placeholder !== null) sourceOf.set(placeholder, { kind: 'gradient', owner });
  }
  trace.hosts.forEach((host, index) => sourceOf.set(host, { kind: 'host', index }));
  const rebindings = collectRebindings(trace);
  const { results, roots } = collectResults(trace, value.nodes, [...placeholders.values()]);
  const outputs = [...rebindings.map((rebinding) => rebinding.value), ...roots];
  const order = postOrder(outputs, (node) => (node.cell === null ? node.inputs : []));
  const captured = order.reduce((bytes, node) => bytes + (node.cell?.storage.bytes ?? 0), 0);
  const plan: Plan = {
    device: deviceOf([...order, ...[...trace.handles.keys(), ...tensors].map(({ node }) => node)]),
    guards: trace.guards,
    handles: [...trace.handles.values()].map(({ handle, before }) => ({ handle, requiresGrad: before.requiresGrad })),
    gradients: [...trace.gradients.values()].map(({ owner, before }) => ({ owner, present: before !== null })),
    rebindings,
    cleared: [...trace.gradients.values()].flatMap(({ owner, after }) => (after === null ? [owner] : [])),
    roots,
    samples: trace.hosts.map((host) => host.attrs.sample ?? ((): HostValue => host.attrs.host ?? 0)),
    sourceOf,
    variants: new Map(),
    value: value.result,
    results,
    bytes: order.length * BYTES_PER_NODE + captured,
  };
  return { plan, hosts: trace.hosts.map((host) => host.attrs.host ?? 0) };
}

/** The device of the first node that is on one. */
function deviceOf(nodes: readonly Node[]): Device {
  return nodes.find(({ device }) => device !== null)?.device ?? getDefaultDevice();
}

function readResults(result: unknown): ReadonlyMap<Tensor, Node> {
  const nodes = new Map<Tensor, Node>();
  rebuild(result, (tensor) => {
    nodes.set(tensor, tensor.read());
    return tensor;
  });
  return nodes;
}

function collectRebindings(trace: Trace): Rebinding[] {
  const handles = [...trace.rebound].map(([handle, value]): Rebinding => {
    const { placeholder } = trace.handles.get(handle)!;
    return { target: { kind: 'handle', handle, requiresGrad: value.requiresGrad }, value, before: placeholder };
  });
  const gradients = [...trace.gradients.values()].flatMap(({ owner, after, placeholder }): Rebinding[] =>
    after === null || after === placeholder ? [] : [{ target: { kind: 'gradient', owner }, value: after, before: placeholder }],
  );
  return [...handles, ...gradients];
}

/** A result that is an argument or a variable is that tensor again; all others are outputs. */
function collectResults(
  trace: Trace,
  nodes: ReadonlyMap<Tensor, Node>,
  args: readonly Tensor[],
): { readonly results: ReadonlyMap<Tensor, Result>; readonly roots: readonly Node[] } {
  const results = new Map<Tensor, Result>();
  const roots: Node[] = [];
  for (const [tensor, node] of nodes) {
    const argument = args.indexOf(tensor);
    if (argument >= 0) {
      results.set(tensor, { kind: 'argument', index: argument });
    } else if (trace.handles.has(tensor)) {
      results.set(tensor, { kind: 'handle', tensor });
    } else {
      const closed = node.requiresGrad ? (node.closed ?? OUTSIDE) : null;
      results.set(tensor, { kind: 'output', index: roots.push(node) - 1, closed });
    }
  }
  return { results, roots };
}

const OUTSIDE =
  'backward: this value comes out of a compiled function, which keeps no graph; call backward inside the function, or do not compile it';

/** Runs the plan once. `hosts` are the values that a trace has just sampled; they are sampled anew when null. */
export function replay(plan: Plan, tensors: readonly Tensor[], hosts: readonly HostValue[] | null): unknown {
  const runtime = runtimeOf(plan.device);
  requireDistinct(plan, tensors);
  runtime.flush();
  const sampled = hosts ?? plan.samples.map((sample) => sample());
  const argumentCells = tensors.map((tensor) => cellOf(runtime, tensor));
  const overwrites = plan.rebindings.map((rebinding) => overwritable(rebinding, argumentCells));
  const variant = variantFor(plan, runtime, overwrites);
  const { executable, sources } = variant;
  const inputs = sources.map((source) => inputFrom(runtime, source, argumentCells, sampled));
  const cells = runtime.submit(executable, inputs, overwrites);
  variant.lastRun = ++runs;
  plan.rebindings.forEach(({ target }, index) => rebind(target, cells[index]!, plan.device));
  for (const owner of plan.cleared) owner.gradient = null;
  const outputs = cells.slice(plan.rebindings.length);
  const values = new Map([...plan.results].map(([tensor, result]) => [tensor, resultOf(plan, result, tensors, outputs)]));
  return rebuild(plan.value, (tensor) => values.get(tensor)!);
}

function resultOf(plan: Plan, result: Result, tensors: readonly Tensor[], outputs: readonly Cell[]): Tensor {
  if (result.kind === 'argument') return tensors[result.index]!;
  if (result.kind === 'handle') return result.tensor;
  return new Tensor(storedResult(plan.roots[result.index]!, outputs[result.index]!, result.closed, plan.device));
}

/** @throws DeviceError if an argument is a variable that the function rebinds: it would be read both before and after */
function requireDistinct({ rebindings }: Plan, tensors: readonly Tensor[]): void {
  for (const { target } of rebindings) {
    const handle = target.kind === 'handle' ? target.handle : target.owner.gradient;
    if (handle === null || !tensors.some((tensor) => tensor === handle)) continue;
    const name = handle.name === null ? 'an argument' : `"${handle.name}"`;
    throw new DeviceError(`compile: ${name} is also a variable that the function assigns to; capture it, or pass it, not both`);
  }
}

/** The programs of plans, each once, the one that ran last at the end. */
export function executablesOf(plans: readonly Plan[]): readonly Executable[] {
  const variants = plans.flatMap((plan) => [...plan.variants.values()]).toSorted((a, b) => b.lastRun - a.lastRun);
  return [...new Set(variants.map(({ executable }) => executable))].toReversed();
}

/** The cell of a handle's value; a value that has not been computed is enqueued first. */
function cellOf(runtime: Runtime, handle: Handle): Cell {
  const node = handle instanceof Tensor ? handle.read() : handle.node;
  if (node.cell === null) runtime.realize([node]);
  return requireReadable(node.cell!);
}

function inputFrom(runtime: Runtime, source: Source, args: readonly Cell[], hosts: readonly HostValue[]): Cell | HostValue {
  switch (source.kind) {
    case 'argument':
      return args[source.index]!;
    case 'handle':
      return cellOf(runtime, source.handle);
    case 'gradient':
      return cellOf(runtime, source.owner.gradient!);
    case 'host':
      return hosts[source.index]!;
    case 'constant':
      return requireReadable(source.cell);
  }
}

/** The cell that the run may overwrite: its only owner is the variable, and no argument shares it. */
function overwritable({ target, before }: Rebinding, args: readonly Cell[]): Cell | null {
  if (before === null) return null;
  const handle = target.kind === 'handle' ? target.handle : target.owner.gradient;
  const cell = handle?.node.cell ?? null;
  return cell !== null && isExclusive(cell) && !args.includes(cell) ? cell : null;
}

function variantFor(plan: Plan, runtime: Runtime, overwrites: readonly (Cell | null)[]): Variant {
  const key = overwrites.every((cell) => cell !== null) ? 'all' : overwrites.map((cell) => (cell === null ? '0' : '1')).join('');
  const known = plan.variants.get(key);
  if (known !== undefined) return known;
  const { executable, args } = runtime.prepare({
    effects: plan.rebindings.map(({ value, before }, index) => ({ node: value, into: overwrites[index] === null ? null : before })),
    roots: plan.roots,
  });
  const variant: Variant = { executable, sources: args.map((node) => sourceFor(plan, node)), lastRun: 0 };
  plan.variants.set(key, variant);
  return variant;
}

function sourceFor({ sourceOf }: Plan, node: Node): Source {
  const source = sourceOf.get(node);
  if (source !== undefined) return source;
  if (node.cell !== null) return { kind: 'constant', cell: node.cell };
  throw new GradientError('compile: a value inside depends on a leaf that is neither argument nor state');
}

function rebind(target: Target, cell: Cell, device: Device): void {
  const handle =
    target.kind === 'handle'
      ? target.handle
      : (target.owner.gradient ??= target.owner.createGradient(placeholderFor(target.owner, device)));
  const before = handle.node;
  const requiresGrad = target.kind === 'handle' && target.requiresGrad;
  const next = leaf(storedAttributes(before, handle.name), device, { requiresGrad });
  next.cell = cell;
  next.owner = handle;
  handle.node = next;
  replaceGeneration(handle, before.cell, cell);
}

function placeholderFor({ node }: GradientOwner, device: Device): Leaf {
  return leaf(storedAttributes(node, null), device);
}

function storedResult(root: Node, cell: Cell, closed: string | null, device: Device): Leaf {
  const result = leaf(storedAttributes(root, null), device, { requiresGrad: closed !== null });
  result.cell = cell;
  result.closed = closed;
  return result;
}
