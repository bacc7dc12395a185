/**
 * The threads of a device: the one that runs programs, and workers over the same memory. Workers are started
 * with the first plan that has work for them; until they have taken it, the first thread runs it alone, with
 * the same bits, so nobody ever waits for a worker to come up. If one of them does not start, it goes on
 * alone, or fails where a number of threads was asked for.
 */
import type { DeviceError } from '@firsthand/graph';
import { now } from '../engine/clock.ts';
import type { LinearMemory } from '../memory/linear-memory.ts';
import { createSynchronization, WORDS, type Synchronization } from './synchronization.ts';
import { ThreadTuner } from './tuner.ts';
import { startWorker, type WorkerThread } from './platform.ts';
import { crash, unstarted, type RunFunction, type ThreadCount, type Team } from './team.ts';
import { workerSource, type Message } from './worker.ts';

/** Milliseconds after which a worker that does not answer never will. */
const START_TIMEOUT = 20_000;

/** Threads over one memory, of which the one that creates it is the first. */
export class BlockingTeam implements Team {
  readonly threads: number;
  readonly runsSerialPlans = false;
  readonly #memory: LinearMemory;
  readonly #waits: boolean;
  readonly #module: WebAssembly.Module;
  readonly #synchronization: Synchronization;
  readonly #words: Int32Array;
  #workers: readonly WorkerThread[] = [];
  #sent = 0;
  #plans = 0;
  readonly #tuners = new Map<number, ThreadTuner>();
  #failure: string | null = null;
  readonly #count: ThreadCount;
  #isSerial = false;
  #unstarted: DeviceError | null = null;

  /**
   * @param memory one that is shared
   * @param waits whether runs wait until all workers have a plan
   */
  constructor(memory: LinearMemory, count: ThreadCount, waits: boolean) {
    this.threads = count.threads;
    this.#count = count;
    this.#memory = memory;
    this.#waits = waits;
    const { module, synchronization } = createSynchronization(memory);
    this.#module = module;
    this.#synchronization = synchronization;
    this.#words = new Int32Array(memory.memory.buffer);
  }

  get barrier(): (threads: number) => void {
    return this.#synchronization.barrier;
  }

  /** Whether all workers have taken all that was sent: they run the next job. */
  get isReady(): boolean {
    return (
      this.#workers.length > 0 &&
      this.#workers.every((_, index) => this.#load(WORDS.taken + 64 * (index + 1)) === this.#sent)
    );
  }

  /**
   * Starts the workers; resolves when they are up, or the first thread goes on alone. @throws DeviceError (by
   * rejecting) if one does not start that was asked for
   */
  async start(): Promise<void> {
    this.#start();
    const until = now() + START_TIMEOUT;
    while (!this.isReady && !this.#isSerial) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      this.#requireHealth();
      if (now() > until) this.#giveUp('it does not answer');
    }
    this.#requireHealth();
  }

  add(kernels: readonly WebAssembly.Module[], run: WebAssembly.Module): number {
    if (this.#workers.length === 0 && !this.#isSerial) this.#start();
    const plan = this.#plans++;
    if (this.#isSerial) return plan;
    this.#tuners.set(plan, new ThreadTuner());
    this.#send(() => ({ action: 'plan', plan, kernels, run, threads: this.threads }));
    return plan;
  }

  forget(plan: number): void {
    this.#tuners.delete(plan);
    if (this.#workers.length > 0) this.#send(() => ({ action: 'forget', plan }));
  }

  /** Runs a plan, and returns when it has run. @throws DeviceError if a worker has crashed */
  run(plan: number, run: RunFunction, base: number): null {
    this.#requireHealth();
    const until = this.#waits ? now() + START_TIMEOUT : 0;
    while (this.#waits && !this.isReady && !this.#isSerial) {
      Atomics.wait(this.#words, WORDS.failed / 4, 0, 1);
      this.#requireHealth();
      if (now() > until) throw crash((this.#failure = 'it does not answer'));
    }
    const parallel = (): void => this.#runParallel(plan, run, base);
    const serial = (): void => run(base, 0, 1);
    if (!this.isReady) serial();
    else if (this.#waits) parallel();
    else this.#tuners.get(plan)!.run(parallel, serial);
    return null;
  }

  #runParallel(plan: number, run: RunFunction, base: number): void {
    this.#synchronization.start(plan, base);
    try {
      run(base, 0, this.threads);
    } catch (cause) {
      if (this.#load(WORDS.failed) === 0)
        this.#failure = cause instanceof Error ? cause.message : String(cause);
      this.#synchronization.fail();
      this.#requireHealth(cause);
    }
  }

  stop(): void {
    for (const worker of this.#workers) worker.terminate();
    this.#workers = [];
  }

  #start(): void {
    const source = workerSource();
    const workers: WorkerThread[] = [];
    this.#workers = workers;
    const { memory } = this.#memory;
    try {
      for (let thread = 1; thread < this.threads; thread++)
        workers.push(startWorker(source, (reason) => this.#fail(thread, reason)));
      this.#send((thread) => ({
        action: 'begin',
        memory,
        synchronization: this.#module,
        thread,
        isAsleep: true,
      }));
    } catch (cause) {
      this.#giveUp(String(cause));
    }
  }

  /**
   * A worker has ended. One that has taken nothing has not started, and no job has been given to the others
   * then.
   */
  #fail(thread: number, reason: string): void {
    if (this.#load(WORDS.taken + 64 * thread) === 0) return this.#giveUp(reason);
    this.#failure ??= reason;
    this.#synchronization.fail();
  }

  /** The first thread is alone from here on, and goes on if that will do. */
  #giveUp(reason: string): void {
    if (this.#isSerial) return;
    this.#isSerial = true;
    this.stop();
    this.#unstarted = unstarted(reason, this.#count);
  }

  /** The job that says so comes before the messages: so none is taken for a later one. */
  #send(messageFor: (thread: number) => Message): void {
    Atomics.store(this.#words, WORDS.sent / 4, ++this.#sent);
    this.#synchronization.start(-1, 0);
    this.#workers.forEach((worker, index) => worker.postMessage(messageFor(index + 1)));
  }

  /** What a worker has left of its error: no message arrives while this thread waits. */
  #reason(): string {
    const length = this.#load(WORDS.reason);
    return String.fromCodePoint(
      ...Array.from({ length }, (_, index) => this.#load(WORDS.reason + 4 * (index + 1))),
    );
  }

  #load(address: number): number {
    return Atomics.load(this.#words, address / 4);
  }

  #requireHealth(cause?: unknown): void {
    if (this.#unstarted !== null) throw this.#unstarted;
    if (this.#failure === null && this.#load(WORDS.failed) === 0) return;
    this.#failure ??= this.#reason();
    throw crash(this.#failure, cause);
  }
}
