/**
 * A session: the GPU's device with the pools, pipelines and shared buffers of this package, its storages and
 * their byte count. Every use passes here, so that a lost or closed device fails everywhere with one error.
 */
import type { Roofline } from '@firsthand/compiler';
import { DeviceError } from '@firsthand/graph';
import { disposedDevice, foreignStorage } from '@firsthand/runtime';
import type { DType, TypedArray } from '@firsthand/graph';
import type { Storage } from '@firsthand/runtime';
import { FirsthandError } from '@firsthand/linalg';
import { BufferPool, type PooledBuffer } from './buffer-pool.ts';
import { conversionOf, WORD, type Words } from './elements.ts';
import { Pipelines, type Progress } from './pipelines.ts';
import { Readback } from './readback.ts';
import { WebGPUStorage, type Allocation, type StorageSession } from './storage.ts';
import { TimeSlicer } from './time-slices.ts';
import { Timeline } from './timeline.ts';
import { BUFFER_USAGE } from './webgpu-flags.ts';
import type { Definitions } from '../kernels/custom-kernel.ts';
import { messageOf } from './message.ts';
import type { AdapterProfile } from '../emit/profile.ts';

/** Live bytes above which storages get ballast (see `WebGPUStorage.ballast`). */
const BALLAST_FROM = 64 * 2 ** 20;
/** Bytes below which a storage gets no ballast. */
const BALLAST_LEAST = 65536;

const STORAGE_USAGE = BUFFER_USAGE.storage | BUFFER_USAGE.copySource | BUFFER_USAGE.copyTarget;

/** The device limits that bound arrays. */
export interface Limits {
  readonly maxBufferSize: number;
  readonly maxStorageBufferBindingSize: number;
}

/** What a session is made of. */
export interface SessionParts {
  readonly gpu: GPUDevice;
  readonly profile: AdapterProfile;
  readonly definitions: Definitions;
  /** The roofline of the adapter if kernels are timed, else null. */
  readonly roofline: Roofline | null;
  /** Whether `close` destroys the GPU's device. */
  readonly ownsDevice: boolean;
  readonly onProgress: (progress: Progress) => void;
}

/** An open device. */
export class Session implements StorageSession {
  readonly gpu: GPUDevice;
  readonly profile: AdapterProfile;
  /** Custom kernels. */
  readonly definitions: Definitions;
  /** The roofline of the adapter if kernels are timed, else null. */
  readonly roofline: Roofline | null;
  readonly limits: Limits;
  readonly timeline: Timeline = new Timeline();
  readonly slicer: TimeSlicer = new TimeSlicer();
  readonly pipelines: Pipelines;
  readonly storagePool: BufferPool;
  readonly readback: Readback;
  readonly #ownsDevice: boolean;
  readonly #mapPool: BufferPool;
  #arena: PooledBuffer | null = null;
  #packed: PooledBuffer | null = null;
  #hostValues: PooledBuffer | null = null;
  #failure: DeviceError | null = null;
  #live = 0;
  #peak = 0;
  /** The number of the latest run. */
  run = 0;

