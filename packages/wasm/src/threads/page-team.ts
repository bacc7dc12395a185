/**
 * The threads of a device on a page's main thread, which may not wait: all of them are workers. They take
 * plans and jobs as messages, in order, wait for each other inside WebAssembly, and thread 0 says when a job
 * is over. While workers are slow to come up, and if one does not start, the page's thread runs jobs itself,
 * so that none waits for ever; where a number of threads was asked for, jobs fail if one does not start.
 */
import { type DeviceError } from '@firsthand/graph';
import { disposedDevice } from '@firsthand/runtime';
import type { LinearMemory } from '../memory/linear-memory.ts';
import { createSynchronization, type Synchronization } from './synchronization.ts';
import { startWorker, type WorkerThread } from './platform.ts';
import { crash, unstarted, type RunFunction, type ThreadCount, type Team } from './team.ts';
import { workerSource, type Answer, type Message } from './worker.ts';

/** Whoever waits for the job under way. */
interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: DeviceError) => void;
}

/** Milliseconds for which the first job waits for workers to come up: several times what they take. */
const START_TIMEOUT = 2000;

/** Workers over one memory, started with the first plan. */
export class PageTeam implements Team {
  readonly threads: number;
  readonly runsSerialPlans = true;
  readonly #memory: LinearMemory;
  readonly #module: WebAssembly.Module;
  readonly #synchronization: Synchronization;
  #workers: WorkerThread[] = [];
  #plans = 0;
  #waiting: Waiting | null = null;
  #failure: DeviceError | null = null;
  readonly #count: ThreadCount;
  #isSerial = false;
  /** Workers that have said that they are up: jobs are given to all or none. */
  #up = 0;
  /** Resolves when all are up, one has not started, or nobody is waited for any longer; then null. */
  #starting: Promise<void> | null = null;
  #endStart: () => void = () => {};

  /** @param memory one that is shared */
  constructor(memory: LinearMemory, count: ThreadCount) {
    this.threads = count.threads;
    this.#count = count;
    this.#memory = memory;
    const { module, synchronization: control } = createSynchronization(memory);
    this.#module = module;
    this.#synchronization = control;
  }

  get barrier(): (threads: number) => void {
    return this.#synchronization.barrier;
  }

  add(kernels: readonly WebAssembly.Module[], run: WebAssembly.Module, isDivided: boolean): number {
    if (this.#workers.length === 0 && this.#failure === null && !this.#isSerial) this.#start();
    const plan = this.#plans++;
    this.#send({ action: 'plan', plan, kernels, run, threads: isDivided ? this.threads : 1 });
    return plan;
  }

  forget(plan: number): void {
    this.#send({ action: 'forget', plan });
  }

  /** Runs a plan, after the job before has been run. */
  async run(plan: number, run: RunFunction, base: number): Promise<void> {
    if (this.#starting !== null) {
      const timer = setTimeout(() => this.#endStart(), START_TIMEOUT);
      await this.#starting;
      clearTimeout(timer);
    }
    if (this.#failure !== null) throw this.#failure;
    if (this.#up < this.threads) return run(base, 0, 1);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
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
          (reason) => this.#end(reason),
          (answer) => this.#onAnswer(answer as Answer),
        );
        this.#workers.push(worker);
        worker.postMessage({
          action: 'begin',
          memory,
          synchronization: this.#module,
          thread,
          isAsleep: false,
        } satisfies Message);
      }
    } catch (cause) {
      this.#giveUp(String(cause));
    }
  }

  /** A worker has ended. Before all are up none has been given a job. */
  #end(reason: string): void {
    if (this.#up < this.threads) this.#giveUp(reason);
    else this.#fail(crash(reason));
  }

  /** The page's thread is alone from here on, and goes on if that will do. */
  #giveUp(reason: string): void {
    if (this.#isSerial) return;
    this.#isSerial = true;
    this.#up = 0;
    this.#terminate();
    const failure = unstarted(reason, this.#count);
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
    if (answer.says === 'crashed') return this.#end(answer.reason);
    if (answer.says === 'up') {
      if (++this.#up === this.threads) this.#endStart();
      return;
    }
    this.#waiting?.resolve();
    this.#waiting = null;
  }

  /** The workers are of no use without one of them. */
  #fail(failure: DeviceError): void {
    this.#failure ??= failure;
    this.#terminate();
    this.#waiting?.reject(this.#failure);
    this.#waiting = null;
    this.#endStart();
  }
}
