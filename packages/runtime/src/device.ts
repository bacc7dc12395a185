/**
 * The seam to devices: a `Device` compiles a program into an `Executable`, which runs on `Storage`s. A
 * `PlanReport` states the cost of its kernels.
 */
import type { DType, HostValue, Placement, Program, TypedArray } from '@firsthand/graph';

/** Device memory that holds one array, packed in row-major order. */
export interface Storage {
  readonly dtype: DType;
  /** Elements. */
  readonly length: number;
  readonly bytes: number;
  /** Frees the memory once every run that was enqueued before has finished. */
  dispose(): void;
  /**
   * Does what `dispose` does, for a storage that the collector has taken: it must not hold on to the memory
   * itself, so that a loop which never yields to the event loop keeps nothing alive. Without it the storage
   * lives until it is disposed of.
   */
  readonly finalize?: () => void;
}

/** What a run is given for one argument: a storage, or a host value. */
export type Arg = Storage | HostValue;

/** The order of `outputs` is the program's: effects, then roots. */
export interface Completion {
  readonly outputs: readonly Storage[];
  /** Settles when the outputs exist; null if they do already, as on a device that works while `run` lasts. */
  readonly done: Promise<void> | null;
}

/** What a compiled program does: filled in as far as the device knows. */
export interface PlanReport {
  readonly device: string;
  readonly kernels: readonly KernelReport[];
  /** Largest number of bytes alive at once during a run, besides the arguments. */
  readonly peakBytes: number;
  /**
   * The shortest time that the clock tells from none, s, where kernels are timed. A kernel whose time is 0
   * took less.
   */
  readonly resolution?: number;
}
/**
 * What a kernel is put beside: multiply-adds in registers, a copy from memory to memory, or a copy within
 * caches.
 */
export type Ceiling = 'arithmetic' | 'memory' | 'caches';
/** One kernel of a program. */
export interface KernelReport {
  readonly name: string;
  readonly nodes: readonly string[];
  readonly flops: number;
  /** Elements that it reads, as often as it reads them. */
  readonly loads: number;
  /** Elements that it writes. */
  readonly stores: number;
  /** Memory that it reads, and memory that it writes: each element of an array once. */
  readonly bytes: number;
  /** Why it was not fused with its neighbours. */
  readonly boundary: string;
  readonly source: string;
  /**
   * How long it took, s, where the device measures: when it last ran, or on average of all its runs where the
   * clock is coarse, as a GPU's.
   */
  readonly seconds?: number;
  /** Its share of what the device reaches at best: 1 is as fast as can be. */
  readonly share?: number;
  /**
   * What it is a share of: of arithmetic or of memory, whichever the kernel uses more of. A kernel that moves
   * its bytes faster than memory could has found its arrays in caches, and is put beside those.
   */
  readonly ceiling?: Ceiling;
}

/** A compiled program. */
export interface Executable {
  /** Enqueues one run. First in, first out per device; never waits. */
  run(args: readonly Arg[]): Completion;
  report(): PlanReport;
}

/** Where programs run. Everything above sees devices through this interface only. */
export interface Device extends Placement {
  /** Compiles a program. The runtime caches the result by the program's key. */
  prepare(program: Program): Executable;
  /** Copies `data` to the device. */
  upload(data: TypedArray, dtype: DType): Storage;
  /** Copies a storage to the host, after every run that was enqueued before. */
  read(storage: Storage): Promise<TypedArray<ArrayBuffer>>;
  readSync?(storage: Storage): TypedArray<ArrayBuffer>;
  /** Bytes. */
  memory(): { readonly live: number; readonly peak: number };
  dispose(): void;
}
