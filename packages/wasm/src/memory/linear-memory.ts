/**
 * The linear memory of a device: one WebAssembly.Memory that grows up to 4 GiB, the heap of blocks in it, and
 * a typed array for each dtype over all of it. Growth detaches the typed arrays, so no reference to one
 * outlives an allocation. The first page is not allocated: no array has address 0, and threads synchronise
 * there.
 */
import { DeviceError } from '@firsthand/graph';
import type { DType, TypedArray } from '@firsthand/linalg';
import type { MemoryImport } from '../assembler/module.ts';
import { blockSize, Heap, type Block } from './heap.ts';

/** Bytes of a page, the unit in which memory grows. */
export const PAGE = 65536;
/** One page less than 4 GiB: the length of a byte array over all of it stays below 2³². */
const MAXIMUM_PAGES = 65535;
/** Pages that the memory starts with, the empty first one included. */
const INITIAL_PAGES = 16;
/** Some phones refuse to reserve 4 GiB. With fewer pages than this a device is of no use. */
const LEAST_PAGES = 1024;
/** Pages up to which memory doubles; beyond, it grows to a quarter more than is needed. */
const DOUBLING_PAGES = 1024;

/** All of the memory as elements of each dtype; index = address / bytes per element. */
export type Views = { readonly [K in DType]: TypedArray };

function viewsOf(buffer: ArrayBuffer): Views {
  const bytes = new Uint8Array(buffer);
  return {
    float32: new Float32Array(buffer),
    float64: new Float64Array(buffer),
    float16: new Uint16Array(buffer),
    int32: new Int32Array(buffer),
    uint32: new Uint32Array(buffer),
    bool: bytes,
  };
}

/** Memory that WebAssembly code works on. */
export class LinearMemory {
  /** What modules import. */
  readonly memory: WebAssembly.Memory;
  /** The largest size, in pages. */
  readonly maximum: number;
  readonly #isShared: boolean;
  readonly #heap = new Heap(PAGE);
  #views: Views;

  /**
   * @param maxBytes bytes that the memory may take at most; less where the engine refuses to reserve them
   * @param isShared whether several threads use it
   * @throws DeviceError if the limit makes no sense, or the engine has no memory to give
   */
  constructor(maxBytes: number, isShared = false) {
    if (!(maxBytes >= 2 * PAGE)) {
      const expected = `at least ${2 * PAGE}`;
      throw new DeviceError({
        operation: 'wasm',
        problem: `maxBytes is ${maxBytes}`,
        expected,
        remedy: `a device needs ${expected}`,
      });
    }
    const limit = Math.min(Math.floor(maxBytes / PAGE), MAXIMUM_PAGES);
    this.memory = reserve(limit, isShared);
    this.maximum = limit;
    this.#isShared = isShared;
    this.#views = viewsOf(this.memory.buffer);
    this.#heap.extend(this.memory.buffer.byteLength);
  }

  /** Views of the memory. The next growth detaches them. */
  get views(): Views {
    return this.#views;
  }
  /** The declaration of modules that import it. */
  get declaration(): MemoryImport {
    return { initial: 1, maximum: this.maximum, shared: this.#isShared };
  }
  /** Bytes that the memory has grown to. */
  get size(): number {
    return this.#heap.end;
  }
  /** Bytes in blocks that are in use. */
  get used(): number {
    return this.#heap.used;
  }

  /** Allocates an uninitialised block with room for `bytes`; null if the memory would have to grow. */
  allocate(bytes: number): Block | null {
    return this.#heap.allocate(bytes);
  }

  free(block: Block): void {
    this.#heap.free(block);
  }

  /** Copies bytes from one address to another. */
  copy(to: number, from: number, bytes: number): void {
    this.#views.bool.copyWithin(to, from, from + bytes);
  }

  /**
   * Grows until a block of `bytes` fits. False, with nothing changed, at the limit or if the engine refuses.
   */
  grow(bytes: number): boolean {
    const pages = this.size / PAGE;
    const needed = Math.ceil((this.size + blockSize(bytes) - this.#heap.freeAtEnd) / PAGE);
    if (needed > this.maximum) return false;
    const generous =
      needed <= DOUBLING_PAGES ? Math.min(2 * pages, DOUBLING_PAGES) : Math.ceil(needed * 1.25);
    const wanted = Math.min(Math.max(needed, generous), this.maximum);
    if (!this.#growBy(wanted - pages) && !this.#growBy(needed - pages)) return false;
    this.#views = viewsOf(this.memory.buffer);
    this.#heap.extend(this.memory.buffer.byteLength);
    return true;
  }

  #growBy(pages: number): boolean {
    try {
      this.memory.grow(pages);
      return true;
    } catch {
      return false; // the engine has no more memory to give
    }
  }
}

/** A memory that may grow to `limit` pages, or to half of that, and so on, if the engine reserves no more. */
function reserve(limit: number, shared: boolean): WebAssembly.Memory {
  for (let maximum = limit; ; maximum = Math.floor(maximum / 2)) {
    try {
      return new WebAssembly.Memory({ initial: Math.min(INITIAL_PAGES, maximum), maximum, shared });
    } catch (cause) {
      if (maximum / 2 >= LEAST_PAGES) continue;
      const remedy = 'close what holds some, or dispose of other devices';
      throw new DeviceError(
        {
          operation: 'wasm',
          problem: 'the engine has no memory left for a device',
          expected: 'memory',
          remedy,
        },
        { cause },
      );
    }
  }
}
