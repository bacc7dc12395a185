/**
 * What a device sees of its threads, wherever they run: they take plans, run them, and forget them. Where
 * workers turn out not to start, and nobody has asked for a number of them, the thread that runs programs
 * runs them alone, with the same bits.
 */
import { DeviceError } from '@firsthand/graph';

/** Code of a plan: the base of the working region, the number of the thread, and how many there are. */
export type RunFunction = (base: number, thread: number, threads: number) => void;

/** Threads over one memory. */
export interface Team {
  /** How many share the work of a kernel. */
  readonly threads: number;
  /**
   * Whether they run plans without a kernel to divide as well; else those are left to the thread that
   * compiles them.
   */
  readonly runsSerialPlans: boolean;
  /** What plans import to wait for each other. */
  readonly barrier: (threads: number) => void;
  /** Takes a plan. @returns its number */
  add(kernels: readonly WebAssembly.Module[], run: WebAssembly.Module, isParallel: boolean): number;
  /** Nobody needs a plan any longer. */
  forget(plan: number): void;
  /**
   * Runs a plan. Null if it has run, else a promise of that. @throws DeviceError, or rejects with it, if a
   * thread has crashed
   */
  run(plan: number, run: RunFunction, base: number): Promise<void> | null;
  /** Ends the workers. */
  stop(): void;
}

/** How many threads there should be, and whether fewer will do. */
export interface ThreadCount {
  readonly threads: number;
  /** Whether nobody has asked for this number: where workers do not start, one thread will do. */
  readonly isOptional: boolean;
}

/**
 * Where one thread will do, says once that there are no more: programs take several times as long then, and
 * nothing else tells. Else an error that says so.
 */
export function unstarted(reason: string, { threads, isOptional }: ThreadCount): DeviceError | null {
  if (!isOptional) {
    return new DeviceError({
      operation: 'wasm',
      problem: `${threads} threads were asked for, and a worker does not start (${reason})`,
      expected: "threads: 1, or 'auto'",
      remedy: "a page's Content-Security-Policy must allow worker-src blob:, or give threads: 1, or 'auto'",
    });
  }
  // oxlint-disable-next-line no-console -- said once for each device, to whoever wonders why one core is busy
  globalThis.console?.warn(
    `firsthand: the wasm device computes on one thread, since its workers do not start: ${reason}`,
  );
  return null;
}

/** A worker has ended for a reason of its own. */
export function crash(reason: string, cause?: unknown): DeviceError {
  return new DeviceError(
    `wasm: a worker thread has crashed (${reason}); create another device with createWasm()`,
    { cause },
  );
}
