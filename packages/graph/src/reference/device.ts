/**
 * The reference device: interprets a program node by node with `linalg`, frees each intermediate after its
 * last reader, and finishes every run before `run` returns. It is the slowest device, and the one that all
 * others must agree with.
 */
import {
  allocate,
  array,
  checkCount,
  checkOptions,
  describeValue,
  DTYPES,
  NDArray,
  OptionError,
  sizeOf,
} from '@firsthand/linalg';
import type { DType, TypedArray } from '@firsthand/linalg';
import { DeviceError, disposedDevice, foreignStorage, freedStorage, unfitArgument } from '../errors.ts';
import { postOrder } from '../traverse.ts';
import type {
  Arg,
  Completion,
  Composite,
  Device,
  Executable,
  Node,
  PlanReport,
  Program,
  Storage,
} from '../types.ts';
import { EVALUATE, REFERENCE_KERNELS } from './evaluate.ts';
import type { ReferenceKernel } from './evaluate.ts';
import { inlineComposites } from './lower.ts';

/** Options of `createReference`. */
export interface ReferenceOptions {
  /** Composites computed whole; all others through their bodies. The matrix product by default. */
  readonly kernels?: ReadonlyMap<Composite, ReferenceKernel>;
}

/** @example
 * ```ts
 * import { createReference } from '@firsthand/graph';
 * const device = createReference();
 * console.log(device.name, device.supports('float64')); // reference true
 * ```
 */
export function createReference(options?: ReferenceOptions): Device {
  checkCount('createReference', arguments.length, 1, 'createReference({ kernels })');
  const { kernels = REFERENCE_KERNELS } = checkOptions('createReference', options, { kernels: true });
  if (!(kernels instanceof Map)) {
    throw new OptionError({
      operation: 'createReference',
      problem: `kernels is ${describeValue(kernels)}`,
      expected: 'a Map of composites',
    });
  }
  return new Reference(kernels);
}

class Memory {
  live = 0;
  peak = 0;
  change(bytes: number): void {
    this.live += bytes;
    if (this.live > this.peak) this.peak = this.live;
  }
}

class ReferenceStorage implements Storage {
  readonly dtype: DType;
  readonly length: number;
  /** Gives the bytes back to the count, once; it knows nothing of the elements. */
  readonly finalize: () => void;
  #data: TypedArray | null;

  constructor(data: TypedArray, dtype: DType, memory: Memory) {
    this.#data = data;
    this.dtype = dtype;
    this.length = data.length;
    let held = data.byteLength;
    memory.change(held);
    this.finalize = () => {
      memory.change(-held);
      held = 0;
    };
  }
  get bytes(): number {
    return this.length * DTYPES[this.dtype].bytes;
  }
  get data(): TypedArray {
    if (this.#data === null) throw freedStorage('reference', this);
    return this.#data;
  }
  /** An in-place update: the new elements take the place of the old ones. */
  replace(data: TypedArray): void {
    this.#data = data;
  }
  dispose(): void {
    this.#data = null;
    this.finalize();
  }
}

class Reference implements Device {
  readonly name = 'reference';
  readonly #memory = new Memory();
  readonly #kernels: ReadonlyMap<Composite, ReferenceKernel>;
  #disposed = false;

