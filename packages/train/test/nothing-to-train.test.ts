// Nothing to work on is never silent: no batches, no examples, no parameters, no gradients, and options that
// would be ignored are errors or warnings that say what to do.
import { manualSeed, NonFiniteError, type Tensor, tensor } from '@firsthand/autograd';
import { ArrayDataset, DataLoader } from '@firsthand/data';
import { type FirsthandError, Generator, type NDArray, zeros } from '@firsthand/linalg';
import { Linear, loss, Module } from '@firsthand/nn';
import { schedule, SGD } from '@firsthand/optim';
import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from 'vitest';
import {
  accuracy,
  type Batch,
  type BatchSource,
  evaluate,
  fit,
  type FitOptions,
  Progress,
  RunningMeans,
} from '../src/index.ts';

const x = new Generator(3).normal([8, 2]);
const y = new Generator(4).normal([8, 1]);
const dataset = new ArrayDataset({ x, y });
const loader = (batchSize = 4): DataLoader<'x' | 'y'> => new DataLoader(dataset, { batchSize });
const squares = (net: Linear, batch: Batch<'x' | 'y'>): Tensor => loss.mse(net.forward(batch.x), batch.y);
async function* batches(count: number): AsyncGenerator<{ x: NDArray; y: NDArray }> {
  for (let index = 0; index < count; index++) yield { x, y };
}
const linear = (): Linear => {
  manualSeed(1);
  return new Linear(2, 1);
};

type Options = FitOptions<Linear, 'x' | 'y'>;
function options(changes: Partial<Options> = {}): Options {
  const model = changes.model ?? linear();
  return {
    model,
    loss: squares,
    optimizer: new SGD(model.parameters(), { lr: 0.1 }),
    data: loader(),
    epochs: 2,
    ...changes,
  };
}

let warn: MockInstance<typeof console.warn>;
beforeEach(() => {
  warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
});
afterEach(() => {
  warn.mockRestore();
});
const warnings = (): string[] => warn.mock.calls.map(([message]) => String(message));

test('a training that has everything warns of nothing', async () => {
  await fit(
    options({ validation: loader(3), clip: 1, accumulate: 2, schedule: schedule.cosine({ steps: 4 }) }),
  );
  await evaluate({ model: linear(), loss: squares, data: loader() });
  expect(warnings()).toEqual([]);
});

describe('no batches', () => {
  const emptyLater = (): BatchSource<'x' | 'y'> => {
    let epoch = 0;
    return { [Symbol.asyncIterator]: () => batches(epoch++ === 0 ? 2 : 0) };
  };

  test('a generator cannot serve several epochs, which shows before the first', async () => {
    const model = linear();
    const before = await model.weight.toArray();
    await expect(fit(options({ model, data: batches(4) }))).rejects.toThrow(
      'fit: data is a generator, which can be iterated once, and is needed for 2 epochs; write data: { [Symbol.asyncIterator]: generatorFunction }',
    );
    await expect(fit(options({ validation: batches(4) }))).rejects.toThrow('fit: validation is a generator');
    expect(await model.weight.toArray()).toEqual(before);
  });

  test('one epoch of a generator is an epoch', async () => {
    const { epochs } = await fit(options({ data: batches(3), validation: batches(1), epochs: 1 }));
    expect(epochs.map(({ step, validation }) => [step, Object.keys(validation!)])).toEqual([[3, ['loss']]]);
  });

  test('a source that is empty, at once or later', async () => {
    await expect(fit(options({ data: batches(0), epochs: 1 }))).rejects.toThrow(
      'fit: data gave no batches in epoch 0; give a source that has batches, and that nobody has read to its end before',
    );
    const progress = new Progress();
    await expect(fit(options({ data: emptyLater(), progress }))).rejects.toThrow(
      /^fit: data gave no batches in epoch 1; it can be iterated once, it seems; give a DataLoader/,
    );
    expect([progress.epoch, progress.step]).toEqual([1, 2]);
    await expect(fit(options({ validation: emptyLater() }))).rejects.toThrow(
      'fit: validation gave no batches',
    );
    const used = batches(2);
    for await (const _ of used);
    await expect(evaluate({ model: linear(), loss: squares, data: used })).rejects.toThrow(
      'evaluate: data gave no batches; give a source that has batches',
    );
  });

  test.each<[string, unknown, string]>([
    [
      'a dataset',
      dataset,
      'fit: data is a dataset, which gives no batches; needs a DataLoader, or another async iterable of batches; write data: new DataLoader(dataset',
    ],
    ['a record of arrays', { x, y }, 'fit: data is an object, which gives no batches'],
    ['nothing', undefined, 'fit: data is undefined, which gives no batches'],
    ['text', 'train', "fit: data is 'train', which gives no batches"],
  ])('%s is no source of batches', async (_, data, message) => {
    await expect(fit(options({ data: data as Options['data'] }))).rejects.toThrow(message);
    if (data !== undefined) {
      await expect(fit(options({ validation: data as Options['data'] }))).rejects.toThrow(
        message.replace('data is', 'validation is').replace('write data', 'write validation'),
      );
    }
    await expect(evaluate({ model: linear(), loss: squares, data: data as Options['data'] })).rejects.toThrow(
      message.replace('fit:', 'evaluate:'),
    );
  });
});

