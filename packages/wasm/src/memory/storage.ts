/**
 * An array of the device. Its elements are on the host, in a typed array that the garbage collector owns, or
 * in a block of linear memory. Its finalizer must reach neither the elements nor the device, since a pending
 * finalizer would keep them alive in a loop that never yields (rule 27). So it only appends the allocation to
 * a list, and the device frees what is on the list when it next needs room.
 */
import { freedStorage } from '@firsthand/runtime';
import type { DType, TypedArray } from '@firsthand/graph';
import type { Storage } from '@firsthand/runtime';
import { DTYPES } from '@firsthand/linalg';
import type { Block } from './heap.ts';

/**
 * The elements on the host. Referenced by the storage, and by the allocation of a block that may be evicted.
 */
export interface Content {
  data: TypedArray | null;
}

/** What a storage occupies: counted bytes, and a block of linear memory if it has one. */
export interface Allocation {
  readonly dtype: DType;
  readonly length: number;
  /** Bytes in the count of live bytes; 0 once they are released. */
  liveBytes: number;
  block: Block | null;
  /** Receives the elements when the block is evicted; null without a block. */
  content: Content | null;
  /** Number of the last run that used the storage. */
  lastRun: number;
}

/** What a storage needs of its manager. */
export interface StorageAllocator {
  /** Allocations of storages that have been garbage collected. */
  readonly collected: Allocation[];
  /** Releases an allocation, once. */
  release(allocation: Allocation): void;
  /** Takes an array of the host for reuse. */
  recycle(data: TypedArray): void;
}

/** An array of a wasm device. */
export class WasmStorage implements Storage {
  readonly dtype: DType;
  readonly length: number;
  readonly finalize: () => void;
  readonly allocator: StorageAllocator;
  readonly content: Content;
  readonly allocation: Allocation;
  /** Runs that had it as an argument. */
  uses = 0;
  /** Whether it was an argument of the last run more than once. */
  repeated = false;

  constructor(allocator: StorageAllocator, content: Content, allocation: Allocation) {
    this.dtype = allocation.dtype;
    this.length = allocation.length;
    this.allocator = allocator;
    this.content = content;
    this.allocation = allocation;
    const { collected } = allocator;
    this.finalize = (): void => void collected.push(allocation);
  }

  get bytes(): number {
    return this.length * DTYPES[this.dtype].bytes;
  }

  dispose(): void {
    const { data } = this.content;
    this.content.data = null;
    if (data !== null) this.allocator.recycle(data);
    this.allocator.release(this.allocation);
  }

  /** @throws DeviceError once the storage has been freed */
  requireAlive(): void {
    if (this.content.data !== null || this.allocation.block !== null) return;
    throw freedStorage('wasm', this);
  }
}
