/**
 * The runtime of one device: the queue of pending effects, the programs made of them, the in-flight runs.
 * Everything is enqueued without waiting, first in, first out; only reading waits. Rules are cited by their
 * number in docs/semantics.md.
 */
import { checkCount, checkFunction } from '@firsthand/linalg';
import { ProgramCache } from './cache.ts';
import type { Prepared } from './cache.ts';
import { bufferOf, failedBuffer, releaseBuffer, requireReadable } from './buffer-reference.ts';
import type { BufferReference } from './buffer-reference.ts';
import { closePrefix, components } from './components.ts';
import type { Component } from './components.ts';
import { DeviceError, leaf, storedAttributes, titleOf, describe, isRematerialisable } from '@firsthand/graph';
import type { Request, HostValue, Node, TypedArray } from '@firsthand/graph';
import { asError, RunTracker } from './run-tracker.ts';
import { overwritable, replaceVersion, requireAssignable } from './version.ts';
import type { EffectKind, Handle, PendingEffect } from './handle.ts';
import { SavedTensors, type SavedSet } from './saved-tensors.ts';
import type { Device, Executable, Storage } from './device.ts';

/** Counts that tests and benchmarks read. */
export interface Counters {
  /** Programs that the device had to compile. */
  compilations: number;
  /** Programs that were run. */
  programs: number;
  /** Nodes that were computed a second time because their first value had not been stored. */
  recomputed: number;
}

/** One variable's pending updates before everything is enqueued (rule 7b). */
const PENDING_LIMIT = 16;

let sequence = 0;
let groups = 0;
let openGroup: { readonly id: number; readonly first: number } | null = null;

/** Runs `fn`; the effects that it enqueues are never separated (rule 5). */
export function effectGroup<T>(fn: () => T): T {
  checkCount('effectGroup', arguments.length, 1, 'effectGroup(fn)');
  checkFunction('effectGroup', 'what is to be run', fn, 'effectGroup(() => …)');
  if (openGroup !== null) return fn();
  openGroup = { id: ++groups, first: sequence + 1 };
  try {
    return fn();
  } finally {
    openGroup = null;
  }
}

/** The saved sets of a requested value, for its derivative or for that of its operands (rule 13). */
export type SavedSetsOf = (requested: Node) => readonly SavedSet[];

/** The queue of one device; got by `runtimeOf(device)`. */
export class Runtime {
  readonly device: Device;
  readonly counters: Counters = { compilations: 0, programs: 0, recomputed: 0 };
  #queue: PendingEffect[] = [];
  /** Sequence number of the last effect that was enqueued on the device. */
  #enqueued = 0;
  #warned = false;
  readonly #cache: ProgramCache;
  readonly #runs: RunTracker;
  readonly #saved = new SavedTensors();

  constructor(device: Device) {
    this.device = device;
    this.#cache = new ProgramCache(device, () => this.counters.compilations++);
    this.#runs = new RunTracker(device);
  }

  // ---- effects

  /** Rebinds `handle` to `value` (rule 5). @throws ShapeError, DTypeError, DeviceError */
  assign(handle: Handle, value: Node, kind: EffectKind): void {
    requireAssignable(handle, value);
    if (kind === 'update') this.enqueueBefore(value);
    const previous = handle.node;
    const number = ++sequence;
    const target = leaf(storedAttributes(previous, handle.name), this.device, {
      requiresGrad: previous.requiresGrad,
      pending: value,
      after: kind === 'update' ? number : 0,
    });
    const effect: PendingEffect = {
      sequence: number,
      group: openGroup?.id ?? ++groups,
      kind,
      handle,
      target,
      value,
      previous,
      keep: true,
      saved: [],
      sharers: [],
      enqueued: null,
    };
    this.#queue.push(effect);
    target.variable = handle;
    handle.node = target;
    handle.pending = effect;
    if (++handle.pendingCount >= PENDING_LIMIT) this.#enqueue(this.#queue.length, [], null);
  }

