/**
 * Plans. A trace leaves a **course**: the graph that it built, where each argument of its program comes from, where each output goes. A **plan** is a course with what belongs
 * to one trace of it alone: the numbers in it, the guards that it has met, the structure of its result. Traces that differ in numbers only share a course, and its
 * programs. Replaying a plan builds no graph.
 */
import {
  DeviceError,
  getDefaultDevice,
  GradientError,
  isExclusive,
  leaf,
  postOrder,
  Recorder,
  replaceGeneration,
  requireReadable,
  runtimeOf,
  sameList,
  setConstant,
  storedAttributes,
} from '@firsthand/graph';
import type { Cell, ConstantNode, Courses, Device, Executable, Handle, HostValue, Leaf, Node, Runtime, TypedArray } from '@firsthand/graph';
import type { Guards } from './guards.ts';
import { rebuild, Result } from './structure.ts';
import { Tensor } from './tensor.ts';
import { Trace } from './trace.ts';
import type { GradientOwner } from './trace.ts';

/** Where an argument of the program comes from. */
type Source =
  | { readonly kind: 'argument'; readonly index: number }
  | { readonly kind: 'handle'; readonly handle: Handle }
  | { readonly kind: 'gradient'; readonly owner: GradientOwner }
  | { readonly kind: 'host'; readonly index: number }
  | { readonly kind: 'number'; readonly index: number }
  | { readonly kind: 'data'; readonly index: number }
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

/** The executable for one choice of what is overwritten in place, and of the numbers that it holds. */
interface Variant {
  readonly overwrites: string;
  readonly executable: Executable;
  readonly sources: readonly Source[];
  /** Constants that the executable holds, by their index in the course, and their values. */
  readonly held: readonly number[];
  readonly values: readonly number[];
  /** The number of its latest run, among all runs of plans. */
  lastRun: number;
}

/** A result that is no argument and no variable: an output of the program. */
interface Root {
  readonly node: Node;
  /** Why it cannot be differentiated, null if it has no gradient. */
  readonly closed: string | null;
}

/** What traces share that build the same graph. */
export interface Course {
  readonly device: Device;
  /** What its traces have rebound and returned. */
  readonly end: readonly unknown[];
  readonly handles: readonly { readonly handle: Handle; readonly requiresGrad: boolean }[];
  readonly gradients: readonly { readonly owner: GradientOwner; readonly present: boolean }[];
  readonly rebindings: readonly Rebinding[];
  /** Owners whose gradient is null after the call. */
  readonly cleared: readonly GradientOwner[];
  readonly roots: readonly Root[];
  readonly constants: readonly ConstantNode[];
  /** The constants that are known to vary. */
  readonly varying: Set<Node>;
  readonly data: readonly Leaf[];
  readonly sourceOf: ReadonlyMap<Node, Source>;
  readonly variants: Variant[];
  /** How many nodes it has. */
  readonly size: number;
  /** What the course keeps alive, roughly. */
  readonly bytes: number;
}

export interface Plan {
  readonly course: Course;
  readonly guards: Guards;
  /** The values of the course's constants. */
  readonly values: readonly number[];
  readonly samples: readonly (() => HostValue)[];
  /** The host data that the function has made tensors of: where they are, and for a comparison what they were. */
  readonly data: readonly { readonly cell: Cell; readonly elements: TypedArray | null }[];
  /** What the function has returned, with a `Result` for each tensor that is no variable. */
  readonly value: unknown;
  /** Whether numbers in it are expected to be others in the next trace. */
  readonly isTracedAgain: boolean;
  /** The variant for each choice of what is overwritten. */
  readonly variants: Map<string, Variant>;
}

const BYTES_PER_NODE = 256;

let runs = 0;

/** True while everything that the trace depended on is as it was. */
export function planFits({ guards, course: { handles, gradients, device } }: Plan): boolean {
  for (const { handle, requiresGrad } of handles) {
    const { node } = handle;
    if (node.requiresGrad !== requiresGrad || (node.device !== device && node.device !== null)) return false;
  }
  for (const { owner, present } of gradients) if ((owner.gradient !== null) !== present) return false;
  return guards.hold();
}

/** What a function is called with. */
export interface Call {
  readonly args: readonly unknown[];
  readonly tensors: readonly Tensor[];
  readonly numbers: readonly number[];
}

/**
 * Traces `fn`.
 * @param courses that earlier traces have taken; a new one is added
 * @param options.isTracedAgain whether other numbers have been seen, or are to be expected: programs take them from their runs then
 * @param options.keepsData whether host data are kept, for a comparison
 * @returns the plan, with the host values that the trace has sampled
 */