describe('no examples', () => {
  const empty = async function* () {
    yield { x: zeros([0, 2]), y: zeros([0, 1]) };
  };

  test('a batch of none', async () => {
    await expect(fit(options({ data: { [Symbol.asyncIterator]: empty } }))).rejects.toThrow(
      'fit: a batch has no examples (x is [0, 2]); leave it out',
    );
    await expect(evaluate({ model: linear(), loss: squares, data: empty() })).rejects.toThrow(
      'evaluate: a batch has no examples',
    );
  });

  test('a metric over none', () => {
    expect(() => accuracy(tensor(new Float32Array(0), { shape: [0, 3] }), tensor(new Int32Array(0)))).toThrow(
      'accuracy: there are no rows; needs at least one',
    );
    const means = new RunningMeans();
    for (const weight of [0, -1, NaN, Infinity]) {
      expect(() => means.add(Promise.resolve({ a: 1 }), weight)).toThrow(
        `RunningMeans: the weight of values is a number above 0, not ${weight}`,
      );
    }
  });
});

describe('no epochs', () => {
  test('0 is refused', async () => {
    await expect(fit(options({ epochs: 0 }))).rejects.toThrow(
      'fit: epochs is a whole number of at least 1, not 0',
    );
  });

  test('none that are left are warned of', async () => {
    const shared = options({ progress: new Progress() });
    const { epochs } = await fit(shared);
    expect(warnings()).toEqual([]);
    expect(await fit(shared)).toEqual({ epochs, stopped: false });
    expect(warnings()).toEqual([
      'fit: 2 of 2 epochs are done, so that nothing is left to train; raise epochs to go on',
    ]);
    expect((await fit({ ...shared, epochs: 3 })).epochs).toHaveLength(3);
  });
});

