/**
 * The threads of a device: the one that runs programs, and workers over the same memory. Workers are started with the first plan that has work for them; until they have taken it,
 * the first thread runs it alone, with the same bits, so nobody ever waits for a worker to come up.
 */
import { DeviceError } from '@firsthand/graph';
import { instantiate } from '../runtime/compile-module.ts';
import type { LinearMemory } from '../runtime/memory.ts';
import { controlModule, WORDS, type Control } from './control.ts';
import { startWorker, type WorkerThread } from './host.ts';
import { workerSource, type Message } from './worker.ts';

/** Code of a plan: the base of the working region, the number of the thread, and how many there are. */
export type RunFunction = (base: number, thread: number, threads: number) => void;

/** Threads over one memory. */
export class Team {
  /** Threads, the first one included. */
  readonly threads: number;
  readonly #memory: LinearMemory;
  readonly #waits: boolean;
  readonly #module: WebAssembly.Module;
  readonly #control: Control;
  readonly #words: Int32Array;
  #workers: readonly WorkerThread[] = [];
  #sent = 0;
  #plans = 0;
  #failure: string | null = null;

  /**
   * @param memory one that is shared
   * @param waits whether runs wait until all workers have a plan
   */
  constructor(memory: LinearMemory, threads: number, waits: boolean) {
    this.threads = threads;
    this.#memory = memory;
    this.#waits = waits;
    const { module, exports } = instantiate(controlModule(memory.declaration), { memory: memory.memory });
    this.#module = module;
    this.#control = exports as unknown as Control;
    this.#words = new Int32Array(memory.memory.buffer);
  }

  /** What plans import to wait for each other. */
  get barrier(): (threads: number) => void {
    return this.#control.barrier;
  }

  /** Whether all workers have taken all that was sent: they run the next job. */
  get isReady(): boolean {
    return this.#workers.length > 0 && this.#workers.every((_, index) => this.#load(WORDS.taken + 64 * (index + 1)) === this.#sent);
  }

  /** Gives a plan to the workers. @returns its number */
  add(kernels: readonly WebAssembly.Module[], run: WebAssembly.Module): number {
    if (this.#workers.length === 0) this.#start();
    const plan = this.#plans++;
    this.#send(() => ({ action: 'plan', plan, kernels, run }));
    return plan;
  }

  /** The workers need a plan no longer. */
  forget(plan: number): void {
    if (this.#workers.length > 0) this.#send(() => ({ action: 'forget', plan }));
  }

  /** Runs a plan, and returns when it has run. @throws DeviceError if a worker has crashed */
  run(plan: number, run: RunFunction, base: number): void {
    this.#requireHealth();
    while (this.#waits && !this.isReady) {
      Atomics.wait(this.#words, WORDS.failed / 4, 0, 1);
      this.#requireHealth();
    }
    if (!this.isReady) {
      run(base, 0, 1);
      return;
    }
    this.#control.start(plan, base);
    try {
      run(base, 0, this.threads);
    } catch (cause) {
      if (this.#load(WORDS.failed) === 0) this.#failure = cause instanceof Error ? cause.message : String(cause);
      this.#control.fail();
      this.#requireHealth(cause);
    }
  }

  /** Ends the workers. */
  stop(): void {
    for (const worker of this.#workers) worker.terminate();
    this.#workers = [];
  }

  #start(): void {
    const source = workerSource();
    const fail = (reason: string): void => {
      this.#failure ??= reason;
      this.#control.fail();
    };
    this.#workers = Array.from({ length: this.threads - 1 }, () => startWorker(source, fail));
    const { memory } = this.#memory;
    this.#send((thread) => ({ action: 'begin', memory, control: this.#module, thread, threads: this.threads }));
  }

  /** The job that says so comes before the messages: so none is taken for a later one. */
  #send(messageFor: (thread: number) => Message): void {
    Atomics.store(this.#words, WORDS.sent / 4, ++this.#sent);
    this.#control.start(-1, 0);
    this.#workers.forEach((worker, index) => worker.postMessage(messageFor(index + 1)));
  }

  /** What a worker has left of its error: no message arrives while this thread waits. */
  #reason(): string {
    const length = this.#load(WORDS.reason);
    return String.fromCodePoint(...Array.from({ length }, (_, index) => this.#load(WORDS.reason + 4 * (index + 1))));
  }

  #load(address: number): number {
    return Atomics.load(this.#words, address / 4);
  }

  #requireHealth(cause?: unknown): void {
    if (this.#failure === null && this.#load(WORDS.failed) === 0) return;
    this.#failure ??= this.#reason();
    throw new DeviceError(`wasm: a worker thread has crashed (${this.#failure}); create another device with createWasm()`, { cause });
  }
}
