/**
 * An array of the device. It lies in a GPU buffer, or on the host: what has been uploaded stays there until
 * it is used a second time, and a small result goes there once it has been read. So a loop that makes new
 * arguments and results in each step needs no new buffers, and waits for no finalizer (rule 27).
 */
import { freedStorage } from '@firsthand/graph';
import type { DType, Storage } from '@firsthand/graph';
import { DTYPES } from '@firsthand/linalg';
import type { PooledBuffer } from './buffer-pool.ts';
import type { Words } from './elements.ts';
import type { StagedOutput } from './readback.ts';

/** What a storage holds, and what its finalizer gives back. */
export interface Allocation {
  buffer: PooledBuffer | null;
  /** Bytes in the count of live bytes; 0 once they have been given back. */
  bytes: number;
  /** A copy that is on its way to the host, or null. */
  staged: StagedOutput | null;
}

/** Who takes back what storages hold. */
export interface StorageOwner {
  release(allocation: Allocation): void;
}

/** An array of a WebGPU device. */
export class WebGPUStorage implements Storage {
  readonly dtype: DType;
  readonly length: number;
  readonly owner: StorageOwner;
  readonly allocation: Allocation;
  readonly finalize: () => void;
  /** The elements while they lie on the host. */
  words: Words | null;
  /**
   * Host memory of the same size that nobody touches: it makes the collector feel what it would free (rule
   * 27).
   */
  ballast: ArrayBuffer | null = null;
  /** Number of the last run that it was an argument of, and how many there have been. */
  lastRun = 0;
  uses = 0;

  constructor(
    owner: StorageOwner,
    dtype: DType,
    length: number,
    allocation: Allocation,
    words: Words | null,
  ) {
    this.owner = owner;
    this.dtype = dtype;
    this.length = length;
    this.allocation = allocation;
    this.words = words;
    this.finalize = (): void => owner.release(allocation);
  }

  get bytes(): number {
    return this.length * DTYPES[this.dtype].bytes;
  }
  /** @throws DeviceError once the storage has been freed */
  requireAlive(): void {
    if (this.words !== null || this.allocation.buffer !== null) return;
    throw freedStorage('webgpu', this);
  }
  dispose(): void {
    this.words = null;
    this.finalize();
  }
}