  /**
   * `root` is what a `backward` starts from: it becomes an output of the program that computes its gradients
   * (rule 9), and so does what is `saved` for another `backward`.
   */
  keepRoot(root: Node, saved: readonly Node[], enqueued: () => void): void {
    const group = openGroup?.id ?? ++groups;
    this.#queue.push({
      sequence: ++sequence,
      group,
      kind: 'root',
      handle: null,
      target: root,
      value: root,
      previous: null,
      keep: true,
      saved,
      sharers: [],
      enqueued,
    });
  }

  /** The pending value of `handle` can no longer be requested: it is used, but not stored (rule 15). */
  abandon(handle: Handle): void {
    if (handle.pending === null || handle.pending.target !== handle.node) return;
    handle.pending.keep = false;
    if (handle.pendingCount > 1)
      for (const effect of this.#queue) if (effect.handle === handle) effect.keep = false;
  }

  /** Enqueues the updates that `value` reads, unless they belong to the open group (rule 7a). */
  enqueueBefore(value: Node): void {
    if (value.after <= this.#enqueued || (openGroup !== null && value.after >= openGroup.first)) return;
    this.#enqueueThrough(value.after);
  }

  /** Enqueues a gradient that is pending, before another is added to it (rule 7a). */
  enqueueGradient(handle: Handle): void {
    if (handle.pending !== null && handle.node.stored === null) this.#enqueueThrough(handle.pending.sequence);
  }

  #enqueueThrough(number: number): void {
    const end = this.#queue.findIndex((effect) => effect.sequence > number);
    const count = end < 0 ? this.#queue.length : end;
    if (count > 0) this.#enqueue(closePrefix(this.#queue, count), [], null);
  }

  // ---- values

  /**
   * Enqueues all pending effects and the programs that give `nodes` their values (rule 6). @throws the
   * failure of any of them
   */
  realize(nodes: readonly Node[], saved: SavedSetsOf | null = null): void {
    const requested = [...new Set(nodes)].filter((node) => node.stored === null);
    const failures = this.#enqueue(this.#queue.length, requested, saved);
    for (const node of nodes) {
      const failure = failures.get(node);
      if (failure !== undefined) throw failure;
      const buffer = bufferOf(node)!;
      buffer.requested = true;
      requireReadable(buffer);
    }
  }

  /** A copy of a node's value. It is read in the queue, after what was enqueued before. */
  async read(node: Node, saved: SavedSetsOf | null = null): Promise<TypedArray<ArrayBuffer>> {
    this.realize([node], saved);
    const buffer = bufferOf(node)!;
    const { inFlight: run } = buffer;
    const reading = this.device.read(buffer.storage);
    // The run's failure says more than the failure to read what it never wrote.
    const outcome = reading.catch((error: unknown) =>
      buffer.failure === null ? Promise.reject(asError(error)) : null,
    );
    if (run !== null) await run.completed;
    const value = await outcome;
    if (buffer.failure !== null || value === null) throw buffer.failure ?? new DeviceError('read: no value');
    await this.#runs.backPressure();
    return value;
  }

  /** @throws DeviceError where the device cannot block */
  readSync(node: Node, saved: SavedSetsOf | null = null): TypedArray<ArrayBuffer> {
    if (this.device.readSync === undefined) {
      const problem = `the ${this.device.name} device cannot wait`;
      throw new DeviceError({
        operation: 'dataSync',
        problem,
        expected: 'a device that can wait',
        remedy: 'use await data()',
      });
    }
    this.realize([node], saved);
    return this.device.readSync(requireReadable(bufferOf(node)!).storage);
  }

  /** Waits until the values of `nodes` exist. */
  async finish(nodes: readonly Node[]): Promise<void> {
    await Promise.all(nodes.map((node) => bufferOf(node)?.inFlight?.completed ?? Promise.resolve()));
    for (const node of nodes) {
      const buffer = bufferOf(node);
      if (buffer !== null) requireReadable(buffer);
    }
    await this.#runs.backPressure();
  }

  /** Enqueues everything that is pending. */
  flush(): void {
    this.#enqueue(this.#queue.length, [], null);
  }

  /** The executable for a request, compiled or from the cache. */
  prepare(request: Request): Prepared {
    return this.#cache.prepare(request);
  }

  /** A buffer reference to a storage that the host has filled. */
  adopt(storage: Storage): BufferReference {
    return this.#runs.adopt(storage);
  }

  /** Frees the storage of a handle that was dropped. */
  release(buffer: BufferReference): void {
    releaseBuffer(buffer, 'a disposed tensor');
  }

  // ---- programs

  #enqueue(count: number, requested: readonly Node[], saved: SavedSetsOf | null): ReadonlyMap<Node, Error> {
    const effects = this.#queue.slice(0, count);
    this.#queue = this.#queue.slice(count);
    const failures = new Map<Node, Error>();
    const last = effects.at(-1);
    if (last !== undefined) this.#enqueued = last.sequence;
    if (effects.length + requested.length === 0) return failures;
    for (const component of components(effects, requested)) {
      try {
        this.#launch(component, saved);
      } catch (error) {
        const failure = asError(error);
        for (const effect of component.effects) this.#fail(effect, failure);
        for (const node of component.requested) failures.set(node, failure);
      }
    }
    return failures;
  }

  #launch({ effects, requested }: Component, saved: SavedSetsOf | null): void {
    const roots = effects.filter((effect) => effect.kind === 'root' && effect.target.stored === null);
    const written = effects.filter((effect) => effect.handle !== null && effect.keep);
    // A variable gets its value by being rebound, here or by an earlier component.
    const rebound = new Set(written.map((effect) => effect.target));
    const unrealised = requested.filter((node) => node.stored === null && !rebound.has(node));
    // Each value with the residuals of its derivative (rule 13).
    const savedSets = unrealised.flatMap((node) => saved?.(node) ?? []);
    for (const { target, saved: nodes } of roots) savedSets.push({ root: target, nodes });
    const values = [...new Set([...unrealised, ...roots.map(({ target }) => target)])];
    const valueSet = new Set(values);
    const extra = [...new Set(savedSets.flatMap(({ nodes }) => nodes))].filter(
      (node) => node.stored === null && !valueSet.has(node),
    );
    if (written.length + values.length > 0) {
      const outputs = this.#run(written, [...values, ...extra]);
      written.forEach((effect, index) => this.#rebind(effect, outputs[index]!));
      [...values, ...extra].forEach((node, index) => {
        node.stored = outputs[written.length + index]!;
      });
    }
    // Roots of `backward` stay readable, even those that were stored before.
    for (const node of values) bufferOf(node)!.requested = true;
    for (const { kind, target } of effects) if (kind === 'root') bufferOf(target)!.requested = true;
    for (const each of savedSets) this.#saved.add(each, !valueSet.has(each.root));
    for (const effect of effects) {
      if (!effect.keep) this.#clearPending(effect);
      effect.enqueued?.();
    }
    for (const node of unrealised) if (!node.requiresGrad) node.inputs = [];
  }

  #run(written: readonly PendingEffect[], values: readonly Node[]): readonly BufferReference[] {
    // The last update of a variable may overwrite it; values in between, and shared storages, get storages of
    // their own.
    const request = {
      effects: written.map((effect) => ({
        node: effect.value,
        into: overwritable(effect) ? effect.previous : null,
      })),
      roots: values,
    };
    const { executable, args, order } = this.#cache.prepare(request);
    const inputs = args.map((node) => {
      const buffer = bufferOf(node);
      return buffer === null ? hostValue(node) : requireReadable(buffer);
    });
    this.#countRecomputed(order, [...written.map(({ target }) => target), ...values]);
    return this.submit(
      executable,
      inputs,
      request.effects.map(({ into }) => (into === null ? null : bufferOf(into))),
    );
  }

  /** Enqueues one run of a program that `prepare` has given; see `RunTracker.submit`. */
  submit(
    executable: Executable,
    args: readonly (BufferReference | HostValue)[],
    overwrites: readonly (BufferReference | null)[],
  ): BufferReference[] {
    const buffers = this.#runs.submit(executable, args, overwrites);
    this.counters.programs++;
    return buffers;
  }

  /** Counts the nodes of a program that an earlier one has computed and not stored; warns once (rule 9). */
  #countRecomputed(order: readonly Node[], outputs: readonly Node[]): void {
    const repeated: Node[] = [];
    const rematerialisable = new Set<Node>();
    for (const node of order) {
      if (isRematerialisable(node, rematerialisable)) rematerialisable.add(node);
      else if (node.stored === null && VIEWS[node.op] !== true) {
        if (node.computed) repeated.push(node);
        node.computed = true;
      }
    }
    this.counters.recomputed += repeated.length;
    if (repeated.length > 0 && !this.#warned) {
      this.#warned = true;
      // oxlint-disable-next-line no-console -- said once, to the person who reads values one after the other
      console.warn(recomputationWarning(repeated, outputs));
    }
  }

  /** True while tensors are saved for implied roots: nothing but a function without derivative read them. */
  get savesImplied(): boolean {
    return this.#saved.impliedCount > 0;
  }

  /** Frees what was saved for the implied roots among `nodes`, and for no other root (rule 13). */
  releaseImplied(nodes: readonly Node[]): void {
    this.#saved.releaseImplied(nodes);
  }

  /** Frees what was saved for `root`, and for no other root (rule 13). */
  releaseSaved(root: Node): void {
    this.#saved.release(root);
  }

  // ---- bookkeeping of one effect

  #clearPending(effect: PendingEffect): void {
    const { handle } = effect;
    if (handle === null) return;
    handle.pendingCount--;
    if (handle.pending === effect) handle.pending = null;
  }

  #rebind(effect: PendingEffect, buffer: BufferReference): void {
    const { handle, target, previous } = effect;
    target.stored = buffer;
    target.inputs = [];
    this.#clearPending(effect);
    for (const sharer of effect.sharers) {
      sharer.node.stored = buffer;
      sharer.node.inputs = [];
      if (sharer.handle.node === sharer.node) sharer.handle.referTo(buffer);
    }
    if (handle !== null) replaceVersion(handle, previous === null ? null : bufferOf(previous), buffer);
  }

  #fail(effect: PendingEffect, failure: Error): void {
    this.#clearPending(effect);
    if (effect.target.stored === null)
      effect.target.stored = failedBuffer(failure, this.device, effect.target.dtype);
  }
}

