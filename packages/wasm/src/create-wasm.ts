/** The entry point: detects the features of the engine, reserves memory, and assembles a device. */
import { DeviceError } from '@firsthand/graph';
import { type Device } from '@firsthand/runtime';
import { checkChoice, checkCount, checkOptions, type OptionKeys } from '@firsthand/linalg';
import { chooseTile } from './matmul/choose-tile.ts';
import type { Tile } from './matmul/register-tile.ts';
import { WasmDevice } from './runtime/device.ts';
import { detectFeatures, type Features } from './engine/features.ts';
import { KernelLibrary } from './runtime/kernel-library.ts';
import { LinearMemory } from './memory/linear-memory.ts';
import { rooflineOf } from './profile/roofline.ts';
import { PageDevice } from './runtime/page-device.ts';
import { Session } from './runtime/session.ts';
import { StorageManager } from './memory/storage-manager.ts';
import { MAX_THREADS } from './threads/synchronization.ts';
import { idealThreads, mayShare, mayStart, mayWait } from './threads/platform.ts';
import { PageTeam } from './threads/page-team.ts';
import { BlockingTeam } from './threads/blocking-team.ts';
import type { Team } from './threads/team.ts';

/** How threads share the work of kernels. */
export interface ThreadOptions {
  /**
   * The number of threads, `'auto'` by default. On a page's main thread all are workers; elsewhere the thread
   * that runs programs is one of them.
   */
  readonly count?: number | 'auto';
  /**
   * Work of a kernel, in vector instructions, from which it is partitioned among threads: less is faster on
   * one thread. 0 partitions every kernel that can be; 16,384 by default.
   */
  readonly divideFrom?: number;
  /**
   * Whether `createWasm` waits until the workers are up, and runs until all have the program. By default
   * (false) the first thread runs it alone until then, with the same bits, and workers are started once there
   * has been some work for them. On a page's main thread, which runs nothing, jobs always wait for their
   * workers, in the queue.
   */
  readonly wait?: boolean;
}

/** Options of `createWasm`. */
export interface WasmOptions {
  /**
   * Threads that share the work of a kernel; results do not depend on the number, in any bit. `'auto'`, the
   * default, is one for each core, up to 8, and one where memory cannot be shared, as in a page that is not
   * cross-origin isolated, or no worker started, as in a service worker. A number that is not available there
   * is a `DeviceError`. If workers turn out not to start, as under a Content-Security-Policy, `'auto'` goes
   * on with one thread and a warning on the console; a number is a `DeviceError` of the run that finds out.
   * On a page's main thread, which may not block, more than one make the device asynchronous.
   */
  readonly threads?: number | 'auto' | ThreadOptions;
  /**
   * Whether kernels use relaxed SIMD, which has a fused multiply-add. By default they do if the engine has
   * it; `true` requires it, and `false` gives the bits of an engine without it.
   */
  readonly relaxedSimd?: boolean | 'auto';
  /** Bytes to which linear memory may grow: 4 GiB by default, which is WebAssembly's own limit. */
  readonly maxBytes?: number;
  /**
   * Whether kernels are timed, for `report()`. Threads meet at a barrier before and after each kernel then,
   * so that programs are a little slower, and the first such device measures the roofline of the processor,
   * in some 0.1 s. Nothing is timed on a page's main thread if it has workers.
   */
  readonly timings?: boolean;
}

const WASM_KEYS: OptionKeys<WasmOptions> = {
  threads: true,
  relaxedSimd: true,
  maxBytes: 'number',
  timings: 'boolean',
};
const THREAD_KEYS: OptionKeys<ThreadOptions> = { count: true, divideFrom: 'number', wait: 'boolean' };

/**
 * The fast CPU device: programs become WebAssembly SIMD. A run is complete when it returns, so values can be
 * read synchronously. With several threads on a page's main thread, workers do all of the work while the page
 * goes on, and values are awaited.
 * @throws OptionError for an option that does not exist; DeviceError (by rejecting) if the engine lacks
 *   WebAssembly SIMD, if the page's policy forbids compiling, or if there is no memory
 * @example
 * ```ts
 * import { createWasm } from '@firsthand/wasm';
 * const device = await createWasm();
 * console.log(device.name, device.supports('float64')); // wasm true
 * ```
 */
