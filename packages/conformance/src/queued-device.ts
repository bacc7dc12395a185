/**
 * A test device that behaves like a GPU's queue: `run` and `read` return at once, and the work is done later,
 * one job per turn of the event loop, first in, first out, by the device that it wraps. It fails on demand,
 * leaves garbage behind a failed run as a GPU does, and keeps a log, so that order, failure and lifetime are
 * proved before there is a GPU.
 */
import { DeviceError } from '@firsthand/graph';
import type { DType, Program, TypedArray } from '@firsthand/graph';
import type { Arg, Completion, Device, Executable, PlanReport, Storage } from '@firsthand/runtime';
import { allocate, DTYPES, sizeOf } from '@firsthand/linalg';

export interface QueuedOptions {
  /**
   * Runs that may be waiting before `run` throws: a bound that no test should reach. Unlimited by default.
   */
  readonly maxQueued?: number;
}

/** One finished job, in the order of execution. Runs are numbered in the order of their enqueuing, from 1. */
type QueuedJob =
  | { readonly kind: 'run'; readonly run: number; readonly failed: boolean }
  | { readonly kind: 'read' }
  | { readonly kind: 'free'; readonly bytes: number };

interface QueuedProbe {
  /** Runs enqueued and not finished. */
  readonly inFlight: number;
  readonly peakInFlight: number;
  /** Runs enqueued since the device was made. */
  readonly enqueued: number;
  /** The latest jobs: at least as many as any test looks back on. */
  readonly log: readonly QueuedJob[];
  /** Uses of storages after `dispose`, and second disposals: each has also thrown where it happened. */
  readonly violations: readonly string[];
}

export interface QueuedDevice extends Device {
  readonly probe: QueuedProbe;
  /** The next run to be enqueued rejects; what it should have written is garbage. */
  failNext(error: Error): void;
  /** The next program to be prepared fails to compile, later, in the queue: all its runs reject. */
  failNextCompile(error: Error): void;
  /** Stops the queue until `resume`: enqueued work waits. */
  hold(): void;
  resume(): void;
  /** Waits until the queue is empty. */
  idle(): Promise<void>;
}

/** The log keeps at least this number of its latest jobs. */
const LOG_LENGTH = 10_000;

/** Elements of an array that a failed run leaves garbage in. */
const LARGEST_GARBAGE = 2 ** 24;

/** Wraps `inner` in an asynchronous first-in-first-out queue. It cannot block: there is no `readSync`. */
export function createQueued(inner: Device, options: QueuedOptions = {}): QueuedDevice {
  return new Queued(inner, options);
}

/** A storage that is promised now, and filled when the queue comes to it. */
class QueuedStorage implements Storage {
  readonly dtype: DType;
  readonly length: number;
  inner: Storage | null;
  disposed = false;
  readonly #device: Queued;

  constructor(device: Queued, dtype: DType, length: number, inner: Storage | null) {
    this.#device = device;
    this.dtype = dtype;
    this.length = length;
    this.inner = inner;
  }
  get bytes(): number {
    return this.length * DTYPES[this.dtype].bytes;
  }
  dispose(): void {
    this.#device.free(this);
  }
}

/** A program that compiles in the queue, before its first run. */
class QueuedExecutable implements Executable {
  readonly #device: Queued;
  readonly #program: Program;
  readonly #failure: Error | null;
  #compiled: Executable | null = null;

  constructor(device: Queued, program: Program, failure: Error | null) {
    this.#device = device;
    this.#program = program;
    this.#failure = failure;
  }

  run(args: readonly Arg[]): Completion {
    const { effects, roots } = this.#program;
    const storages = args.map((arg) =>
      typeof arg === 'object' && 'bytes' in arg ? this.#device.storageOf(arg, 'run') : arg,
    );
    const into = effects.map((effect) =>
      effect.into === null ? null : (storages[this.#program.args.indexOf(effect.into)] as QueuedStorage),
    );
    const outputs = [...effects.map((effect) => effect.node), ...roots].map(
      ({ dtype, shape }, index) => into[index] ?? this.#device.promise(dtype, sizeOf(shape)),
    );
    const done = this.#device.enqueueRun(() => {
      const { outputs: values, done: finished } = this.compile().run(
        storages.map((arg) => (arg instanceof QueuedStorage ? arg.inner! : arg)),
      );
      values.forEach((value, index) => this.#device.fulfil(outputs[index]!, value));
      return finished ?? Promise.resolve();
    }, outputs);
    return { outputs, done };
  }

  compile(): Executable {
    if (this.#failure !== null) throw this.#failure;
    this.#compiled ??= this.#device.inner.prepare(this.#program);
    return this.#compiled;
  }

  report(): PlanReport {
    return this.compile().report();
  }
}

class Queued implements QueuedDevice {
  readonly name = 'queued';
  readonly inner: Device;
  readonly probe = {
    inFlight: 0,
    peakInFlight: 0,
    enqueued: 0,
    log: [] as QueuedJob[],
    violations: [] as string[],
  };
  readonly #maxQueued: number;
  #jobs: (() => Promise<void>)[] = [];
  #running = false;
  #paused = false;
  #disposed = false;
  /** Bytes of storages that are promised and not made yet. */
  #promised = 0;
  #peak = 0;
  #nextFailure: Error | null = null;
  #nextCompileFailure: Error | null = null;

  constructor(inner: Device, { maxQueued = Infinity }: QueuedOptions) {
    this.inner = inner;
    this.#maxQueued = maxQueued;
  }

  // ---- the device

  supports(dtype: DType): boolean {
    return this.inner.supports(dtype);
  }

  prepare(program: Program): Executable {
    this.#requireOpen();
    const failure = this.#nextCompileFailure;
    this.#nextCompileFailure = null;
    return new QueuedExecutable(this, program, failure);
  }

  upload(data: TypedArray, dtype: DType): Storage {
    this.#requireOpen();
    const storage = new QueuedStorage(this, dtype, data.length, this.inner.upload(data, dtype));
    this.#measure();
    return storage;
  }

  read(storage: Storage): Promise<TypedArray<ArrayBuffer>> {
    this.#requireOpen();
    const queued = this.storageOf(storage, 'read');
    return new Promise((resolve, reject) => {
      this.#enqueue(async () => {
        this.#record({ kind: 'read' });
        await this.inner.read(queued.inner!).then(resolve, reject);
      });
    });
  }

