// The loop: what it computes against a loop written out by hand, what it reports, and how it stops and fails.
import { manualSeed, type Tensor, tensor } from '@firsthand/autograd';
import { ArrayDataset, DataLoader } from '@firsthand/data';
import { createReference, type Device, getDefaultDevice, runtimeOf } from '@firsthand/runtime';
import { array, FirsthandError, Generator } from '@firsthand/linalg';
import { Dropout, Linear, loss, type Module, Sequential } from '@firsthand/nn';
import { SGD } from '@firsthand/optim';
import { describe, expect, test, vi } from 'vitest';
import {
  accuracy,
  type BatchSource,
  type Callbacks,
  type EpochReport,
  evaluate,
  fit,
  loadCheckpoint,
  Progress,
  RunningMeans,
  saveCheckpoint,
  type StepReport,
  type StepValues,
} from '../src/index.ts';

const float64 = { dtype: 'float64' } as const;
const random = new Generator(3);
const x = random.normal([10, 2], float64);
const y = random.normal([10, 1], float64);
const loader = (batchSize: number): DataLoader<'x' | 'y'> =>
  new DataLoader(new ArrayDataset({ x, y }), { batchSize });
const squares = (net: Linear, batch: { readonly x: Tensor; readonly y: Tensor }): Tensor =>
  loss.mse(net.forward(batch.x), batch.y);
const start = (): Linear => {
  manualSeed(1);
  return new Linear(2, 1, float64);
};
const weights = async (model: Module): Promise<number[]> =>
  (await Promise.all(model.parameters().map(async (each) => [...(await each.data())]))).flat();

/** Gradient descent on the mean squared error of w·x + b, over the given ranges of examples. */
function descend(
  from: readonly number[],
  rate: number,
  ranges: readonly (readonly [number, number])[],
): { readonly end: number[]; readonly losses: number[] } {
  let [w0, w1, b] = from as [number, number, number];
  const losses = ranges.map(([first, last]) => {
    const n = last - first;
    const gradient = [0, 0, 0];
    let total = 0;
    for (let i = first; i < last; i++) {
      const [p, q] = [x.get(i, 0), x.get(i, 1)];
      const error = w0 * p + w1 * q + b - y.get(i, 0);
      total += error ** 2 / n;
      [p, q, 1].forEach((each, k) => (gradient[k]! += (2 * error * each) / n));
    }
    [w0, w1, b] = [w0 - rate * gradient[0]!, w1 - rate * gradient[1]!, b - rate * gradient[2]!];
    return total;
  });
  return { end: [w0, w1, b], losses };
}

const RAGGED = [
  [0, 4],
  [4, 8],
  [8, 10],
] as const;

