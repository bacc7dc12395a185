/**
 * What the processor reaches at best with the instructions that kernels use: multiply-adds in registers, a
 * copy from memory to memory, and one within the cache that is nearest. All are code of this package's own
 * assembler, so that what the engine's compiler costs is in the ceiling too.
 */
import type { Roofline } from '@firsthand/compiler';
import { DeviceError } from '@firsthand/graph';
import type { Code, Local } from '../assembler/code.ts';
import { Module } from '../assembler/module.ts';
import { arithmeticOf, type Arithmetic } from '../matmul/arithmetic.ts';
import type { Features } from '../engine/features.ts';
import { instantiate } from '../engine/instantiate.ts';
import { now } from '../engine/clock.ts';
import { PAGE } from '../memory/linear-memory.ts';

/** Milliseconds after which a measurement ends, with the call that is under way. */
const LIMIT = 15;
/** The same while the engine's optimizing compiler is not done, as on a machine that is busy. */
const OPTIMIZE_LIMIT = 200;
/** Calls after which a measurement ends even if the clock stands still. */
const MOST_CALLS = 10_000;
/** How many times as fast arithmetic is once it is: before, every operand goes through memory. */
const OPTIMIZED = 1.5;

/**
 * Sums, each a chain of dependent instructions: enough to hide the latency of two units, and few enough to
 * stay, with the two operands that they share, in the 16 registers of x86-64.
 */
const CHAINS = 12;
const ROUNDS = 2 ** 18;
/** A few calls of so few rounds are no reason to optimize the code yet. */
const FEW_ROUNDS = 2 ** 9;
const FEW_CALLS = 4;

/** Bytes of the arrays that are copied, far more than caches hold. */
const COPIED = 24 * 2 ** 20;
/** Bytes of one call: many calls, so that the engine has occasion to go over to its optimized code. */
const CHUNK = 2 ** 20;
/** Bytes that are copied again and again: with their copy, half of a small first-level cache. */
const CACHED = 8 * 2 ** 10;
const CACHED_ROUNDS = 2 ** 6;
const VECTOR = 16;
/** Vectors that one round of the copy's loop moves. */
const UNROLLED = 4;

/** What one thread reaches, with relaxed SIMD and without: measured once. */
const measured = /* @__PURE__ */ new Map<boolean, Roofline>();

/**
 * What a device with these features and so many threads reaches at best, in float32. It takes some 0.1 s the
 * first time, and 48 MiB, which are let go.
 *
 * The ceilings of arithmetic and of the nearest cache are those of one thread, times the number of threads;
 * that of memory is what one thread's copy reaches, since threads share memory.
 * @throws DeviceError if the engine has not got the memory
 */
export function rooflineOf(features: Features, threads: number): Roofline {
  const one = measured.get(features.relaxedSimd) ?? measure(features.relaxedSimd);
  return {
    ...one,
    flopsPerSecond: threads * one.flopsPerSecond,
    cachedBytesPerSecond: threads * one.cachedBytesPerSecond,
  };
}

function measure(relaxedSimd: boolean): Roofline {
  const arithmetic = arithmeticOf('float32', relaxedSimd);
  const pages = (2 * COPIED) / PAGE;
  const module = new Module({ initial: pages, maximum: pages, shared: false });
  const exported = { exported: true };
  module.function(
    'multiplyAdd',
    { params: ['i32'], results: [] },
    (code, [rounds]) => emitMultiplyAdds(code, arithmetic, rounds!),
    exported,
  );
  module.function(
    'copy',
    { params: ['i32', 'i32'], results: [] },
    (code, params) => emitCopy(code, params, CHUNK),
    exported,
  );
  module.function('copyCached', { params: ['i32'], results: [] }, emitCachedCopies, exported);
  const memory = allocate(pages);
  const { exports } = instantiate(module.toBytes(), { memory });
  const { multiplyAdd, copy, copyCached } = exports as {
    readonly multiplyAdd: (rounds: number) => void;
    readonly copy: (from: number, to: number) => void;
    readonly copyCached: (rounds: number) => void;
  };
  const before = Math.min(
    ...Array.from({ length: FEW_CALLS }, () => secondsOf(() => multiplyAdd(FEW_ROUNDS))),
  );
  // A clock that is too coarse for it says nothing.
  const enough = before > 0 ? (before * (ROUNDS / FEW_ROUNDS)) / OPTIMIZED : Infinity;
  const flopsPerSecond =
    (2 * CHAINS * arithmetic.lanes * ROUNDS) / fastest(() => multiplyAdd(ROUNDS), enough);
  // Memory that nobody has written yet is a page of zeros that stays in a cache, or none at all.
  new Uint8Array(memory.buffer).fill(1);
  const copied = fastest(() => {
    for (let from = 0; from < COPIED; from += CHUNK) copy(from, COPIED + from);
  }, Infinity);
  const bytesPerSecond = (2 * COPIED) / copied;
  // No cache is slower than memory.
  const slowest = (2 * CACHED * CACHED_ROUNDS) / bytesPerSecond;
  const cached = Math.min(
    slowest,
    fastest(() => copyCached(CACHED_ROUNDS), slowest / OPTIMIZED),
  );
  const roofline = {
    flopsPerSecond,
    bytesPerSecond,
    cachedBytesPerSecond: (2 * CACHED * CACHED_ROUNDS) / cached,
    resolution: resolutionOfClock(),
  };
  measured.set(relaxedSimd, roofline);
  return roofline;
}

