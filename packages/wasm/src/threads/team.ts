/**
 * A team of threads, as a device sees it: it takes plans, runs them, and forgets them. Where workers do not
 * start and no number of threads was requested, the thread that runs programs does so alone, with the same
 * bits.
 */
import { DeviceError } from '@firsthand/graph';

/** The code of a plan: the base of the workspace, the number of the thread, and the number of threads. */
export type RunFunction = (base: number, thread: number, threads: number) => void;

/** The code of a plan, for threads that instantiate it. */
export interface PlanCode {
  /** The modules of the kernels that `run` imports. */
  readonly kernels: readonly WebAssembly.Module[];
  readonly run: WebAssembly.Module;
  /** Whether it has a partitioned kernel. */
  readonly isParallel: boolean;
  /** What its kernels cost, in vector instructions. */
  readonly work: number;
}

/** Threads over one memory. */
export interface Team {
  /** The number of threads that share the work of a kernel. */
  readonly threads: number;
  /** Whether the team also runs plans without a partitioned kernel; else the compiling thread does. */
  readonly runsSerialPlans: boolean;
  /** The barrier that plans import. */
  readonly barrier: (threads: number) => void;
  /** Takes a plan. @returns its number */
  add(code: PlanCode): number;
  /** Lets go of a plan. */
  forget(plan: number): void;
  /**
   * Runs a plan. Null if it has run, else a promise of that. @throws DeviceError, or rejects with it, if a
   * thread has crashed
   */
  run(plan: number, run: RunFunction, base: number): Promise<void> | null;
  /** Ends the workers. */
  stop(): void;
}

/** The number of threads, and whether fewer will do. */
export interface ThreadCount {
  readonly threads: number;
  /** Whether the number is a default: one thread will do if workers do not start. */
  readonly isOptional: boolean;
}

/**
 * Reports workers that do not start. A requested number of threads gives an error. Else a warning on the
 * console: programs take several times as long, and nothing else tells.
 */
export function reportUnstarted(reason: string, { threads, isOptional }: ThreadCount): DeviceError | null {
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

/** The error of a device whose worker has crashed. */
export function crash(reason: string, cause?: unknown): DeviceError {
  return new DeviceError(
    `wasm: a worker thread has crashed (${reason}); create another device with createWasm()`,
    { cause },
  );
}