  constructor(kernels: ReadonlyMap<Composite, ReferenceKernel>) {
    this.#kernels = kernels;
  }
  supports(): boolean {
    return true;
  }
  prepare(program: Program): Executable {
    this.#requireOpen();
    return new Interpreter(program, this.#kernels, this.#memory);
  }
  upload(data: TypedArray, dtype: DType): Storage {
    this.#requireOpen();
    const copy = allocate(dtype, data.length);
    copy.set(data);
    return new ReferenceStorage(copy, dtype, this.#memory);
  }
  readSync(storage: Storage): TypedArray<ArrayBuffer> {
    this.#requireOpen();
    return own(storage).data.slice();
  }
  async read(storage: Storage): Promise<TypedArray<ArrayBuffer>> {
    return this.readSync(storage);
  }
  memory(): { live: number; peak: number } {
    return { live: this.#memory.live, peak: this.#memory.peak };
  }
  dispose(): void {
    this.#disposed = true;
  }
  #requireOpen(): void {
    if (this.#disposed) throw disposedDevice('reference');
  }
}

function own(storage: Storage): ReferenceStorage {
  if (storage instanceof ReferenceStorage) return storage;
  throw foreignStorage('reference');
}

/** A value during a run: an array, or the arrays of a kernel with several outputs. */
type Value = NDArray | readonly NDArray[];

class Interpreter implements Executable {
  readonly #program: Program;
  readonly #kernels: ReadonlyMap<Composite, ReferenceKernel>;
  readonly #memory: Memory;
  readonly #steps: readonly Node[];
  /** For each step the places of its inputs. */
  readonly #inputs: readonly (readonly number[])[];
  /** For each step the values that nobody reads afterwards. */
  readonly #last: readonly (readonly number[])[];
  readonly #outputs: readonly number[];
  readonly #args: readonly number[];
  #peak = 0;

  constructor(program: Program, kernels: ReadonlyMap<Composite, ReferenceKernel>, memory: Memory) {
    this.#program = program;
    this.#kernels = kernels;
    this.#memory = memory;
    const wanted = [...program.effects.map((effect) => effect.node), ...program.roots];
    const lowered = inlineComposites([...wanted, ...program.args], (composite) => kernels.has(composite));
    this.#steps = postOrder(lowered, (node) => node.inputs);
    this.#inputs = this.#steps.map((step) => step.inputs.map((input) => input.slot));
    this.#outputs = lowered.slice(0, wanted.length).map((node) => node.slot);
    this.#args = lowered.slice(wanted.length).map((node) => node.slot);
    this.#last = lastReaders(this.#inputs, this.#outputs);
  }

  run(args: readonly Arg[]): Completion {
    const { live } = this.#memory;
    const values: (Value | null)[] = this.#steps.map(() => null);
    this.#args.forEach((place, index) => {
      values[place] = argument(this.#program.args[index]!, args[index]);
    });
    const borrowed = new Set<TypedArray>(
      values.flatMap((value) => (value instanceof NDArray ? [value.data] : [])),
    );
    const buffers = new BufferCount(borrowed, this.#memory);
    this.#steps.forEach((step, place) => {
      const inputs = this.#inputs[place]!.map((input) => values[input]!);
      const value = step.op === 'leaf' ? values[place]! : this.#evaluate(step, inputs);
      values[place] = value;
      buffers.hold(value);
      for (const dead of this.#last[place]!) {
        buffers.drop(values[dead]!);
        values[dead] = null;
      }
    });
    // Each output has a storage of its own: views, and arrays that another output or an argument holds, are
    // copied.
    const arrays = this.#outputs.map((place) => {
      const array = (values[place] as NDArray).contiguous();
      const data =
        borrowed.has(array.data) || array.data.length !== array.size ? array.copy().data : array.data;
      borrowed.add(data);
      return data;
    });
    for (const value of values) if (value !== null) buffers.drop(value);
    const outputs = arrays.map((data, index) => this.#store(data, index, args));
    this.#peak = Math.max(this.#peak, this.#memory.peak - live);
    return { outputs, done: null };
  }