describe.each([true, false])('compiled: %s', (compile) => {
  test('does what a loop by hand does, and reports means over examples', async () => {
    const model = start();
    const byHand = descend(await weights(model), 0.1, [...RAGGED, ...RAGGED]);
    const { epochs, stopped } = await fit({
      model,
      loss: squares,
      optimizer: new SGD(model.parameters(), { lr: 0.1 }),
      data: loader(4),
      epochs: 2,
      compile,
    });
    expect(await weights(model)).toEqual(byHand.end.map((value) => expect.closeTo(value, 12)));
    const mean = (losses: readonly number[]): unknown =>
      expect.closeTo((4 * losses[0]! + 4 * losses[1]! + 2 * losses[2]!) / 10, 12);
    expect(epochs.map(({ training }) => training)).toEqual([
      { loss: mean(byHand.losses.slice(0, 3)) },
      { loss: mean(byHand.losses.slice(3)) },
    ]);
    expect(
      epochs.map(({ epoch, step, validation, learningRates }) => ({
        epoch,
        step,
        validation,
        learningRates,
      })),
    ).toEqual([
      { epoch: 0, step: 3, validation: null, learningRates: [0.1] },
      { epoch: 1, step: 6, validation: null, learningRates: [0.1] },
    ]);
    expect(stopped).toBe(false);
  });

  test('accumulated gradients of ragged batches are those of one large batch', async () => {
    const model = start();
    const byHand = descend(await weights(model), 0.1, [
      [0, 8],
      [8, 10],
      [0, 8],
      [8, 10],
    ]);
    const optimizer = new SGD(model.parameters(), { lr: 0.1 });
    const progress = new Progress();
    await fit({
      model,
      loss: squares,
      optimizer,
      data: loader(4),
      epochs: 2,
      accumulate: 2,
      compile,
      progress,
    });
    expect(await weights(model)).toEqual(byHand.end.map((value) => expect.closeTo(value, 12)));
    expect(progress.step).toBe(4);
    const whole = start();
    const single = descend(await weights(whole), 0.1, [[0, 10]]);
    await fit({
      model: whole,
      loss: squares,
      optimizer: new SGD(whole.parameters(), { lr: 0.1 }),
      data: loader(4),
      epochs: 1,
      accumulate: 5,
      compile,
    });
    expect(await weights(whole)).toEqual(single.end.map((value) => expect.closeTo(value, 12)));
  });

  test('runs one program per batch, whoever reads the loss', async () => {
    const model = start();
    const optimizer = new SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
    const { counters } = runtimeOf(getDefaultDevice());
    const before = { ...counters };
    await fit({
      model,
      loss: (net, batch) => {
        const prediction = net.forward(batch.x);
        return { loss: loss.mse(prediction, batch.y), largest: prediction.abs().max() };
      },
      optimizer,
      data: loader(4),
      epochs: 2,
      clip: 1,
      compile,
    });
    expect([counters.programs - before.programs, counters.recomputed - before.recomputed]).toEqual([6, 0]);
  });
});

test('stores what was asked for, and nothing for a derivative that nobody will take', async () => {
  const reference = createReference();
  const outputs: number[] = [];
  const device: Device = {
    name: 'counting',
    supports: (dtype) => reference.supports(dtype),
    prepare(program) {
      outputs.push(program.effects.length + program.roots.length);
      return reference.prepare(program);
    },
    upload: (data, dtype) => reference.upload(data, dtype),
    read: (storage) => reference.read(storage),
    memory: () => reference.memory(),
    dispose: () => reference.dispose(),
  };
  manualSeed(1);
  const model = new Linear(2, 1, { ...float64, device });
  const withMetric = (net: Linear, batch: { readonly x: Tensor; readonly y: Tensor }): StepValues => {
    const prediction = net.forward(batch.x).tanh();
    return { loss: loss.mse(prediction, batch.y), largest: prediction.exp().max() };
  };
  await evaluate({ model, loss: withMetric, data: loader(10), compile: false });
  expect(outputs.splice(0)).toEqual([2]); // loss, largest
  const optimizer = new SGD(model.parameters(), { lr: 0.1 });
  await fit({
    model,
    loss: withMetric,
    optimizer,
    data: loader(5),
    epochs: 1,
    accumulate: 2,
    compile: false,
  });
  // Two gradients, the root of backward, loss and largest; then two parameters instead of the gradients.
  expect(outputs).toEqual([5, 5]);
});

test('steps are compiled, and evaluation, unless it is said otherwise', async () => {
  const calls = async (compile?: boolean): Promise<number> => {
    const model = start();
    const counted = vi.fn<typeof squares>(squares);
    const optimizer = new SGD(model.parameters(), { lr: 0.1 });
    const more = compile === undefined ? {} : { compile };
    await fit({
      model,
      loss: counted,
      optimizer,
      data: loader(5),
      validation: loader(5),
      epochs: 4,
      ...more,
    });
    return counted.mock.calls.length;
  };
  expect(await calls()).toBe(2);
  expect(await calls(true)).toBe(2);
  expect(await calls(false)).toBe(16);
});

test('a model is trained in training mode, in whichever it was', async () => {
  const model = start().eval();
  const modes: boolean[] = [];
  model.onForward((module) => modes.push(module.training));
  await fit({
    model,
    loss: squares,
    optimizer: new SGD(model.parameters(), { lr: 0.1 }),
    data: loader(10),
    epochs: 1,
  });
  expect(modes).toEqual([true]);
});

