/**
 * Tracing: while a compiled function's body runs, each handle that it reads gets a placeholder, and each
 * handle that it rebinds is noted. At the end every handle has its old node again, and the trace knows the
 * state that the function reads and the state that it changes. A body that is traced again reuses the nodes
 * of an earlier trace as long as it builds the same.
 */
import type { ErrorFacts } from '@firsthand/linalg';
import {
  constant,
  copyNode,
  DeviceError,
  GradientError,
  isGradientEnabled,
  leaf,
  operandOf,
  postOrder,
  storedAttributes,
  withRecorder,
} from '@firsthand/graph';
import type { Leaf, Node, Recorder, TypedArray } from '@firsthand/graph';
import type { Handle } from '@firsthand/runtime';
import { Guards } from './guards.ts';

/** A handle with a gradient or null: the part of a tensor that a trace needs. */
export interface DifferentiableHandle extends Handle {
  gradient: Handle | null;
  /** A handle for this variable's gradient, with the given value. */
  createGradient(value: Node): Handle;
}

/** State that the trace has touched: a handle, or the gradient of one. */
export interface TracedHandle {
  readonly handle: Handle;
  readonly before: Node;
  readonly placeholder: Leaf;
}
export interface TracedGradient {
  readonly variable: DifferentiableHandle;
  readonly before: Handle | null;
  readonly placeholder: Leaf | null;
  /** The gradient's value when the trace ended, null if there was none. */
  after: Node | null;
}

let current: Trace | null = null;

export function currentTrace(): Trace | null {
  return current;
}

/**
 * Returns a number of which the next constant is made. If it is an argument of the compiled function, the
 * constant varies between calls.
 */
export function noteNumber(value: number): number {
  current?.recorder.expect(value);
  return value;
}

/** Makes `trace` the current one. @returns the one before */
function enter(trace: Trace | null): Trace | null {
  const outer = current;
  current = trace;
  return outer;
}

export class Trace {
  readonly handles: TracedHandle[] = [];
  readonly gradients: Map<DifferentiableHandle, TracedGradient> = new Map();
  readonly guards: Guards;
  readonly hosts: Leaf[] = [];
  /** Leaves with host data that the body made, in order. */
  readonly data: { readonly node: Leaf; readonly elements: TypedArray | null }[] = [];
  readonly recorder: Recorder<never>;
  /** Handles that stand for the function's arguments. */
  readonly #arguments = new Set<Handle>();
  /** Nodes whose `variable` or `closed` field was set for the time of this trace. */
  readonly #marked: Node[] = [];
  #isIrregular = false;
  ended = false;
  /** The values of the recorder's constants when the trace ended. */
  values: readonly number[] = [];

  constructor(recorder: Recorder<never>, guards: Guards = new Guards()) {
    this.recorder = recorder;
    this.guards = guards;
  }

  /** Runs the function's body; every handle is restored, whatever happens. */
  run<T>(body: () => T): T {
    const outer = enter(this);
    try {
      return withRecorder(this.recorder, body);
    } finally {
      enter(outer);
      this.#restore();
    }
  }

