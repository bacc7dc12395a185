/**
 * The device of a page's main thread, which must not block: the synchronous device behind a queue. Runs,
 * reads and disposals are jobs, done in order. `run` returns storages at once; the job fills them in while
 * workers compute and the page goes on.
 */
import { DeviceError } from '@firsthand/graph';
import { foreignStorage, freedStorage } from '@firsthand/runtime';
import type { DType, HostValue, Program, TypedArray } from '@firsthand/graph';
import type { Arg, Completion, Device, Executable, PlanReport, Storage } from '@firsthand/runtime';
import { WasmDevice } from './device.ts';
import { isStorage, type WasmExecutable } from './executable.ts';
import { bytesOf, type ArraySpec } from './layout.ts';
import type { Session } from './session.ts';
import type { WasmStorage } from '../memory/storage.ts';

/** A device whose threads are all workers. */
export class PageDevice implements Device {
  readonly name = 'wasm';
  readonly #session: Session;
  readonly #inner: WasmDevice;
  /** Resolves when all jobs in the queue are done. */
  #last: Promise<unknown> = Promise.resolve();
  /** Bytes of storages whose run is not done yet. */
  #pendingBytes = 0;
  #peak = 0;

  /** @param session one whose threads run all plans */
  constructor(session: Session) {
    this.#session = session;
    this.#inner = new WasmDevice(session);
  }

  supports(): boolean {
    return true;
  }
  prepare(program: Program): Executable {
    return new PageExecutable(this, this.#inner.prepare(program));
  }
  upload(data: TypedArray, dtype: DType): Storage {
    this.requireOpen();
    const storage = new PageStorage(this, { dtype, length: data.length });
    storage.complete(this.#inner.upload(data, dtype));
    return storage;
  }
  async read(storage: Storage): Promise<TypedArray<ArrayBuffer>> {
    const resolved = this.resolve(storage);
    return this.enqueue(() => this.#inner.readSync(resolved.inner));
  }
  memory(): { live: number; peak: number } {
    const { live, peak } = this.#inner.memory();
    return { live: live + this.#pendingBytes, peak: Math.max(peak, this.#peak) };
  }
  dispose(): void {
    this.#inner.dispose();
  }

  // ---- for programs and storages

  /** Appends a job to the queue. */
  enqueue<T>(job: () => T | Promise<T>): Promise<T> {
    const result = this.#last.then(job);
    this.#last = result.catch(() => {});
    return result;
  }

  /** Counts the bytes of a storage whose run has been queued. */
  addPending(bytes: number): void {
    this.#pendingBytes += bytes;
    this.#peak = Math.max(this.#peak, this.#inner.memory().live + this.#pendingBytes);
  }
  /** The run of such a storage is done, or has failed. */
  complete(bytes: number): void {
    this.#pendingBytes -= bytes;
  }

  /** @throws DeviceError once the device has been disposed of */
  requireOpen(): void {
    this.#session.requireOpen();
  }

  /** The storage of this device behind a handle. @throws DeviceError if it is another device's, or freed */
  resolve(storage: Storage): PageStorage {
    if (!(storage instanceof PageStorage) || storage.device !== this) {
      throw foreignStorage('wasm');
    }
    storage.requireAlive();
    return storage;
  }
}

/** An array whose elements exist once the run that computes it is done. */
class PageStorage implements Storage {
  readonly dtype: DType;
  readonly length: number;
  readonly device: PageDevice;
  readonly finalize: () => void;
  /** The inner finalizer. The outer one must not reach the inner storage, which may hold the elements. */
  readonly #last: { finalize: () => void } = { finalize: () => {} };
  #inner: WasmStorage | null = null;
  #failure: DeviceError | null = null;
  #isDisposed = false;

  constructor(device: PageDevice, { dtype, length }: ArraySpec) {
    const last = this.#last;
    this.dtype = dtype;
    this.length = length;
    this.device = device;
    this.finalize = (): void => void device.enqueue(() => last.finalize());
    device.addPending(this.bytes);
  }

  get bytes(): number {
    return bytesOf(this);
  }

  /** @throws DeviceError once it has been freed */
  requireAlive(): void {
    if (this.#isDisposed) throw freedStorage('wasm', this);
  }

  /** The storage of the synchronous device, for jobs. @throws the error of the run that computes it */
  get inner(): WasmStorage {
    if (this.#failure !== null) throw this.#failure;
    return this.#inner!;
  }

  /** Takes the outcome of the run that computes or overwrites it. */
  complete(outcome: WasmStorage | DeviceError): void {
    if (this.#inner !== null) return;
    this.device.complete(this.bytes);
    if (outcome instanceof DeviceError) {
      this.#failure = outcome;
      return;
    }
    this.#inner = outcome;
    this.#last.finalize = outcome.finalize;
  }

  dispose(): void {
    this.#isDisposed = true;
    void this.device.enqueue(() => this.#inner?.dispose());
  }
}

/** A program whose runs are jobs of the queue. */
class PageExecutable implements Executable {
  readonly #device: PageDevice;
  readonly #inner: WasmExecutable;

  constructor(device: PageDevice, inner: WasmExecutable) {
    this.#device = device;
    this.#inner = inner;
  }

  run(args: readonly Arg[]): Completion {
    const device = this.#device;
    device.requireOpen();
    const given = args.map((arg) => (isStorage(arg) ? device.resolve(arg) : arg));
    const outputs = this.#inner
      .expectedOutputs(given)
      .map((each) => (each instanceof PageStorage ? each : new PageStorage(device, each)));
    return { outputs, done: device.enqueue(() => this.#execute(given, outputs)) };
  }

  report(): PlanReport {
    return this.#inner.report();
  }

  async #execute(args: readonly (PageStorage | HostValue)[], outputs: readonly PageStorage[]): Promise<void> {
    try {
      const run = this.#inner.begin(args.map((arg) => (arg instanceof PageStorage ? arg.inner : arg)));
      try {
        await this.#inner.compute(run);
      } catch (cause) {
        throw this.#inner.abandon(run.targets, cause);
      }
      this.#inner.finish(run).forEach((made, output) => outputs[output]!.complete(made));
    } catch (error) {
      for (const output of outputs) output.complete(error as DeviceError);
      throw error;
    }
  }
}
