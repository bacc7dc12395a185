/** What a device sees of its threads, wherever they run: they take plans, run them, and forget them. */
import { DeviceError } from '@firsthand/graph';

/** Code of a plan: the base of the working region, the number of the thread, and how many there are. */
export type RunFunction = (base: number, thread: number, threads: number) => void;

/** Threads over one memory. */
export interface Threads {
  /** How many share the work of a kernel. */
  readonly threads: number;
  /** Whether they run plans without a kernel to divide as well; else those are left to the thread that compiles them. */
  readonly runsAll: boolean;
  /** What plans import to wait for each other. */
  readonly barrier: (threads: number) => void;
  /** Takes a plan. @returns its number */
  add(kernels: readonly WebAssembly.Module[], run: WebAssembly.Module, isDivided: boolean): number;
  /** Nobody needs a plan any longer. */
  forget(plan: number): void;
  /** Runs a plan. Null if it has run, else a promise of that. @throws DeviceError, or rejects with it, if a thread has crashed */
  run(plan: number, run: RunFunction, base: number): Promise<void> | null;
  /** Ends the workers. */
  stop(): void;
}

/** A worker has ended for a reason of its own. */
export function crash(reason: string, cause?: unknown): DeviceError {
  return new DeviceError(`wasm: a worker thread has crashed (${reason}); create another device with createWasm()`, { cause });
}
