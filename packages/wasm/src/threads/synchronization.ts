/**
 * How threads wait for each other: code of a module that every thread of a team has an instance of, on a few
 * words in the first page of the shared memory. Whoever waits looks at a word for as long as it takes to wake
 * somebody, or longer, since most waits are short, and then sleeps until it is woken. Mellor-Crummey and
 * Scott, "Algorithms for Scalable Synchronization on Shared-Memory Multiprocessors", 1991: a central barrier,
 * whose sense is a counter.
 */
import type { Callee, Code, Local } from '../assembler/code.ts';
import { Module, type MemoryImport } from '../assembler/module.ts';
import { now as time } from '../engine/clock.ts';
import { instantiate } from '../engine/instantiate.ts';
import { PAGE, type LinearMemory } from '../memory/linear-memory.ts';

/** Addresses of the words, each on a cache line of its own but for those that are written together. */
export const WORDS = {
  /** Counts jobs; a new number wakes the workers. */
  job: 64,
  /** Threads that sleep until there is one. */
  idle: 128,
  /** The plan to run, or −1: there are messages. And where its working region is. */
  plan: 192,
  base: 196,
  /** Threads that have come to the barrier, how often all have, and those that sleep there. */
  arrived: 256,
  phase: 320,
  sleeping: 384,
  /** Not 0 once a worker has crashed. */
  failed: 448,
  /** Why: the number of characters, at most `REASON`, and a word for each. */
  reason: 512,
  /** Messages that every worker has been sent. */
  sent: 8128,
  /** For each thread, at 64 bytes from one to the next from here: the messages that it has taken. */
  taken: 8192,
} as const;

/** Characters of an error that a worker leaves. */
export const REASON_LENGTH = 1000;
/** More threads have no words in the first page. */
export const MAX_THREADS: number = (PAGE - WORDS.taken) / 64;

/**
 * Milliseconds for which a thread looks at a word before it goes to sleep: longer between two jobs, where a
 * program like a training step comes again and again.
 */
const SPIN_MS = { barrier: 0.05, job: 1 } as const;
/** Looks between two at the clock: less than a microsecond on a fast processor. */
const SPIN_ITERATIONS = 2000;
/**
 * Nanoseconds after which who sleeps at the barrier looks whether a worker has crashed; between jobs threads
 * sleep until they are woken.
 */
const POLL_INTERVAL = 100_000_000n;
const FOREVER = -1n;

/** The functions of the module. */
export interface Synchronization {
  /** Returns when `threads` threads have called it. Traps if one of them has crashed. */
  barrier(threads: number): void;
  /** Returns the number of the job once it is another than `seen`. */
  next(seen: number): number;
  /** Makes a job known, and wakes who sleeps. */
  start(plan: number, base: number): void;
  /** A worker has crashed: all who wait at the barrier trap. */
  fail(): void;
}

/** The module, for workers, and an instance of it for this thread. */
export function createSynchronization(memory: LinearMemory): {
  readonly module: WebAssembly.Module;
  readonly synchronization: Synchronization;
} {
  const { module, exports } = instantiate(synchronizationModule(memory.declaration), {
    memory: memory.memory,
    now: time,
  });
  return { module, synchronization: exports as unknown as Synchronization };
}

function synchronizationModule(memory: MemoryImport): Uint8Array<ArrayBuffer> {
  const module = new Module(memory);
  const exported = { exported: true };
  const now = module.importFunction('now', { params: [], results: ['f64'] });
  module.function(
    'barrier',
    { params: ['i32'], results: [] },
    (code, locals) => barrier(code, locals, now),
    exported,
  );
  module.function(
    'next',
    { params: ['i32'], results: ['i32'] },
    (code, locals) => next(code, locals, now),
    exported,
  );
  module.function('start', { params: ['i32', 'i32'], results: [] }, start, exported);
  module.function('fail', { params: [], results: [] }, fail, exported);
  return module.toBytes();
}

function barrier(code: Code, [threads]: readonly Local[], now: Callee): void {
  const phase = code.local('i32');
  load(code, WORDS.phase).set(phase);
  code
    .i32(0)
    .i32(1)
    .atomic('i32.atomic.rmw.add', WORDS.arrived)
    .i32(1)
    .op('i32.add')
    .get(threads!)
    .op('i32.ge_s');
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

function next(code: Code, [seen]: readonly Local[], now: Callee): void {
  waitWhile(code, now, WORDS.job, seen!, WORDS.idle, SPIN_MS.job, FOREVER, () => {});
  load(code, WORDS.job);
}

function start(code: Code, [plan, base]: readonly Local[]): void {
  code.i32(0).get(plan!).atomic('i32.atomic.store', WORDS.plan);
  code.i32(0).get(base!).atomic('i32.atomic.store', WORDS.base);
  advance(code, WORDS.job, WORDS.idle);
}

function fail(code: Code): void {
  code.i32(0).i32(1).atomic('i32.atomic.store', WORDS.failed);
  wake(code, WORDS.phase);
}

function load(code: Code, word: number): Code {
  return code.i32(0).atomic('i32.atomic.load', word);
}

/**
 * Adds one to a word, and wakes those who wait for it. Who is about to sleep has said so before it looks at
 * the word for the last time.
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
      code.loop((look) => {
        load(code, word).get(value).op('i32.ne').branchIf(done);
        code.get(left).i32(1).op('i32.sub').tee(left).branchIf(look);
      });
      code
        .get(spinEnd)
        .f64(0)
        .op('f64.eq')
        .if(() => code.call(now).f64(spinMs).op('f64.add').set(spinEnd));
      code.call(now).get(spinEnd).op('f64.lt').branchIf(again);
      check();
      code.i32(0).i32(1).atomic('i32.atomic.rmw.add', sleepers).op('drop');
      code.i32(0).get(value).i64(pollInterval).atomic('memory.atomic.wait32', word).op('drop');
      code.i32(0).i32(-1).atomic('i32.atomic.rmw.add', sleepers).op('drop');
      code.branch(again);
    });
  });
}