  constructor({ gpu, profile, definitions, roofline, ownsDevice, onProgress }: SessionParts) {
    this.gpu = gpu;
    this.roofline = roofline;
    this.profile = profile;
    this.definitions = definitions;
    this.limits = {
      maxBufferSize: gpu.limits.maxBufferSize,
      maxStorageBufferBindingSize: gpu.limits.maxStorageBufferBindingSize,
    };
    this.#ownsDevice = ownsDevice;
    this.pipelines = new Pipelines(gpu, onProgress);
    const failed = (error: DeviceError): void => void (this.#failure ??= error);
    this.storagePool = new BufferPool(gpu, STORAGE_USAGE, 'storage', failed);
    this.#mapPool = new BufferPool(gpu, BUFFER_USAGE.mapRead | BUFFER_USAGE.copyTarget, 'readback', failed);
    this.readback = new Readback(this.#mapPool);
    gpu.addEventListener('uncapturederror', ({ error }) => {
      failed(
        new DeviceError(
          `webgpu: the GPU has refused what it was told to do, and results are lost: ${error.message}`,
        ),
      );
    });
    void gpu.lost.then(({ reason, message }) => {
      this.#failure ??= new DeviceError(
        `webgpu: the GPU device has been lost (${reason === 'destroyed' ? 'destroyed' : message || 'unknown reason'}), and all arrays on it; ` +
          'create another with createWebGPU() and load a checkpoint, or move the model from what the host still holds',
      );
    });
  }

  // ---- state

  /** @throws DeviceError once the device is lost or closed, or memory has run out */
  requireOpen(): void {
    if (this.#failure !== null) throw this.#failure;
  }
  /** The cause of an error of the GPU's API: the loss of the device, if it is lost. */
  async explain(error: unknown): Promise<Error> {
    // `lost` resolves in a later task than the calls that fail because of it.
    await Promise.race([this.gpu.lost, new Promise((resolve) => setTimeout(resolve, 20))]);
    if (this.#failure !== null) return this.#failure;
    return error instanceof FirsthandError
      ? error
      : new DeviceError(`webgpu: ${messageOf(error)}`, { cause: error });
  }

  /** Bytes of the storages on the GPU, and the peak of these and a run's intermediates. */
  get memory(): { live: number; peak: number } {
    return { live: this.#live, peak: this.#peak };
  }
  /** Updates the peak for a run with `intermediates` bytes. */
  measure(intermediates: number): void {
    this.#peak = Math.max(this.#peak, this.#live + intermediates);
  }

  /** Frees everything. */
  close(): void {
    this.#failure ??= disposedDevice('webgpu', 'create another with createWebGPU()');
    this.#live = 0;
    this.storagePool.clear();
    this.#mapPool.clear();
    for (const shared of [this.#arena, this.#packed, this.#hostValues]) shared?.buffer.destroy();
    if (this.#ownsDevice) this.gpu.destroy();
  }

  // ---- storages

  /** A storage in a buffer, its contents arbitrary. @throws DeviceError if no buffer may be as large */
  allocate(dtype: DType, length: number): WebGPUStorage {
    const storage = this.#open(dtype, length, null);
    this.#attachBuffer(storage);
    return storage;
  }

  /**
   * A storage with a copy of `data`, on the host at first. @throws DeviceError if no buffer may be as large
   */
  upload(data: TypedArray, dtype: DType): WebGPUStorage {
    return this.#open(dtype, data.length, conversionOf(dtype).toWords(data));
  }

  /** Moves the elements from the host into a buffer. */
  promote(storage: WebGPUStorage): PooledBuffer {
    const { allocation, hostWords } = storage;
    if (allocation.buffer !== null) return allocation.buffer;
    const buffer = this.#attachBuffer(storage);
    if (hostWords!.length > 0) this.gpu.queue.writeBuffer(buffer.buffer, 0, hostWords!);
    storage.hostWords = null;
    return buffer;
  }

  #open(dtype: DType, length: number, words: Words | null): WebGPUStorage {
    this.requireOpen();
    const bytes = length * WORD;
    this.requireSize(bytes, `an array of ${dtype} [${length}]`);
    this.#live += bytes;
    this.measure(0);
    return new WebGPUStorage(this, dtype, length, { buffer: null, bytes, staged: null }, words);
  }

  #attachBuffer(storage: WebGPUStorage): PooledBuffer {
    const { allocation } = storage;
    allocation.buffer = this.storagePool.take(allocation.bytes);
    if (allocation.bytes >= BALLAST_LEAST && this.#live > BALLAST_FROM)
      storage.ballast = new ArrayBuffer(allocation.bytes);
    return allocation.buffer;
  }

  /** Releases an allocation. */
  release(allocation: Allocation): void {
    if (this.#failure !== null) return;
    this.#live -= allocation.bytes;
    allocation.bytes = 0;
    this.#detachBuffer(allocation);
  }

  /** Gives the buffer back to the pool, after the runs that were requested before. */
  #detachBuffer(allocation: Allocation): void {
    const { buffer } = allocation;
    if (buffer === null) return;
    allocation.buffer = null;
    this.unstage(allocation);
    this.timeline.add(
      null,
      () => this.storagePool.give(buffer),
      () => {},
    );
  }

  /** Drops the pending copy to the host. */
  unstage(allocation: Allocation): void {
    if (allocation.staged !== null) this.readback.release(allocation.staged);
    allocation.staged = null;
  }

  /** @throws DeviceError unless it is a storage of this device */
  requireStorage(storage: Storage): WebGPUStorage {
    if (!(storage instanceof WebGPUStorage) || storage.session !== this) {
      throw foreignStorage('webgpu');
    }
    return storage;
  }

  /** A copy of the elements, after all runs that were requested before. */
  async read(storage: WebGPUStorage): Promise<TypedArray<ArrayBuffer>> {
    this.requireOpen();
    storage.requireAlive();
    const { dtype, length, allocation, hostWords, uses } = storage;
    const conversion = conversionOf(dtype);
    if (hostWords !== null) return conversion.fromWords(hostWords.slice().buffer);
    const buffer = allocation.buffer!;
    const bytes = length * WORD;
    const { promise, isStaged } = await this.#readBuffer(buffer, allocation, bytes);
    const content = await promise;
    // A small result moves to the host, unless a run that uses it has been requested meanwhile: it may be
    // overwritten.
    if (isStaged && allocation.buffer === buffer && allocation.staged !== null && storage.uses === uses) {
      storage.hostWords = new Uint32Array(content.slice(0));
      this.#detachBuffer(allocation);
    }
    return conversion.fromWords(content);
  }

  /** Reads the bytes, in the order of the runs. */
  #readBuffer(
    buffer: PooledBuffer,
    allocation: Allocation,
    bytes: number,
  ): Promise<{ readonly promise: Promise<ArrayBuffer>; readonly isStaged: boolean }> {
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => void this.explain(error).then(reject);
      const read = (): void => {
        const isStaged = allocation.staged !== null;
        const content = isStaged
          ? this.readback.readStaged(allocation.staged!, bytes)
          : this.readback.read(this.gpu, buffer, bytes);
        resolve({
          promise: content.catch(async (error: unknown) => {
            throw await this.explain(error);
          }),
          isStaged,
        });
      };
      this.timeline.add(null, read, fail);
    });
  }

  /** @throws DeviceError if a buffer of `bytes` cannot be made, or not be bound as a whole */
  requireSize(bytes: number, what: string): void {
    this.requireLimit('maxBufferSize', bytes, what);
    this.requireLimit('maxStorageBufferBindingSize', bytes, what);
  }

  /** @throws DeviceError if `bytes` exceed a limit of the device */
  requireLimit(limit: keyof Limits, bytes: number, what: string): void {
    if (bytes <= this.limits[limit]) return;
    throw new DeviceError({
      operation: 'webgpu',
      problem: `${what}: ${bytes} bytes, and ${limit} of this adapter is ${this.limits[limit]}`,
      expected: 'smaller batches',
      remedy: 'use smaller batches, or split the array',
    });
  }

  // ---- buffers that all programs share, since their runs are in order

  /** The arena of intermediates. */
  arena(bytes: number): PooledBuffer {
    return (this.#arena = this.#atLeast(this.#arena, bytes));
  }
  /** The buffer of packed operands. */
  packed(bytes: number): PooledBuffer {
    return (this.#packed = this.#atLeast(this.#packed, bytes));
  }
  /** The buffer of the arguments that a run uploads. */
  hostValues(bytes: number): PooledBuffer {
    return (this.#hostValues = this.#atLeast(this.#hostValues, bytes));
  }

  #atLeast(shared: PooledBuffer | null, bytes: number): PooledBuffer {
    if (shared !== null && shared.bytes >= bytes) return shared;
    if (shared !== null) this.storagePool.give(shared);
    return this.storagePool.take(bytes);
  }
}
