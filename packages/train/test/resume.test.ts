// Interrupted and resumed is uninterrupted, bit for bit: parameters, metrics and random numbers, wherever the
// interruption falls.
import { manualSeed, type Tensor } from '@firsthand/autograd';
import { ArrayDataset, DataLoader, mapExamples } from '@firsthand/data';
import { add, Generator } from '@firsthand/linalg';
import { Dropout, Linear, loss, Module } from '@firsthand/nn';
import { AdamW, schedule, SGD } from '@firsthand/optim';
import { describe, expect, test } from 'vitest';
import {
  accuracy,
  fit,
  type History,
  loadCheckpoint,
  Progress,
  saveCheckpoint,
  type StepReport,
} from '../src/index.ts';

class Net extends Module {
  hidden = new Linear(4, 8);
  dropout = new Dropout(0.25);
  output = new Linear(8, 3);
  forward(x: Tensor): Tensor {
    return this.output.forward(this.dropout.forward(this.hidden.forward(x).relu())); // (N, 4) → (N, 3)
  }
}

const random = new Generator(7);
const dataset = new ArrayDataset({
  x: random.normal([22, 4]),
  label: random.integers(0, 3, { shape: [22] }),
});
const unseen = new ArrayDataset({ x: random.normal([9, 4]), label: random.integers(0, 3, { shape: [9] }) });

interface Kind {
  readonly name: string;
  readonly compile: boolean;
  readonly accumulate: number;
  readonly optimizer: 'AdamW' | 'SGD';
}

/** All that a training consists of, made anew from seeds as a program would that is started again. */
function training(kind: Kind, seed: number) {
  manualSeed(seed);
  const model = new Net();
  const optimizer =
    kind.optimizer === 'AdamW'
      ? new AdamW(model.parameters(), { lr: 0.02 })
      : new SGD(model.parameters(), { lr: 0.05, momentum: 0.9, dampening: 0.1 });
  const data = new DataLoader(dataset, { batchSize: 4, shuffle: new Generator(seed) });
  const progress = new Progress();
  const run = (signal?: AbortSignal, onStep?: (step: number) => void | Promise<void>): Promise<History> =>
    fit({
      model,
      optimizer,
      data,
      progress,
      validation: new DataLoader(unseen, { batchSize: 5 }),
      loss: (net, { x, label }) => {
        const logits = net.forward(x);
        return { loss: loss.crossEntropy(logits, label), accuracy: accuracy(logits, label) };
      },
      epochs: 3,
      schedule: schedule.cosine({ steps: 18, warmup: 3 }),
      clip: 0.5,
      accumulate: kind.accumulate,
      compile: kind.compile,
      callbacks: onStep === undefined ? [] : [{ onStep: ({ step }) => onStep(step) }],
      ...(signal === undefined ? {} : { signal }),
    });
  return { model, optimizer, data, progress, run };
}

async function outcome({ model }: { readonly model: Module }, { epochs, stopped }: History) {
  const parameters = await Promise.all(
    [...model.stateDict()].map(async ([name, tensor]) => [name, await tensor.data()] as const),
  );
  return {
    stopped,
    parameters,
    epochs: epochs.map((report) => ({ ...report, seconds: 0, examplesPerSecond: 0 })),
  };
}

const kinds: readonly Kind[] = [
  { name: 'compiled', compile: true, accumulate: 1, optimizer: 'AdamW' },
  { name: 'eager', compile: false, accumulate: 1, optimizer: 'AdamW' },
  { name: 'accumulating, with momentum', compile: true, accumulate: 4, optimizer: 'SGD' },
];

