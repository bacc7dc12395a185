/** What Node and browsers do differently: how a worker is started, how many are worth starting, and whether this thread may sleep. */
import { DeviceError } from '@firsthand/graph';

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
  getBuiltinModule?(name: 'node:worker_threads'): { readonly Worker: new (source: string, options: { readonly eval: true }) => NodeWorker };
  getBuiltinModule?(name: 'node:os'): { availableParallelism(): number };
}

/** More threads than this have not been seen to pay: they wait for each other after every kernel. */
const MOST = 8;

/** Node, if this is it: Deno and bundlers' stand-ins for `process` lack its modules. */
function node(): Required<NodeProcess> | null {
  const { process } = globalThis as { readonly process?: NodeProcess };
  return process?.getBuiltinModule === undefined ? null : (process as Required<NodeProcess>);
}

/** How many threads there should be: one for each core, and no more than one where memory cannot be shared. */
export function idealThreads(): number {
  if (!mayShare()) return 1;
  const cores = node()?.getBuiltinModule('node:os').availableParallelism() ?? globalThis.navigator?.hardwareConcurrency ?? 1;
  return Math.max(1, Math.min(cores, MOST));
}

/** Whether memory can be shared: in a page, only if it is cross-origin isolated. */
export function mayShare(): boolean {
  return typeof SharedArrayBuffer !== 'undefined';
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
 * @throws DeviceError if the page's policy forbids it
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
  const hear = (message: unknown): void => {
    if (isWanted) onMessage(message);
  };
  const modules = node();
  if (modules !== null) {
    const { Worker: Thread } = modules.getBuiltinModule('node:worker_threads');
    const worker = new Thread(source, { eval: true });
    worker.on('message', hear);
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
    worker.addEventListener('message', ({ data }) => hear(data));
    worker.addEventListener('error', ({ message }) =>
      fail(message || 'the page forbids it: its Content-Security-Policy must allow worker-src blob:'),
    );
    return {
      postMessage: (message) => worker.postMessage(message),
      terminate: () => {
        isWanted = false;
        worker.terminate();
      },
    };
  } catch (cause) {
    throw new DeviceError(
      'wasm: the page forbids workers; its Content-Security-Policy must allow worker-src blob:, or create the device with threads: 1',
      { cause },
    );
  } finally {
    URL.revokeObjectURL(url);
  }
}
