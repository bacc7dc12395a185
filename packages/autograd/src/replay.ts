/**
 * Replay: one run of a plan. It collects the arguments, calls the executable, rebinds the handles and builds
 * no graph.
 */
import { DeviceError, GradientError, leaf, operandOf, setConstant, storedAttributes } from '@firsthand/graph';
import type { HostValue, Leaf, Node } from '@firsthand/graph';
import { replaceVersion, isExclusive, requireReadable, runtimeOf, bufferOf } from '@firsthand/runtime';
import type { BufferReference, Device, Executable, Handle, Runtime } from '@firsthand/runtime';
import { noteCompiled } from './gradient.ts';
import type { TracedGraph, Plan, Rebinding, Root, Source, Target, Variant } from './plan.ts';
import { rebuild, Result } from './structure.ts';
import { Tensor } from './tensor.ts';
import type { DifferentiableHandle } from './trace.ts';

let runs = 0;

/**
 * Runs the plan once. `hosts` are the values that a trace has just sampled; they are sampled anew when null.
 */
export function replay(plan: Plan, tensors: readonly Tensor[], hosts: readonly HostValue[] | null): unknown {
  const { graph, samples } = plan;
  const { device, rebindings, cleared } = graph;
  const runtime = runtimeOf(device);
  requireDistinct(graph, tensors);
  runtime.flush();
  const given: Given = {
    args: tensors.map((tensor) => bufferOfHandle(runtime, tensor)),
    hosts: hosts ?? samples.map((sample) => sample()),
    plan,
  };
  const overwrites = rebindings.map((rebinding) => overwritable(rebinding, given.args));
  const variant = variantFor(plan, runtime, overwrites);
  const inputs = variant.sources.map((source) => inputFrom(runtime, source, given));
  const buffers = runtime.submit(variant.executable, inputs, overwrites);
  variant.lastRun = ++runs;
  rebindings.forEach(({ target }, index) => rebind(target, buffers[index]!, device));
  for (const variable of cleared) variable.gradient = null;
  const results = graph.roots.map((root, index) =>
    storedResult(root, buffers[rebindings.length + index]!, device),
  );
  noteCompiled(results, tensors);
  const outputs = results.map((result) => new Tensor(result));
  return rebuild(plan.value, (each) => {
    if (!(each instanceof Result)) return each;
    return each.kind === 'argument' ? tensors[each.index]! : outputs[each.index]!;
  });
}

/**
 * @throws DeviceError if an argument is a variable that the function rebinds: it would be read both before
 * and after
 */
function requireDistinct({ rebindings }: TracedGraph, tensors: readonly Tensor[]): void {
  for (const { target } of rebindings) {
    const handle = target.kind === 'handle' ? target.handle : target.variable.gradient;
    if (handle === null || !tensors.some((tensor) => tensor === handle)) continue;
    const name = handle.name === null ? 'an argument' : `"${handle.name}"`;
    throw new DeviceError({
      operation: 'compile',
      problem: `${name} is also a variable that the function assigns to`,
      operands: [operandOf(handle.node)],
      expected: 'an argument that the function leaves alone',
      remedy: 'capture it, or pass it, not both',
    });
  }
}

/** The executables of plans, each once, in order of their latest runs. */
export function executablesOf(plans: readonly Plan[]): readonly Executable[] {
  const variants = [...new Set(plans.map(({ graph }) => graph))].flatMap((graph) => graph.variants);
  return [
    ...new Set(variants.toSorted((a, b) => b.lastRun - a.lastRun).map(({ executable }) => executable)),
  ].toReversed();
}

/** The buffer of a handle's value; a value that has not been computed is enqueued first. */
function bufferOfHandle(runtime: Runtime, handle: Handle): BufferReference {
  const node = handle instanceof Tensor ? handle.toCompute('read', runtime.device) : handle.node;
  if (node.stored === null) runtime.realize([node]);
  return requireReadable(bufferOf(node)!);
}

/** The values of one call: buffers of its arguments, host values, and the plan with its numbers. */
interface Given {
  readonly args: readonly BufferReference[];
  readonly hosts: readonly HostValue[];
  readonly plan: Plan;
}