function allocate(pages: number): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages });
  } catch (cause) {
    const problem = `timings are put beside a copy of large arrays, and there is no room for its ${pages * PAGE} bytes`;
    throw new DeviceError(
      { operation: 'wasm', problem, expected: `room for its ${pages * PAGE} bytes` },
      { cause },
    );
  }
}

/** Each sum becomes sum·½ + 1, as often as asked: it stays below 2, so that no number becomes subnormal. */
function emitMultiplyAdds(code: Code, { multiply, add, fused }: Arithmetic, rounds: Local): void {
  const sums = Array.from({ length: CHAINS }, () => code.local('v128'));
  const [factor, summand] = [code.local('v128'), code.local('v128')];
  code.f32x4(0.5).set(factor).f32x4(1).set(summand);
  for (const sum of sums) code.get(summand).set(sum);
  code.loop((again) => {
    for (const sum of sums) {
      if (fused === null) code.get(sum).get(factor).op(multiply).get(summand).op(add).set(sum);
      else code.get(sum).get(factor).get(summand).op(fused).set(sum);
    }
    code.get(rounds).i32(1).op('i32.sub').tee(rounds).branchIf(again);
  });
  // What nobody reads need not be computed.
  sums.forEach((sum, chain) =>
    code
      .i32(0)
      .get(sum)
      .memory('v128.store', VECTOR * chain),
  );
}

/** Copies the first `CACHED` bytes behind themselves, as often as asked. */
function emitCachedCopies(code: Code, [rounds]: readonly Local[]): void {
  const [from, to] = [code.local('i32'), code.local('i32')];
  code.loop((again) => {
    code.i32(0).set(from).i32(CACHED).set(to);
    emitCopy(code, [from, to], CACHED);
    code.get(rounds!).i32(1).op('i32.sub').tee(rounds!).branchIf(again);
  });
}

/** Copies so many bytes. */
function emitCopy(code: Code, [from, to]: readonly Local[], bytes: number): void {
  const counter = code.local('i32');
  code.repeat(counter, 0, bytes, UNROLLED * VECTOR, () => {
    for (let offset = 0; offset < UNROLLED * VECTOR; offset += VECTOR) {
      code.get(to!).get(from!).memory('v128.load', offset).memory('v128.store', offset);
    }
    for (const address of [from!, to!]) {
      code
        .get(address)
        .i32(UNROLLED * VECTOR)
        .op('i32.add')
        .set(address);
    }
  });
}

/**
 * Seconds of the fastest call. While none takes less than `enough`, the engine's optimizing compiler is
 * waited for.
 */
function fastest(run: () => void, enough: number): number {
  const start = now();
  const since = (): number => now() - start;
  let best = Infinity;
  for (
    let call = 0;
    call < MOST_CALLS && (since() < LIMIT || (best > enough && since() < OPTIMIZE_LIMIT));
    call++
  ) {
    const seconds = secondsOf(run);
    // The clock of a page may stand still.
    if (seconds > 0) best = Math.min(best, seconds);
  }
  return best;
}

/** The smallest step of the clock, s; 0 if it stands still. */
function resolutionOfClock(): number {
  let smallest = Infinity;
  const start = now();
  for (let [iteration, last] = [0, start]; iteration < MOST_CALLS && last - start < LIMIT; iteration++) {
    const next = now();
    if (next > last) smallest = Math.min(smallest, next - last);
    last = next;
  }
  return smallest === Infinity ? 0 : smallest / 1000;
}

function secondsOf(run: () => void): number {
  const start = now();
  run();
  return (now() - start) / 1000;
}