describe('reports', () => {
  test('count batches, examples and time, and follow the schedule', async () => {
    const model = start();
    const reports: StepReport[] = [];
    const order: string[] = [];
    const epochs: EpochReport[] = [];
    await fit({
      model,
      loss: squares,
      optimizer: new SGD([{ parameters: [model.weight] }, { parameters: [model.bias!], lr: 1 }], { lr: 0.5 }),
      data: loader(4),
      epochs: 2,
      schedule: (step) => 1 / (step + 1),
      callbacks: [
        {
          onStep: (report) => {
            reports.push(report);
            order.push(`step ${report.step}`);
          },
          onEpoch: async (report) => {
            await Promise.resolve();
            epochs.push(report);
            order.push(`epoch ${report.epoch}`);
          },
        },
        { onStep: () => void order.push('second') },
      ],
    });
    expect(order).toEqual([
      'step 1',
      'second',
      'step 2',
      'second',
      'step 3',
      'second',
      'epoch 0',
      'step 4',
      'second',
      'step 5',
      'second',
      'step 6',
      'second',
      'epoch 1',
    ]);
    expect(reports.map(({ epoch, step, position, batches }) => [epoch, step, position, batches])).toEqual([
      [0, 1, 1, 3],
      [0, 2, 2, 3],
      [0, 3, 3, 3],
      [1, 4, 1, 3],
      [1, 5, 2, 3],
      [1, 6, 3, 3],
    ]);
    expect(reports.map(({ learningRates }) => learningRates)).toEqual(
      [1, 2, 3, 4, 5, 6].map((n) => [0.5 / n, 1 / n]),
    );
    expect(
      reports.every(
        ({ examplesPerSecond, secondsLeft }) =>
          examplesPerSecond > 0 && secondsLeft !== null && secondsLeft >= 0,
      ),
    ).toBe(true);
    expect(reports.at(-1)!.secondsLeft).toBe(0);
    // The values of each step make up the epoch's means.
    const values = await Promise.all(
      reports.slice(0, 3).map(async (report) => (await report.values())['loss']!),
    );
    expect(epochs[0]!.training['loss']).toBeCloseTo(
      (4 * values[0]! + 4 * values[1]! + 2 * values[2]!) / 10,
      12,
    );
  });

  test('validation sees the model in use, without gradients; then each module is in its mode again', async () => {
    manualSeed(1);
    const frozen = new Dropout(1).eval();
    const dropout = new Dropout(1);
    const model = new Sequential(new Linear(2, 1, float64), dropout, frozen);
    const [linear] = model;
    const seen: boolean[] = [];
    dropout.onForward((module) => seen.push(module.training));
    const optimizer = new SGD(model.parameters(), { lr: 0 });
    const run = (
      net: Module & { forward(input: Tensor): Tensor },
      batch: { readonly x: Tensor; readonly y: Tensor },
    ): Tensor => loss.mse(net.forward(batch.x), batch.y);
    const { epochs } = await fit({
      model,
      loss: run,
      optimizer,
      data: loader(4),
      validation: loader(5),
      epochs: 1,
      compile: false,
    });
    expect(seen).toEqual([true, true, true, false, false]);
    expect([model.training, dropout.training]).toEqual([true, true]);
    const expected = await loss
      .mse(linear!.forward(tensor(x.data, { shape: [10, 2] })), tensor(y.data, { shape: [10, 1] }))
      .item();
    expect(epochs[0]!.validation!['loss']).toBeCloseTo(expected, 12);
    frozen.eval();
    expect((await evaluate({ model, loss: run, data: loader(3) }))['loss']).toBeCloseTo(expected, 12);
    expect([...model.namedModules().values()].map(({ training }) => training)).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(linear!.parameters().every(({ grad }) => grad === null)).toBe(true);
  });

  test('accuracy is the share of rows whose largest logit is the label', async () => {
    const logits = tensor([
      [
        [1, 2, 3],
        [3, 2, 1],
      ],
      [
        [0, 5, 0],
        [9, 0, 0],
      ],
    ]);
    expect(
      await accuracy(
        logits,
        tensor(
          [
            [2, 0],
            [1, 1],
          ],
          { dtype: 'int32' },
        ),
      ).item(),
    ).toBe(0.75);
    expect(
      await accuracy(
        logits,
        tensor(
          [
            [2, 0],
            [1, 1],
          ],
          { dtype: 'uint32' },
        ),
      ).item(),
    ).toBe(0.75);
  });

  test('running means weigh, lag, and report a failure where it is waited for', async () => {
    const means = new RunningMeans();
    means.add(Promise.resolve({ a: 1 }), 3);
    means.add(Promise.resolve({ a: 5 }), 1);
    await means.settle(1);
    expect(means.means()).toEqual({ a: 1 });
    await means.settle();
    expect(means.means()).toEqual({ a: 2 });
    means.add(Promise.reject(new FirsthandError('no value')), 1);
    // Nobody waits for it yet, which is no unhandled rejection
    await new Promise((resolve) => setTimeout(resolve, 0));
    await expect(means.settle()).rejects.toThrow('no value');
    means.totals = { sums: { a: 6 }, weight: 2 }; // forgets what has not come
    await means.settle();
    expect(means.means()).toEqual({ a: 3 });
  });
});

