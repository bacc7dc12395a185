/**
 * Building nodes. `node(op, attrs, inputs)` checks shape, dtype and device at once, so that an error points
 * at the caller's line, and computes nothing. A node records whether a gradient may flow through it, and the
 * latest update it reads.
 */
import { DTypeError } from '@firsthand/linalg';
import { DeviceError } from './errors.ts';
import { differentiable, PRIMITIVES } from './primitives.ts';
import type { BuildMode, Recorder } from './recorder.ts';
import type {
  Attributes,
  Attrs,
  Composite,
  DType,
  HostValue,
  Leaf,
  Node,
  NodeOf,
  Op,
  Shape,
  Spec,
  Placement,
} from './types.ts';
import { describe, operandOf, requireFloat } from './shapes.ts';

let gradientMode = true;

/** True while operations record what is needed to differentiate them. */
export function isGradientEnabled(): boolean {
  return gradientMode;
}

let recorder: Recorder<never> | null = null;

/** Runs `fn`, whose nodes follow a trace of `next` or are recorded there; null: no trace has them. */
export function withRecorder<T>(next: Recorder<never> | null, fn: () => T): T {
  const outer = recorder;
  recorder = next;
  try {
    return fn();
  } finally {
    recorder = outer;
  }
}

function mode(): BuildMode {
  return gradientMode ? 'gradient' : 'plain';
}

/** Runs `fn` with gradient recording switched on or off, and restores the mode afterwards. */
export function withGradient<T>(enabled: boolean, fn: () => T): T {
  const outer = gradientMode;
  gradientMode = enabled;
  try {
    return fn();
  } finally {
    gradientMode = outer;
  }
}

/** All nodes have the same fields in the same order, so that traversals stay fast. */
function create<K extends Op>(
  op: K,
  attrs: Attributes[K],
  inputs: readonly Node[],
  spec: Spec,
  device: Placement | null,
  requiresGrad: boolean,
  after: number,
): NodeOf<K> {
  const created = {
    op,
    attrs,
    shape: spec.shape,
    dtype: spec.dtype,
    device,
    requiresGrad,
    after,
    inputs,
    stored: null,
    hasReaders: false,
    hasHandle: false,
    computed: false,
    differentiated: false,
    variable: null,
    closed: null,
    outputs: null,
    stamp: 0,
    slot: 0,
  };
  return created;
}

function nameOf(op: Op, attrs: unknown): string {
  if (typeof attrs === 'object' && attrs !== null) {
    if ('kind' in attrs && typeof attrs.kind === 'string') return attrs.kind;
    if ('composite' in attrs) return (attrs.composite as Composite).name;
  }
  return op;
}

/** What an operation is called: `mul`, `sum`, `softmax`. */
export function titleOf({ op, attrs, inputs }: Node): string {
  const [called] = inputs;
  return op === 'output' && called !== undefined ? nameOf(called.op, called.attrs) : nameOf(op, attrs);
}

/** The device of an operation's operands. @throws DeviceError if they are on several. */
function commonDevice(op: Op, attrs: unknown, inputs: readonly Node[]): Placement | null {
  let device: Placement | null = null;
  for (const input of inputs) {
    if (input.device === null || input.device === device) continue;
    if (device !== null) {
      const list = inputs
        .map((each) => `${describe(each)} on ${each.device?.name ?? 'any device'}`)
        .join(', ');
      throw new DeviceError({
        operation: nameOf(op, attrs),
        problem: `operands are on different devices: ${list}`,
        operands: inputs.map(operandOf),
        expected: 'operands on one device',
        remedy: 'move them with to(device)',
      });
    }
    device = input.device;
  }
  return device;
}

/** Builds one node. @throws ShapeError, DTypeError, DeviceError */
export function node<K extends Op>(op: K, attrs: Attributes[K], inputs: readonly Node[]): NodeOf<K> {
  const known = recorder?.follow(op, attrs, inputs, mode());
  if (known !== undefined && known !== null) return known as NodeOf<K>;
  return recorded(derive(op, attrs, inputs, PRIMITIVES[op].infer(attrs, inputs)));
}

/** A new node, which becomes a step of the trace that is being recorded. */
function recorded<K extends Op>(created: NodeOf<K>): NodeOf<K> {
  recorder?.record(created as Node, mode());
  return created;
}