describe.each(kinds)('$name', (kind) => {
  const steps = 3 * Math.ceil(6 / kind.accumulate);

  test('stopped after any step, saved, and resumed by a program that was seeded otherwise', async () => {
    const whole = training(kind, 1);
    const expected = await outcome(whole, await whole.run());
    expect(expected.stopped).toBe(false);
    expect(expected.epochs.map(({ epoch }) => epoch)).toEqual([0, 1, 2]);
    for (let stop = 1; stop < steps; stop++) {
      const first = training(kind, 1);
      const controller = new AbortController();
      const history = await first.run(controller.signal, (step) => {
        if (step === stop) controller.abort();
      });
      expect(history.stopped).toBe(true);
      expect(first.progress.step).toBe(stop);
      const bytes = await saveCheckpoint(first);
      const second = training(kind, 99);
      loadCheckpoint(bytes, second);
      expect(await outcome(second, await second.run()), `stopped after step ${stop}`).toEqual(expected);
    }
  });

  test('saved by a callback at every step, and resumed from any of these files while values were still on their way', async () => {
    const whole = training(kind, 1);
    const files: Uint8Array[] = [];
    const save = async (): Promise<void> => void files.push(await saveCheckpoint(whole));
    const expected = await outcome(whole, await whole.run(undefined, save));
    expect(files).toHaveLength(steps);
    for (const bytes of files) {
      const second = training(kind, 99);
      loadCheckpoint(bytes, second);
      expect(await outcome(second, await second.run())).toEqual(expected);
    }
  });

  test('stopped after every step', async () => {
    const whole = training(kind, 1);
    const expected = await outcome(whole, await whole.run());
    let bytes = await saveCheckpoint(training(kind, 1));
    for (let step = 1; step < steps; step++) {
      const part = training(kind, 100 + step);
      loadCheckpoint(bytes, part);
      const controller = new AbortController();
      await part.run(controller.signal, () => controller.abort());
      expect(part.progress.step).toBe(step);
      bytes = await saveCheckpoint(part);
    }
    const last = training(kind, 99);
    loadCheckpoint(bytes, last);
    expect(await outcome(last, await last.run())).toEqual(expected);
  });

  test('another seed gives something else, so that the comparison means something', async () => {
    const one = training(kind, 1);
    const expected = await outcome(one, await one.run());
    const other = training(kind, 2);
    expect(await outcome(other, await other.run())).not.toEqual(expected);
  });
});

describe('with augmentation', () => {
  /**
   * Each example is shifted by its own random numbers, slowly, so that batches are still loading when
   * training is stopped.
   */
  const shifted = (clean: typeof dataset) =>
    mapExamples(clean, async ({ x, label }, { index, generator }) => {
      await new Promise((resolve) => setTimeout(resolve, index % 2));
      return { x: add(x, generator.normal(x.shape, { std: 0.5 })), label };
    });

  function augmented(seed: number, prefetch: number, shuffled = true) {
    manualSeed(seed);
    const model = new Net();
    const order = (of: number): object => (shuffled ? { shuffle: new Generator(of) } : {});
    return {
      model,
      optimizer: new AdamW(model.parameters(), { lr: 0.02 }),
      data: new DataLoader(shifted(dataset), { batchSize: 4, prefetch, seed, ...order(seed) }),
      validation: new DataLoader(shifted(unseen), {
        batchSize: 5,
        prefetch,
        seed: seed + 1,
        ...order(seed + 1),
      }),
      progress: new Progress(),
    };
  }
  const run = async (training: ReturnType<typeof augmented>, stop = Infinity): Promise<History> => {
    const controller = new AbortController();
    const onStep = ({ step }: StepReport): void => {
      if (step === stop) controller.abort();
    };
    return fit({
      ...training,
      loss: (net, { x, label }) => loss.crossEntropy(net.forward(x), label),
      epochs: 3,
      signal: controller.signal,
      callbacks: [{ onStep }],
    });
  };

  test.each([
    [0, 0, true],
    [2, 2, true],
    [5, 0, true],
    [1, 7, true],
    [3, 2, false],
  ])('stopped with %i batches prefetched, and resumed with %i', async (before, after, shuffled) => {
    const whole = augmented(1, 2, shuffled);
    const expected = await outcome(whole, await run(whole));
    expect(expected.epochs).toHaveLength(3);
    for (let stop = 1; stop < 18; stop += 4) {
      const first = augmented(1, before, shuffled);
      expect((await run(first, stop)).stopped).toBe(true);
      const bytes = await saveCheckpoint(first);
      const second = augmented(99, after, shuffled);
      loadCheckpoint(bytes, second);
      expect(await outcome(second, await run(second)), `stopped after step ${stop}`).toEqual(expected);
    }
    const other = augmented(2, 2, shuffled);
    expect(await outcome(other, await run(other))).not.toEqual(expected);
  });
});

test('compiled and eager training give the same bits', async () => {
  const eager = training(kinds[1]!, 3);
  const expected = await outcome(eager, await eager.run());
  const compiled = training(kinds[0]!, 3);
  expect(await outcome(compiled, await compiled.run())).toEqual(expected);
});
