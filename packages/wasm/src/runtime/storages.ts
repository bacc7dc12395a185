/**
 * All storages of one device: which lie on the host and which in linear memory, and what to do when that is
 * full. A first use copies an argument into the working region, a second one moves it into linear memory for
 * good; what has not been used for a while goes back to the host before memory grows.
 */
import { DeviceError, disposedDevice, foreignStorage } from '@firsthand/graph';
import type { DType, Storage, TypedArray } from '@firsthand/graph';
import { allocate, DTYPES } from '@firsthand/linalg';
import type { Block } from './heap.ts';
import type { LinearMemory } from './memory.ts';
import { WasmStorage, type Lease, type StorageKeeper } from './storage.ts';

/** Runs after which an unused array may lose its block to another. */
const IDLE_RUNS = 16;
/** Below this size memory grows without asking who is idle. */
const SMALL_MEMORY = 64 * 2 ** 20;
/**
 * Arrays of the host that wait to be used again, so that loops which dispose of their batches leave the
 * collector in peace: how many at most, and bytes of each.
 */
const SPARES = { most: 8, leastBytes: 4096, mostBytes: 4 * 2 ** 20 } as const;
/** Bytes that are given up at once at the least: each time costs a look at every block. */
const EVICTION = 8 * 2 ** 20;

/** The storages of a device, over its linear memory. */
export class Storages implements StorageKeeper {
  readonly collected: Lease[] = [];
  #memory: LinearMemory | null;
  readonly #resident = new Set<Lease>();
  /** The latest last. */
  readonly #spares: TypedArray[] = [];
  #work: Block | null = null;
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
    this.#sweep();
    return this.#live;
  }
  /** The largest that `live` has been, with the intermediates of the run that was under way. */
  get peak(): number {
    return this.#peak;
  }
  /** Arrays that lie in linear memory. */
  get resident(): number {
    this.#sweep();
    return this.#resident.size;
  }

  /** Lets go of the linear memory, and of all that lies in it. */
  close(): void {
    this.#memory = null;
    this.#resident.clear();
    this.#spares.length = 0;
    this.#live = 0;
  }

  /** Counts a run's intermediates. */
  measure(intermediates: number): void {
    this.#peak = Math.max(this.#peak, this.#live + intermediates);
  }

  // ---- storages

  /** A storage on the host, with a copy of `data`. */
  upload(data: TypedArray, dtype: DType): WasmStorage {
    const { constructor } = DTYPES[dtype];
    const place = this.#spares.findLastIndex(
      (spare) => spare.length === data.length && spare instanceof constructor,
    );
    const copy = place < 0 ? allocate(dtype, data.length) : this.#spares.splice(place, 1)[0]!;
    copy.set(data);
    return this.adopt(copy, dtype);
  }

  recycle(data: TypedArray): void {
    if (data.byteLength < SPARES.leastBytes || data.byteLength > SPARES.mostBytes) return;
    this.#spares.push(data);
    if (this.#spares.length > SPARES.most) this.#spares.shift();
  }

  /** A storage on the host, whose elements are `data` itself. */
  adopt(data: TypedArray, dtype: DType): WasmStorage {
    return this.#open(dtype, data.length, data, null);
  }

  /** A storage whose elements lie in `block`. */
  place(block: Block, dtype: DType, length: number): WasmStorage {
    return this.#open(dtype, length, null, block);
  }

  /** Gives back what the collector has taken. */
  #sweep(): void {
    if (this.collected.length === 0) return;
    for (const lease of this.collected.splice(0)) this.release(lease);
  }

  #open(dtype: DType, length: number, data: TypedArray | null, block: Block | null): WasmStorage {
    const content = { data };
    const held = length * DTYPES[dtype].bytes;
    const lease: Lease = { dtype, length, held, block: null, content: null, lastRun: this.run };
    const storage = new WasmStorage(this, content, lease);
    if (block !== null) this.#settle(storage, block);
    this.#sweep();
    this.#live += held;
    this.measure(0);
    return storage;
  }

  release(lease: Lease): void {
    if (this.#memory === null) return;
    this.#live -= lease.held;
    lease.held = 0;
    if (lease.block !== null) this.#leave(lease, lease.block);
  }

  /** @throws DeviceError unless it is a storage of this device that has not been freed */
  own(storage: Storage): WasmStorage {
    if (!(storage instanceof WasmStorage) || storage.keeper !== this) {
      throw foreignStorage('wasm');
    }
    storage.requireAlive();
    return storage;
  }

  /** A copy of the elements. */
  read(storage: WasmStorage): TypedArray<ArrayBuffer> {
    return storage.content.data?.slice() ?? this.copyOut(storage.lease.block!.address, storage);
  }

  /** Moves the elements from the host into linear memory. @throws DeviceError if there is no room */
  promote(storage: WasmStorage): void {
    const { data } = storage.content;
    if (data === null) return;
    const block = this.allocate(storage.bytes);
    this.copyIn(block.address, data, storage.dtype);
    this.#settle(storage, block);
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

  #settle({ content, lease }: WasmStorage, block: Block): void {
    content.data = null;
    lease.content = content;
    lease.block = block;
    this.#resident.add(lease);
  }

  #leave(lease: Lease, block: Block): void {
    this.memory.free(block);
    this.#resident.delete(lease);
    lease.block = null;
    lease.content = null;
  }

  // ---- memory

  /**
   * The address of at least `bytes` bytes for the run under way, and nothing in them. @throws DeviceError if
   * there is no room
   */
  reserve(bytes: number): number {
    if (this.#work !== null && this.#work.size >= bytes) return this.#work.address;
    this.giveBack();
    this.#work = this.allocate(bytes);
    return this.#work.address;
  }

  /** The working region is not needed before the next run. */
  giveBack(): void {
    if (this.#work !== null) this.memory.free(this.#work);
    this.#work = null;
  }

  /**
   * A block with room for `bytes`. @throws DeviceError if there is none; nothing has changed then that
   * anybody could see
   */
  allocate(bytes: number): Block {
    const { memory } = this;
    this.#sweep();
    const block =
      memory.allocate(bytes) ??
      (memory.size >= SMALL_MEMORY ? this.#evictFor(bytes, this.run - IDLE_RUNS) : null) ??
      this.#growFor(bytes) ??
      this.#evictFor(bytes, this.run - 1) ??
      this.#growFor(bytes) ??
      this.#withoutWork(bytes);
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
      .filter((lease) => lease.lastRun <= lastRun)
      .toSorted((a, b) => a.lastRun - b.lastRun);
    let freed = 0;
    for (const lease of idle) {
      if (freed >= EVICTION) {
        const block = this.memory.allocate(bytes);
        if (block !== null) return block;
        freed = 0;
      }
      this.#evict(lease, lease.block!);
      freed += lease.held;
    }
    return this.memory.allocate(bytes);
  }

  #evict(lease: Lease, block: Block): void {
    lease.content!.data = this.copyOut(block.address, lease);
    this.#leave(lease, block);
  }

  /** The last resort is the working region: a run that needs it takes it after everything else. */
  #withoutWork(bytes: number): Block | null {
    this.giveBack();
    return this.memory.allocate(bytes) ?? this.#growFor(bytes);
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
