/** An array on the GPU: a buffer of words, until it is freed. */
import { DeviceError } from '@firsthand/graph';
import type { DType, Storage } from '@firsthand/graph';
import { DTYPES } from '@firsthand/linalg';
import type { PooledBuffer } from './buffer-pool.ts';
import type { Staged } from './readback.ts';

/** What a storage holds, and what its finalizer gives back. */
export interface Lease {
  buffer: PooledBuffer | null;
  /** Bytes in the count of live bytes. */
  readonly held: number;
  /** A copy that is on its way to the host, or null. */
  staged: Staged | null;
}

/** Who takes back what storages hold. */
export interface StorageKeeper {
  release(lease: Lease): void;
}

/** An array of a WebGPU device. */
export class WebGPUStorage implements Storage {
  readonly dtype: DType;
  readonly length: number;
  readonly keeper: StorageKeeper;
  readonly lease: Lease;
  readonly finalize: () => void;
  /** Host memory of the same size that nobody touches: it makes the collector feel what it would free (rule 27). */
  readonly ballast: ArrayBuffer | null;
  /** Number of the last run that it was an argument of. */
  lastRun = 0;

  constructor(keeper: StorageKeeper, dtype: DType, length: number, lease: Lease, ballast: ArrayBuffer | null) {
    this.keeper = keeper;
    this.dtype = dtype;
    this.length = length;
    this.lease = lease;
    this.ballast = ballast;
    this.finalize = (): void => keeper.release(lease);
  }

  get bytes(): number {
    return this.length * DTYPES[this.dtype].bytes;
  }
  /** @throws DeviceError once the storage has been freed */
  get buffer(): PooledBuffer {
    if (this.lease.buffer !== null) return this.lease.buffer;
    throw new DeviceError(`webgpu: a storage of ${this.dtype} [${this.length}] is used after it has been freed`);
  }
  dispose(): void {
    this.finalize();
  }
}