describe('nothing to change', () => {
  class Frozen extends Module {
    readonly first: Linear = linear();
    readonly second: Linear = new Linear(1, 1);
    forward(input: Tensor): Tensor {
      return this.second.forward(this.first.forward(input));
    }
  }
  class Nothing extends Module {
    forward(input: Tensor): Tensor {
      return input.sum({ axis: 1, keepDims: true });
    }
  }
  const train = async <M extends Module & { forward(input: Tensor): Tensor }>(
    model: M,
    parameters: readonly Tensor[],
    from = model,
  ): Promise<unknown> =>
    fit({
      model,
      optimizer: new SGD(parameters, { lr: 0.1 }),
      data: loader(),
      epochs: 1,
      loss: (_, batch: Batch<'x' | 'y'>) => loss.mse(from.forward(batch.x), batch.y),
    });

  test('a model without parameters', async () => {
    const constant = tensor([1]);
    await expect(train(new Nothing(), [constant])).rejects.toThrow(
      'fit: there is nothing to train: the model has no parameters; give it layers',
    );
  });

  test('a model that is frozen', async () => {
    const model = new Frozen();
    for (const parameter of model.parameters()) parameter.requiresGrad = false;
    await expect(train(model, model.parameters())).rejects.toThrow(
      'fit: there is nothing to train: all 4 parameters of the model are frozen; set requiresGrad = true',
    );
  });

  test('a frozen model through which something else is trained is as it should be, and said', async () => {
    const model = linear();
    for (const parameter of model.parameters()) parameter.requiresGrad = false;
    const shift = tensor([[0, 0]], { requiresGrad: true, name: 'shift' });
    await fit({
      model,
      optimizer: new SGD([shift], { lr: 0.1 }),
      data: loader(),
      epochs: 1,
      loss: (net, batch) => loss.mse(net.forward(batch.x.add(shift)), batch.y),
    });
    expect(await shift.toArray()).not.toEqual([[0, 0]]);
    expect(warnings()).toEqual([
      "fit: 1 tensor of the optimizer are not the model's: shift; they are updated, but are no part of its state dict",
    ]);
  });

  test('the optimizer of another model', async () => {
    const [model, other] = [new Frozen(), new Frozen()];
    await expect(train(model, other.parameters())).rejects.toThrow(
      "fit: the optimizer has none of the model's parameters (first.weight, first.bias, second.weight, second.bias); it was made for another model; " +
        'make it with this model.parameters()',
    );
  });

  test('some parameters that no group has are named, and gather no gradients', async () => {
    const model = new Frozen();
    const before = await model.second.weight.toArray();
    await train(model, model.first.parameters());
    expect(warnings()).toEqual([
      'fit: 2 parameters of the model will not change, since the optimizer does not have them: second.weight, second.bias; ' +
        'give them to it, or set requiresGrad = false on them',
    ]);
    expect(await model.second.weight.toArray()).toEqual(before);
    expect(model.parameters().map(({ grad }) => grad)).toEqual([null, null, null, null]);
    warn.mockClear();
    for (const parameter of model.second.parameters()) parameter.requiresGrad = false;
    await train(model, model.first.parameters());
    expect(warnings()).toEqual([]);
  });

  test.each([true, false])(
    'what the optimizer does not have is no part of the norm that is clipped; compiled: %s',
    async (compile) => {
      const run = async (frozen: boolean): Promise<unknown> => {
        const model = new Frozen();
        if (frozen) for (const parameter of model.second.parameters()) parameter.requiresGrad = false;
        const optimizer = new SGD(model.first.parameters(), { lr: 0.1 });
        await fit({
          model,
          optimizer,
          data: loader(2),
          epochs: 2,
          clip: 0.01,
          compile,
          loss: (net, batch) => loss.mse(net.forward(batch.x), batch.y),
        });
        return model.first.weight.toArray();
      };
      expect(await run(false)).toEqual(await run(true));
    },
  );

  test('a loss that depends on none of the parameters, or on another model’s', async () => {
    const [model, other] = [new Frozen(), new Frozen()];
    await expect(train(model, model.parameters(), other)).rejects.toThrow(
      "fit: none of the optimizer's 4 parameters got a gradient: the loss does not depend on first.weight, first.bias, second.weight, second.bias; compute it from model.forward",
    );
    await expect(
      fit(options({ loss: (net, batch) => loss.mse(net.forward(batch.x).detach(), batch.y) })),
    ).rejects.toThrow('does not depend on a tensor that requires a gradient');
  });

  test('some parameters without a gradient are named, once', async () => {
    class Forked extends Frozen {
      override forward(input: Tensor): Tensor {
        return this.first.forward(input);
      }
    }
    const model = new Forked();
    await fit({
      model,
      optimizer: new SGD(model.parameters(), { lr: 0.1 }),
      data: loader(3),
      epochs: 2,
      loss: (net, batch) => loss.mse(net.forward(batch.x), batch.y),
    });
    expect(warnings()).toEqual([
      'fit: 2 parameters got no gradient in the first step, since the loss does not depend on them: second.weight, second.bias; ' +
        'use them in forward, or set requiresGrad = false on them',
    ]);
  });

  test('of many parameters without a gradient the first few are named', async () => {
    class Wide extends Module {
      readonly used: Linear = linear();
      readonly unused: readonly Linear[] = [linear(), linear(), linear(), linear()];
      forward(input: Tensor): Tensor {
        return this.used.forward(input);
      }
    }
    const model = new Wide();
    await train(model, model.parameters());
    expect(warnings()).toEqual([
      expect.stringContaining(
        'does not depend on them: unused.0.weight, unused.0.bias, unused.1.weight, unused.1.bias, unused.2.weight and 3 more; use them',
      ),
    ]);
  });

  test('gradients from before are not part of the first step', async () => {
    const [model, fresh] = [linear(), linear()];
    squares(model, { x: tensor(x), y: tensor(y) }).backward();
    await fit(options({ model, epochs: 1 }));
    await fit(options({ model: fresh, epochs: 1 }));
    expect(await model.weight.toArray()).toEqual(await fresh.weight.toArray());
  });

  test('a schedule that is at 0 already', async () => {
    await fit(options({ schedule: schedule.cosine({ steps: 2 }), epochs: 3 }));
    expect(warnings()).toEqual([
      "fit: the schedule's learning rates are 0 in all of epoch 1, so that nothing is learned; let it end later",
    ]);
  });

  test('a learning rate of 0 without a schedule is what the caller wants', async () => {
    const model = linear();
    await fit(options({ model, optimizer: new SGD(model.parameters(), { lr: 0 }), epochs: 1 }));
    expect(warnings()).toEqual([]);
  });
});

