/**
 * `Value`: a tensor as a handle on a node, without its operations. It has shape, dtype and device, gives its
 * elements, accumulates gradients and can be rebound. Reading elements runs the graph; the rest only builds
 * it.
 */
/// <reference lib="esnext.disposable" preserve="true" />
import {
  add,
  describe,
  GradientError,
  identity,
  leaf,
  operandOf,
  placed,
  storedAttributes,
  withGradient,
} from '@firsthand/graph';
import {
  checkDevice,
  effectGroup,
  getDefaultDevice,
  Handle,
  requireAssignable,
  runtimeOf,
  StaleError,
  bufferOf,
  deviceOf,
} from '@firsthand/runtime';
import type { DType, Node, Shape, TypedArray } from '@firsthand/graph';
import type { Device, EffectKind, Runtime } from '@firsthand/runtime';
import {
  readArray,
  checkCount,
  checkOptions,
  formatShape,
  fromFloat16Bits,
  isPlain,
  NDArray,
  printable,
  ShapeError,
  sizeOf,
} from '@firsthand/linalg';
import type { Data, Nested, OptionKeys } from '@firsthand/linalg';
import { CONSUMED, differentiatedNodes, gradientsOfLeaves } from './gradient.ts';
import { savedSetsOf } from './saved.ts';
import { operandNode, seedNode } from './operands.ts';
import { guardData, storedLeaf, upload } from './stored.ts';
import { requireNotSubstituted } from './node-substitution.ts';
import { withCompanions } from './companions.ts';
import { currentTrace, requireValues } from './trace.ts';
import type { DifferentiableHandle, Trace } from './trace.ts';

/** Options of `backward`. */
export interface BackwardOptions {
  /** Keep the graph, so that `backward` may be called through it again. */
  readonly retainGraph?: boolean;
}

const BACKWARD_KEYS: OptionKeys<BackwardOptions> = { retainGraph: 'boolean' };

export abstract class Value<T extends Value<T>> extends Handle implements DifferentiableHandle {
  /** The gradient handle itself; `grad` is how it is read. */
  gradient: Handle | null = null;
  /** The trace in which this handle was made, null outside of `compile`. */
  #birth: Trace | null = currentTrace();
  #disposed = false;

  /** A tensor on another node; with `inPlace`, one whose updates overwrite its storage. */
  protected abstract wrap(node: Node, name?: string | null, inPlace?: boolean): T;

  createGradient(value: Node): T {
    const created = this.wrap(value, this.name === null ? null : `${this.name}.grad`, true);
    created.isGradient = true;
    return created;
  }

  /** Makes this handle the variable in which the gradient of its leaf accumulates. @internal */
  asVariable(): this {
    this.node.variable = this;
    currentTrace()?.mark(this.node);
    return this;
  }