describe('stopping', () => {
  test('before the first step, after one, and by a timer while the device is busy', async () => {
    const model = start();
    const optimizer = new SGD(model.parameters(), { lr: 0.1 });
    const before = await weights(model);
    const aborted = await fit({
      model,
      loss: squares,
      optimizer,
      data: loader(4),
      epochs: 1,
      signal: AbortSignal.abort(),
    });
    expect(aborted).toEqual({ epochs: [], stopped: true });
    expect(await weights(model)).toEqual(before);

    const controller = new AbortController();
    const progress = new Progress();
    const data = loader(4);
    const onStep = vi.fn<() => void>(() => controller.abort());
    await fit({
      model,
      loss: squares,
      optimizer,
      data,
      epochs: 1,
      signal: controller.signal,
      callbacks: [{ onStep }],
      progress,
    });
    expect([onStep.mock.calls.length, progress.step, data.position]).toEqual([1, 1, 1]);
    expect(await weights(model)).not.toEqual(before);

    const timer = new AbortController();
    setTimeout(() => timer.abort(), 20);
    const endless = await fit({
      model,
      loss: squares,
      optimizer,
      data: loader(1),
      epochs: 1_000_000,
      signal: timer.signal,
    });
    expect(endless.stopped).toBe(true);
  });

  test('a signal after the last step does not undo that training is complete', async () => {
    const model = start();
    const controller = new AbortController();
    const history = await fit({
      model,
      loss: squares,
      optimizer: new SGD(model.parameters(), { lr: 0.1 }),
      data: loader(10),
      epochs: 1,
      signal: controller.signal,
      callbacks: [{ onEpoch: () => controller.abort() }],
    });
    expect([history.stopped, history.epochs.length]).toEqual([false, 1]);
  });
});

