/**
 * The runs under way on one device. A run is enqueued without waiting and settles later; a failure is written
 * into the cells that it should have filled, and into those of runs that read them (rule 26). Awaiting holds
 * back a loop that runs ahead (rule 8).
 */
import { createCell, retireCell } from './cell.ts';
import { DeviceError } from './errors.ts';
import type { Cell, Device, Executable, Flight, HostValue, Storage } from './types.ts';

/** Runs under way before the next await waits (rule 8). */
const FLIGHT_LIMIT = 8;
/**
 * Bytes of new storage after which an await gives the event loop a turn, so that finalizers run (rule 27).
 */
const YIELD_BYTES = 64 * 2 ** 20;

function isCell(arg: Cell | HostValue): arg is Cell {
  return typeof arg === 'object' && 'storage' in arg;
}

export class Flights {
  readonly #device: Device;
  /** In the order in which they were enqueued. */
  readonly #underWay = new Set<Flight>();
  /** Bytes of new storage since the event loop last had a turn. */
  #fresh = 0;

  constructor(device: Device) {
    this.#device = device;
  }

  /** A cell for a new storage. */
  adopt(storage: Storage): Cell {
    this.#fresh += storage.bytes;
    return createCell(storage, this.#device);
  }

  /**
   * Enqueues one run: arguments in, cells of the outputs out. `overwrites` names, for each effect, the cell
   * whose storage the device was allowed to overwrite.
   */
  submit(
    executable: Executable,
    args: readonly (Cell | HostValue)[],
    overwrites: readonly (Cell | null)[],
  ): Cell[] {
    const { outputs, done } = executable.run(args.map((arg) => (isCell(arg) ? arg.storage : arg)));
    const writes = outputs.map((storage, index) => {
      const old = overwrites[index] ?? null;
      if (old !== null && old.storage === storage) retireCell(old, 'a variable');
      return this.adopt(storage);
    });
    if (done !== null) this.#takeOff(args.filter(isCell), writes, done);
    return writes;
  }

  #takeOff(reads: readonly Cell[], writes: readonly Cell[], done: Promise<void>): void {
    const flight: Flight = {
      reads,
      writes,
      settled: done.then(
        () => this.#land(flight, null),
        (error: unknown) => this.#land(flight, asError(error)),
      ),
    };
    for (const cell of writes) cell.flight = flight;
    this.#underWay.add(flight);
  }

  /** Runs settle in order, so the cells that a run has read know by now whether they hold anything. */
  #land(flight: Flight, failure: Error | null): void {
    const cause = failure ?? flight.reads.find((cell) => cell.failure !== null)?.failure ?? null;
    this.#underWay.delete(flight);
    for (const cell of flight.writes) {
      cell.flight = null;
      if (cause !== null) cell.failure = cause;
    }
  }

  /** Waits while too many runs are under way, and gives the event loop a turn after so many bytes. */
  async breathe(): Promise<void> {
    for (const flight of this.#underWay) {
      if (this.#underWay.size <= FLIGHT_LIMIT) break;
      await flight.settled;
    }
    if (this.#fresh < YIELD_BYTES) return;
    this.#fresh = 0;
    await macrotask();
  }
}

/** What was thrown, as an error. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new DeviceError(String(error));
}

/**
 * One turn of the event loop, in Node and in browsers; of that of promises alone in a worklet, which has
 * neither messages to itself nor timers.
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
