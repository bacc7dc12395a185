/**
 * The team of a device on a thread that may block: that thread is the first of the team, workers over the
 * same memory are the others. Workers are started once the plans that can use them have done some work, since
 * a worker costs several megabytes and milliseconds. Until all workers have taken a plan, the first thread
 * runs it serially, with the same bits, so that no run waits for a worker to start.
 */
import type { DeviceError } from '@firsthand/graph';
import { now } from '../engine/clock.ts';
import type { LinearMemory } from '../memory/linear-memory.ts';
import { startWorker, type WorkerThread } from './platform.ts';
import { createSynchronization, WORDS } from './synchronization.ts';
import {
  crash,
  reportUnstarted,
  type PlanCode,
  type RunFunction,
  type Team,
  type ThreadCount,
} from './team.ts';
import { ThreadTuner } from './tuner.ts';
import { workerSource, type Message } from './worker.ts';

/**
 * Work in parallel plans, in vector instructions, after which workers are started: some 5 ms, about what
 * starting them costs. A device that is used once and dropped starts none.
 */
const START_WORK = 2 ** 24;
/** Milliseconds after which a worker that does not answer is given up. */
const START_TIMEOUT = 20_000;

/** Threads over one memory; the one that creates the team is the first. */
export class BlockingTeam implements Team {
  readonly threads: number;
  readonly runsSerialPlans = false;
  readonly #memory: LinearMemory;
  readonly #count: ThreadCount;
  readonly #waits: boolean;
  readonly #words: Int32Array;
  readonly #synchronization: ReturnType<typeof createSynchronization>;
  /** Null until they are started. */
  #workers: readonly WorkerThread[] | null = null;
  /** Messages that every worker has been sent. */
  #sent = 0;
  #added = 0;
  readonly #plans = new Map<number, { readonly code: PlanCode; readonly tuner: ThreadTuner }>();
  /** Work that has been run, while no workers are started. */
  #work = 0;
  /** Whether the workers did not start. */
  #isSerial = false;
  #unstarted: DeviceError | null = null;
  /** Why a worker has crashed. */
  #failure: string | null = null;

  /**
   * @param memory one that is shared
   * @param waits whether runs wait until all workers have the plan
   */
  constructor(memory: LinearMemory, count: ThreadCount, waits: boolean) {
    this.threads = count.threads;
    this.#memory = memory;
    this.#count = count;
    this.#waits = waits;
    this.#synchronization = createSynchronization(memory);
    this.#words = new Int32Array(memory.memory.buffer);
  }

  get barrier(): (threads: number) => void {
    return this.#synchronization.functions.barrier;
  }

  /** Whether all workers have taken all messages: they run the next job. */
  get isReady(): boolean {
    return (
      this.#workers !== null &&
      !this.#isSerial &&
      this.#workers.every((_, index) => this.#load(WORDS.taken + 64 * (index + 1)) === this.#sent)
    );
  }

  /**
   * Starts the workers; resolves when they are up, or the first thread goes on alone. @throws DeviceError (by
   * rejecting) if a requested worker does not start
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

  add(code: PlanCode): number {
    const plan = this.#added++;
    this.#plans.set(plan, { code, tuner: new ThreadTuner() });
    if (this.#workers !== null) this.#sendPlan(plan, code);
    return plan;
  }

  forget(plan: number): void {
    this.#plans.delete(plan);
    if (this.#workers !== null) this.#send(() => ({ action: 'forget', plan }));
  }

  /** Runs a plan, and returns when it has run. @throws DeviceError if a worker has crashed */
  run(plan: number, run: RunFunction, base: number): null {
    const { code, tuner } = this.#plans.get(plan)!;
    if (this.#workers === null) {
      this.#work += code.work;
      if (this.#waits || this.#work >= START_WORK) this.#start();
    }
    this.#requireHealth();
    if (this.#waits) this.#awaitWorkers();
    const parallel = (): void => this.#runParallel(plan, run, base);
    const serial = (): void => run(base, 0, 1);
    if (!this.isReady) serial();
    else if (this.#waits) parallel();
    else tuner.run(parallel, serial);
    return null;
  }

  stop(): void {
    for (const worker of this.#workers ?? []) worker.terminate();
    this.#workers = [];
    this.#isSerial = true;
  }

  #awaitWorkers(): void {
    const until = now() + START_TIMEOUT;
    while (!this.isReady && !this.#isSerial) {
      Atomics.wait(this.#words, WORDS.failed / 4, 0, 1);
      this.#requireHealth();
      if (now() > until) throw crash((this.#failure = 'it does not answer'));
    }
  }

  #runParallel(plan: number, run: RunFunction, base: number): void {
    const { start, fail } = this.#synchronization.functions;
    start(plan, base);
    try {
      run(base, 0, this.threads);
    } catch (cause) {
      if (this.#load(WORDS.failed) === 0)
        this.#failure = cause instanceof Error ? cause.message : String(cause);
      fail();
      this.#requireHealth(cause);
    }
  }

  #start(): void {
    if (this.#workers !== null) return;
    const source = workerSource();
    const workers: WorkerThread[] = [];
    this.#workers = workers;
    const { memory } = this.#memory;
    const { module } = this.#synchronization;
    try {
      for (let thread = 1; thread < this.threads; thread++)
        workers.push(startWorker(source, (reason) => this.#onEnd(thread, reason)));
      this.#send((thread) => ({ action: 'begin', memory, synchronization: module, thread, isAsleep: true }));
      for (const [plan, { code }] of this.#plans) this.#sendPlan(plan, code);
    } catch (cause) {
      this.#giveUp(String(cause));
    }
  }

  /** A worker has ended. One that has taken no message has not started, so the others were given no job. */
  #onEnd(thread: number, reason: string): void {
    if (this.#load(WORDS.taken + 64 * thread) === 0) return this.#giveUp(reason);
    this.#failure ??= reason;
    this.#synchronization.functions.fail();
  }

  /** The first thread goes on alone, if that will do. */
  #giveUp(reason: string): void {
    if (this.#isSerial) return;
    this.stop();
    this.#unstarted = reportUnstarted(reason, this.#count);
  }

  #sendPlan(plan: number, { kernels, run }: PlanCode): void {
    this.#send(() => ({ action: 'plan', plan, kernels, run, threads: this.threads }));
  }

  /** Sends a message after the job that announces it, so that no worker takes it for a later one. */
  #send(messageFor: (thread: number) => Message): void {
    if (this.#isSerial) return;
    Atomics.store(this.#words, WORDS.sent / 4, ++this.#sent);
    this.#synchronization.functions.start(-1, 0);
    this.#workers!.forEach((worker, index) => worker.postMessage(messageFor(index + 1)));
  }

  /** The error that a worker has left in memory: no message arrives while this thread waits. */
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
