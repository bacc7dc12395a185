/**
 * An array of the device, in a GPU buffer or on the host: an upload stays on the host until its second use,
 * and a small result moves there once it has been read. So a loop that makes new arguments and results in
 * each step needs no new buffers, and waits for no finalizer (rule 27).
 */
import { freedStorage } from '@firsthand/runtime';
import type { DType } from '@firsthand/graph';
import type { Storage } from '@firsthand/runtime';
import { DTYPES } from '@firsthand/linalg';
import type { PooledBuffer } from './buffer-pool.ts';
import type { Words } from './elements.ts';
import type { StagedOutput } from './readback.ts';

/** The GPU memory of a storage, which its finalizer releases. */
export interface Allocation {
  buffer: PooledBuffer | null;
  /** Bytes that count as live; 0 once they have been released. */
  bytes: number;
  /** The pending copy to the host, or null. */
  staged: StagedOutput | null;
}

/** The session of a storage, which releases its allocation. */
export interface StorageSession {
  release(allocation: Allocation): void;
}

/** An array of a WebGPU device. */
export class WebGPUStorage implements Storage {
  readonly dtype: DType;
  readonly length: number;
  readonly session: StorageSession;
  readonly allocation: Allocation;
  readonly finalize: () => void;
  /** The elements while they are on the host, else null. */
  hostWords: Words | null;
  /**
   * Unused host memory of the same size: it shows the garbage collector what a collection would free (rule
   * 27).
   */
  ballast: ArrayBuffer | null = null;
  /** The number of the last run that had it as an argument, and the count of such runs. */
  lastRun = 0;
  uses = 0;

  constructor(
    session: StorageSession,
    dtype: DType,
    length: number,
    allocation: Allocation,
    hostWords: Words | null,
  ) {
    this.session = session;
    this.dtype = dtype;
    this.length = length;
    this.allocation = allocation;
    this.hostWords = hostWords;
    this.finalize = (): void => session.release(allocation);
  }

  get bytes(): number {
    return this.length * DTYPES[this.dtype].bytes;
  }
  /** @throws DeviceError once the storage has been freed */
  requireAlive(): void {
    if (this.hostWords !== null || this.allocation.buffer !== null) return;
    throw freedStorage('webgpu', this);
  }
  dispose(): void {
    this.hostWords = null;
    this.finalize();
  }
}
