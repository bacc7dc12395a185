/**
 * From the GPU to the host. Mappable buffers are used again; the small outputs of a run are copied into one
 * by the run itself, so that reading a loss needs no submission of its own and does not hold up the queue.
 */
import { BUFFER_UNIT, type BufferPool, type PooledBuffer } from './buffer-pool.ts';
import { WORD } from './elements.ts';
import { MAP_READ } from './webgpu-flags.ts';

/**
 * Buffers with small outputs that may wait to be read. Those of a run beyond are read by a copy of their own.
 */
const MOST_WAITING = 16;
/** Bytes of an output that is small (rule 27). */
export const SMALL_OUTPUT = 256;

/** Small outputs of one run on their way to the host. */
interface StagingBuffer {
  readonly buffer: PooledBuffer;
  /** Outputs that may still be asked for. */
  open: number;
  /** Their contents, once somebody has asked. */
  content: Promise<ArrayBuffer> | null;
}

/** The place of one small output on its way to the host. */
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

  /** Copies of small buffers by the encoder of the run that fills them; null where too many wait already. */
  stage(
    encoder: GPUCommandEncoder,
    sources: readonly { readonly buffer: PooledBuffer; readonly bytes: number }[],
  ): readonly StagedOutput[] | null {
    if (sources.length === 0 || this.#waiting >= MOST_WAITING) return null;
    const staging: StagingBuffer = {
      buffer: this.#pool.take(sources.length * BUFFER_UNIT),
      open: sources.length,
      content: null,
    };
    this.#waiting++;
    return sources.map(({ buffer, bytes }, place) => {
      const offset = place * BUFFER_UNIT;
      encoder.copyBufferToBuffer(buffer.buffer, 0, staging.buffer.buffer, offset, bytes);
      return { staging: staging, offset };
    });
  }

  /** The bytes of a staged output. */
  async readStaged({ staging, offset }: StagedOutput, bytes: number): Promise<ArrayBuffer> {
    staging.content ??= copyOf(staging.buffer, staging.buffer.bytes);
    return (await staging.content).slice(offset, offset + bytes);
  }

  /** Nobody will ask for this output any more. */
  release({ staging }: StagedOutput): void {
    if (--staging.open > 0) return;
    this.#waiting--;
    // A buffer that is being mapped is free when that is over.
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