export function tracePlan(
  fn: (...args: readonly unknown[]) => unknown,
  { args, tensors, numbers }: Call,
  courses: Courses<Course>,
  guards: Guards,
  { isTracedAgain, keepsData }: { readonly isTracedAgain: boolean; readonly keepsData: boolean },
): { readonly plan: Plan; readonly hosts: readonly HostValue[] } {
  const recorder = new Recorder(courses, numbers);
  const trace = new Trace(recorder as Recorder<never>, guards);
  const placeholders: Tensor[] = [];
  const { roots, value } = trace.run(() => {
    for (const { shape, dtype, requiresGrad, name, device } of tensors) {
      const created = leaf({ role: 'argument', name, shape, dtype, host: null, sample: null }, device, { requiresGrad });
      const argument = new Tensor(created, name).owned();
      trace.addArgument(argument);
      placeholders.push(argument);
    }
    const replaced = rebuild(args, (tensor) => placeholders[tensors.indexOf(tensor as Tensor)]!) as readonly unknown[];
    const returned = fn(...replaced);
    if (returned instanceof Promise) {
      returned.catch(() => {});
      throw new DeviceError('compile: the function is asynchronous; values do not exist inside, return the tensors and await them outside');
    }
    // Results are read while their handles still hold what the function left in them.
    return describeResult(trace, returned, placeholders);
  });
  const end = endOf(trace, roots);
  const ends = recorder.ends();
  let course = ends.find((each) => sameList(each.end, end));
  if (course === undefined) ends.push((course = createCourse(trace, roots, end, placeholders)));
  for (const constant of recorder.varying) course.varying.add(constant);
  const plan: Plan = {
    course,
    guards: trace.guards.settled(),
    values: trace.values,
    samples: trace.hosts.map(({ attrs }) => attrs.sample ?? ((): HostValue => attrs.host ?? 0)),
    data: trace.data.map(({ node, elements }) => ({ cell: node.cell!, elements: keepsData ? (elements?.slice() ?? null) : null })),
    value,
    isTracedAgain,
    variants: new Map(),
  };
  return { plan, hosts: trace.hosts.map(({ attrs }) => attrs.host ?? 0) };
}

/** What a trace leaves besides the nodes themselves, as a list to compare. */
function endOf({ rebound, gradients }: Trace, roots: readonly Root[]): readonly unknown[] {
  const end: unknown[] = [];
  for (const { handle, node } of rebound) end.push(handle, node);
  for (const { owner, before, after } of gradients.values()) end.push(owner, before !== null, after);
  for (const { node, closed } of roots) end.push(node, closed);
  return end;
}