export async function createWasm(options?: WasmOptions): Promise<Device> {
  checkCount('createWasm', arguments.length, 1, 'createWasm({ threads: 4 })');
  const {
    threads = 'auto',
    relaxedSimd = 'auto',
    maxBytes = 2 ** 32,
    timings = false,
  } = checkOptions('createWasm', options, WASM_KEYS);
  const threadOptions: ThreadOptions =
    typeof threads === 'object'
      ? checkOptions('createWasm: threads', threads, THREAD_KEYS)
      : { count: threads };
  const { count: wanted = 'auto', divideFrom = DIVIDE_FROM, wait = false } = threadOptions;
  if (typeof relaxedSimd !== 'boolean') checkChoice('createWasm', 'relaxedSimd', relaxedSimd, ['auto']);
  const features = detectFeatures(relaxedSimd);
  const { memory, team } = open(maxBytes, wanted, wait);
  const count = team?.threads ?? 1;
  const roofline = timings && (count === 1 || mayWait()) ? rooflineOf(features, count) : null;
  const library = new KernelLibrary(memory, {
    features,
    tile: tileFor(features),
    divideFrom: team === null ? Infinity : divideFrom,
  });
  const storages = new StorageManager(memory);
  const session = new Session({ storages, library, code: new WeakMap(), team, roofline });
  const device = team instanceof PageTeam ? new PageDevice(session) : new WasmDevice(session);
  if (team !== null) dropped.register(device, team);
  if (team instanceof BlockingTeam && wait) await team.start();
  return device;
}

/** Reserves memory, and makes the team. @throws DeviceError without memory or the requested threads */
function open(
  maxBytes: number,
  wanted: number | 'auto',
  wait: boolean,
): { readonly memory: LinearMemory; readonly team: Team | null } {
  const count = { threads: threadsFor(wanted), isOptional: wanted === 'auto' };
  if (count.threads > 1) {
    try {
      const memory = new LinearMemory(maxBytes, true);
      const team = mayWait() ? new BlockingTeam(memory, count, wait) : new PageTeam(memory, count);
      return { memory, team };
    } catch (error) {
      // The engine has less shared memory than private memory, or no threads.
      if (!count.isOptional) throw error;
    }
  }
  return { memory: new LinearMemory(maxBytes), team: null };
}

/** Vector instructions: some microseconds, several times the cost of a barrier. */
const DIVIDE_FROM = 16_384;

/** Ends the workers of devices that were garbage collected without being disposed of. */
const dropped = /* @__PURE__ */ new FinalizationRegistry<Team>((team) => team.stop());

/** The error of threads that are not available. */
function noThreads(problem: string, expected = "threads: 1, or 'auto'"): DeviceError {
  return new DeviceError({ operation: 'wasm', problem, expected, remedy: `give ${expected}` });
}

/** The number of threads. @throws DeviceError if a requested number is not available */
function threadsFor(wanted: number | 'auto'): number {
  if (wanted === 'auto') return idealThreads();
  if (!Number.isInteger(wanted) || wanted < 1 || wanted > MAX_THREADS) {
    throw noThreads(`threads is ${String(wanted)}`, `a number from 1 to ${MAX_THREADS}, or 'auto'`);
  }
  if (wanted > 1 && !mayShare()) {
    throw noThreads(
      `${wanted} threads need memory that is shared: a page must be cross-origin isolated (the headers Cross-Origin-Opener-Policy: same-origin and ` +
        'Cross-Origin-Embedder-Policy: require-corp)',
    );
  }
  if (wanted > 1 && !mayStart()) {
    throw noThreads(
      `${wanted} threads need workers, and none can be started here, as in a service worker or a worklet`,
    );
  }
  return wanted;
}

/** The fastest register tiles, by relaxed SIMD: measured once. */
const tiles = /* @__PURE__ */ new Map<boolean, Tile>();

function tileFor(features: Features): Tile {
  const tile = tiles.get(features.relaxedSimd) ?? chooseTile(features);
  tiles.set(features.relaxedSimd, tile);
  return tile;
}
