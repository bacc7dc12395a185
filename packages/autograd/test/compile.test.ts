/**
 * `compile(f)` gives what `f` gives, once per structure; the conformance package holds it to every rule on
 * every device.
 */
import { createReference, runtimeOf, bufferOf } from '@firsthand/runtime';
import { expect, test } from 'vitest';

import {
  compile,
  DeviceError,
  grad,
  GradientError,
  guard,
  hostValue,
  manualSeed,
  ones,
  rand,
  StaleError,
  type Tensor,
  tensor,
  updateStatistic,
} from '../src/index.ts';

/**
 * A small training problem with momentum, dropout, a schedule and a running statistic, on a device of its
 * own.
 */
function problem() {
  const device = createReference();
  const weight = tensor(
    [
      [0.5, -0.25],
      [0.125, 1],
    ],
    { requiresGrad: true, device, name: 'weight' },
  );
  const velocity = tensor(
    [
      [0, 0],
      [0, 0],
    ],
    { device },
  );
  const seen = tensor(0, { device });
  const schedule = { rate: 0.1 };
  const step = (x: Tensor, scale: number): Tensor => {
    const keep = rand(x.shape, { device }).lt(0.75).cast('float32');
    updateStatistic(seen, seen.add(x.mean()));
    const loss = x.mul(keep).matmul(weight).tanh().square().sum().mul(scale);
    loss.backward();
    const rate = hostValue(() => schedule.rate, { device });
    velocity.assign(velocity.mul(0.9).add(weight.grad!));
    weight.assign(weight.sub(velocity.mul(rate)));
    weight.grad = null;
    return loss;
  };
  return { device, weight, seen, schedule, step };
}

async function train(compiled: boolean) {
  manualSeed(11);
  const { device, weight, seen, schedule, step } = problem();
  const run = compiled ? compile(step) : step;
  const losses: Tensor[] = [];
  for (let i = 0; i < 12; i++) {
    schedule.rate = 0.1 / (1 + i);
    const rows = i % 4 === 3 ? 1 : 3;
    const x = tensor(
      Float32Array.from({ length: 2 * rows }, (_, k) => Math.sin(i + k)),
      { shape: [rows, 2], device },
    );
    losses.push(run(x, 2));
  }
  const values: number[] = [];
  for (const loss of losses) values.push(await loss.item());
  return {
    values,
    weight: await weight.toArray(),
    seen: await seen.item(),
    counters: { ...runtimeOf(device).counters },
  };
}

test('values, effects and random numbers are those of the plain function; a ragged batch compiles a second time', async () => {
  const plain = await train(false);
  const compiled = await train(true);
  expect(compiled.values).toEqual(plain.values);
  expect(compiled.weight).toEqual(plain.weight);
  expect(compiled.seen).toBe(plain.seen);
  expect(compiled.counters.compilations).toBe(2);
  expect(compiled.counters.programs).toBe(12);
});

test('non-tensor arguments, guards, gradient mode and frozen parameters are part of the plan', async () => {
  let traces = 0;
  const w = tensor([1], { requiresGrad: true });
  const layer = { training: true };
  const f = compile((x: Tensor, options: { scale: number }) => {
    traces++;
    return x
      .mul(w)
      .mul(options.scale)
      .add(guard(layer, 'training') ? 1 : 0);
  });
  const x = tensor([2]);
  expect(await f(x, { scale: 3 }).item()).toBe(7);
  expect(await f(x, { scale: 3 }).item()).toBe(7);
  expect(traces).toBe(1);
  expect(await f(x, { scale: 4 }).item()).toBe(9);
  layer.training = false;
  expect(await f(x, { scale: 3 }).item()).toBe(6);
  w.requiresGrad = false;
  expect(await f(x, { scale: 3 }).item()).toBe(6);
  expect(traces).toBe(4);
  w.requiresGrad = true;
  layer.training = true;
  expect(await f(x, { scale: 3 }).item()).toBe(7);
  expect(traces).toBe(4);
});

test('gradients accumulate across calls, from null on', async () => {
  const w = tensor([1, 2], { requiresGrad: true });
  const f = compile((x: Tensor) => {
    w.mul(x).sum().backward();
  });
  for (let i = 0; i < 3; i++) f(tensor([1, 10]));
  expect(await w.grad!.toArray()).toEqual([3, 30]);
  w.grad = null;
  f(tensor([1, 1]));
  expect(await w.grad!.toArray()).toEqual([1, 1]);
});

test('tracing runs nothing: a gradient that is pending stays so until the call', async () => {
  const device = createReference();
  const w = tensor([1, 2], { requiresGrad: true, device });
  w.square().sum().backward();
  const { counters } = runtimeOf(device);
  let whileTraced = -1;
  compile(() => {
    w.sum().backward();
    whileTraced = counters.programs;
  })();
  expect(whileTraced).toBe(0);
  expect(await w.grad!.toArray()).toEqual([3, 5]);
});

test('results: nested structures, arguments and variables themselves, plain values', async () => {
  const w = tensor([1]);
  const f = compile((x: Tensor) => ({ sum: x.add(w), list: [x, w, 7] as const, none: null }));
  const x = tensor([2]);
  const result = f(x);
  expect(await result.sum.item()).toBe(3);
  expect(result.list[0]).toBe(x);
  expect(result.list[1]).toBe(w);
  expect(result.list[2]).toBe(7);
  expect(result.none).toBeNull();
});

