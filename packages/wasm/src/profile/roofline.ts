/**
 * The roofline of the processor, measured with the instructions that kernels use: multiply-adds in registers,
 * a copy from memory to memory, and one within the nearest cache. The code comes from this package's
 * assembler, so that the ceilings include the cost of the engine's compiler.
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

/** Milliseconds after which a measurement ends, after the current call. */
const LIMIT = 15;
/** The same while the engine's optimizing compiler is not done, as on a busy machine. */
const OPTIMIZE_LIMIT = 200;
/** Calls after which a measurement ends even if the clock does not advance. */
const MOST_CALLS = 10_000;
/** The least speed-up of optimized arithmetic: before, every operand goes through memory. */
const OPTIMIZED = 1.5;

/**
 * Sums, each a chain of dependent instructions: enough to hide the latency of two units, and few enough for
 * the 16 registers of x86-64, with the two shared operands.
 */
const CHAINS = 12;
const ROUNDS = 2 ** 18;
/** A few calls with few rounds do not trigger optimization. */
const FEW_ROUNDS = 2 ** 9;
const FEW_CALLS = 4;

/** Bytes of the copied arrays, far more than the caches. */
const COPIED = 24 * 2 ** 20;
/** Bytes of one call: with many calls the engine can switch to optimized code. */
const CHUNK = 2 ** 20;
/** Bytes copied within the cache: with the copy, half of a small first-level cache. */
const CACHED = 8 * 2 ** 10;
const CACHED_ROUNDS = 2 ** 6;
const VECTOR = 16;
/** Vectors per iteration of the copy's loop. */
const UNROLLED = 4;

/** The roofline of one thread, by relaxed SIMD: measured once. */
const measured = /* @__PURE__ */ new Map<boolean, Roofline>();

/**
 * The float32 roofline of a device. The first call takes some 0.1 s, and 48 MiB, which are released.
 *
 * The ceilings of arithmetic and of the nearest cache are those of one thread, times the number of threads;
 * that of memory is the bandwidth of one thread's copy, since threads share memory.
 * @throws DeviceError if the engine has no memory for it
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
  // The clock may be too coarse for this.
  const enough = before > 0 ? (before * (ROUNDS / FEW_ROUNDS)) / OPTIMIZED : Infinity;
  const flopsPerSecond =
    (2 * CHAINS * arithmetic.lanes * ROUNDS) / fastest(() => multiplyAdd(ROUNDS), enough);
  // Unwritten memory is one page of zeros that stays in a cache.
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

/** Repeats sum ← sum·½ + 1 for each sum. It stays below 2, so no number becomes subnormal. */
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
    code.op('i32.sub', rounds, 1).tee(rounds).branchIf(again);
  });
  // Stores the sums, or they need not be computed.
  sums.forEach((sum, chain) =>
    code
      .i32(0)
      .get(sum)
      .memory('v128.store', VECTOR * chain),
  );
}

/** Repeats copying the first `CACHED` bytes behind themselves. */
function emitCachedCopies(code: Code, [rounds]: readonly Local[]): void {
  const [from, to] = [code.local('i32'), code.local('i32')];
  code.loop((again) => {
    code.i32(0).set(from).i32(CACHED).set(to);
    emitCopy(code, [from, to], CACHED);
    code.op('i32.sub', rounds!, 1).tee(rounds!).branchIf(again);
  });
}

/** Copies bytes in an unrolled loop. */
function emitCopy(code: Code, [from, to]: readonly Local[], bytes: number): void {
  const counter = code.local('i32');
  code.repeat(counter, 0, bytes, UNROLLED * VECTOR, () => {
    for (let offset = 0; offset < UNROLLED * VECTOR; offset += VECTOR) {
      code.get(to!).get(from!).memory('v128.load', offset).memory('v128.store', offset);
    }
    for (const address of [from!, to!]) {
      code.op('i32.add', address, UNROLLED * VECTOR).set(address);
    }
  });
}

/** Seconds of the fastest call. Waits for the optimizing compiler while none takes less than `enough`. */
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
    // The clock of a page may not advance.
    if (seconds > 0) best = Math.min(best, seconds);
  }
  return best;
}

/** The smallest step of the clock in seconds; 0 if it does not advance. */
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
