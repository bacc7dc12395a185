/**
 * Tracing: while a compiled function's body runs for the first time, the handles it reads get placeholders, and what it rebinds
 * is only noted. At the end every handle is as it was before; the trace knows which state goes in, and which comes out.
 */
import { DeviceError, getDefaultDevice, GradientError, leaf, storedAttributes } from '@firsthand/graph';
import type { Handle, Leaf, Node } from '@firsthand/graph';
import { Guards } from './guards.ts';

/** A handle that may have a gradient: a tensor, seen from here. */
export interface GradientOwner extends Handle {
  gradient: Handle | null;
  /** A gradient handle for this owner with the given value. */
  createGradient(value: Node): Handle;
}

/** State that the trace has touched: a handle, or the gradient of one. */
export interface TracedHandle {
  readonly handle: Handle;
  readonly before: Node;
  readonly placeholder: Leaf;
}
export interface TracedGradient {
  readonly owner: GradientOwner;
  readonly before: Handle | null;
  readonly placeholder: Leaf | null;
  /** The gradient's value when the trace ended, null if there was none. */
  after: Node | null;
}
let current: Trace | null = null;

export function currentTrace(): Trace | null {
  return current;
}

/** Makes `trace` the current one, and gives the one before. */
function enter(trace: Trace | null): Trace | null {
  const outer = current;
  current = trace;
  return outer;
}

export class Trace {
  readonly handles: Map<Handle, TracedHandle> = new Map();
  readonly gradients: Map<GradientOwner, TracedGradient> = new Map();
  readonly guards: Guards = new Guards();
  readonly hosts: Leaf[] = [];
  /** Handles that stand for the function's arguments. */
  readonly #arguments = new Set<Handle>();
  ended = false;

  /** Runs the function's body; every handle is restored, whatever happens. */
  run<T>(body: () => T): T {
    const outer = enter(this);
    try {
      return body();
    } finally {
      enter(outer);
      this.#restore();
    }
  }

  /** A handle from outside is read: it gets its placeholder. */
  adopt(handle: Handle): void {
    if (this.handles.has(handle) || this.#arguments.has(handle)) return;
    const before = handle.node;
    const { device, requiresGrad } = before;
    const placeholder = leaf(storedAttributes(before, handle.name), device ?? getDefaultDevice(), { requiresGrad });
    if (before.op === 'leaf') placeholder.owner = handle;
    else if (requiresGrad) placeholder.closed = captured(handle);
    this.handles.set(handle, { handle, before, placeholder });
    handle.node = placeholder;
  }

  /** @throws GradientError if a gradient would accumulate in an argument: it lives for one call only */
  requireVariable(handle: Handle): void {
    if (this.#arguments.has(handle)) {
      throw new GradientError(
        'backward: inside compile, a gradient would accumulate in an argument; use grad(f), or make it a captured variable',
      );
    }
  }

  /** @throws DeviceError for an argument: it lives for one call only */
  requireRebindable(handle: Handle): void {
    if (this.#arguments.has(handle)) {
      throw new DeviceError('assign: inside compile, an argument cannot be given another value; return the value, or capture the variable');
    }
  }

  addArgument(handle: Handle): void {
    this.#arguments.add(handle);
  }

  /** The gradient of `owner` is read or set: on entry it is a path, not a handle. */
  adoptGradient(owner: GradientOwner): void {
    if (this.gradients.has(owner)) return;
    const before = owner.gradient;
    if (before === null) {
      this.gradients.set(owner, { owner, before, placeholder: null, after: null });
      return;
    }
    const placeholder = leaf(storedAttributes(before.node, before.name), before.node.device!);
    this.gradients.set(owner, { owner, before, placeholder, after: null });
    owner.gradient = owner.createGradient(placeholder);
  }

  /** A host value is sampled again at every call, in the order in which the body asked for them. */
  addHost(host: Leaf): void {
    this.hosts.push(host);
  }

  /** Rebinds a handle for the rest of the trace. */
  assign(handle: Handle, value: Node): void {
    const { device, requiresGrad } = handle.node;
    const target = leaf(storedAttributes(handle.node, handle.name), device!, { requiresGrad, pending: value });
    target.owner = handle;
    handle.node = target;
  }

  /** What the handles held when the body ended, by handle; before they are restored. */
  readonly rebound: Map<Handle, Node> = new Map();

  #restore(): void {
    for (const { handle, before, placeholder } of this.handles.values()) {
      if (handle.node !== placeholder) this.rebound.set(handle, handle.node);
      handle.node = before;
    }
    for (const entry of this.gradients.values()) {
      entry.after = entry.owner.gradient?.node ?? null;
      entry.owner.gradient = entry.before;
    }
    this.ended = true;
  }
}

function captured(handle: Handle): string {
  const name = handle.name === null ? 'a tensor' : `"${handle.name}"`;
  return `backward: inside compile, the gradient would flow into ${name}, which was computed outside; compute it inside, or pass detach()`;
}