test('what cannot be compiled says so, and leaves every handle as it was', async () => {
  const w = tensor([1], { requiresGrad: true, name: 'w' });
  let escaped: Tensor | null = null;
  const failing = compile(() => {
    w.assign(w.mul(2));
    throw new RangeError('no');
  });
  expect(failing).toThrow(RangeError);
  expect(await w.item()).toBe(1);
  expect(() => compile(() => w.mul(2).itemSync())()).toThrow(DeviceError);
  expect(() => compile(async () => w)()).toThrow('compile: the function is asynchronous');
  compile((x: Tensor) => {
    escaped = x.mul(w);
  })(tensor([1]));
  expect(() => escaped!.add(1)).toThrow(StaleError);
  const forward = compile((x: Tensor) => x.mul(w));
  expect(() =>
    forward(tensor([1]))
      .sum()
      .backward(),
  ).toThrow(GradientError);
  const captured = w.mul(3);
  expect(() => compile(() => captured.sum().backward())()).toThrow('it was computed outside'.slice(3));
  expect(() => compile((x: Tensor) => x.sum().backward())(tensor([1], { requiresGrad: true }))).toThrow(
    'would accumulate in an argument',
  );
});

test('updates are in place while the variable is the only owner', async () => {
  const device = createReference();
  const w = tensor(new Float32Array(1000), { device });
  const f = compile(() => {
    w.assign(w.add(1));
  });
  f();
  const { live } = device.memory();
  const old = bufferOf(w.node)!.storage;
  f();
  expect(bufferOf(w.node)!.storage).toBe(old);
  expect(device.memory().live).toBe(live);
  const kept = w.detach();
  f();
  expect(bufferOf(w.node)!.storage).not.toBe(old);
  expect((await kept.data())[0]).toBe(2);
  expect((await w.data())[0]).toBe(3);
});

test('reports() has a report for each program, the most recently used last', async () => {
  const device = createReference();
  const total = tensor([0, 0], { device });
  const step = compile((x: Tensor) => {
    total.assign(total.add(x.sum()));
    return x.mul(2);
  });
  expect(step.reports()).toEqual([]);
  /** The elements of what the latest program writes. */
  const latest = (): number =>
    Math.max(
      ...step
        .reports()
        .at(-1)!
        .kernels.map(({ stores }) => stores),
    );
  const call = async (length: number): Promise<void> =>
    void (await step(tensor(new Float32Array(length), { device })).data());

  await call(3);
  const first = step.reports();
  expect(first).toHaveLength(1);
  expect(first[0]).toMatchObject({ device: 'reference', peakBytes: expect.any(Number) });
  expect(first[0]!.kernels.map(({ name }) => name)).toContain('reduce');
  await call(5);
  await call(7);
  expect(latest()).toBe(7);
  const programs = step.reports().length;
  await call(5);
  expect(latest()).toBe(5);
  await call(3);
  expect(latest()).toBe(3);
  // Nothing was compiled anew, and nothing is there twice.
  expect(step.reports()).toHaveLength(programs);
  expect(runtimeOf(device).counters.compilations).toBe(programs);
});

test('reports() is empty for a function that is part of others', () => {
  const double = compile((x: Tensor) => x.mul(2));
  const outer = compile((x: Tensor) => double(x).add(1));
  expect(outer(tensor([1, 2], { device: createReference() })).shape).toEqual([2]);
  expect(double.reports()).toEqual([]);
  expect(outer.reports()).toHaveLength(1);
});

test('reports() leaves out the programs that had to go', async () => {
  const device = createReference();
  const double = compile((x: Tensor) => x.mul(2), { maxBytes: 1 });
  for (const length of [2, 3, 4]) await double(tensor(new Float32Array(length), { device })).data();
  expect(double.reports().map(({ kernels }) => kernels.at(-1)!.stores)).toEqual([4]);
});

test('a constant that the function captures joins the device of its arguments', async () => {
  const device = createReference();
  const [c, x] = [ones([2]), tensor([1, 2], { device })];
  const f = compile((t: Tensor) => t.mul(c).add(c));
  expect(await f(x).toArray()).toEqual([2, 3]);
  expect(f(x).device).toBe(device);
  const alone = ones([2]);
  expect(await compile(() => alone.add(1))().toArray()).toEqual([2, 2]);
});

test('a transform of a function that calls a compiled one says that it must not', async () => {
  const [x, w] = [tensor([1, 2]), tensor([3, 4], { requiresGrad: true })];
  const f = compile((t: Tensor) => t.mul(w));
  for (const of of [f, (t: Tensor) => f(t.mul(2)).add(t), (t: Tensor) => f(f(t))]) {
    expect(() => grad((t: Tensor) => of(t).sum())(x)).toThrow(
      'backward: this value comes out of a compiled function, which keeps no graph',
    );
  }
  // A result that does not depend on the argument is a constant to it.
  expect(await grad((t: Tensor) => t.mul(f(x)).sum())(x).toArray()).toEqual([3, 8]);
  expect(await compile(grad((t: Tensor) => f(t).sum()))(x).toArray()).toEqual([3, 4]);
});