function recomputationWarning(repeated: readonly Node[], outputs: readonly Node[]): string {
  const last = repeated.at(-1)!;
  const others = repeated.length === 1 ? '' : ` and ${repeated.length - 1} operations before it`;
  const named = outputs
    .slice(0, 2)
    .map((node) => (node.op === 'leaf' ? describe(node) : `${titleOf(node)} (${describe(node)})`));
  const more = outputs.length > named.length ? ` and ${outputs.length - named.length} more` : '';
  return (
    `firsthand: for ${named.join(' and ')}${more}, ${titleOf(last)} (${describe(last)})${others} were computed a second time: the program that computed them first did not keep them, ` +
    'since nobody had asked for what needs them now. Ask for values that share work together: await realize(a, b).'
  );
}

/** Names for values that are computed elsewhere. */
const VIEWS: { readonly [op: string]: boolean } = { leaf: true, movement: true, output: true };

function hostValue(node: Node): number | readonly number[] {
  if (node.op === 'const') return node.attrs.value;
  if (node.op === 'leaf' && node.attrs.host !== null) return node.attrs.host;
  throw new DeviceError(`${describe(node)} has no value`);
}

const runtimes = /* @__PURE__ */ new WeakMap<Device, Runtime>();

/** The runtime of a device: one per device, made on first use. */
export function runtimeOf(device: Device): Runtime {
  const known = runtimes.get(device);
  if (known !== undefined) return known;
  const runtime = new Runtime(device);
  runtimes.set(device, runtime);
  return runtime;
}