function derive<K extends Op>(op: K, attrs: Attributes[K], inputs: readonly Node[], spec: Spec): NodeOf<K> {
  let after = 0;
  let requiresGrad = false;
  for (const input of inputs) {
    input.hasReaders = true;
    if (input.after > after) after = input.after;
    if (input.requiresGrad) requiresGrad = true;
  }
  requiresGrad = requiresGrad && gradientMode && (op === 'call' || differentiable(spec.dtype));
  const device = commonDevice(op, attrs, inputs);
  if (device !== null && !device.supports(spec.dtype)) {
    throw new DTypeError({
      operation: nameOf(op, attrs),
      problem: `the ${device.name} device has no ${spec.dtype}`,
      operands: inputs.map(operandOf),
      expected: 'float32',
      remedy: 'cast to float32, or move to another device',
    });
  }
  return create(op, attrs, inputs, spec, device, requiresGrad, after);
}

/** A call of a composite on its operands as they are: its outputs as nodes. */
export function callNode<A extends Attrs>(
  composite: Composite<A>,
  attrs: A,
  ...inputs: Node[]
): readonly NodeOf<'output'>[] {
  const erased = composite as unknown as Composite;
  const known = recorder?.follow('call', { composite: erased, attrs, outputs: [] }, inputs, mode());
  if (known !== undefined && known !== null) return known.outputs!;
  const outputs = composite.infer(attrs, ...inputs);
  const called = recorded(
    derive(
      'call',
      { composite: erased, attrs, outputs },
      inputs,
      outputs[0] ?? { shape: [], dtype: 'float32' },
    ),
  );
  const values = outputs.map((spec, index) => derive('output', { index }, [called], spec));
  called.outputs = values;
  return values;
}

/** The dtype of arithmetic and of state for values of a dtype: float32 for float16. */
export function computeDType(dtype: DType): DType {
  return dtype === 'float16' ? 'float32' : dtype;
}

/** x in float32 if it is float16, which is storage and not arithmetic; else x itself. */
export function widen(x: Node): Node {
  return x.dtype === 'float16' ? node('cast', { dtype: 'float32' }, [x]) : x;
}

/** What float32 arithmetic has found, rounded to the dtype of the operands. */
function rounded(x: Node, dtype: DType): Node {
  return dtype === 'float16' && x.dtype === 'float32' ? node('cast', { dtype }, [x]) : x;
}

/**
 * A call of a composite: its outputs. Of float16 operands it is computed in float32, and what `infer` says to
 * be float16 is rounded once.
 */
export function call<A extends Attrs>(composite: Composite<A>, attrs: A, ...inputs: Node[]): readonly Node[] {
  if (!inputs.some(({ dtype }) => dtype === 'float16')) return callNode(composite, attrs, ...inputs);
  const promised = composite.infer(attrs, ...inputs);
  return callNode(composite, attrs, ...inputs.map(widen)).map((value, index) =>
    rounded(value, promised[index]!.dtype),
  );
}

/**
 * What `compute` makes of its operands; of float16 operands as float32, and what it gives is rounded to
 * float16 once. For operations of several primitives, whose intermediates may leave the range of float16
 * where the result does not. Operands of several floating-point dtypes stay as they are: to refuse them is
 * the operation's task.
 */
export function widened(compute: (...operands: Node[]) => Node, ...operands: Node[]): Node {
  const isNarrow =
    operands.some(({ dtype }) => dtype === 'float16') &&
    !operands.some(({ dtype }) => dtype === 'float32' || dtype === 'float64');
  if (!isNarrow) return compute(...operands);
  try {
    return rounded(compute(...operands.map(widen)), 'float16');
  } catch (error) {
    compute(...operands); // fails likewise, and its error names the operands that were given
    throw error;
  }
}

/** The values of a call that `call` has built, in order. */
export function outputsOf(called: NodeOf<'call'>): readonly NodeOf<'output'>[] {
  return called.outputs ?? [];
}

/** The attributes of a leaf for a variable or an earlier result. */
export function storedAttributes({ shape, dtype }: Spec, name: string | null): Attributes['leaf'] {
  return { role: 'stored', name, shape, dtype, host: null, sample: null };
}

/** Options of a leaf; `subject` is the object of which it is the value, in a function that is traced. */
interface LeafOptions {
  readonly requiresGrad?: boolean;
  readonly pending?: Node;
  readonly after?: number;
  readonly subject?: object;
}

