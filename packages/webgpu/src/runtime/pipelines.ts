/**
 * The pipeline cache: one pipeline per shader text, compiled off the page's thread; least recently used go
 * first.
 */
import { DeviceError } from '@firsthand/graph';
import { messageOf } from './message.ts';
import type { Shader } from '../emit/shader.ts';

/** Pipelines that have been requested, and those that are ready. */
export interface Progress {
  readonly ready: number;
  readonly total: number;
}

/** A pipeline that is ready or being compiled. */
export interface PipelineEntry {
  pipeline: GPUComputePipeline | null;
  layout: GPUBindGroupLayout | null;
  ready: Promise<void>;
}

/**
 * Entries of the cache; programs keep their own pipelines. A driver may need a few memory mappings for each.
 */
const CAPACITY = 1024;

/** The pipelines of a device. */
export class Pipelines {
  readonly #device: GPUDevice;
  readonly #progress: (progress: Progress) => void;
  readonly #entries = new Map<string, PipelineEntry>();
  readonly #shaders = new Map<string, readonly Shader[]>();
  #requested = 0;
  #ready = 0;

  constructor(device: GPUDevice, progress: (progress: Progress) => void) {
    this.#device = device;
    this.#progress = progress;
  }

  /** The shaders of a kernel, emitted once for all kernels of equal text. */
  shadersOf(text: string, write: () => readonly Shader[]): readonly Shader[] {
    const shaders = this.#shaders.get(text) ?? write();
    use(this.#shaders, text, shaders);
    return shaders;
  }

  /**
   * The pipeline of a text.
   * @param title comment lines above it: what it computes, for the kernel that requested it first
   * @param describe names the kernel if compiling fails
   */
  require(wgsl: string, title: string, describe: () => string): PipelineEntry {
    const known = this.#entries.get(wgsl);
    if (known !== undefined) {
      use(this.#entries, wgsl, known);
      return known;
    }
    const entry: PipelineEntry = { pipeline: null, layout: null, ready: Promise.resolve() };
    entry.ready = this.#compile(entry, wgsl, title, describe);
    use(this.#entries, wgsl, entry);
    this.#requested++;
    entry.ready.catch(() => {
      this.#entries.delete(wgsl);
      this.#requested--;
    });
    this.#report();
    return entry;
  }

  async #compile(entry: PipelineEntry, wgsl: string, title: string, describe: () => string): Promise<void> {
    const label = title.split('\n', 1)[0]!.replace(/^\/\/ /, '');
    // Errors of the module are reported when its pipeline fails.
    this.#device.pushErrorScope('validation');
    const module = this.#device.createShaderModule({ label, code: title + wgsl });
    this.#device.popErrorScope().catch(() => {});
    try {
      const pipeline = await this.#device.createComputePipelineAsync({
        label,
        layout: 'auto',
        compute: { module, entryPoint: 'main' },
      });
      entry.pipeline = pipeline;
      entry.layout = pipeline.getBindGroupLayout(0);
    } catch (cause) {
      const problem = `${describe()} does not compile: ${await messagesOf(module, cause)}`;
      throw new DeviceError({ operation: 'webgpu', problem, expected: 'WGSL that compiles' }, { cause });
    }
    this.#ready++;
    this.#report();
  }

  #report(): void {
    this.#progress({ ready: this.#ready, total: this.#requested });
  }
}

/** Makes an entry the most recently used one, and evicts the least recently used one of a full cache. */
function use<T>(entries: Map<string, T>, key: string, entry: T): void {
  entries.delete(key);
  entries.set(key, entry);
  if (entries.size <= CAPACITY) return;
  for (const first of entries.keys()) {
    entries.delete(first);
    return;
  }
}

/** The compiler's errors about a module, with line numbers. */
async function messagesOf(module: GPUShaderModule, cause: unknown): Promise<string> {
  const fallback = messageOf(cause);
  try {
    const { messages } = await module.getCompilationInfo();
    const errors = messages.filter(({ type }) => type === 'error');
    return errors.length === 0
      ? fallback
      : errors.map(({ lineNum, message }) => `line ${lineNum}: ${message}`).join('; ');
  } catch {
    return fallback; // the device is gone
  }
}
