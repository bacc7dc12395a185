/**
 * A pool of GPU buffers. Programs run in the order of one queue, and so do the pool's operations: a buffer
 * that has been given back can be taken at once, even while the GPU still uses it. A steady loop creates no
 * buffer.
 */
import { DeviceError } from '@firsthand/graph';

/** A GPU buffer with a unique number. */
export interface PooledBuffer {
  readonly id: number;
  readonly buffer: GPUBuffer;
  /** The size of the buffer. */
  readonly bytes: number;
}

/** Free bytes above which the pool destroys the buffers that have been unused longest. */
const MOST_FREE = 256 * 2 ** 20;
/** Offsets and sizes of bindings are multiples of this on every adapter. */
export const BUFFER_UNIT = 256;

/**
 * Bytes of the buffer that holds `bytes`: at most an eighth more, so that similar sizes share buffers, and no
 * more than a buffer may have.
 */
export function bufferBytes(bytes: number, most: number = Infinity): number {
  const least = Math.max(bytes, 4);
  const step = Math.max(BUFFER_UNIT, 2 ** (Math.floor(Math.log2(least)) - 3));
  const rounded = Math.ceil(least / step) * step;
  return rounded <= most ? rounded : Math.ceil(least / 4) * 4;
}

let created = 0;

/** Buffers of one usage. */
export class BufferPool {
  readonly #device: GPUDevice;
  readonly #usage: number;
  readonly #label: string;
  readonly #failed: (error: DeviceError) => void;
  /** Free buffers by size, the most recent last. */
  readonly #free = new Map<number, PooledBuffer[]>();
  #freeBytes = 0;

  /** @param failed is called if the GPU has no memory for a buffer that has been taken */
  constructor(device: GPUDevice, usage: number, label: string, failed: (error: DeviceError) => void) {
    this.#device = device;
    this.#usage = usage;
    this.#label = label;
    this.#failed = failed;
  }

  /** A buffer of at least `bytes`, its contents arbitrary. */
  take(bytes: number): PooledBuffer {
    const size = bufferBytes(bytes, this.#device.limits.maxBufferSize);
    const list = this.#free.get(size);
    const known = list?.pop();
    if (known === undefined) return this.#create(size);
    if (list!.length === 0) this.#free.delete(size);
    this.#freeBytes -= size;
    return known;
  }

  /** Gives a buffer back. */
  give(buffer: PooledBuffer): void {
    const list = this.#free.get(buffer.bytes) ?? [];
    list.push(buffer);
    // The list moves to the end: sizes that are no longer requested are dropped first.
    this.#free.delete(buffer.bytes);
    this.#free.set(buffer.bytes, list);
    this.#freeBytes += buffer.bytes;
    while (this.#freeBytes > MOST_FREE) this.#dropOldest();
  }

  #dropOldest(): void {
    const [size, list] = this.#free.entries().next().value!;
    const oldest = list.shift()!;
    if (list.length === 0) this.#free.delete(size);
    this.#freeBytes -= size;
    oldest.buffer.destroy();
  }

  /** Destroys all free buffers. */
  clear(): void {
    for (const list of this.#free.values()) for (const { buffer } of list) buffer.destroy();
    this.#free.clear();
    this.#freeBytes = 0;
  }

  #create(size: number): PooledBuffer {
    this.#device.pushErrorScope('out-of-memory');
    const buffer = this.#device.createBuffer({ label: `${this.#label} ${size}`, size, usage: this.#usage });
    void this.#device.popErrorScope().then(
      (error) => {
        if (error === null) return;
        this.#failed(
          new DeviceError({
            operation: 'webgpu',
            problem: `the GPU has no memory for ${(size / 2 ** 20).toFixed(1)} MiB more: ${error.message}`,
            expected: 'smaller batches',
            remedy: 'dispose of tensors that are no longer needed, or use smaller batches',
          }),
        );
      },
      () => {}, // the device is lost, which fails every use of the session
    );
    return { id: ++created, buffer, bytes: size };
  }
}