  #store(data: TypedArray, index: number, args: readonly Arg[]): Storage {
    const into = this.#program.effects[index]?.into ?? null;
    if (into === null)
      return new ReferenceStorage(data, this.#steps[this.#outputs[index]!]!.dtype, this.#memory);
    const storage = own(args[this.#program.args.indexOf(into)] as Storage);
    storage.replace(data);
    return storage;
  }

  #evaluate(step: Node, inputs: readonly Value[]): Value {
    if (step.op === 'output') return (inputs[0] as readonly NDArray[])[step.attrs.index]!;
    if (step.op === 'call')
      return this.#kernels.get(step.attrs.composite)!(step.attrs.attrs, ...(inputs as readonly NDArray[]));
    if (step.op === 'leaf') throw new DeviceError('reference: a leaf that is no argument');
    const evaluate = EVALUATE[step.op] as (node: Node, ...inputs: readonly NDArray[]) => NDArray;
    return evaluate(step, ...(inputs as readonly NDArray[]));
  }

  report(): PlanReport {
    const kernels = this.#steps
      .filter((step) => step.op !== 'leaf' && step.op !== 'output')
      .map((step) => {
        const read = step.inputs.reduce((bytes, input) => bytes + bytesOf(input), 0);
        const name = step.op === 'call' ? step.attrs.composite.name : step.op;
        return {
          name,
          nodes: [name],
          flops: flopsOf(step),
          loads: step.inputs.reduce((elements, input) => elements + sizeOf(input.shape), 0),
          stores: sizeOf(step.shape),
          bytes: read + bytesOf(step),
          boundary: 'the reference device computes one node at a time',
          source: `linalg ${name}`,
        };
      });
    return { device: 'reference', kernels, peakBytes: this.#peak };
  }
}

/** Counts the bytes of intermediates while a run lasts; views of one buffer count once. */
class BufferCount {
  readonly #borrowed: ReadonlySet<TypedArray>;
  readonly #memory: Memory;
  readonly #holders = new Map<TypedArray, number>();

  constructor(borrowed: ReadonlySet<TypedArray>, memory: Memory) {
    this.#borrowed = borrowed;
    this.#memory = memory;
  }
  hold(value: Value): void {
    for (const { data } of arraysOf(value)) {
      if (this.#borrowed.has(data)) continue;
      const holders = this.#holders.get(data) ?? 0;
      if (holders === 0) this.#memory.change(data.byteLength);
      this.#holders.set(data, holders + 1);
    }
  }
  drop(value: Value): void {
    for (const { data } of arraysOf(value)) {
      const holders = this.#holders.get(data);
      if (holders === undefined) continue;
      if (holders === 1) {
        this.#holders.delete(data);
        this.#memory.change(-data.byteLength);
      } else {
        this.#holders.set(data, holders - 1);
      }
    }
  }
}

function arraysOf(value: Value): readonly NDArray[] {
  return value instanceof NDArray ? [value] : value;
}

function argument(leaf: Program['args'][number], arg: Arg | undefined): NDArray {
  const { shape, dtype } = leaf;
  if (arg === undefined) throw unfitArgument('reference', 'an argument', { dtype, length: sizeOf(shape) });
  if (typeof arg === 'object' && 'bytes' in arg) return NDArray.packed(own(arg).data, shape, dtype);
  return array(typeof arg === 'number' ? arg : [...arg], { shape, dtype });
}

/** For each step, the places whose last reader it is; outputs are never released. */
function lastReaders(
  inputs: readonly (readonly number[])[],
  outputs: readonly number[],
): readonly (readonly number[])[] {
  const last = new Map<number, number>();
  inputs.forEach((list, place) => {
    for (const input of list) last.set(input, place);
  });
  const dead: number[][] = inputs.map(() => []);
  const kept = new Set(outputs);
  for (const [value, place] of last) if (!kept.has(value)) dead[place]!.push(value);
  return dead;
}

function bytesOf(node: Node): number {
  return sizeOf(node.shape) * DTYPES[node.dtype].bytes;
}

/**
 * One operation per element computed; a matrix product counts a multiplication and an addition per product.
 */
function flopsOf(node: Node): number {
  if (node.op === 'movement' || node.op === 'const' || node.op === 'iota') return 0;
  if (node.op === 'call') return 2 * sizeOf(node.shape) * (node.inputs[0]?.shape.at(-1) ?? 1);
  if (node.op === 'reduce' || node.op === 'argReduce') return sizeOf(node.inputs[0]!.shape);
  return sizeOf(node.shape);
}
