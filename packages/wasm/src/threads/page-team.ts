/**
 * The threads of a device on a page's main thread, which may not wait: all of them are workers. They take plans and jobs as messages, in order, wait for each other inside WebAssembly,
 * and thread 0 says when a job is over.
 */
import { DeviceError } from '@firsthand/graph';
import type { LinearMemory } from '../runtime/memory.ts';
import { controlOf, type Control } from './control.ts';
import { startWorker, type WorkerThread } from './host.ts';
import { crash, type RunFunction, type Threads } from './threads.ts';
import { workerSource, type Answer, type Message } from './worker.ts';

/** Whoever waits for the job under way. */
interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: DeviceError) => void;
}

/** Workers over one memory, started with the first plan. */
export class PageTeam implements Threads {
  readonly threads: number;
  readonly runsAll = true;
  readonly #memory: LinearMemory;
  readonly #module: WebAssembly.Module;
  readonly #control: Control;
  #workers: WorkerThread[] = [];
  #plans = 0;
  #waiting: Waiting | null = null;
  #failure: DeviceError | null = null;

  /** @param memory one that is shared */
  constructor(memory: LinearMemory, threads: number) {
    this.threads = threads;
    this.#memory = memory;
    const { module, control } = controlOf(memory);
    this.#module = module;
    this.#control = control;
  }

  get barrier(): (threads: number) => void {
    return this.#control.barrier;
  }

  add(kernels: readonly WebAssembly.Module[], run: WebAssembly.Module, isDivided: boolean): number {
    if (this.#workers.length === 0 && this.#failure === null) this.#start();
    const plan = this.#plans++;
    this.#send({ action: 'plan', plan, kernels, run, threads: isDivided ? this.threads : 1 });
    return plan;
  }

  forget(plan: number): void {
    this.#send({ action: 'forget', plan });
  }

  /** Runs a plan, after the job before has been run. */
  run(plan: number, _run: RunFunction, base: number): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) return reject(this.#failure);
      this.#waiting = { resolve, reject };
      this.#send({ action: 'run', plan, base });
    });
  }

  stop(): void {
    this.#fail(new DeviceError('wasm: the device has been disposed; create another with createWasm()'));
  }

  #start(): void {
    const source = workerSource();
    const { memory } = this.#memory;
    try {
      for (let thread = 0; thread < this.threads; thread++) {
        const worker = startWorker(
          source,
          (reason) => this.#fail(crash(reason)),
          (answer) => this.#hear(answer as Answer),
        );
        this.#workers.push(worker);
        worker.postMessage({ action: 'begin', memory, control: this.#module, thread, isAsleep: false } satisfies Message);
      }
    } catch (error) {
      this.#fail(error as DeviceError);
    }
  }

  #send(message: Message): void {
    for (const worker of this.#workers) worker.postMessage(message);
  }

  #hear({ failure }: Answer): void {
    if (failure !== null) return this.#fail(crash(failure));
    this.#waiting?.resolve();
    this.#waiting = null;
  }

  /** The workers are of no use without one of them. */
  #fail(failure: DeviceError): void {
    this.#failure ??= failure;
    for (const worker of this.#workers) worker.terminate();
    this.#workers = [];
    this.#waiting?.reject(this.#failure);
    this.#waiting = null;
  }
}
