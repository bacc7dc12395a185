/**
 * The in-flight runs of one device. A run is enqueued without waiting and completes later; its failure is
 * written into the buffers that it should have filled, and into those of runs that read them (rule 26).
 * Awaiting a value applies back-pressure to a loop that enqueues faster than the device computes (rule 8).
 */
import { DeviceError } from '@firsthand/graph';
import type { HostValue } from '@firsthand/graph';
import { createBufferReference, retireBuffer } from './buffer-reference.ts';
import type { BufferReference, InFlightRun } from './buffer-reference.ts';
import type { Device, Executable, Storage } from './device.ts';

/** In-flight runs beyond which the next await waits (rule 8). */
const IN_FLIGHT_LIMIT = 8;
/** Bytes of new storage after which an await yields to the event loop, so that finalizers run (rule 27). */
const YIELD_BYTES = 64 * 2 ** 20;

function isBuffer(arg: BufferReference | HostValue): arg is BufferReference {
  return typeof arg === 'object' && 'storage' in arg;
}

export class RunTracker {
  readonly #device: Device;
  /** In the order in which they were enqueued. */
  readonly #inFlight = new Set<InFlightRun>();
  /** Bytes of new storage since the event loop last had a turn. */
  #newBytes = 0;

  constructor(device: Device) {
    this.#device = device;
  }

  /** A buffer reference to a new storage. */
  adopt(storage: Storage): BufferReference {
    this.#newBytes += storage.bytes;
    return createBufferReference(storage, this.#device);
  }

  /**
   * Enqueues one run and returns the buffers of its outputs. `overwrites` names, for each effect, the buffer
   * whose storage the device may overwrite.
   */
  submit(
    executable: Executable,
    args: readonly (BufferReference | HostValue)[],
    overwrites: readonly (BufferReference | null)[],
  ): BufferReference[] {
    const { outputs, done } = executable.run(args.map((arg) => (isBuffer(arg) ? arg.storage : arg)));
    const writes = outputs.map((storage, index) => {
      const old = overwrites[index] ?? null;
      if (old !== null && old.storage === storage) retireBuffer(old, 'a variable');
      return this.adopt(storage);
    });
    if (done !== null) this.#track(args.filter(isBuffer), writes, done);
    return writes;
  }

  #track(reads: readonly BufferReference[], writes: readonly BufferReference[], done: Promise<void>): void {
    const run: InFlightRun = {
      reads,
      writes,
      completed: done.then(
        () => this.#complete(run, null),
        (error: unknown) => this.#complete(run, asError(error)),
      ),
    };
    for (const buffer of writes) buffer.inFlight = run;
    this.#inFlight.add(run);
  }

  /** Runs complete in order, so each buffer that a run has read has its failure by now, if there is one. */
  #complete(run: InFlightRun, failure: Error | null): void {
    const cause = failure ?? run.reads.find((buffer) => buffer.failure !== null)?.failure ?? null;
    this.#inFlight.delete(run);
    for (const buffer of run.writes) {
      buffer.inFlight = null;
      if (cause !== null) buffer.failure = cause;
    }
  }

  /** Waits while too many runs are in flight, and yields to the event loop after many new bytes. */
  async backPressure(): Promise<void> {
    for (const run of this.#inFlight) {
      if (this.#inFlight.size <= IN_FLIGHT_LIMIT) break;
      await run.completed;
    }
    if (this.#newBytes < YIELD_BYTES) return;
    this.#newBytes = 0;
    await macrotask();
  }
}

/** What was thrown, as an error. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new DeviceError(String(error));
}

/**
 * One turn of the event loop, in Node and in browsers. A worklet has neither messages to itself nor timers:
 * there it is one turn of the microtask queue.
 */
export function macrotask(): Promise<void> {
  if (typeof MessageChannel === 'undefined') {
    return new Promise((resolve) =>
      typeof setTimeout === 'undefined' ? resolve() : void setTimeout(resolve, 0),
    );
  }
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
