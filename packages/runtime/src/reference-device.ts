/**
 * The reference device: storages around the reference interpreter of `graph`. Every run has finished when
 * `run` returns. It is the slowest device, and the one that all others must agree with.
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
import { disposedDevice, foreignStorage, freedStorage, unfitArgument } from './errors.ts';
import { Interpreter, REFERENCE_KERNELS } from '@firsthand/graph';
import type { Composite, Node, Program, ReferenceKernel } from '@firsthand/graph';
import type { Arg, Completion, Device, Executable, PlanReport, Storage } from './device.ts';

/** Options of `createReference`. */
export interface ReferenceOptions {
  /** Composites computed whole; all others through their bodies. The matrix product by default. */
  readonly kernels?: ReadonlyMap<Composite, ReferenceKernel>;
}

/** @example
 * ```ts
 * import { createReference } from '@firsthand/runtime';
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
  /** Subtracts the bytes from the count, once; it does not refer to the elements. */
  readonly finalize: () => void;
  #data: TypedArray | null;

  constructor(data: TypedArray, dtype: DType, memory: Memory) {
    this.#data = data;
    this.dtype = dtype;
    this.length = data.length;
    let counted = data.byteLength;
    memory.change(counted);
    this.finalize = () => {
      memory.change(-counted);
      counted = 0;
    };
  }
  get bytes(): number {
    return this.length * DTYPES[this.dtype].bytes;
  }
  get data(): TypedArray {
    if (this.#data === null) throw freedStorage('reference', this);
    return this.#data;
  }
  /** An in-place update: new elements replace the old ones. */
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
    return new ReferenceExecutable(program, this.#kernels, this.#memory);
  }
  upload(data: TypedArray, dtype: DType): Storage {
    this.#requireOpen();
    const copy = allocate(dtype, data.length);
    copy.set(data);
    return new ReferenceStorage(copy, dtype, this.#memory);
  }
  readSync(storage: Storage): TypedArray<ArrayBuffer> {
    this.#requireOpen();
    return requireReferenceStorage(storage).data.slice();
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

function requireReferenceStorage(storage: Storage): ReferenceStorage {
  if (storage instanceof ReferenceStorage) return storage;
  throw foreignStorage('reference');
}

class ReferenceExecutable implements Executable {
  readonly #program: Program;
  readonly #interpreter: Interpreter;
  readonly #memory: Memory;
  #peak = 0;

  constructor(program: Program, kernels: ReadonlyMap<Composite, ReferenceKernel>, memory: Memory) {
    this.#program = program;
    this.#interpreter = new Interpreter(program, kernels);
    this.#memory = memory;
  }

  run(args: readonly Arg[]): Completion {
    const { live } = this.#memory;
    const arrays = this.#program.args.map((leaf, index) => arrayOf(leaf, args[index]));
    const outputs = this.#interpreter.run(arrays, this.#memory);
    // Each output has a storage of its own: views, and arrays that another output or an argument has, are
    // copied.
    const taken = new Set<TypedArray>(arrays.map(({ data }) => data));
    const storages = outputs
      .map((output) => {
        const packed = output.contiguous();
        const isShared = taken.has(packed.data) || packed.data.length !== packed.size;
        const { data } = isShared ? packed.copy() : packed;
        taken.add(data);
        return data;
      })
      .map((data, index) => this.#store(data, index, args));
    this.#peak = Math.max(this.#peak, this.#memory.peak - live);
    return { outputs: storages, done: null };
  }

  #store(data: TypedArray, index: number, args: readonly Arg[]): Storage {
    const into = this.#program.effects[index]?.into ?? null;
    if (into === null) {
      const { steps, outputs } = this.#interpreter;
      return new ReferenceStorage(data, steps[outputs[index]!]!.dtype, this.#memory);
    }
    const storage = requireReferenceStorage(args[this.#program.args.indexOf(into)] as Storage);
    storage.replace(data);
    return storage;
  }

  report(): PlanReport {
    const kernels = this.#interpreter.steps
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

/** An argument of a run as an array of the program's shape and dtype. */
function arrayOf(leaf: Program['args'][number], arg: Arg | undefined): NDArray {
  const { shape, dtype } = leaf;
  if (arg === undefined) throw unfitArgument('reference', 'an argument', { dtype, length: sizeOf(shape) });
  if (typeof arg === 'object' && 'bytes' in arg)
    return NDArray.packed(requireReferenceStorage(arg).data, shape, dtype);
  return array(typeof arg === 'number' ? arg : [...arg], { shape, dtype });
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
