/**
 * Times of kernels: each is positive and all together are within the run's, on one thread and on two; and
 * that there is nothing of it in programs that are not timed.
 */
import { compile, manualSeed, randn, type Tensor } from '@firsthand/autograd';
import type { PlanReport } from '@firsthand/runtime';
import { afterEach, describe, expect, test } from 'vitest';
import { createWasm, type WasmOptions } from '../src/index.ts';
import { rooflineOf } from '../src/profile/roofline.ts';
import { WasmExecutable } from '../src/runtime/executable.ts';
import {
  argument,
  buffer,
  constant,
  element,
  map,
  mul,
  openSession,
  output,
  plan,
  planned,
} from './plans.ts';

const restored = WebAssembly.Module;
afterEach(() => {
  WebAssembly.Module = restored;
});

/** The modules that run plans, of those that are compiled from now on. */
function recordRuns(): Buffer<ArrayBuffer>[] {
  const runs: Buffer<ArrayBuffer>[] = [];
  WebAssembly.Module = class extends restored {
    constructor(bytes: BufferSource) {
      super(bytes);
      if (restored.exports(this).some(({ name }) => name === 'run'))
        runs.push(Buffer.from(bytes as Uint8Array<ArrayBuffer>));
    }
  };
  return runs;
}

/**
 * A product with an epilogue, rows, a sum of everything, and what follows it: kernels that are divided, and
 * one that is too small to be.
 */
function step(x: Tensor, w: Tensor): readonly Tensor[] {
  const y = x.matmul(w).gelu().softmax(-1);
  const loss = y.square().sum();
  return [y, loss, loss.mul(2).exp()];
}

/** The report of a run, and how long the run took, in seconds. */
async function timedRun(
  options: WasmOptions,
): Promise<{ readonly report: PlanReport; readonly wall: number }> {
  const device = await createWasm(options);
  manualSeed(3);
  const [x, w] = [await randn([96, 64]).to(device), await randn([64, 128]).to(device)];
  const compiled = compile(step);
  for (let run = 0; run < 3; run++) compiled(x, w);
  const start = performance.now();
  compiled(x, w);
  const wall = (performance.now() - start) / 1000;
  const [report] = compiled.reports();
  expect(report!.kernels.length).toBeGreaterThan(1);
  device.dispose();
  return { report: report!, wall };
}

describe('timings', () => {
  test.each([
    ['one thread', 1],
    ['two threads, everything divided', { count: 2, divideFrom: 0, wait: true }],
    ['two threads, most of it left to one', { count: 2, wait: true }],
    ['two threads that are not up yet', { count: 2, divideFrom: 0 }],
  ])('on %s', async (_, threads) => {
    const { report, wall } = await timedRun({ threads, timings: true });
    expect(report.resolution).toBeGreaterThan(0);
    for (const { seconds, share, ceiling } of report.kernels) {
      expect(['arithmetic', 'memory', 'caches']).toContain(ceiling);
      expect(seconds).toBeGreaterThan(0);
      expect(share).toBeGreaterThan(0);
      expect(share).toBeLessThan(Infinity);
    }
    expect(report.kernels.reduce((sum, { seconds }) => sum + seconds!, 0)).toBeLessThanOrEqual(wall);
  });

  test('change no bits', async () => {
    const results: number[][] = [];
    for (const timings of [false, true]) {
      const device = await createWasm({ threads: { count: 2, divideFrom: 0, wait: true }, timings });
      manualSeed(5);
      const [x, w] = [await randn([96, 64]).to(device), await randn([64, 128]).to(device)];
      results.push(step(x, w).flatMap((each) => Array.from(each.dataSync())));
      device.dispose();
    }
    expect(results[0]!.every((value, index) => Object.is(value, results[1]![index]))).toBe(true);
    expect(results[0]).toHaveLength(results[1]!.length);
  });

  test('are there once a program has run, and speak of its latest run', () => {
    const { session, storages } = openSession({
      roofline: { flopsPerSecond: 1e9, bytesPerSecond: 1e9, cachedBytesPerSecond: 1e12, resolution: 1e-6 },
    });
    const lengths = [1_000_000, 10];
    const buffers = lengths.flatMap((length, number) => [
      buffer(length, argument(number)),
      buffer(length, output(number)),
    ]);
    const kernels = lengths.map((length, number) =>
      planned(map(length, [length], mul(element(0), constant(2))), [2 * number, 2 * number + 1]),
    );
    const executable = new WasmExecutable(plan(buffers, kernels, [{ buffer: 1 }, { buffer: 3 }]), session);
    expect(executable.report().kernels.map(({ seconds }) => seconds)).toEqual([undefined, undefined]);
    const args = lengths.map((length) => storages.upload(new Float32Array(length), 'float32'));
    executable.run(args);
    const [first, second] = executable.report().kernels;
    expect(first!.seconds).toBeGreaterThan(second!.seconds!);
    // 8 bytes an element are more than one operation: (8 · 10⁶ bytes) / (10⁹ bytes/s), if it takes so long;
    // else 10⁶ operations are more than what caches take for the bytes.
    const isFromMemory = first!.seconds! >= 8e-3;
    expect(first).toMatchObject({ ceiling: isFromMemory ? 'memory' : 'arithmetic' });
    expect(first!.share).toBeCloseTo((isFromMemory ? 8e-3 : 1e-3) / first!.seconds!);
    executable.run(args);
    expect(executable.report().kernels[0]!.seconds).not.toBe(first!.seconds);
  });

  test('were not asked for: there are none, and the code is what it is without the option', async () => {
    const runs = recordRuns();
    const stamped: boolean[] = [];
    for (const options of [{}, { timings: false }, { timings: true }]) {
      for (const threads of [{ count: 1 }, { count: 2, divideFrom: 0, wait: true }]) {
        const { report } = await timedRun({ threads, ...options });
        const isTimed = options.timings === true;
        expect(
          report.kernels.every(
            ({ seconds, share }) => (seconds !== undefined && share !== undefined) === isTimed,
          ),
        ).toBe(true);
        stamped.push(
          WebAssembly.Module.imports(new restored(runs.at(-1)!)).some(({ name }) => name === 'stamp'),
        );
      }
    }
    expect(stamped).toEqual([false, false, false, false, true, true]);
    const [serial, parallel, sameSerial, sameParallel] = runs;
    expect(serial!.equals(sameSerial!)).toBe(true);
    expect(parallel!.equals(sameParallel!)).toBe(true);
  });
});

describe('the roofline', () => {
  test('is measured once, is that of a processor, and has room for all threads', () => {
    const one = rooflineOf({ relaxedSimd: false }, 1);
    expect(one.flopsPerSecond).toBeGreaterThan(1e8);
    expect(one.flopsPerSecond).toBeLessThan(1e12);
    expect(one.bytesPerSecond).toBeGreaterThan(1e8);
    expect(one.bytesPerSecond).toBeLessThan(1e12);
    expect(one.cachedBytesPerSecond).toBeGreaterThanOrEqual(one.bytesPerSecond);
    expect(one.cachedBytesPerSecond).toBeLessThan(1e13);
    expect(one.resolution).toBeGreaterThan(0);
    expect(one.resolution).toBeLessThan(1e-3);
    const start = performance.now();
    expect(rooflineOf({ relaxedSimd: false }, 4)).toEqual({
      ...one,
      flopsPerSecond: 4 * one.flopsPerSecond,
      cachedBytesPerSecond: 4 * one.cachedBytesPerSecond,
    });
    expect(performance.now() - start).toBeLessThan(5);
  });
});
