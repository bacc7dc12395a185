/**
 * All storages of one device: which lie on the host and which in linear memory, and what to do when that is
 * full. A first use copies an argument into the working region, a second one moves it into linear memory for
 * good; what has not been used for a while goes back to the host before memory grows.
 */
import { DeviceError } from '@firsthand/graph';
import { disposedDevice, foreignStorage } from '@firsthand/runtime';
import type { DType, TypedArray } from '@firsthand/graph';
import type { Storage } from '@firsthand/runtime';
import { allocate, DTYPES } from '@firsthand/linalg';
import type { Block } from './heap.ts';
import type { LinearMemory } from './linear-memory.ts';
import { WasmStorage, type Allocation, type StorageOwner } from './storage.ts';

/** Runs after which an unused array may lose its block to another. */
const IDLE_RUNS = 16;
/** Below this size memory grows without asking who is idle. */
const SMALL_MEMORY = 64 * 2 ** 20;
/**
 * Arrays of the host that wait to be used again, so that loops which dispose of their batches leave the
 * collector in peace: how many at most, and bytes of each.
 */
const RECYCLED = { maxCount: 8, minBytes: 4096, maxBytes: 4 * 2 ** 20 } as const;
/** Bytes that are given up at once at the least: each time costs a look at every block. */
const EVICTION_BYTES = 8 * 2 ** 20;

/** The storages of a device, over its linear memory. */
export class StorageManager implements StorageOwner {
  readonly collected: Allocation[] = [];
  #memory: LinearMemory | null;
  readonly #resident = new Set<Allocation>();
  /** The latest last. */
  readonly #recycled: TypedArray[] = [];
  #workspace: Block | null = null;
  #live = 0;
  #peak = 0;
  /** Number of the latest run. */
  run = 0;

  constructor(memory: LinearMemory) {
    this.#memory = memory;
  }

  /** @throws DeviceError once it has been closed */
  get memory(): LinearMemory {
    if (this.#memory === null) throw disposedDevice('wasm', 'create another with createWasm()');
    return this.#memory;
  }

  /** Bytes that storages hold, wherever they lie. */
  get live(): number {
    this.#releaseCollected();
    return this.#live;
  }
  /** The largest that `live` has been, with the intermediates of the run that was under way. */
  get peak(): number {
    return this.#peak;
  }
  /** Arrays that lie in linear memory. */
  get resident(): number {
    this.#releaseCollected();
    return this.#resident.size;
  }

  /** Lets go of the linear memory, and of all that lies in it. */
  close(): void {
    this.#memory = null;
    this.#resident.clear();
    this.#recycled.length = 0;
    this.#live = 0;
  }

  /** Counts a run's intermediates. */
  recordPeak(intermediates: number): void {
    this.#peak = Math.max(this.#peak, this.#live + intermediates);
  }

  // ---- storages

  /** A storage on the host, with a copy of `data`. */
  upload(data: TypedArray, dtype: DType): WasmStorage {
    const { constructor } = DTYPES[dtype];
    const index = this.#recycled.findLastIndex(
      (array) => array.length === data.length && array instanceof constructor,
    );
    const copy = index < 0 ? allocate(dtype, data.length) : this.#recycled.splice(index, 1)[0]!;
    copy.set(data);
    return this.adopt(copy, dtype);
  }

  recycle(data: TypedArray): void {
    if (data.byteLength < RECYCLED.minBytes || data.byteLength > RECYCLED.maxBytes) return;
    this.#recycled.push(data);
    if (this.#recycled.length > RECYCLED.maxCount) this.#recycled.shift();
  }

  /** A storage on the host, whose elements are `data` itself. */
  adopt(data: TypedArray, dtype: DType): WasmStorage {
    return this.#open(dtype, data.length, data, null);
  }

  /** A storage whose elements lie in `block`. */
  adoptBlock(block: Block, dtype: DType, length: number): WasmStorage {
    return this.#open(dtype, length, null, block);
  }

  /** Gives back what the collector has taken. */
  #releaseCollected(): void {
    if (this.collected.length === 0) return;
    for (const allocation of this.collected.splice(0)) this.release(allocation);
  }