describe('what would be ignored', () => {
  test.each<[object, RegExp]>([
    [{ epoch: 3 }, /^fit: there is no option 'epoch'.*write epochs/],
    [{ clipNorm: 1 }, /no option 'clipNorm'/],
    [{ clip: 0 }, /clip is a number above 0, not 0; leave it out for no limit/],
    [
      { signal: new AbortController() },
      /signal is an AbortController; needs an AbortSignal; write signal: controller.signal/,
    ],
    [{ signal: true }, /signal is true/],
    [
      { callbacks: [{ onEpochEnd: () => {} }] },
      /a callback is an object that would never be called; needs an object with onStep or onEpoch/,
    ],
    [{ callbacks: [() => {}] }, /a callback is a function that would never be called/],
    [{ nonFinite: 'throw' }, /nonFinite is 'throw'; needs 'error', 'warn' or 'ignore'/],
    [{ schedule: schedule.constant }, /the schedule gives a function at step 0.*call it: schedule.cosine/],
    [{ schedule: () => NaN }, /the schedule gives NaN at step 0/],
  ])('%o', async (changes, message) => {
    await expect(fit({ ...options(), ...changes })).rejects.toThrow(message);
  });

  test('an option of evaluate that does not exist', async () => {
    const wrong = { model: linear(), loss: squares, dataset: loader() } as unknown as Parameters<
      typeof evaluate<Linear, 'x' | 'y'>
    >[0];
    await expect(evaluate(wrong)).rejects.toThrow("evaluate: there is no option 'dataset'");
  });

  test.each<[string, (net: Linear, batch: Batch<'x' | 'y'>) => unknown, string]>([
    [
      'nothing',
      () => undefined,
      'fit: the loss function gives undefined; needs a scalar tensor, or an object { loss, … } of scalar tensors; return the loss',
    ],
    ['a number', () => 3, 'fit: the loss function gives 3; needs a scalar tensor'],
    [
      'a promise',
      async (net, batch) => squares(net, batch),
      'fit: the loss function gives a promise; needs a scalar tensor, or an object { loss, … } of scalar tensors; make it synchronous',
    ],
    [
      'no loss',
      (net, batch) => ({ error: squares(net, batch) }),
      'fit: the loss function gives an object without a loss: { error }; needs',
    ],
    [
      'a number beside the loss',
      (net, batch) => ({ loss: squares(net, batch), rate: 0.1 }),
      'fit: rate of the loss function is 0.1',
    ],
    [
      'rows instead of their mean',
      (net, batch) => net.forward(batch.x),
      'fit: loss of the loss function has several elements; needs a scalar; reduce it: loss.mean()',
    ],
    [
      'rows of a metric',
      (net, batch) => ({ loss: squares(net, batch), error: batch.y }),
      'fit: error of the loss function has several elements',
    ],
  ])('a loss function that gives %s', async (_, wrong, message) => {
    for (const compile of [true, false]) {
      await expect(fit(options({ loss: wrong as Options['loss'], compile }))).rejects.toThrow(message);
    }
  });

  test('its error has the tensor as data', async () => {
    const error = (await fit(options({ loss: (net, batch) => net.forward(batch.x) })).catch(
      (reason: unknown) => reason,
    )) as FirsthandError;
    expect([error.operation, error.operands]).toEqual([
      'fit',
      [{ name: 'loss', shape: [4, 1], dtype: 'float32' }],
    ]);
  });
});