describe('after an interruption', () => {
  const abortAt = (
    last: number,
  ): { readonly signal: AbortSignal; readonly callbacks: readonly Callbacks[] } => {
    const controller = new AbortController();
    return {
      signal: controller.signal,
      callbacks: [{ onStep: ({ step }) => (step === last ? controller.abort() : undefined) }],
    };
  };

  test.each([1, 2, 3])(
    'a new training begins an epoch anew, though the loader was left after batch %i of 3',
    async (last) => {
      const model = start();
      const optimizer = new SGD(model.parameters(), { lr: 0 });
      const data = new DataLoader(new ArrayDataset({ x, y }), { batchSize: 4, shuffle: new Generator(1) });
      const stopped = await fit({ model, loss: squares, optimizer, data, epochs: 2, ...abortAt(last) });
      expect([stopped.stopped, data.position]).toEqual([true, last]);
      const progress = new Progress();
      const { epochs } = await fit({ model, loss: squares, optimizer, data, epochs: 2, progress });
      expect(epochs.map(({ step }) => step)).toEqual([3, 6]);
      const whole = await evaluate({ model, loss: squares, data: loader(10) });
      expect(epochs.map(({ training }) => training['loss'])).toEqual(
        epochs.map(() => expect.closeTo(whole['loss']!, 12)),
      );
    },
  );

  test('so does one after a loop that only looked at a batch, and evaluation', async () => {
    const model = start();
    const data = loader(4);
    for await (const _ of data) break;
    expect((await evaluate({ model, loss: squares, data }))['loss']).toBeCloseTo(
      (await evaluate({ model, loss: squares, data: loader(10) }))['loss']!,
      12,
    );
    for await (const _ of data) break;
    const { epochs } = await fit({
      model,
      loss: squares,
      optimizer: new SGD(model.parameters(), { lr: 0.1 }),
      data,
      epochs: 1,
    });
    expect(epochs[0]!.step).toBe(3);
  });

  test('with its progress a training goes on in the epoch that was left', async () => {
    const model = start();
    const shared = {
      model,
      loss: squares,
      optimizer: new SGD(model.parameters(), { lr: 0.1 }),
      data: loader(4),
      epochs: 2,
    };
    for (const last of [1, 3, 4]) {
      const progress = new Progress();
      await fit({ ...shared, progress, ...abortAt(last) });
      const { epochs, stopped } = await fit({ ...shared, progress });
      expect([stopped, epochs.map(({ step }) => step)]).toEqual([false, [3, 6]]);
    }
  });

  test('progress and data that stand at different batches are refused', async () => {
    const model = start();
    const progress = new Progress();
    const shared = { model, loss: squares, optimizer: new SGD(model.parameters(), { lr: 0.1 }), epochs: 2 };
    await fit({ ...shared, data: loader(4), progress, ...abortAt(2) });
    await expect(fit({ ...shared, data: loader(4), progress })).rejects.toThrow(
      'fit: progress is 2 batches into epoch 0, and data 0; load both from one checkpoint, or leave progress out to begin anew',
    );
  });

  test('a source that cannot tell its position begins the epoch again, and one that cannot go back is refused', async () => {
    const model = start();
    const shared = { model, loss: squares, optimizer: new SGD(model.parameters(), { lr: 0 }), epochs: 1 };
    const plain = (): BatchSource<'x' | 'y'> => ({
      async *[Symbol.asyncIterator]() {
        yield* loader(4);
      },
    });
    const progress = new Progress();
    const data = plain();
    await fit({ ...shared, data, progress, ...abortAt(2) });
    const { epochs } = await fit({ ...shared, data, progress });
    expect([epochs[0]!.step, progress.step]).toEqual([5, 5]);
    expect(epochs[0]!.training['loss']).toBeCloseTo(
      (await evaluate({ model, loss: squares, data: loader(10) }))['loss']!,
      12,
    );
    const left = Object.assign(plain(), { position: 2 });
    await expect(fit({ ...shared, data: left })).rejects.toThrow(
      'fit: data is 2 batches into an epoch and cannot begin it again',
    );
    await expect(evaluate({ model, loss: squares, data: left })).rejects.toThrow(
      'evaluate: data is 2 batches into an epoch and cannot begin it again',
    );
    await expect(fit({ ...shared, data: plain(), validation: left })).rejects.toThrow(
      'fit: validation is 2 batches into an epoch',
    );
  });

  test('seconds go on: an epoch that was interrupted has those of its parts', async () => {
    const now = vi.spyOn(performance, 'now');
    let milliseconds = 5000;
    now.mockImplementation(() => milliseconds);
    try {
      const model = start();
      const parts = {
        model,
        loss: squares,
        optimizer: new SGD(model.parameters(), { lr: 0.1 }),
        data: loader(4),
        progress: new Progress(),
      };
      const slow: Callbacks = { onStep: () => void (milliseconds += 2000) };
      const taking = (ms: number, after?: number): { readonly data: BatchSource<'x' | 'y'> } => ({
        data: {
          get length() {
            return parts.data.length;
          },
          get position() {
            return parts.data.position;
          },
          async *[Symbol.asyncIterator]() {
            for await (const batch of parts.data) {
              milliseconds += ms; // that the batch takes to come
              yield batch;
            }
            milliseconds += after ?? 0;
          },
        },
      });
      const { signal, callbacks } = abortAt(2);
      const reports: StepReport[] = [];
      await fit({
        ...parts,
        ...taking(1000),
        epochs: 2,
        signal,
        callbacks: [...callbacks, { onStep: (report) => void reports.push(report) }],
      });
      // Each step has 4 examples and takes a second; 4 more batches will follow.
      expect(reports.map(({ examplesPerSecond, secondsLeft }) => [examplesPerSecond, secondsLeft])).toEqual([
        [4, 5],
        [4, 4],
      ]);
      expect(parts.progress.seconds).toBe(2);
      milliseconds += 1e6; // nobody trains
      const bytes = await saveCheckpoint(parts);
      const restored = { ...parts, progress: new Progress() };
      loadCheckpoint(bytes, restored);
      const { epochs } = await fit({ ...restored, ...taking(3000), epochs: 2, callbacks: [slow] });
      // 2 · 1 s before, 3 s after, and what the callback took; then 3 · (3 + 2) s.
      expect(epochs.map(({ seconds }) => seconds)).toEqual([2 + 3 + 2, 15]);
      expect(epochs.map(({ examplesPerSecond }) => examplesPerSecond)).toEqual([2 / 5, 10 / 15]);
    } finally {
      now.mockRestore();
    }
  });
});

