/**
 * What Node, browsers and other places do differently: whether there are workers, how one is started, how
 * many are worth starting, and whether this thread may sleep.
 */

/** A thread that takes messages. */
export interface WorkerThread {
  postMessage(message: unknown): void;
  terminate(): void;
}

/** What is used of Node's workers. */
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

/** More threads than this have not been seen to pay: they wait for each other after every kernel. */
const MAX_AUTO_THREADS = 8;

/** What is used of Node: its workers, and how many cores it has. */
interface NodePlatform {
  readonly Worker: new (source: string, options: { readonly eval: true }) => NodeWorker;
  readonly cores: number;
}

/** Node, if this is it; bundlers' stand-ins for `process` lack its modules. */
function nodePlatform(): NodePlatform | null {
  const { process } = globalThis as { readonly process?: NodeProcess };
  if (typeof process?.getBuiltinModule !== 'function') return null;
  const Worker = process.getBuiltinModule('node:worker_threads')?.Worker;
  return typeof Worker === 'function'
    ? { Worker, cores: process.getBuiltinModule('node:os')?.availableParallelism() ?? 1 }
    : null;
}

/**
 * How many threads there should be: one for each core, and no more than one where memory cannot be shared, or
 * nobody is there to share it.
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
 * Whether there are workers to start, as far as can be known without starting one: service workers and
 * worklets have none.
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

/** Whether this thread, which may share memory, may wait for another: the main thread of a page may not. */
export function mayWait(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0);
    return true;
  } catch {
    return false;
  }
}

/**
 * Starts a worker that holds no process.
 * @param source a script that imports nothing
 * @param onFailure is called once it has ended for whatever reason but `terminate`
 * @param onMessage is called with what it says until then
 * @throws whatever the platform throws where it lets none be started
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
  const platform = nodePlatform();
  if (platform !== null) {
    const worker = new platform.Worker(source, { eval: true });
    worker.on('message', deliver);
    worker.on('error', (error) => fail(String(error)));
    worker.on('exit', (code) => fail(`it has ended with code ${String(code)}`));
    // Last, since who listens for messages holds the process.
    worker.unref();
    return {
      postMessage: (message) => worker.postMessage(message),
      terminate: () => {
        isWanted = false;
        void worker.terminate();
      },
    };
  }
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  try {
    const worker = new Worker(url);
    worker.addEventListener('message', ({ data }) => deliver(data));
    worker.addEventListener('error', ({ message }) =>
      fail(message || 'the page forbids it: its Content-Security-Policy must allow worker-src blob:'),
    );
    worker.addEventListener('messageerror', () => fail('it cannot take memory that is shared'));
    return {
      postMessage: (message) => worker.postMessage(message),
      terminate: () => {
        isWanted = false;
        worker.terminate();
      },
    };
  } finally {
    URL.revokeObjectURL(url);
  }
}
