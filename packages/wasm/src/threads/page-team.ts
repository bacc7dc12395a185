/**
 * The team of a device on a page's main thread, which may not block: all threads are workers. They take plans
 * and jobs as messages, in order, meet at barriers inside WebAssembly, and thread 0 answers when a job is
 * done. Until all workers are up, or if one does not start, the page's thread runs the jobs, so that none
 * waits for ever; if a number of threads was requested and one does not start, jobs fail.
 */
import { type DeviceError } from '@firsthand/graph';
import { disposedDevice } from '@firsthand/runtime';
import type { LinearMemory } from '../memory/linear-memory.ts';
import { createSynchronization } from './synchronization.ts';
import { startWorker, type WorkerThread } from './platform.ts';
import {
  crash,
  reportUnstarted,
  type PlanCode,
  type RunFunction,
  type ThreadCount,
  type Team,
} from './team.ts';
import { workerSource, type Answer, type Message } from './worker.ts';

/** The promise of the job in progress. */
interface PendingJob {
  readonly resolve: () => void;
  readonly reject: (error: DeviceError) => void;
}

/** Milliseconds for which the first job waits for workers to start: several times what they take. */
const START_TIMEOUT = 2000;

/** Workers over one memory, started with the first plan. */
export class PageTeam implements Team {
  readonly threads: number;
  readonly runsSerialPlans = true;
  readonly #memory: LinearMemory;
  readonly #synchronization: ReturnType<typeof createSynchronization>;
  #workers: WorkerThread[] = [];
  #plans = 0;
  #job: PendingJob | null = null;
  #failure: DeviceError | null = null;
  readonly #count: ThreadCount;
  #isSerial = false;
  /** Workers that are up: jobs are given to all or none. */
  #up = 0;
  /** Resolves when all are up, one has not started, or the timeout has passed; then null. */
  #starting: Promise<void> | null = null;
  #endStart: () => void = () => {};

  /** @param memory one that is shared */
  constructor(memory: LinearMemory, count: ThreadCount) {
    this.threads = count.threads;
    this.#count = count;
    this.#memory = memory;
    this.#synchronization = createSynchronization(memory);
  }

  get barrier(): (threads: number) => void {
    return this.#synchronization.functions.barrier;
  }

  add({ kernels, run, isParallel }: PlanCode): number {
    if (this.#workers.length === 0 && this.#failure === null && !this.#isSerial) this.#start();
    const plan = this.#plans++;
    this.#send({ action: 'plan', plan, kernels, run, threads: isParallel ? this.threads : 1 });
    return plan;
  }

  forget(plan: number): void {
    this.#send({ action: 'forget', plan });
  }

  /** Runs a plan, after the job before is done. */
  async run(plan: number, run: RunFunction, base: number): Promise<void> {
    if (this.#starting !== null) {
      const timer = setTimeout(() => this.#endStart(), START_TIMEOUT);
      await this.#starting;
      clearTimeout(timer);
    }
    if (this.#failure !== null) throw this.#failure;
    if (this.#up < this.threads) return run(base, 0, 1);
    return new Promise((resolve, reject) => {
      this.#job = { resolve, reject };
      this.#send({ action: 'run', plan, base });
    });
  }

  stop(): void {
    this.#fail(disposedDevice('wasm', 'create another with createWasm()'));
  }

  #start(): void {
    const source = workerSource();
    const { memory } = this.#memory;
    this.#starting = new Promise<void>((resolve) => (this.#endStart = resolve)).then(
      () => void (this.#starting = null),
    );
    try {
      for (let thread = 0; thread < this.threads; thread++) {
        const worker = startWorker(
          source,
          (reason) => this.#onEnd(reason),
          (answer) => this.#onAnswer(answer as Answer),
        );
        this.#workers.push(worker);
        worker.postMessage({
          action: 'begin',
          memory,
          synchronization: this.#synchronization.module,
          thread,
          isAsleep: false,
        } satisfies Message);
      }
    } catch (cause) {
      this.#giveUp(String(cause));
    }
  }

  /** A worker has ended. No job was given to any before all were up. */
  #onEnd(reason: string): void {
    if (this.#up < this.threads) this.#giveUp(reason);
    else this.#fail(crash(reason));
  }

  /** The page's thread goes on alone, if that will do. */
  #giveUp(reason: string): void {
    if (this.#isSerial) return;
    this.#isSerial = true;
    this.#up = 0;
    this.#terminate();
    const failure = reportUnstarted(reason, this.#count);
    if (failure !== null) this.#failure ??= failure;
    this.#endStart();
  }

  #terminate(): void {
    for (const worker of this.#workers) worker.terminate();
    this.#workers = [];
  }

  #send(message: Message): void {
    for (const worker of this.#workers) worker.postMessage(message);
  }

  #onAnswer(answer: Answer): void {
    if (answer.says === 'crashed') return this.#onEnd(answer.reason);
    if (answer.says === 'up') {
      if (++this.#up === this.threads) this.#endStart();
      return;
    }
    this.#job?.resolve();
    this.#job = null;
  }

  /** Ends the team: a job needs all workers. */
  #fail(failure: DeviceError): void {
    this.#failure ??= failure;
    this.#terminate();
    this.#job?.reject(this.#failure);
    this.#job = null;
    this.#endStart();
  }
}
