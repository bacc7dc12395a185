// The arena: no two intermediates that live at the same time share bytes, and little is wasted on the lives
// that networks have.
import { expect, test } from 'vitest';
import { ALIGNMENT } from '../src/ir/kernel.ts';
import { planMemory, type MemoryPlan, type MemoryRequest } from '../src/plan/memory-plan.ts';

/** A stream of numbers in [0, 1) that a seed determines (Park and Miller 1988). */
function stream(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

function expectValid(
  requests: readonly MemoryRequest[],
  { offsets, arenaBytes, liveBytes }: MemoryPlan,
): void {
  expect(offsets).toHaveLength(requests.length);
  requests.forEach((a, i) => {
    expect(offsets[i]! % ALIGNMENT).toBe(0);
    expect(offsets[i]! + a.bytes).toBeLessThanOrEqual(arenaBytes);
    requests.slice(0, i).forEach((b, j) => {
      const together = a.first <= b.last && b.first <= a.last;
      const overlap = offsets[i]! < offsets[j]! + b.bytes && offsets[j]! < offsets[i]! + a.bytes;
      if (together && overlap) expect.fail(`requests ${j} and ${i} share bytes`);
    });
  });
  const kernels = Math.max(0, ...requests.map(({ last }) => last + 1));
  const alive = Array.from({ length: kernels }, (_, kernel) =>
    requests.reduce(
      (sum, { bytes, first, last }) => (first <= kernel && kernel <= last ? sum + bytes : sum),
      0,
    ),
  );
  expect(liveBytes).toBe(Math.max(0, ...alive));
  expect(arenaBytes).toBeGreaterThanOrEqual(liveBytes);
}

test('nothing needs nothing', () => {
  expect(planMemory([])).toEqual({ offsets: [], arenaBytes: 0, liveBytes: 0 });
  expect(planMemory([{ bytes: 0, first: 0, last: 3 }])).toEqual({
    offsets: [0],
    arenaBytes: 0,
    liveBytes: 0,
  });
});

test('a chain alternates between two places', () => {
  const chain = Array.from({ length: 6 }, (_, kernel) => ({ bytes: 256, first: kernel, last: kernel + 1 }));
  const plan = planMemory(chain);
  expect(plan).toMatchObject({ arenaBytes: 512, liveBytes: 512 });
  expect(new Set(plan.offsets)).toEqual(new Set([0, 256]));
});

test('sizes are rounded up to the alignment, live bytes are not', () => {
  const plan = planMemory([
    { bytes: 4, first: 0, last: 0 },
    { bytes: 65, first: 0, last: 0 },
  ]);
  expect(plan).toEqual({ offsets: [128, 0], arenaBytes: 192, liveBytes: 69 });
});

test('a gap is filled by what fits it best', () => {
  const requests = [
    { bytes: 640, first: 0, last: 9 },
    { bytes: 576, first: 0, last: 3 },
    { bytes: 512, first: 0, last: 9 },
    { bytes: 448, first: 4, last: 9 },
    { bytes: 128, first: 4, last: 9 },
  ];
  const plan = planMemory(requests);
  expectValid(requests, plan);
  expect(plan.arenaBytes).toBe(plan.liveBytes);
});

test('random lives', () => {
  const random = stream(1);
  for (let round = 0; round < 200; round++) {
    const kernels = 1 + Math.floor(random() * 40);
    const requests = Array.from({ length: Math.floor(random() * 60) }, () => {
      const first = Math.floor(random() * kernels);
      const last = Math.min(kernels - 1, first + Math.floor(random() ** 3 * kernels));
      return { bytes: Math.floor(random() ** 2 * 5000), first, last };
    });
    expectValid(requests, planMemory(requests));
  }
});

/**
 * The lives of a training step of a transformer: each forward layer writes activations that its backward
 * layer reads, and others that the next kernels use up; the backward layers come in the opposite order. Bytes
 * for batch 4, time 256, width C.
 */
function trainingStep(layers: number, width: number, random: () => number): MemoryRequest[] {
  const rows = 4 * 256 * 4;
  const widths = [
    1,
    width,
    width,
    3 * width,
    width,
    8 * 256,
    width,
    width,
    1,
    width,
    4 * width,
    4 * width,
    width,
  ];
  const requests: MemoryRequest[] = [];
  const forward = widths.length;
  const backward = 2 * widths.length;
  const end = layers * (forward + backward);
  for (let layer = 0; layer < layers; layer++) {
    const start = layer * forward;
    const backwardStart = end - (layer + 1) * backward;
    widths.forEach((each, kernel) => {
      const saved = random() < 0.6;
      const last = saved
        ? backwardStart + backward - 1 - 2 * kernel
        : start + kernel + 1 + Math.floor(random() * 3);
      requests.push({ bytes: rows * each, first: start + kernel, last: Math.min(last, end - 1) });
    });
    for (let kernel = 0; kernel < backward; kernel++) {
      const first = backwardStart + kernel;
      const each = widths[widths.length - 1 - (kernel >> 1)]!;
      requests.push({
        bytes: rows * each,
        first,
        last: Math.min(end - 1, first + 1 + Math.floor(random() * 4)),
      });
    }
  }
  return requests;
}

test('training steps waste little', () => {
  for (let seed = 1; seed <= 8; seed++) {
    const requests = trainingStep(2 + seed, 64 * seed, stream(seed));
    const plan = planMemory(requests);
    expectValid(requests, plan);
    expect(plan.arenaBytes / plan.liveBytes).toBeLessThan(1.02);
  }
});

test('thousands of requests take no second', () => {
  const requests = trainingStep(80, 768, stream(1));
  expect(requests.length).toBeGreaterThan(3000);
  let fastest = Infinity;
  for (let round = 0; round < 5; round++) {
    const start = performance.now();
    planMemory(requests);
    fastest = Math.min(fastest, performance.now() - start);
  }
  expect(fastest).toBeLessThan(1000);
});
