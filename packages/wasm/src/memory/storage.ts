/**
 * A storage lies on the host, in a typed array that the collector owns, or in linear memory, in a block. Its
 * finalizer reaches neither the elements nor the device: a finalizer that waits for its turn, as it does in a
 * loop that never yields, keeps nothing from the collector (rule 27). So it frees nothing itself: it puts the
 * lease on a list, and the device, if there still is one, frees what is on the list when it next needs room.
 */
import { freedStorage } from '@firsthand/runtime';
import type { DType, TypedArray } from '@firsthand/graph';
import type { Storage } from '@firsthand/runtime';
import { DTYPES } from '@firsthand/linalg';
import type { Block } from './heap.ts';

/**
 * The elements, while they lie on the host. Only the storage leads here, and the lease of a block that may
 * have to be given up.
 */
export interface Content {
  data: TypedArray | null;
}

/** What a storage takes: bytes in the count, and a block if it lies in linear memory. */
export interface Allocation {
  readonly dtype: DType;
  readonly length: number;
  /** Bytes in the count of live bytes; 0 once they have been given back. */
  liveBytes: number;
  block: Block | null;
  /** Where the elements go when the block is given up; null without a block. */
  content: Content | null;
  /** Number of the last run that used the storage. */
  lastRun: number;
}

/** What storages need of those who keep them. */
export interface StorageOwner {
  /** Leases of storages that the collector has taken. */
  readonly collected: Allocation[];
  /** Gives back what a lease holds, once. */
  release(allocation: Allocation): void;
  /** Takes an array of the host that nobody needs any more. */
  recycle(data: TypedArray): void;
}

/** An array of a wasm device. */
export class WasmStorage implements Storage {
  readonly dtype: DType;
  readonly length: number;
  readonly finalize: () => void;
  readonly owner: StorageOwner;
  readonly content: Content;
  readonly allocation: Allocation;
  /** Runs that have had it as an argument. */
  uses = 0;
  /** Whether the last run had it as an argument more than once. */
  repeated = false;
  /** Where the last run found its elements. */
  address = 0;

  constructor(owner: StorageOwner, content: Content, allocation: Allocation) {
    this.dtype = allocation.dtype;
    this.length = allocation.length;
    this.owner = owner;
    this.content = content;
    this.allocation = allocation;
    const { collected } = owner;
    this.finalize = (): void => void collected.push(allocation);
  }

  get bytes(): number {
    return this.length * DTYPES[this.dtype].bytes;
  }

  dispose(): void {
    const { data } = this.content;
    this.content.data = null;
    if (data !== null) this.owner.recycle(data);
    this.owner.release(this.allocation);
  }

  /** @throws DeviceError once the storage has been freed */
  requireAlive(): void {
    if (this.content.data !== null || this.allocation.block !== null) return;
    throw freedStorage('wasm', this);
  }
}
