/**
 * How threads wait for each other: the code of a module that every thread of a team instantiates, and the
 * words of shared memory that it works on. A waiting thread spins for about as long as waking it would take,
 * since most waits are short, then sleeps. The barrier is a central one whose sense is a counter
 * (Mellor-Crummey and Scott, "Algorithms for Scalable Synchronization on Shared-Memory Multiprocessors",
 * 1991).
 */
import type { Callee, Code, Local } from '../assembler/code.ts';
import { Module, type MemoryImport } from '../assembler/module.ts';
import { now as time } from '../engine/clock.ts';
import { instantiate } from '../engine/instantiate.ts';
import { PAGE, type LinearMemory } from '../memory/linear-memory.ts';

/** Addresses in the first page of memory. Words that different threads write are on different cache lines. */
export const WORDS = {
  /** Counts jobs; a new number wakes the workers. */
  job: 64,
  /** Threads that sleep until the next job. */
  idle: 128,
  /** The plan to run, or −1 if there are messages; and the base of its workspace. */
  plan: 192,
  base: 196,
  /** The barrier: threads that have arrived, a counter of completed barriers, threads that sleep. */
  arrived: 256,
  phase: 320,
  sleeping: 384,
  /** Not 0 once a worker has crashed. */
  failed: 448,
  /** The error of a crashed worker: its length, and a word for each character. */
  reason: 512,
  /** Messages that every worker has been sent. */
  sent: 8128,
  /** Messages that each thread has taken: a word for each, 64 bytes apart. */
  taken: 8192,
} as const;

/** The most characters of a crashed worker's error. */
export const REASON_LENGTH = 1000;
/** The most threads that have words in the first page. */
export const MAX_THREADS: number = (PAGE - WORDS.taken) / 64;

/** Milliseconds of spinning: longer between two jobs, since a training step comes again at once. */
const SPIN_MS = { barrier: 0.05, job: 1 } as const;
/** Spin iterations between two readings of the clock: less than a microsecond on a fast processor. */
const SPIN_ITERATIONS = 2000;
/**
 * Nanoseconds after which a thread that sleeps at the barrier checks for crashed workers; never between jobs.
 */
const POLL_INTERVAL = 100_000_000n;
const FOREVER = -1n;

/** The functions of the module. */
export interface Synchronization {
  /** Returns when `threads` threads have called it. Traps if one of them has crashed. */
  barrier(threads: number): void;
  /** Returns the number of the job once it differs from `seen`. */
  next(seen: number): number;
  /** Publishes a job, and wakes the threads that sleep. */
  start(plan: number, base: number): void;
  /** A worker has crashed: all threads at the barrier trap. */
  fail(): void;
}

/** Compiles the module, and instantiates it for this thread. */
export function createSynchronization(memory: LinearMemory): {
  readonly module: WebAssembly.Module;
  readonly functions: Synchronization;
} {
  const { module, exports } = instantiate(synchronizationModule(memory.declaration), {
    memory: memory.memory,
    now: time,
  });
  return { module, functions: exports as unknown as Synchronization };
}

function synchronizationModule(memory: MemoryImport): Uint8Array<ArrayBuffer> {
  const module = new Module(memory);
  const exported = { exported: true };
  const now = module.importFunction('now', { params: [], results: ['f64'] });
  const barrier = (code: Code, params: readonly Local[]): void => emitBarrier(code, params, now);
  const next = (code: Code, params: readonly Local[]): void => emitNext(code, params, now);
  module.function('barrier', { params: ['i32'], results: [] }, barrier, exported);
  module.function('next', { params: ['i32'], results: ['i32'] }, next, exported);
  module.function('start', { params: ['i32', 'i32'], results: [] }, emitStart, exported);
  module.function('fail', { params: [], results: [] }, emitFail, exported);
  return module.toBytes();
}

function emitBarrier(code: Code, [threads]: readonly Local[], now: Callee): void {
  const phase = code.local('i32');
  load(code, WORDS.phase).set(phase);
  code.i32(0).i32(1).atomic('i32.atomic.rmw.add', WORDS.arrived).op('i32.add', 1).op('i32.ge_s', threads!);
  code.if(
    () => {
      code.i32(0).i32(0).atomic('i32.atomic.store', WORDS.arrived);
      advance(code, WORDS.phase, WORDS.sleeping);
    },
    () =>
      waitWhile(code, now, WORDS.phase, phase, WORDS.sleeping, SPIN_MS.barrier, POLL_INTERVAL, () => {
        load(code, WORDS.failed).if(() => code.op('unreachable'));
      }),
  );
}

function emitNext(code: Code, [seen]: readonly Local[], now: Callee): void {
  waitWhile(code, now, WORDS.job, seen!, WORDS.idle, SPIN_MS.job, FOREVER, () => {});
  load(code, WORDS.job);
}

function emitStart(code: Code, [plan, base]: readonly Local[]): void {
  code.i32(0).get(plan!).atomic('i32.atomic.store', WORDS.plan);
  code.i32(0).get(base!).atomic('i32.atomic.store', WORDS.base);
  advance(code, WORDS.job, WORDS.idle);
}

function emitFail(code: Code): void {
  code.i32(0).i32(1).atomic('i32.atomic.store', WORDS.failed);
  wake(code, WORDS.phase);
}

function load(code: Code, word: number): Code {
  return code.i32(0).atomic('i32.atomic.load', word);
}

/**
 * Adds one to a word, and wakes the threads that wait for it. A thread counts itself as a sleeper before it
 * reads the word for the last time, so none is missed.
 */
function advance(code: Code, word: number, sleepers: number): void {
  code.i32(0).i32(1).atomic('i32.atomic.rmw.add', word).op('drop');
  load(code, sleepers).if(() => wake(code, word));
}

function wake(code: Code, word: number): void {
  code.i32(0).i32(-1).atomic('memory.atomic.notify', word).op('drop');
}

/** Waits while a word is `value`; `check` runs before each sleep. */
function waitWhile(
  code: Code,
  now: Callee,
  word: number,
  value: Local,
  sleepers: number,
  spinMs: number,
  pollInterval: bigint,
  check: () => void,
): void {
  const [left, spinEnd] = [code.local('i32'), code.local('f64')];
  code.f64(0).set(spinEnd);
  code.block((done) => {
    code.loop((again) => {
      code.i32(SPIN_ITERATIONS).set(left);
      code.loop((spin) => {
        load(code, word).op('i32.ne', value).branchIf(done);
        code.op('i32.sub', left, 1).tee(left).branchIf(spin);
      });
      code
        .get(spinEnd)
        .f64(0)
        .op('f64.eq')
        .if(() => code.call(now).f64(spinMs).op('f64.add').set(spinEnd));
      code.call(now).op('f64.lt', spinEnd).branchIf(again);
      check();
      code.i32(0).i32(1).atomic('i32.atomic.rmw.add', sleepers).op('drop');
      code.i32(0).get(value).i64(pollInterval).atomic('memory.atomic.wait32', word).op('drop');
      code.i32(0).i32(-1).atomic('i32.atomic.rmw.add', sleepers).op('drop');
      code.branch(again);
    });
  });
}
