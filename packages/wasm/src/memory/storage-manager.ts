/**
 * The residency of a device's arrays: on the host or in linear memory. The first run that reads an array of
 * the host copies it into the workspace, the second moves it into linear memory for good. Before memory grows
 * far, arrays that no recent run has used are evicted to the host.
 */
import { DeviceError } from '@firsthand/graph';
import { disposedDevice, foreignStorage } from '@firsthand/runtime';
import type { DType, TypedArray } from '@firsthand/graph';
import type { Storage } from '@firsthand/runtime';
import { allocate, DTYPES } from '@firsthand/linalg';
import type { Block } from './heap.ts';
import type { LinearMemory } from './linear-memory.ts';
import { WasmStorage, type Allocation, type StorageAllocator } from './storage.ts';

/** Runs without use after which an array may be evicted. */
const IDLE_RUNS = 16;
/** Bytes of linear memory below which it grows without eviction. */
const SMALL_MEMORY = 64 * 2 ** 20;
/**
 * Arrays of the host that are recycled: a loop that disposes of its batches makes no garbage. Bytes of each.
 */
const RECYCLED = { maxCount: 8, minBytes: 4096, maxBytes: 4 * 2 ** 20 } as const;
/** The least bytes of one eviction: each scans all blocks. */
const EVICTION_BYTES = 8 * 2 ** 20;

/** The storages of a device, over its linear memory. */
export class StorageManager implements StorageAllocator {
  readonly collected: Allocation[] = [];
  #memory: LinearMemory | null;
  readonly #resident = new Set<Allocation>();
  /** The most recent last. */
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

  /** Bytes of all storages, on the host and in linear memory. */
  get live(): number {
    this.#releaseCollected();
    return this.#live;
  }
  /** The maximum of `live` plus the intermediates of a run. */
  get peak(): number {
    return this.#peak;
  }
  /** The number of arrays in linear memory. */
  get resident(): number {
    this.#releaseCollected();
    return this.#resident.size;
  }

  /** Releases the linear memory with all arrays in it. */
  close(): void {
    this.#memory = null;
    this.#resident.clear();
    this.#recycled.length = 0;
    this.#live = 0;
  }

  /** Records the peak of a run with these bytes of intermediates. */
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

  /** A storage whose elements are in `block`. */
  adoptBlock(block: Block, dtype: DType, length: number): WasmStorage {
    return this.#open(dtype, length, null, block);
  }

  /** Releases the allocations of storages that have been garbage collected. */
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

  /** The storage of this device behind a handle. @throws DeviceError if it is another device's, or freed */
  resolve(storage: Storage): WasmStorage {
    if (!(storage instanceof WasmStorage) || storage.allocator !== this) {
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

  /** The address of an uninitialised workspace of at least `bytes` bytes. @throws DeviceError without room */
  reserveWorkspace(bytes: number): number {
    if (this.#workspace !== null && this.#workspace.size >= bytes) return this.#workspace.address;
    this.freeWorkspace();
    this.#workspace = this.allocate(bytes);
    return this.#workspace.address;
  }

  /** Frees the workspace until the next run. */
  freeWorkspace(): void {
    if (this.#workspace !== null) this.memory.free(this.#workspace);
    this.#workspace = null;
  }

  /** Allocates a block with room for `bytes`. @throws DeviceError if there is none, with no visible change */
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

  /** Evicts arrays that no run since `lastRun` has used, least recently used first, until a block fits. */
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

  /** The last resort: gives up the workspace, which a run reserves after everything else. */
  #withoutWorkspace(bytes: number): Block | null {
    this.freeWorkspace();
    return this.memory.allocate(bytes) ?? this.#growFor(bytes);
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
