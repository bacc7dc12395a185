/**
 * Timestamps: how long kernels take on the GPU. While a device measures, each dispatch is a pass of its own
 * between two timestamps. Implementations may round them, browsers to 100 µs: a short kernel seems to take no
 * time, or much too much; the average over many runs is right.
 */
import { BUFFER_USAGE, MAP_READ } from './webgpu-flags.ts';

/** Bytes of a timestamp, which is in nanoseconds. */
const STAMP = 8;
/** The largest query set that every device allows. */
export const MOST_STAMPS = 4096;

/** The timestamps of one run. */
export class Stamps {
  readonly #gpu: GPUDevice;
  readonly #set: GPUQuerySet;
  readonly #count: number;

  /** @param dispatches at most half of `MOST_STAMPS` */
  constructor(gpu: GPUDevice, dispatches: number) {
    this.#gpu = gpu;
    this.#count = 2 * dispatches;
    this.#set = gpu.createQuerySet({ label: 'kernel times', type: 'timestamp', count: this.#count });
  }

  /** The descriptor of the pass of a dispatch. */
  pass(dispatch: number): GPUComputePassDescriptor {
    return {
      timestampWrites: {
        querySet: this.#set,
        beginningOfPassWriteIndex: 2 * dispatch,
        endOfPassWriteIndex: 2 * dispatch + 1,
      },
    };
  }

  /**
   * Encodes the copy of the timestamps, at the end of the run. @returns a function that reads, once the run
   * has been submitted, the seconds of each dispatch
   */
  resolve(encoder: GPUCommandEncoder): () => Promise<readonly number[]> {
    const read = this.resolveStamps(encoder);
    return async () => {
      const stamps = await read();
      return Array.from(
        { length: this.#count / 2 },
        (_, dispatch) => Number(stamps[2 * dispatch + 1]! - stamps[2 * dispatch]!) * 1e-9,
      );
    };
  }

  /** The same for the timestamps themselves, in nanoseconds. */
  resolveStamps(encoder: GPUCommandEncoder): () => Promise<BigUint64Array> {
    const size = this.#count * STAMP;
    const { queryResolve, copySource, copyTarget, mapRead } = BUFFER_USAGE;
    const resolved = this.#gpu.createBuffer({
      label: 'kernel times',
      size,
      usage: queryResolve | copySource,
    });
    const result = this.#gpu.createBuffer({ label: 'kernel times', size, usage: mapRead | copyTarget });
    encoder.resolveQuerySet(this.#set, 0, this.#count, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, result, 0, size);
    return async () => {
      await result.mapAsync(MAP_READ);
      const stamps = new BigUint64Array(result.getMappedRange().slice(0));
      for (const buffer of [resolved, result]) buffer.destroy();
      this.#set.destroy();
      return stamps;
    };
  }
}