  /** A handle from outside is read: it gets its placeholder. */
  adopt(handle: Handle): void {
    if (handle.adoptedBy === this || this.#arguments.has(handle)) return;
    const before = handle.node;
    const { requiresGrad, device } = before; // none for constants, which join any device
    const placeholder =
      this.recorder.followSubject(handle, device, requiresGrad, null) ??
      leaf(storedAttributes(before, handle.name), device, { requiresGrad, subject: handle });
    const variable = before.op === 'leaf' ? handle : null;
    // In an earlier trace the leaf may have been the placeholder of a computed value, or of a variable.
    if (placeholder.hasReaders && placeholder.variable !== variable) this.#isIrregular = true;
    placeholder.variable = variable;
    placeholder.closed = variable === null && requiresGrad ? captured(handle) : null;
    this.handles.push({ handle, before, placeholder });
    handle.adoptedBy = this;
    handle.node = placeholder;
  }

  /** Whether the handle comes from outside, and is no argument. */
  hasAdopted(handle: Handle): boolean {
    return handle.adoptedBy === this;
  }

  /** @throws GradientError if a gradient would accumulate in an argument: it lives for one call only */
  requireVariable(handle: Handle): void {
    if (this.#arguments.has(handle)) {
      throw new GradientError({
        operation: 'backward',
        problem: 'inside compile, a gradient would accumulate in an argument',
        operands: [operandOf(handle.node)],
        expected: 'a captured variable',
        remedy: 'use grad(f), or make it a captured variable',
      });
    }
  }

  /** @throws DeviceError for an argument: it lives for one call only */
  requireRebindable(handle: Handle): void {
    if (this.#arguments.has(handle)) {
      throw new DeviceError({
        operation: 'assign',
        problem: 'inside compile, an argument cannot be given another value',
        operands: [operandOf(handle.node)],
        expected: 'a captured variable',
        remedy: 'return the value, or capture the variable',
      });
    }
  }

  addArgument(handle: Handle): void {
    this.#arguments.add(handle);
  }

  /**
   * The gradient of `variable` is read or set: state of the compiled function, found through the variable.
   */
  adoptGradient(variable: DifferentiableHandle): void {
    if (this.gradients.has(variable)) return;
    const before = variable.gradient;
    if (before === null) {
      this.gradients.set(variable, { variable, before, placeholder: null, after: null });
      return;
    }
    const placeholder = leaf(storedAttributes(before.node, before.name), before.node.device, {
      subject: variable,
    });
    this.gradients.set(variable, { variable, before, placeholder, after: null });
    variable.gradient = variable.createGradient(placeholder);
  }

  /** A host value is sampled again at every call, in the order of the body. */
  addHost(host: Leaf): void {
    this.hosts.push(host);
  }

  /** Host data became a part of the graph. */
  addData(node: Leaf, elements: TypedArray | null): void {
    this.data.push({ node, elements });
  }

  /** Rebinds a handle for the rest of the trace. */
  assign(handle: Handle, value: Node): void {
    const { device, requiresGrad } = handle.node;
    const isOutside = this.hasAdopted(handle);
    const target =
      (isOutside ? this.recorder.followSubject(handle, device, requiresGrad, value) : null) ??
      leaf(storedAttributes(handle.node, handle.name), device, {
        requiresGrad,
        pending: value,
        ...(isOutside ? { subject: handle } : {}),
      });
    target.variable = handle;
    if (!isOutside) this.mark(target);
    handle.node = target;
  }

  /** The result of `build`, a function of `key` and of the marked nodes; memoised over the traces. */
  memo<T>(key: readonly unknown[], build: () => T): T {
    return this.#isIrregular
      ? build()
      : this.recorder.memo([...key, isGradientEnabled(), ...this.#marked], build);
  }

  /** The node has a variable, or was differentiated, for as long as this trace lasts. */
  mark(node: Node): void {
    this.#marked.push(node);
  }

  /**
   * A value of this trace that depends on constants alone, as a node that no other trace follows; null for
   * others.
   */
  constantCopy(root: Node): Node | null {
    const order = postOrder([root], ({ inputs }) => inputs);
    if (order.some(({ op }) => op === 'leaf')) return null;
    const values = new Map<Node, number>(
      this.recorder.constants.map((constant, index) => [constant, this.values[index]!]),
    );
    const copies = new Map<Node, Node>();
    for (const node of order) {
      const inputs = node.inputs.map((input) => copies.get(input)!);
      const value = values.get(node);
      copies.set(
        node,
        node.op === 'const'
          ? constant(value ?? node.attrs.value, node.shape, node.dtype)
          : copyNode(node, inputs),
      );
    }
    return copies.get(root)!;
  }

  /** The handles that the body has rebound, with their nodes when it ended. */
  readonly rebound: (TracedHandle & { readonly node: Node })[] = [];

  #restore(): void {
    for (const { handle, before, placeholder } of this.handles) {
      if (handle.node !== placeholder) this.rebound.push({ handle, before, placeholder, node: handle.node });
      handle.node = before;
      handle.adoptedBy = null;
    }
    for (const entry of this.gradients.values()) {
      entry.after = entry.variable.gradient?.node ?? null;
      entry.variable.gradient = entry.before;
    }
    for (const node of this.#marked) {
      node.variable = null;
      node.closed = null;
    }
    this.values = this.recorder.constants.map(({ attrs }) => attrs.value);
    this.ended = true;
  }
}

/** @throws DeviceError inside `compile`, where there are no values to read */
export function requireValues(operation: string, remedy: string): void {
  if (currentTrace() === null) return;
  const problem = 'values do not exist inside compile';
  throw new DeviceError({ operation, problem, expected: 'a call outside of compile', remedy });
}

/** Why no gradient flows into a value from outside. */
function captured(handle: Handle): ErrorFacts {
  const name = handle.name === null ? 'a tensor' : `"${handle.name}"`;
  return {
    operation: 'backward',
    problem: `inside compile, the gradient would flow into ${name}, which was computed outside`,
    operands: [operandOf(handle.node)],
    expected: 'a value that is computed inside',
    remedy: 'compute it inside, or pass detach()',
  };
}