  /**
   * The node of this tensor now, for an operation that reads it as an operand. @throws StaleError that names
   * the operation @internal
   */
  read(operation = 'read'): Node {
    if (this.#disposed) {
      const problem = `${this.toString()} was disposed`;
      const remedy = 'make a new tensor';
      throw new StaleError({
        operation,
        problem,
        operands: [operandOf(this.node)],
        expected: 'a new tensor',
        remedy,
      });
    }
    const trace = currentTrace();
    if (trace !== this.#birth) {
      if (this.#birth?.ended === true) this.outlive(operation, this.#birth);
      if (trace !== null) trace.adopt(this);
    }
    return this.node;
  }

  /**
   * A tensor leaves the trace in which it was made, such as a table that a layer computes once and stores in
   * a field. @throws StaleError unless it depends on constants alone
   */
  private outlive(operation: string, trace: Trace): void {
    const copy = this.node.requiresGrad ? null : trace.constantCopy(this.node);
    if (copy === null) {
      throw new StaleError({
        operation,
        problem: 'this tensor was made inside compile and is no result of it',
        operands: [operandOf(this.node)],
        expected: 'a result',
        remedy: 'return it from the compiled function',
      });
    }
    this.node = copy;
    this.#birth = null;
  }

  // ---- what it is

  get shape(): Shape {
    return this.node.shape;
  }
  get dtype(): DType {
    return this.node.dtype;
  }
  get ndim(): number {
    return this.node.shape.length;
  }
  /** Number of elements. */
  get size(): number {
    return sizeOf(this.node.shape);
  }
  get device(): Device {
    return deviceOf(this.node) ?? getDefaultDevice();
  }
  /**
   * Whether it is data and no computed value: made by `tensor` and its like, a parameter, optimizer state.
   */
  get isLeaf(): boolean {
    return this.node.op === 'leaf';
  }
  get requiresGrad(): boolean {
    currentTrace()?.guards.value(this, 'requiresGrad', this.node.requiresGrad);
    return this.node.requiresGrad;
  }
  /** Freezes or unfreezes a leaf. @throws GradientError for a value that was computed */
  set requiresGrad(value: boolean) {
    const operation = 'requiresGrad';
    if (currentTrace() !== null) {
      const problem = 'cannot be set inside compile';
      throw new GradientError({
        operation,
        problem,
        expected: 'a tensor outside of compile',
        remedy: 'set it before the call',
      });
    }
    requireNotSubstituted(this, operation);
    const { node } = this;
    if (node.requiresGrad === value) return;
    if (node.op !== 'leaf') {
      const [problem, remedy] = ['can be set on leaves only', 'use detach() for a computed value'];
      throw new GradientError({
        operation,
        problem,
        operands: [operandOf(node)],
        expected: 'leaves',
        remedy,
      });
    }
    this.rebindLeaf(node, value);
  }

  /** Another leaf with the same value, stored or pending. */
  private copyLeaf(node: Node & { readonly op: 'leaf' }, requiresGrad: boolean): Node {
    const pending =
      node.stored === null && node.inputs.length > 0 ? { pending: node, after: node.after } : {};
    const copy = leaf(node.attrs, this.device, { requiresGrad, ...pending });
    copy.stored = node.stored;
    if (copy.stored !== null) currentTrace()?.addData(copy, null);
    return copy;
  }

  private rebindLeaf(node: Node & { readonly op: 'leaf' }, requiresGrad: boolean): void {
    const copy = this.copyLeaf(node, requiresGrad);
    copy.variable = this;
    this.node = copy;
    this.shareWith(this, copy);
  }

  // ---- values

  private runtime(): Runtime {
    return runtimeOf(this.device);
  }

  /**
   * The node to compute: a constant, which is on no device, becomes one of the device that computes it.
   * @internal
   */
  toCompute(operation: string, device: Device = getDefaultDevice()): Node {
    const node = this.read(operation);
    if (node.device === null) this.node = placed(node, device);
    return this.node;
  }

  private forValue(operation: string): Node {
    requireValues(operation, 'return the tensor and read it outside');
    const node = this.toCompute(operation);
    const nodes = withCompanions([node]);
    if (nodes.length > 1) this.runtime().realize(nodes, savedSetsOf);
    return node;
  }

  /** A copy of the elements in row-major order. Runs the pending effects first. float16 comes as its bits. */
  async data(): Promise<TypedArray<ArrayBuffer>> {
    checkCount('data', arguments.length, 0, 'await x.data()');
    return this.runtime().read(this.forValue('data'), savedSetsOf);
  }

  /** The only element. @throws ShapeError if there are several */
  async item(): Promise<number> {
    checkCount('item', arguments.length, 0, 'await x.item()');
    this.requireSingle('item');
    return this.decode(await this.runtime().read(this.forValue('item'), savedSetsOf));
  }

  /** The elements as nested arrays; booleans for bool. */
  async toArray(): Promise<Nested> {
    checkCount('toArray', arguments.length, 0, 'await x.toArray()');
    return this.toNDArray(await this.data()).toArray();
  }

  /** As `data`, at once. @throws DeviceError where the device cannot block */
  dataSync(): TypedArray<ArrayBuffer> {
    checkCount('dataSync', arguments.length, 0, 'x.dataSync()');
    return this.runtime().readSync(this.forValue('dataSync'), savedSetsOf);
  }

  /** As `item`, at once. @throws DeviceError where the device cannot block */
  itemSync(): number {
    checkCount('itemSync', arguments.length, 0, 'x.itemSync()');
    this.requireSingle('itemSync');
    return this.decode(this.dataSync());
  }

  private requireSingle(operation: string): void {
    if (this.size === 1) return;
    const operands = [operandOf(this.node)];
    throw new ShapeError({ operation, operands, expected: 'one element', remedy: 'use data() or toArray()' });
  }

  private decode(data: TypedArray): number {
    return this.dtype === 'float16' ? fromFloat16Bits(data[0]!) : data[0]!;
  }

  private toNDArray(data: TypedArray): NDArray {
    return NDArray.packed(data, this.shape, this.dtype);
  }

  /** A copy on another device (this tensor, if it is there already), without history. */
  async to(device: Device): Promise<T> {
    checkCount('to', arguments.length, 1, 'await x.to(device)');
    checkDevice('to', device);
    if (this.device === device) return this as unknown as T;
    const { shape, dtype, name, requiresGrad } = this;
    const storage = upload('to', await this.data(), this, device);
    const moved = leaf(storedAttributes({ shape, dtype }, name), device, { requiresGrad });
    moved.stored = storage;
    const tensor = this.wrap(moved, name);
    if (requiresGrad) moved.variable = tensor;
    return tensor;
  }

  // ---- gradients

  /** The accumulated gradient, or null. `backward` adds to it; setting null drops it. */
  get grad(): T | null {
    this.adoptGradient();
    return this.gradient as T | null;
  }
  set grad(value: T | null) {
    this.adoptGradient();
    if (value !== null) requireAssignable(this, value.read('grad'));
    const { gradient } = this;
    this.gradient = value;
    if (gradient === value || currentTrace() !== null) return;
    if (gradient !== null) this.runtime().abandon(gradient);
    // A gradient that was set (clipped, say) is stored by the program that computes it, like one of backward.
    if (value !== null && value.node.stored === null && value.pending === null && !value.requiresGrad) {
      value.isGradient = true;
      this.runtime().assign(value, value.node, 'grad');
    }
  }

  /**
   * Adds the gradient of this value with respect to every leaf that requires one to that leaf's `grad`.
   * @param seed the gradient of a later value with respect to this one; 1 for a single element. It may be
   *   left
   *   out before the options: `backward({ retainGraph: true })`
   * @throws GradientError if nothing here requires a gradient, or the graph was released by an earlier
   *   `backward`
   */
  backward(seed?: T | BackwardOptions, options?: BackwardOptions): void {
    checkCount('backward', arguments.length, 2, 'x.backward(seed, { retainGraph })');
    const isSeed = seed !== undefined && !isPlain(seed);
    const { retainGraph = false } = checkOptions(
      'backward',
      isSeed ? options : (options ?? (seed as BackwardOptions | undefined)),
      BACKWARD_KEYS,
    );
    const root = this.read('backward');
    const start = seedNode(
      'backward',
      root,
      isSeed ? operandNode(seed as T, 'backward', 'the seed') : undefined,
    );
    const trace = currentTrace();
    if (trace === null) this.runtime().enqueueBefore(root);
    const differentiate = (): ReadonlyMap<Node, Node> => gradientsOfLeaves(root, start);
    const gradients = trace === null ? differentiate() : trace.memo([root, start], differentiate);
    const saved = retainGraph && trace === null ? savedSetsOf(root).flatMap(({ nodes }) => nodes) : [];
    if (!retainGraph && root.op !== 'leaf') {
      root.closed = CONSUMED;
      trace?.mark(root);
    }
    // Gradients that are pending run first, before this root could be drawn into their program (rule 7a).
    if (trace === null) for (const node of gradients.keys()) (node.variable as Value<T>).enqueueGradient();
    effectGroup(() => {
      if (trace === null) this.keepAsRoot(root, retainGraph, saved);
      for (const [node, value] of gradients) (node.variable as Value<T>).addGradient(value);
    });
  }

  private keepAsRoot(root: Node, retainGraph: boolean, saved: readonly Node[]): void {
    const runtime = this.runtime();
    const passed = runtime.savesImplied && !retainGraph ? differentiatedNodes(root) : [];
    runtime.keepRoot(root, saved, () => {
      if (retainGraph) return;
      if (root.stored !== null && root.op !== 'leaf') root.inputs = [];
      runtime.releaseSaved(root);
      runtime.releaseImplied(passed);
    });
  }

  /** The gradient of a tensor from outside is state of the function that is traced. */
  private adoptGradient(): void {
    const trace = currentTrace();
    if (trace !== null && trace !== this.#birth) trace.adoptGradient(this);
  }

  private enqueueGradient(): void {
    if (this.gradient !== null) this.runtime().enqueueGradient(this.gradient);
  }

  private addGradient(value: Node): void {
    const trace = currentTrace();
    trace?.requireVariable(this);
    this.adoptGradient();
    const { gradient } = this;
    const total = gradient === null ? value : withGradient(false, () => add(gradient.node, value));
    this.gradient ??= this.createGradient(value);
    if (trace === null) this.runtime().assign(this.gradient, total, 'grad');
    else if (gradient !== null) trace.assign(gradient, total);
  }

  /** Makes `backward` keep the gradient of this computed value in `grad`, as it does for leaves. */
  retainGrad(): void {
    checkCount('retainGrad', arguments.length, 0, 'x.retainGrad()');
    const node = this.read('retainGrad');
    if (!node.requiresGrad) {
      const problem = `${describe(node)} has no gradient`;
      const expected = 'requiresGrad: true';
      throw new GradientError({ operation: 'retainGrad', problem, operands: [operandOf(node)], expected });
    }
    node.variable = this;
    currentTrace()?.mark(node);
  }

  /** The same value without history. It shares the storage of a variable, which later updates leave alone. */
  detach(): T {
    checkCount('detach', arguments.length, 0, 'x.detach()');
    const node = this.read('detach');
    const pending = this.pending?.target === node;
    if (node.op !== 'leaf' || (node.stored === null && !pending))
      return this.wrap(withGradient(false, () => identity(node)));
    const detached = this.wrap(this.copyLeaf(node, false));
    this.shareWith(detached, detached.node);
    return detached;
  }

  // ---- rebinding

  /**
   * Gives this tensor another value; readers built earlier keep the old one. Data (numbers, a typed array, an
   * `NDArray`) is converted to this dtype, and a typed array is laid out in this shape.
   * @throws ShapeError, DTypeError, DeviceError
   */
  assign(value: T | Data): this {
    checkCount('assign', arguments.length, 1, 'x.assign(value)');
    const node = value instanceof Value ? value.read('assign') : this.dataNode(value);
    assignVariable(this, node, this.isGradient ? 'grad' : 'update');
    return this;
  }

  private dataNode(data: Data): Node {
    const { dtype, device } = this;
    guardData(data);
    const shape = ArrayBuffer.isView(data) ? this.shape : undefined;
    return storedLeaf(
      'assign',
      readArray('assign', data, { dtype, shape, copy: false }),
      device,
      false,
      null,
    );
  }

  /**
   * Drops the handle: using it again throws. The storage lives on while a value that is not computed yet
   * needs it.
   */
  dispose(): void {
    checkCount('dispose', arguments.length, 0, 'x.dispose()');
    if (this.#disposed) return;
    this.#disposed = true;
    this.referTo(null);
    const buffer = bufferOf(this.node);
    if (buffer !== null && buffer.referenceCount === 0 && !this.node.hasReaders)
      this.runtime().release(buffer);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  // ---- printing

  /** Shape, dtype, device, and the values when they are at hand; never computes. */
  override toString(): string {
    const name = this.name === null ? '' : ` "${this.name}"`;
    const head = `Tensor${name} ${this.dtype} ${formatShape(this.shape)} on ${this.device.name}`;
    if (this.#disposed) return `${head} (disposed)`;
    const buffer = bufferOf(this.node);
    const { device } = this;
    if (buffer === null) return `${head} (not computed)`;
    if (
      buffer.inFlight !== null ||
      buffer.failure !== null ||
      buffer.stale !== null ||
      device.readSync === undefined
    )
      return `${head} (on the device)`;
    return `${head}\n${this.toNDArray(device.readSync(buffer.storage)).toString()}`;
  }

  static {
    // How Node's console asks an object for its text; declarations cannot spell a registered symbol.
    Object.defineProperty(this.prototype, Symbol.for('nodejs.util.inspect.custom'), {
      value: this.prototype.toString,
    });
  }

  /** The same text, for `JSON.stringify`: a line for logs. For the values, `await x.toArray()`. */
  toJSON(): string {
    return this.toString();
  }

  /** The name in error messages, which bundlers cannot shorten. */
  get [Symbol.toStringTag](): string {
    return 'Tensor';
  }

  /**
   * Text is what {@link toString} gives. JavaScript has no operators for tensors. @throws TypeError where a
   * number is wanted
   */
  [Symbol.toPrimitive](hint: string): string {
    return printable('a tensor', 'a.add(b) for a + b, and await t.item() for its value', hint, this);
  }
}

/** Rebinds a variable, in the trace or in the queue. */
export function assignVariable<T extends Value<T>>(handle: Value<T>, value: Node, kind: EffectKind): void {
  handle.read();
  requireNotSubstituted(handle, 'assign');
  const trace = currentTrace();
  if (trace === null) {
    runtimeOf(deviceOf(handle.node) ?? deviceOf(value) ?? getDefaultDevice()).assign(handle, value, kind);
    return;
  }
  trace.requireRebindable(handle);
  requireAssignable(handle, value);
  trace.assign(handle, value);
}