function createCourse(trace: Trace, roots: readonly Root[], end: readonly unknown[], args: readonly Tensor[]): Course {
  const { handles, hosts, data, recorder } = trace;
  const gradients = [...trace.gradients.values()];
  const rebindings = rebindingsOf(trace);
  const sourceOf = new Map<Node, Source>();
  args.forEach(({ node }, index) => sourceOf.set(node, { kind: 'argument', index }));
  for (const { handle, placeholder } of handles) sourceOf.set(placeholder, { kind: 'handle', handle });
  for (const { owner, placeholder } of gradients) if (placeholder !== null) sourceOf.set(placeholder, { kind: 'gradient', owner });
  hosts.forEach((host, index) => sourceOf.set(host, { kind: 'host', index }));
  data.forEach(({ node }, index) => sourceOf.set(node, { kind: 'data', index }));
  recorder.constants.forEach((constant, index) => sourceOf.set(constant, { kind: 'number', index }));
  const outputs = [...rebindings.map(({ value }) => value), ...roots.map(({ node }) => node)];
  const order = postOrder(outputs, (node) => (node.cell === null ? node.inputs : []));
  const captured = order.reduce((bytes, node) => bytes + (node.cell?.storage.bytes ?? 0), 0);
  return {
    device: deviceOf([...order, ...handles.map(({ before }) => before), ...args.map(({ node }) => node)]),
    end,
    handles: handles.map(({ handle, before }) => ({ handle, requiresGrad: before.requiresGrad })),
    gradients: gradients.map(({ owner, before }) => ({ owner, present: before !== null })),
    rebindings,
    cleared: gradients.flatMap(({ owner, after }) => (after === null ? [owner] : [])),
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
function deviceOf(nodes: readonly Node[]): Device {
  return nodes.find(({ device }) => device !== null)?.device ?? getDefaultDevice();
}

function rebindingsOf({ rebound, gradients }: Trace): Rebinding[] {
  const handles = rebound.map(({ handle, node, placeholder }): Rebinding => ({
    target: { kind: 'handle', handle, requiresGrad: node.requiresGrad },
    value: node,
    before: placeholder,
  }));
  const accumulated = [...gradients.values()].flatMap(({ owner, after, placeholder }): Rebinding[] =>
    after === null || after === placeholder ? [] : [{ target: { kind: 'gradient', owner }, value: after, before: placeholder }],
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
    return new Result('output', roots.push({ node, closed: node.requiresGrad ? (node.closed ?? OUTSIDE) : null }) - 1);
  };
  const value = rebuild(result, (each) => {
    const tensor = each as Tensor;
    const known = described.get(tensor) ?? describe(tensor);
    described.set(tensor, known);
    return known;
  });
  return { roots, value };
}

const OUTSIDE =
  'backward: this value comes out of a compiled function, which keeps no graph; call backward inside the function, or do not compile it';

/** Runs the plan once. `hosts` are the values that a trace has just sampled; they are sampled anew when null. */
export function replay(plan: Plan, tensors: readonly Tensor[], hosts: readonly HostValue[] | null): unknown {
  const { course, samples } = plan;
  const { device, rebindings, cleared } = course;
  const runtime = runtimeOf(device);
  requireDistinct(course, tensors);
  runtime.flush();
  const given: Given = {
    args: tensors.map((tensor) => cellOf(runtime, tensor)),
    hosts: hosts ?? samples.map((sample) => sample()),
    plan,
  };
  const overwrites = rebindings.map((rebinding) => overwritable(rebinding, given.args));
  const variant = variantFor(plan, runtime, overwrites);
  const inputs = variant.sources.map((source) => inputFrom(runtime, source, given));
  const cells = runtime.submit(variant.executable, inputs, overwrites);
  variant.lastRun = ++runs;
  rebindings.forEach(({ target }, index) => rebind(target, cells[index]!, device));
  for (const owner of cleared) owner.gradient = null;
  const outputs = course.roots.map((root, index) => new Tensor(storedResult(root, cells[rebindings.length + index]!, device)));
  return rebuild(plan.value, (each) => {
    if (!(each instanceof Result)) return each;
    return each.kind === 'argument' ? tensors[each.index]! : outputs[each.index]!;
  });
}

/** @throws DeviceError if an argument is a variable that the function rebinds: it would be read both before and after */
function requireDistinct({ rebindings }: Course, tensors: readonly Tensor[]): void {
  for (const { target } of rebindings) {
    const handle = target.kind === 'handle' ? target.handle : target.owner.gradient;
    if (handle === null || !tensors.some((tensor) => tensor === handle)) continue;
    const name = handle.name === null ? 'an argument' : `"${handle.name}"`;
    throw new DeviceError(`compile: ${name} is also a variable that the function assigns to; capture it, or pass it, not both`);
  }
}

/** The programs of plans, each once, the one that ran last at the end. */
export function executablesOf(plans: readonly Plan[]): readonly Executable[] {
  const variants = [...new Set(plans.map(({ course }) => course))].flatMap((course) => course.variants);
  return [...new Set(variants.toSorted((a, b) => b.lastRun - a.lastRun).map(({ executable }) => executable))].toReversed();
}

/** The cell of a handle's value; a value that has not been computed is enqueued first. */
function cellOf(runtime: Runtime, handle: Handle): Cell {
  const node = handle instanceof Tensor ? handle.read() : handle.node;
  if (node.cell === null) runtime.realize([node]);
  return requireReadable(node.cell!);
}

/** What a run is given. */
interface Given {
  readonly args: readonly Cell[];
  readonly hosts: readonly HostValue[];
  readonly plan: Plan;
}

function inputFrom(runtime: Runtime, source: Source, { args, hosts, plan }: Given): Cell | HostValue {
  switch (source.kind) {
    case 'argument':
      return args[source.index]!;
    case 'handle':
      return cellOf(runtime, source.handle);
    case 'gradient':
      return cellOf(runtime, source.owner.gradient!);
    case 'host':
      return hosts[source.index]!;
    case 'number':
      return plan.values[source.index]!;
    case 'data':
      return requireReadable(plan.data[source.index]!.cell);
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
  let variant = plan.variants.get(key);
  if (variant !== undefined) return variant;
  const { variants } = plan.course;
  variant = variants.find((each) => each.overwrites === key && holdsNumbersOf(each, plan));
  if (variant === undefined) variants.push((variant = createVariant(plan, runtime, key, overwrites)));
  plan.variants.set(key, variant);
  return variant;
}

/** True unless the program holds another number than the plan has. */
function holdsNumbersOf({ held, values }: Variant, plan: Plan): boolean {
  return held.every((constant, index) => Object.is(plan.values[constant], values[index]));
}

function createVariant(plan: Plan, runtime: Runtime, key: string, overwrites: readonly (Cell | null)[]): Variant {
  const { course, values, data, isTracedAgain } = plan;
  const { constants, rebindings, roots, varying, sourceOf } = course;
  // Another trace of the same course may have left its numbers and its data in the nodes.
  constants.forEach((constant, index) => setConstant(constant, values[index]!));
  course.data.forEach((each, index) => {
    each.cell = data[index]!.cell;
  });
  const prepared = runtime.prepare({
    effects: rebindings.map(({ value, before }, index) => ({ node: value, into: overwrites[index] === null ? null : before })),
    roots: roots.map(({ node }) => node),
    varying: isTracedAgain ? varying : undefined,
  });
  const held = prepared.held.flatMap((constant) => {
    const source = sourceOf.get(constant);
    return source?.kind === 'number' ? [source.index] : [];
  });
  return {
    overwrites: key,
    executable: prepared.executable,
    sources: prepared.args.map((node) => sourceFor(course, node)),
    held,
    values: held.map((index) => values[index]!),
    lastRun: 0,
  };
}

function sourceFor({ sourceOf }: Course, node: Node): Source {
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

function storedResult({ node, closed }: Root, cell: Cell, device: Device): Leaf {
  const result = leaf(storedAttributes(node, null), device, { requiresGrad: closed !== null });
  result.cell = cell;
  result.closed = closed;
  return result;
}