describe('a loss that is not finite', () => {
  const broken = (at: number, value: number): Options['data'] => {
    const spoilt = x.contiguous().data.slice();
    spoilt[2 * at] = value;
    return new DataLoader(new ArrayDataset({ x: { dtype: 'float32', shape: [8, 2], data: spoilt }, y }), {
      batchSize: 1,
    });
  };

  test.each([true, false])(
    'of a batch that holds NaN ends the training and names step, epoch and field; compiled: %s',
    async (compile) => {
      const progress = new Progress();
      const failing = fit(options({ data: broken(5, NaN), progress, compile }));
      await expect(failing).rejects.toThrow(NonFiniteError);
      await expect(failing).rejects.toThrow(
        "fit: the loss is NaN at step 6, in epoch 0; x of its batch holds NaN; repair the data, or go on with nonFinite: 'warn'",
      );
      expect(await failing.catch((error: unknown) => error)).toMatchObject({
        loss: NaN,
        epoch: 0,
        step: 6,
        operation: 'fit',
      });
      expect(progress.epoch).toBe(0);
      await expect(fit(options({ data: broken(0, -Infinity) }))).rejects.toThrow(
        'the loss is Infinity at step 1, in epoch 0; x of its batch holds -Infinity',
      );
    },
  );

  test('of steps that are too large names the learning rate', async () => {
    const model = linear();
    const diverging = options({
      model,
      optimizer: new SGD(model.parameters(), { lr: 1e30 }),
      data: loader(1),
      epochs: 5,
    });
    await expect(fit(diverging)).rejects.toThrow(
      /the loss is (NaN|Infinity) at step \d, in epoch 0; its batch is finite; try a learning rate below 1e\+30, or clip/,
    );
  });

  test('names the highest rate that a group was made with, not what a schedule has made of it', async () => {
    const model = linear();
    const optimizer = new SGD([{ parameters: [model.weight], lr: 1e30 }, { parameters: [model.bias!] }], {
      lr: 0.1,
    });
    await expect(fit(options({ model, optimizer, data: loader(1), schedule: () => 0.5 }))).rejects.toThrow(
      'its batch is finite; try a learning rate below 1e+30, or clip',
    );
  });

  test('is noticed at most 8 batches later', async () => {
    const spoilt = new Float32Array(80).fill(1);
    spoilt[2 * 10] = NaN; // of the 11th batch
    const fields = { x: { dtype: 'float32', shape: [40, 2], data: spoilt }, y: zeros([40, 1]) } as const;
    const data = new DataLoader(new ArrayDataset(fields), { batchSize: 1 });
    const onStep = vi.fn<() => void>();
    await expect(fit(options({ data, callbacks: [{ onStep }] }))).rejects.toThrow(
      'the loss is NaN at step 11, in epoch 0',
    );
    expect(onStep.mock.calls.length).toBeGreaterThanOrEqual(10);
    expect(onStep.mock.calls.length).toBeLessThanOrEqual(11 + 8);
  });

  test('of the last batch is noticed before the epoch counts as done', async () => {
    const onEpoch = vi.fn<() => void>();
    await expect(fit(options({ data: broken(7, NaN), callbacks: [{ onEpoch }] }))).rejects.toThrow(
      'at step 8, in epoch 0',
    );
    expect(onEpoch).not.toHaveBeenCalled();
  });

  test('is said once, or not at all, if it is to go on', async () => {
    const { epochs } = await fit(options({ data: broken(5, NaN), nonFinite: 'warn' }));
    expect(epochs.map(({ training }) => training['loss'])).toEqual([NaN, NaN]);
    expect(warnings()).toEqual([
      'fit: the loss is NaN at step 6, in epoch 0; x of its batch holds NaN; repair the data',
    ]);
    warn.mockClear();
    await fit(options({ data: broken(5, NaN), validation: broken(5, NaN), nonFinite: 'ignore' }));
    expect(warnings()).toEqual([]);
  });

  test('in validation is warned of, and ends nothing', async () => {
    const { epochs } = await fit(options({ validation: broken(5, NaN) }));
    expect(epochs.map(({ validation }) => validation!['loss'])).toEqual([NaN, NaN]);
    expect(warnings()).toEqual(['fit: the validation loss is NaN after epoch 0']);
  });

  test('a metric may be what it is', async () => {
    const { epochs } = await fit(
      options({ loss: (net, batch) => ({ loss: squares(net, batch), odd: tensor(NaN) }) }),
    );
    expect(epochs.at(-1)!.training['odd']).toBeNaN();
  });
});