function inputFrom(
  runtime: Runtime,
  source: Source,
  { args, hosts, plan }: Given,
): BufferReference | HostValue {
  switch (source.kind) {
    case 'argument':
      return args[source.index]!;
    case 'handle':
      return bufferOfHandle(runtime, source.handle);
    case 'gradient':
      return bufferOfHandle(runtime, source.variable.gradient!);
    case 'host':
      return hosts[source.index]!;
    case 'number':
      return plan.values[source.index]!;
    case 'data':
      return requireReadable(plan.data[source.index]!.buffer);
    case 'constant':
      return requireReadable(source.buffer);
  }
}

/** The buffer that the run may overwrite: the variable alone refers to it, and no argument shares it. */
function overwritable(
  { target, before }: Rebinding,
  args: readonly BufferReference[],
): BufferReference | null {
  if (before === null) return null;
  const handle = target.kind === 'handle' ? target.handle : target.variable.gradient;
  const buffer = handle === null ? null : bufferOf(handle.node);
  return buffer !== null && isExclusive(buffer) && !args.includes(buffer) ? buffer : null;
}

function variantFor(plan: Plan, runtime: Runtime, overwrites: readonly (BufferReference | null)[]): Variant {
  const key = overwrites.every((buffer) => buffer !== null)
    ? 'all'
    : overwrites.map((buffer) => (buffer === null ? '0' : '1')).join('');
  let variant = plan.variants.get(key);
  if (variant !== undefined) return variant;
  const { variants } = plan.graph;
  variant = variants.find((each) => each.overwrites === key && matchesNumbers(each, plan));
  if (variant === undefined) variants.push((variant = createVariant(plan, runtime, key, overwrites)));
  plan.variants.set(key, variant);
  return variant;
}

/** True if the numbers compiled into the program are those of the plan. */
function matchesNumbers({ embedded, values }: Variant, plan: Plan): boolean {
  return embedded.every((constant, index) => Object.is(plan.values[constant], values[index]));
}

function createVariant(
  plan: Plan,
  runtime: Runtime,
  key: string,
  overwrites: readonly (BufferReference | null)[],
): Variant {
  const { graph, values, data, isTracedAgain } = plan;
  const { constants, rebindings, roots, varying, sourceOf } = graph;
  // Another trace of the same graph may have left its numbers and its data in the nodes.
  constants.forEach((constant, index) => setConstant(constant, values[index]!));
  graph.data.forEach((each, index) => {
    each.stored = data[index]!.buffer;
  });
  const prepared = runtime.prepare({
    effects: rebindings.map(({ value, before }, index) => ({
      node: value,
      into: overwrites[index] === null ? null : before,
    })),
    roots: roots.map(({ node }) => node),
    varying: isTracedAgain ? varying : undefined,
  });
  const embedded = prepared.embedded.flatMap((constant) => {
    const source = sourceOf.get(constant);
    return source?.kind === 'number' ? [source.index] : [];
  });
  return {
    overwrites: key,
    executable: prepared.executable,
    sources: prepared.args.map((node) => sourceFor(graph, node)),
    embedded,
    values: embedded.map((index) => values[index]!),
    lastRun: 0,
  };
}

function sourceFor({ sourceOf }: TracedGraph, node: Node): Source {
  const source = sourceOf.get(node);
  if (source !== undefined) return source;
  const buffer = bufferOf(node);
  if (buffer !== null) return { kind: 'constant', buffer };
  throw new GradientError('compile: a value inside depends on a leaf that is neither argument nor state');
}

function rebind(target: Target, buffer: BufferReference, device: Device): void {
  const handle =
    target.kind === 'handle'
      ? target.handle
      : (target.variable.gradient ??= target.variable.createGradient(
          placeholderFor(target.variable, device),
        ));
  const before = handle.node;
  const requiresGrad = target.kind === 'handle' && target.requiresGrad;
  const next = leaf(storedAttributes(before, handle.name), device, { requiresGrad });
  next.stored = buffer;
  next.variable = handle;
  handle.node = next;
  replaceVersion(handle, bufferOf(before), buffer);
}

function placeholderFor({ node }: DifferentiableHandle, device: Device): Leaf {
  return leaf(storedAttributes(node, null), device);
}

function storedResult({ node, closed }: Root, buffer: BufferReference, device: Device): Leaf {
  const result = leaf(storedAttributes(node, null), device, { requiresGrad: closed !== null });
  result.stored = buffer;
  result.closed = closed;
  return result;
}
