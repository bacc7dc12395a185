/**
 * Readback: copies from the GPU to the host, through pooled mappable buffers. A run copies its small outputs
 * to a staging buffer itself, so that reading a loss needs no submission of its own and does not stall the
 * queue.
 */
import { BUFFER_UNIT, type BufferPool, type PooledBuffer } from './buffer-pool.ts';
import { WORD } from './elements.ts';
import { MAP_READ } from './webgpu-flags.ts';

/**
 * Staging buffers that may wait to be read. Small outputs of further runs are read by a copy of their own.
 */
const MOST_STAGING = 16;
/** Bytes of a small output, at most (rule 27). */
export const SMALL_OUTPUT = 256;

/** The small outputs of one run. */
interface StagingBuffer {
  readonly buffer: PooledBuffer;
  /** Outputs that may still be read. */
  unread: number;
  /** The contents, once one of them has been read. */
  content: Promise<ArrayBuffer> | null;
}

/** One small output in a staging buffer. */
export interface StagedOutput {
  readonly staging: StagingBuffer;
  readonly offset: number;
}

/** Copies to the host. */
export class Readback {
  readonly #pool: BufferPool;
  #waiting = 0;

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  /** Stages small outputs, by the encoder of their run; null where too many buffers wait to be read. */
  stage(
    encoder: GPUCommandEncoder,
    sources: readonly { readonly buffer: PooledBuffer; readonly bytes: number }[],
  ): readonly StagedOutput[] | null {
    if (sources.length === 0 || this.#waiting >= MOST_STAGING) return null;
    const staging: StagingBuffer = {
      buffer: this.#pool.take(sources.length * BUFFER_UNIT),
      unread: sources.length,
      content: null,
    };
    this.#waiting++;
    return sources.map(({ buffer, bytes }, output) => {
      const offset = output * BUFFER_UNIT;
      encoder.copyBufferToBuffer(buffer.buffer, 0, staging.buffer.buffer, offset, bytes);
      return { staging, offset };
    });
  }

  /** The bytes of a staged output. */
  async readStaged({ staging, offset }: StagedOutput, bytes: number): Promise<ArrayBuffer> {
    staging.content ??= copyOf(staging.buffer, staging.buffer.bytes);
    return (await staging.content).slice(offset, offset + bytes);
  }

  /** Releases an output that will not be read any more. */
  release({ staging }: StagedOutput): void {
    if (--staging.unread > 0) return;
    this.#waiting--;
    // A buffer that is being mapped is free once it is unmapped.
    if (staging.content === null) this.#pool.give(staging.buffer);
    else
      void staging.content.then(
        () => this.#pool.give(staging.buffer),
        () => {},
      );
  }

  /** The first bytes of a buffer, after everything that has been submitted. */
  async read(device: GPUDevice, source: PooledBuffer, bytes: number): Promise<ArrayBuffer> {
    const size = Math.ceil(bytes / WORD) * WORD;
    if (size === 0) return new ArrayBuffer(0);
    const target = this.#pool.take(size);
    const encoder = device.createCommandEncoder({ label: 'read' });
    encoder.copyBufferToBuffer(source.buffer, 0, target.buffer, 0, size);
    device.queue.submit([encoder.finish()]);
    const content = await copyOf(target, size);
    this.#pool.give(target);
    return content;
  }
}

async function copyOf({ buffer }: PooledBuffer, bytes: number): Promise<ArrayBuffer> {
  await buffer.mapAsync(MAP_READ, 0, bytes);
  const copy = buffer.getMappedRange(0, bytes).slice(0);
  buffer.unmap();
  return copy;
}