  #open(dtype: DType, length: number, data: TypedArray | null, block: Block | null): WasmStorage {
    const content = { data };
    const liveBytes = length * DTYPES[dtype].bytes;
    const allocation: Allocation = {
      dtype,
      length,
      liveBytes: liveBytes,
      block: null,
      content: null,
      lastRun: this.run,
    };
    const storage = new WasmStorage(this, content, allocation);
    if (block !== null) this.#attach(storage, block);
    this.#releaseCollected();
    this.#live += liveBytes;
    this.recordPeak(0);
    return storage;
  }

  release(allocation: Allocation): void {
    if (this.#memory === null) return;
    this.#live -= allocation.liveBytes;
    allocation.liveBytes = 0;
    if (allocation.block !== null) this.#detach(allocation, allocation.block);
  }

  /** @throws DeviceError unless it is a storage of this device that has not been freed */
  requireOwned(storage: Storage): WasmStorage {
    if (!(storage instanceof WasmStorage) || storage.owner !== this) {
      throw foreignStorage('wasm');
    }
    storage.requireAlive();
    return storage;
  }

  /** A copy of the elements. */
  read(storage: WasmStorage): TypedArray<ArrayBuffer> {
    return storage.content.data?.slice() ?? this.copyOut(storage.allocation.block!.address, storage);
  }

  /** Moves the elements from the host into linear memory. @throws DeviceError if there is no room */
  promote(storage: WasmStorage): void {
    const { data } = storage.content;
    if (data === null) return;
    const block = this.allocate(storage.bytes);
    this.copyIn(block.address, data, storage.dtype);
    this.#attach(storage, block);
  }

  /** Writes elements to an address. */
  copyIn(address: number, data: ArrayLike<number>, dtype: DType): void {
    this.memory.views[dtype].set(data, address / DTYPES[dtype].bytes);
  }

  /** A copy of the elements at an address. */
  copyOut(
    address: number,
    { dtype, length }: { readonly dtype: DType; readonly length: number },
  ): TypedArray<ArrayBuffer> {
    const start = address / DTYPES[dtype].bytes;
    return this.memory.views[dtype].slice(start, start + length);
  }

  #attach({ content, allocation }: WasmStorage, block: Block): void {
    content.data = null;
    allocation.content = content;
    allocation.block = block;
    this.#resident.add(allocation);
  }

  #detach(allocation: Allocation, block: Block): void {
    this.memory.free(block);
    this.#resident.delete(allocation);
    allocation.block = null;
    allocation.content = null;
  }

  // ---- memory

  /**
   * The address of at least `bytes` bytes for the run under way, and nothing in them. @throws DeviceError if
   * there is no room
   */
  reserveWorkspace(bytes: number): number {
    if (this.#workspace !== null && this.#workspace.size >= bytes) return this.#workspace.address;
    this.freeWorkspace();
    this.#workspace = this.allocate(bytes);
    return this.#workspace.address;
  }

  /** The working region is not needed before the next run. */
  freeWorkspace(): void {
    if (this.#workspace !== null) this.memory.free(this.#workspace);
    this.#workspace = null;
  }

  /**
   * A block with room for `bytes`. @throws DeviceError if there is none; nothing has changed then that
   * anybody could see
   */
  allocate(bytes: number): Block {
    const { memory } = this;
    this.#releaseCollected();
    const block =
      memory.allocate(bytes) ??
      (memory.size >= SMALL_MEMORY ? this.#evictFor(bytes, this.run - IDLE_RUNS) : null) ??
      this.#growFor(bytes) ??
      this.#evictFor(bytes, this.run - 1) ??
      this.#growFor(bytes) ??
      this.#withoutWorkspace(bytes);
    if (block !== null) return block;
    throw new DeviceError({
      operation: 'wasm',
      problem:
        `no room for an array of ${mebibytes(bytes)}: linear memory has grown to ${mebibytes(memory.size)} of at most ` +
        `${mebibytes(memory.maximum * 65536)}, and ${mebibytes(memory.used)} are in use`,
      expected: 'smaller batches',
      remedy: 'dispose of tensors that are no longer needed, or use smaller batches',
    });
  }

  #growFor(bytes: number): Block | null {
    return this.memory.grow(bytes) ? this.memory.allocate(bytes) : null;
  }

  /**
   * Moves arrays that no run since `lastRun` has used to the host, those that have waited longest first,
   * until a block fits.
   */
  #evictFor(bytes: number, lastRun: number): Block | null {
    const idle = [...this.#resident]
      .filter((allocation) => allocation.lastRun <= lastRun)
      .toSorted((a, b) => a.lastRun - b.lastRun);
    let freed = 0;
    for (const allocation of idle) {
      if (freed >= EVICTION_BYTES) {
        const block = this.memory.allocate(bytes);
        if (block !== null) return block;
        freed = 0;
      }
      this.#evict(allocation, allocation.block!);
      freed += allocation.liveBytes;
    }
    return this.memory.allocate(bytes);
  }

  #evict(allocation: Allocation, block: Block): void {
    allocation.content!.data = this.copyOut(block.address, allocation);
    this.#detach(allocation, block);
  }

  /** The last resort is the working region: a run that needs it takes it after everything else. */
  #withoutWorkspace(bytes: number): Block | null {
    this.freeWorkspace();
    return this.memory.allocate(bytes) ?? this.#growFor(bytes);
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