/**
 * A value from outside the graph; without a device, one that is a constant. `pending` is the node that will
 * give its value, for a variable with a pending update.
 */
export function leaf(attrs: Attributes['leaf'], device: Placement | null, options: LeafOptions = {}): Leaf {
  const { requiresGrad = false, pending, after = 0, subject = null } = options;
  const known = recorder?.followLeaf(attrs, device, requiresGrad, pending ?? null, subject);
  if (known !== undefined && known !== null) return known;
  if (requiresGrad && !differentiable(attrs.dtype)) {
    const problem = `only floating-point values have gradients, got ${attrs.dtype}`;
    const expected = 'a floating-point value';
    throw new DTypeError({
      operation: 'requiresGrad',
      problem,
      operands: [attrs],
      expected,
      remedy: "use cast('float32')",
    });
  }
  if (pending !== undefined) pending.hasReaders = true;
  const created = create(
    'leaf',
    attrs,
    pending === undefined ? [] : [pending],
    attrs,
    device,
    requiresGrad,
    after,
  );
  recorder?.record(created, 'plain', subject);
  return created;
}

/**
 * A number, or a short list of numbers, that is sampled now, and again at each call of a compiled function.
 * It is no part of a program's key: a learning rate may change without compiling anything.
 */
export function hostLeaf(sample: () => HostValue, dtype: DType, device: Placement): Leaf {
  const host = sample();
  const shape: Shape = typeof host === 'number' ? [] : [host.length];
  return leaf({ role: 'host', name: null, shape, dtype, host, sample }, device);
}

/** Every element is `value`. */
export function constant(value: number, shape: Shape, dtype: DType): Node {
  return node('const', { value, shape, dtype }, []);
}

/** A constant that decides what is computed, an exponent: programs with others are other programs. */
export function fixedConstant(value: number, shape: Shape, dtype: DType): Node {
  return node('const', { value, shape, dtype, fixed: true }, []);
}

/** The argument of a closed program for the value of `source`. */
export function argumentLeaf(source: Node): Leaf {
  const attrs =
    source.op === 'leaf' ? { ...source.attrs, host: null, sample: null } : storedAttributes(source, null);
  return create('leaf', attrs, [], attrs, null, false, 0);
}

/** The leaf of a closed program through which each run gives a number of that dtype. */
export function numberLeaf(dtype: DType): Leaf {
  const attrs: Attributes['leaf'] = { role: 'host', name: null, shape: [], dtype, host: null, sample: null };
  return create('leaf', attrs, [], attrs, null, false, 0);
}

/**
 * The same value as a node of its own that requires a gradient: what a functional transform differentiates
 * with respect to.
 */
export function tracked(x: Node): Node {
  requireFloat('grad', x);
  const attrs = { kind: 'reshape', shape: x.shape } as const;
  const known = recorder?.follow('movement', attrs, [x], 'tracked');
  if (known !== undefined && known !== null) return known;
  const created = create('movement', attrs, [x], x, x.device, true, x.after);
  recorder?.record(created, 'tracked');
  return created;
}

/** The same operation on other inputs, without checks: they have the shapes and dtypes of the old ones. */
export function rebuild(
  original: Node,
  inputs: readonly Node[],
  device: Placement | null = original.device,
): Node {
  const copy = create(original.op, original.attrs as never, inputs, original, device, false, 0);
  return copy;
}

/** A value that every device can make, as one of a device that is named. */
export function placed(value: Node, device: Placement): Node {
  return value.device === null
    ? create(value.op, value.attrs as never, value.inputs, value, device, value.requiresGrad, value.after)
    : value;
}

/** The same operation on other inputs that may require gradients. */
export function reapply(original: Node, inputs: readonly Node[]): Node {
  const { op, attrs } = original;
  return (
    recorder?.follow(op, attrs, inputs, mode()) ??
    recorded(derive(op, attrs as never, inputs, original) as Node)
  );
}

/**
 * The same operation on other inputs, whichever it is: a call anew, and for an output the one of the call
 * that is given.
 */
export function copyNode(original: Node, inputs: readonly Node[]): Node {
  if (original.op === 'call')
    return callNode(original.attrs.composite, original.attrs.attrs, ...inputs)[0]!.inputs[0]!;
  if (original.op === 'output') return outputsOf(inputs[0] as NodeOf<'call'>)[original.attrs.index]!;
  return reapply(original, inputs);
}
