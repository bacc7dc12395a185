/**
 * Counts the calls that a library makes of WebGPU: every method of every interface is wrapped once, before
 * any library is loaded, so that all are counted by the same rules. On request the time inside of the methods
 * is measured too; otherwise a call costs a look-up more, and no clock.
 */

/** The number of calls of each kind. */
export interface Counts {
  readonly dispatches: number;
  readonly submits: number;
  readonly passes: number;
  /** Calls of writeBuffer. */
  readonly writes: number;
  readonly buffers: number;
  /** Of the buffers. */
  readonly bytes: number;
  readonly pipelines: number;
}

type Count = (counts: { -readonly [K in keyof Counts]: number }, args: readonly unknown[]) => void;

const dispatch: Count = (counts) => counts.dispatches++;
const pipeline: Count = (counts) => counts.pipelines++;

/** What is counted, by interface and method. */
const COUNTED: Readonly<Record<string, Count>> = {
  'GPUComputePassEncoder.dispatchWorkgroups': dispatch,
  'GPUComputePassEncoder.dispatchWorkgroupsIndirect': dispatch,
  'GPUQueue.submit': (counts) => counts.submits++,
  'GPUQueue.writeBuffer': (counts) => counts.writes++,
  'GPUCommandEncoder.beginComputePass': (counts) => counts.passes++,
  'GPUDevice.createComputePipeline': pipeline,
  'GPUDevice.createComputePipelineAsync': pipeline,
  'GPUDevice.createBuffer': (counts, [descriptor]) => {
    counts.buffers++;
    counts.bytes += (descriptor as GPUBufferDescriptor).size;
  },
};

/** Methods whose promise is kept when what was submitted before has been done. */
const WAITS: ReadonlySet<string> = new Set(['GPUQueue.onSubmittedWorkDone', 'GPUBuffer.mapAsync']);

const SUBMIT = 'GPUQueue.submit';
const REQUEST_ADAPTER = 'GPU.requestAdapter';
const REQUEST_DEVICE = 'GPUAdapter.requestDevice';

type Method = (this: unknown, ...args: unknown[]) => unknown;

/** A class of the browser's. */
interface Interface {
  readonly prototype: Record<string, unknown>;
}

/** The page's view of its calls. One at a time may be looked at. */
export class Instrument {
  readonly #counts: { -readonly [K in keyof Counts]: number } = {
    dispatches: 0,
    submits: 0,
    passes: 0,
    writes: 0,
    buffers: 0,
    bytes: 0,
    pipelines: 0,
  };
  readonly #now: () => number;
  /** The number of submits that have certainly been done. */
  #done = 0;
  /** Of the last submit in this run. */
  #queue: GPUQueue | null = null;
  /** The first mistake that each device has complained of, by its queue. */
  readonly #mistakes = new Map<GPUQueue, string>();
  #watch: Watch | null = null;

  /** @param now the time in milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Wraps the methods of all interfaces of WebGPU in a scope, such as `globalThis`. */
  install(scope: object): void {
    for (const name of Object.getOwnPropertyNames(scope)) {
      if (!name.startsWith('GPU')) continue;
      const { prototype } = (scope as Readonly<Record<string, Partial<Interface>>>)[name]!;
      if (prototype === undefined) continue;
      for (const [method, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
        if (typeof value === 'function' && method !== 'constructor')
          prototype[method] = this.#wrapped(`${name}.${method}`, value as Method);
      }
    }
  }

  /** All counts since the beginning. */
  get counts(): Counts {
    return { ...this.#counts };
  }

  /** A run begins. @returns all counts so far */
  begin(): Counts {
    this.#queue = null;
    return this.counts;
  }

  /**
   * Waits for everything that was submitted in this run, unless a wait of the library's own has seen its end.
   * @throws Error if WebGPU has refused something, in which case nothing may have been computed
   */
  async complete(): Promise<void> {
    const queue = this.#queue;
    if (queue === null) return;
    if (this.#done < this.#counts.submits) await queue.onSubmittedWorkDone();
    const mistake = this.#mistakes.get(queue);
    this.#mistakes.delete(queue);
    if (mistake !== undefined) throw new Error(mistake);
  }

  /** Measures from now on. */
  watch(): Watch {
    this.#watch = new Watch(this.#now);
    return this.#watch;
  }

  /** Measures no longer. */
  unwatch(): void {
    this.#watch = null;
  }

  #wrapped(name: string, original: Method): Method {
    const call = (self: unknown, args: unknown[]): unknown => this.#call(name, original, self, args);
    const wait = (self: unknown, args: unknown[]): unknown => this.#wait(original, self, args);
    const listen = (device: GPUDevice): void => {
      device.addEventListener('uncapturederror', ({ error: { message } }) => {
        if (!this.#mistakes.has(device.queue)) this.#mistakes.set(device.queue, message);
      });
    };
    if (WAITS.has(name)) {
      return function (...args) {
        return wait(this, args);
      };
    }
    if (name === REQUEST_ADAPTER) {
      return function (options) {
        // The same one for all
        return call(this, [{ ...(options as object), powerPreference: 'high-performance' }]);
      };
    }
    if (name === REQUEST_DEVICE) {
      return async function (...args) {
        const device = (await call(this, args)) as GPUDevice;
        listen(device);
        return device;
      };
    }
    return function (...args) {
      return call(this, args);
    };
  }

  #call(name: string, original: Method, self: unknown, args: unknown[]): unknown {
    COUNTED[name]?.(this.#counts, args);
    if (name === SUBMIT) this.#queue = self as GPUQueue;
    return this.#timed(original, self, args);
  }

  async #wait(original: Method, self: unknown, args: unknown[]): Promise<unknown> {
    const submitted = this.#counts.submits;
    const watch = this.#watch;
    const value = await (this.#timed(original, self, args) as Promise<unknown>);
    this.#done = Math.max(this.#done, submitted);
    watch?.close();
    return value;
  }

  #timed(original: Method, self: unknown, args: unknown[]): unknown {
    const watch = this.#watch;
    if (watch === null) return original.apply(self, args);
    const start = this.#now();
    const result = original.apply(self, args);
    watch.call(start, this.#now());
    return result;
  }
}

/**
 * The time that the page's own JavaScript takes for a run until everything has been handed to the GPU: from
 * its beginning to the last call of WebGPU before the first wait is over, or until the run gives its promise,
 * without the time inside of the calls.
 */
export class Watch {
  readonly #now: () => number;
  readonly #start: number;
  #end: number;
  #inside = 0;
  #closed = false;

  constructor(now: () => number) {
    this.#now = now;
    this.#start = now();
    this.#end = this.#start;
  }

  /** A call of WebGPU was made. */
  call(start: number, end: number): void {
    if (this.#closed) return;
    this.#inside += end - start;
    this.#end = end;
  }

  /** The run has given its promise. */
  returned(): void {
    if (!this.#closed) this.#end = this.#now();
  }

  /** The GPU has been waited for: what follows is no longer the making of commands. */
  close(): void {
    this.#closed = true;
  }

  /** Milliseconds inside of the calls of WebGPU. */
  get calls(): number {
    return this.#inside;
  }
  /** Milliseconds outside of them. */
  get javascript(): number {
    return this.#end - this.#start - this.#inside;
  }
}