  memory(): { live: number; peak: number } {
    this.#measure();
    return { live: this.inner.memory().live + this.#promised, peak: this.#peak };
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#enqueue(async () => this.inner.dispose());
  }

  // ---- what tests steer and ask

  failNext(error: Error): void {
    this.#nextFailure = error;
  }
  failNextCompile(error: Error): void {
    this.#nextCompileFailure = error;
  }
  hold(): void {
    this.#paused = true;
  }
  resume(): void {
    this.#paused = false;
    this.#start();
  }
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#enqueue(async () => resolve());
    });
  }

  // ---- storages

  /** @throws DeviceError for a storage of another device, or one that has been freed */
  storageOf(storage: Storage, use: string): QueuedStorage {
    if (!(storage instanceof QueuedStorage))
      throw new DeviceError(`queued: ${use} got a storage of another device`);
    if (storage.disposed)
      this.#violate(`${use} after the storage of ${storage.length} × ${storage.dtype} was freed`);
    return storage;
  }

  promise(dtype: DType, length: number): QueuedStorage {
    const storage = new QueuedStorage(this, dtype, length, null);
    this.#promised += storage.bytes;
    this.#measure();
    return storage;
  }

  fulfil(storage: QueuedStorage, inner: Storage): void {
    if (storage.inner === null) this.#promised -= storage.bytes;
    storage.inner = inner;
  }

  free(storage: QueuedStorage): void {
    if (storage.disposed) this.#violate(`a storage of ${storage.length} × ${storage.dtype} was freed twice`);
    storage.disposed = true;
    this.#enqueue(async () => {
      this.#record({ kind: 'free', bytes: storage.bytes });
      storage.inner!.dispose();
    });
  }

  #record(job: QueuedJob): void {
    const { log } = this.probe;
    log.push(job);
    if (log.length >= 2 * LOG_LENGTH) log.splice(0, LOG_LENGTH);
  }

  // ---- the queue

  enqueueRun(job: () => Promise<void>, outputs: readonly QueuedStorage[]): Promise<void> {
    this.#requireOpen();
    const { probe } = this;
    if (probe.inFlight >= this.#maxQueued)
      throw new DeviceError(`queued: ${probe.inFlight} runs are waiting, ${this.#maxQueued} are allowed`);
    const failure = this.#nextFailure;
    this.#nextFailure = null;
    const run = ++probe.enqueued;
    probe.inFlight++;
    probe.peakInFlight = Math.max(probe.peakInFlight, probe.inFlight);
    return new Promise((resolve, reject) => {
      this.#enqueue(async () => {
        let failed: Error | null = null;
        try {
          if (failure !== null) throw failure;
          await job();
        } catch (error) {
          failed = error instanceof Error ? error : new DeviceError(String(error));
          for (const output of outputs) this.#spoil(output);
        }
        probe.inFlight--;
        this.#record({ kind: 'run', run, failed: failed !== null });
        this.#measure();
        if (failed === null) resolve();
        else reject(failed);
      });
    });
  }

  /** What a failed run leaves behind: memory with anything in it; none where it failed for its size. */
  #spoil(storage: QueuedStorage): void {
    const garbage = allocate(storage.dtype, storage.length <= LARGEST_GARBAGE ? storage.length : 0).fill(77);
    storage.inner?.dispose();
    this.fulfil(storage, this.inner.upload(garbage, storage.dtype));
  }

  #enqueue(job: () => Promise<void>): void {
    this.#jobs.push(job);
    this.#start();
  }

  #start(): void {
    if (this.#running || this.#paused || this.#jobs.length === 0) return;
    this.#running = true;
    const { port1, port2 } = new MessageChannel();
    const task = async (): Promise<void> => {
      try {
        if (!this.#paused) await this.#jobs.shift()!();
      } finally {
        // A job that throws is a fault of this device, and an unhandled rejection: it fails the test run.
        // Those after it go on.
        if (!this.#paused && this.#jobs.length > 0) port2.postMessage(null);
        else {
          // An open port would keep the process alive.
          port1.close();
          this.#running = false;
        }
      }
    };
    port1.onmessage = () => void task();
    port2.postMessage(null);
  }

  #measure(): void {
    const { live, peak } = this.inner.memory();
    this.#peak = Math.max(this.#peak, peak, live + this.#promised);
  }

  #violate(message: string): never {
    this.probe.violations.push(message);
    throw new DeviceError(`queued: ${message}`);
  }

  #requireOpen(): void {
    if (this.#disposed) throw new DeviceError('queued: the device has been disposed');
  }
}