describe('failing', () => {
  const options = () => {
    const model = start();
    return {
      model,
      loss: squares,
      optimizer: new SGD(model.parameters(), { lr: 0.1 }),
      data: loader(4),
      epochs: 1,
    };
  };

  test('refuses numbers out of range and batches without examples', async () => {
    for (const epochs of [-1, 0.5, NaN])
      await expect(fit({ ...options(), epochs })).rejects.toThrow('epochs is a whole number');
    for (const accumulate of [0, 1.5])
      await expect(fit({ ...options(), accumulate })).rejects.toThrow('accumulate is a whole number');
    const scalars = {
      async *[Symbol.asyncIterator]() {
        yield { x: array(1, float64), y: array(1, float64) };
      },
    };
    await expect(fit({ ...options(), data: scalars })).rejects.toThrow('first axis counts examples');
  });

  test('passes on what the loss, a callback or the data throws', async () => {
    await expect(
      fit({ ...options(), loss: (net, batch) => loss.mse(net.forward(batch.x), batch.x) }),
    ).rejects.toThrow('differ in shape');
    await expect(
      fit({ ...options(), callbacks: [{ onStep: () => Promise.reject(new FirsthandError('enough')) }] }),
    ).rejects.toThrow('enough');
    const broken = {
      async *[Symbol.asyncIterator]() {
        yield { x, y };
        throw new FirsthandError('torn page');
      },
    };
    await expect(fit({ ...options(), data: broken })).rejects.toThrow('torn page');
  });

  test('data without a length trains too; nobody can say for how long', async () => {
    const some = {
      async *[Symbol.asyncIterator]() {
        yield { x, y };
        yield { x, y };
        yield { x, y };
      },
    };
    const reports: StepReport[] = [];
    const progress = new Progress();
    await fit({
      ...options(),
      data: some,
      accumulate: 2,
      progress,
      callbacks: [{ onStep: (report) => void reports.push(report) }],
    });
    expect(reports.map(({ batches, secondsLeft, position }) => [batches, secondsLeft, position])).toEqual([
      [null, null, 2],
      [null, null, 3],
    ]);
    expect(progress.step).toBe(2);
  });
});
