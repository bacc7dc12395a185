/**
 * The differences between Node, browsers and other environments: whether workers exist, how one is started,
 * how many are worth starting, and whether this thread may block.
 */

/** A thread that takes messages. */
export interface WorkerThread {
  postMessage(message: unknown): void;
  terminate(): void;
}

/** The part of Node's workers that is used. */
interface NodeWorker {
  postMessage(message: unknown): void;
  terminate(): Promise<number>;
  unref(): void;
  on(event: string, listener: (value: unknown) => void): void;
}
interface NodeProcess {
  getBuiltinModule?(name: 'node:worker_threads'): { readonly Worker?: NodePlatform['Worker'] } | undefined;
  getBuiltinModule?(name: 'node:os'): { availableParallelism(): number } | undefined;
}

/**
 * The most threads of `auto`. More have not paid in measurements: threads wait for each other at barriers.
 */
const MAX_AUTO_THREADS = 8;

/** The part of Node that is used: workers, and the number of cores. */
interface NodePlatform {
  readonly Worker: new (source: string, options: { readonly eval: true }) => NodeWorker;
  readonly cores: number;
}

/** Null outside Node. Bundlers' stand-ins for `process` lack its modules. */
function nodePlatform(): NodePlatform | null {
  const { process } = globalThis as { readonly process?: NodeProcess };
  if (typeof process?.getBuiltinModule !== 'function') return null;
  const Worker = process.getBuiltinModule('node:worker_threads')?.Worker;
  return typeof Worker === 'function'
    ? { Worker, cores: process.getBuiltinModule('node:os')?.availableParallelism() ?? 1 }
    : null;
}

/**
 * The default number of threads: one for each core, or one if memory cannot be shared or no workers exist.
 */
export function idealThreads(): number {
  if (!mayShare() || !mayStart()) return 1;
  const cores = nodePlatform()?.cores ?? globalThis.navigator?.hardwareConcurrency ?? 1;
  return Math.max(1, Math.min(cores, MAX_AUTO_THREADS));
}

/** Whether memory can be shared: in a page, only if it is cross-origin isolated. */
export function mayShare(): boolean {
  return (
    typeof SharedArrayBuffer === 'function' &&
    typeof Atomics === 'object' &&
    globalThis.crossOriginIsolated !== false
  );
}

/**
 * Whether workers exist, as far as can be known without starting one. Service workers and worklets have none.
 */
export function mayStart(): boolean {
  if (nodePlatform() !== null) return true;
  const {
    Worker: Thread,
    Blob: File,
    URL: Address,
  } = globalThis as { Worker?: unknown; Blob?: unknown; URL?: { createObjectURL?: unknown } };
  return [Thread, File, Address?.createObjectURL].every((each) => typeof each === 'function');
}

/** Whether this thread, which can share memory, may block: the main thread of a page may not. */
export function mayWait(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0);
    return true;
  } catch {
    return false;
  }
}

/**
 * Starts a worker that keeps no process alive.
 * @param source a script that imports nothing
 * @param onFailure is called if it ends for any reason but `terminate`
 * @param onMessage is called with its messages
 * @throws what the platform throws if it allows none
 */
export function startWorker(
  source: string,
  onFailure: (reason: string) => void,
  onMessage: (message: unknown) => void = () => {},
): WorkerThread {
  let isWanted = true;
  const fail = (reason: string): void => {
    if (isWanted) onFailure(reason);
  };
  const deliver = (message: unknown): void => {
    if (isWanted) onMessage(message);
  };
  const handleOf = (worker: Pick<NodeWorker | Worker, 'postMessage' | 'terminate'>): WorkerThread => ({
    postMessage: (message) => worker.postMessage(message),
    terminate: () => {
      isWanted = false;
      void worker.terminate();
    },
  });
  const platform = nodePlatform();
  if (platform !== null) {
    const worker = new platform.Worker(source, { eval: true });
    worker.on('message', deliver);
    worker.on('error', (error) => fail(String(error)));
    worker.on('exit', (code) => fail(`it has ended with code ${String(code)}`));
    // Last, since a listener for messages keeps the process alive.
    worker.unref();
    return handleOf(worker);
  }
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  try {
    const worker = new Worker(url);
    worker.addEventListener('message', ({ data }) => deliver(data));
    worker.addEventListener('error', ({ message }) =>
      fail(message || 'the page forbids it: its Content-Security-Policy must allow worker-src blob:'),
    );
    worker.addEventListener('messageerror', () => fail('it cannot take memory that is shared'));
    return handleOf(worker);
  } finally {
    URL.revokeObjectURL(url);
  }
}
