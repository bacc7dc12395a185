// Checkpoints: what they hold and give back, and that a wrong or torn file changes nothing.
import { defaultGenerator, manualSeed, type Tensor, tensor } from '@firsthand/autograd';
import { ArrayDataset, DataLoader, FormatError, readSafetensors, writeSafetensors } from '@firsthand/data';
import { array, FirsthandError, Generator } from '@firsthand/linalg';
import { Linear, loss, Module, StateDictError } from '@firsthand/nn';
import { AdamW, SGD } from '@firsthand/optim';
import fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { fit, loadCheckpoint, Progress, saveCheckpoint } from '../src/index.ts';

const runs = process.env['FIRSTHAND_FULL'] === '1' ? 10_000 : 300;
const x = new Generator(5).normal([6, 2]);

function make(seed: number, size = 2) {
  manualSeed(seed);
  const model = new Linear(size, size);
  return {
    model,
    optimizer: new AdamW(model.parameters(), { lr: 0.1 }),
    data: new DataLoader(new ArrayDataset({ x }), { batchSize: 2, shuffle: new Generator(seed) }),
    progress: new Progress(),
  };
}
type Training = ReturnType<typeof make>;

async function trained(seed: number): Promise<Training> {
  const training = make(seed);
  await fit({ ...training, loss: (net, batch) => loss.mse(net.forward(batch.x), batch.x), epochs: 2 });
  return training;
}

/** Everything that a checkpoint is about, as plain values. */
async function everything({ model, optimizer, data, progress }: Training) {
  const { tensors, learningRates } = optimizer.stateDict();
  const values = [...model.stateDict(), ...tensors].map(async ([name, tensor]) => [
    name,
    await tensor.toArray(),
  ]);
  return {
    values: await Promise.all(values),
    learningRates,
    place: data.state,
    progress: await progress.state(),
    generator: defaultGenerator().state,
  };
}

test('gives back everything, with the metadata of its writer', async () => {
  const source = await trained(1);
  source.optimizer.groups[0]!.lr = 0.025;
  const bytes = await saveCheckpoint(source, new Map([['dataset', 'three points']]));
  const expected = await everything(source);
  const target = make(2);
  expect(await everything(target)).not.toEqual(expected);
  expect(loadCheckpoint(bytes, target)).toEqual(new Map([['dataset', 'three points']]));
  expect(await everything(target)).toEqual(expected);
});

test('of float16 parameters holds what the optimizer keeps in float32, and a resumed run goes on bit for bit', async () => {
  const begin = () => {
    manualSeed(3);
    const model = new Linear(2, 2, { dtype: 'float16' });
    return { model, optimizer: new AdamW(model.parameters(), { lr: 0.1 }) };
  };
  const steps = ({ model, optimizer }: ReturnType<typeof begin>, count: number): void => {
    for (let step = 0; step < count; step++) {
      const input = tensor([[1, 0.5]], { dtype: 'float16' });
      loss.mse(model.forward(input), input).backward();
      optimizer.step();
      optimizer.zeroGrad();
    }
  };
  const source = begin();
  steps(source, 3);
  const bytes = await saveCheckpoint(source);
  const dtypes = new Map([...readSafetensors(bytes).tensors].map(([name, { dtype }]) => [name, dtype]));
  expect(dtypes.get('weight')).toBe('float16');
  expect([...dtypes].filter(([name]) => name.startsWith('__optimizer__.')).map(([, dtype]) => dtype)).toEqual(
    Array.from({ length: 6 }, () => 'float32'),
  );
  const target = begin();
  loadCheckpoint(bytes, target);
  steps(source, 2);
  steps(target, 2);
  expect(await target.model.weight.data()).toEqual(await source.model.weight.data());
  expect(await target.optimizer.stateDict().tensors.get('0.step')!.item()).toBe(5);
});

test('what a safetensors reader gives is a state dict as it is', async () => {
  const source = new Linear(2, 1);
  const values = new Map([
    ['weight', array([[1, 2]])],
    ['bias', array([3], { dtype: 'float16' })],
  ]);
  source.loadStateDict(readSafetensors(writeSafetensors(values)));
  expect([await source.weight.toArray(), await source.bias!.toArray()]).toEqual([[[1, 2]], [3]]);
  source.loadStateDict(readSafetensors(writeSafetensors(new Map([...values, ['bias', array([4])]]))).tensors);
  expect(await source.bias!.item()).toBe(4);
});

test('is a safetensors file with readable names', async () => {
  const { tensors, metadata } = readSafetensors(await saveCheckpoint(await trained(1)));
  expect([...tensors.keys()].toSorted()).toEqual([
    '__optimizer__.0.mean',
    '__optimizer__.0.square',
    '__optimizer__.0.step',
    '__optimizer__.1.mean',
    '__optimizer__.1.square',
    '__optimizer__.1.step',
    'bias',
    'weight',
  ]);
  expect([...metadata.keys()]).toEqual(['firsthand.checkpoint']);
});

test('of a model alone has the names of its state dict, and no others', async () => {
  const { model } = await trained(1);
  const { tensors } = readSafetensors(await saveCheckpoint({ model }));
  expect([...tensors.keys()].toSorted()).toEqual([...model.stateDict().keys()].toSorted());
});

test('a state dict is written as it is, and gives a model its values again', async () => {
  const { model } = await trained(1);
  const bytes = await writeSafetensors(model.stateDict());
  expectTypeOf(bytes).toEqualTypeOf<Uint8Array<ArrayBuffer>>();
  const { tensors, metadata } = readSafetensors(bytes);
  expect([[...tensors.keys()], metadata.size]).toEqual([['bias', 'weight'], 0]);
  const other = make(2).model;
  other.loadStateDict(tensors);
  expect(await other.weight.toArray()).toEqual(await model.weight.toArray());
});

test('refuses a model whose names are the optimizer’s', async () => {
  class Odd extends Module {
    readonly __optimizer__: Linear = new Linear(1, 1);
    forward(input: Tensor): Tensor {
      return this.__optimizer__.forward(input);
    }
  }
  await expect(saveCheckpoint({ model: new Odd() })).rejects.toThrow(
    '__optimizer__.weight of the model has a name that is reserved',
  );
});

test('bytes are what a Blob and a request take: an array over an ArrayBuffer of its own', async () => {
  const bytes = await saveCheckpoint({ model: new Linear(1, 1) });
  expectTypeOf(bytes).toEqualTypeOf<Uint8Array<ArrayBuffer>>();
  const part: BlobPart = bytes;
  expect(new Uint8Array(await new Blob([part]).arrayBuffer())).toEqual(bytes);
});

test('gives only the model to whoever asks for no more, and leaves the generator alone', async () => {
  const source = await trained(1);
  const bytes = await saveCheckpoint(source);
  const { model } = make(2);
  const { state } = defaultGenerator();
  loadCheckpoint(bytes, { model });
  expect(await model.weight.data()).toEqual(await source.model.weight.data());
  expect(defaultGenerator().state).toEqual(state);
});

test('keeps a diverged history: NaN and infinities survive', async () => {
  const source = make(1);
  const report = {
    epoch: 0,
    step: 3,
    training: { loss: NaN, best: -Infinity },
    validation: null,
    learningRates: [0.1],
    seconds: 1,
    examplesPerSecond: Infinity,
  };
  source.progress.completeEpoch(report);
  const target = make(2);
  loadCheckpoint(await saveCheckpoint(source), target);
  expect(target.progress.history).toEqual([report]);
});

describe('a file that does not fit changes nothing', () => {
  const expectRefused = async (
    bytes: Uint8Array,
    target: Training,
    error: new (...args: never[]) => Error,
    message: string,
  ): Promise<void> => {
    const before = await everything(target);
    const load = (): unknown => loadCheckpoint(bytes, target);
    expect(load).toThrow(error);
    expect(load).toThrow(message);
    expect(await everything(target)).toEqual(before);
  };

  test('another model, optimizer or data set', async () => {
    const source = await trained(1);
    const bytes = await saveCheckpoint(source);
    await expectRefused(bytes, make(2, 3), StateDictError, 'weight ([3, 3], the state has [2, 2])');
    const base = make(2);
    const other = {
      ...base,
      optimizer: new SGD(base.model.parameters(), { lr: 1, momentum: 0.9 }),
    } as unknown as Training;
    await expectRefused(bytes, other, FirsthandError, 'missing 0.momentum');
    const longer = {
      ...make(2),
      data: new DataLoader(new ArrayDataset({ x: new Generator(5).normal([8, 2]) }), {
        batchSize: 2,
        shuffle: new Generator(1),
      }),
    };
    await expectRefused(bytes, longer, FormatError, 'the state is of 6 examples');
  });

  test('parts that were not saved', async () => {
    const { model, optimizer, data } = await trained(1);
    const bytes = await saveCheckpoint({ model });
    await expectRefused(bytes, make(2), FormatError, 'saved without optimizer');
    await expectRefused(
      await saveCheckpoint({ model, optimizer, data }),
      make(2),
      FormatError,
      'saved without progress',
    );
    await expectRefused(
      await saveCheckpoint({ model, optimizer, progress: new Progress() }),
      make(2),
      FormatError,
      'saved without data',
    );
    const { data: validation } = make(2);
    expect(() => loadCheckpoint(bytes, { model, validation })).toThrow('saved without validation');
  });

  test('no checkpoint, another version, a header that is no header', async () => {
    const withHeader = (text: string): Uint8Array =>
      writeSafetensors(new Map([['a', array([1])]]), new Map([['firsthand.checkpoint', text]]));
    await expectRefused(
      writeSafetensors(new Map([['a', array([1])]])),
      make(2),
      FormatError,
      'not written by saveCheckpoint',
    );
    await expectRefused(withHeader('{'), make(2), FormatError, 'no JSON');
    await expectRefused(withHeader('[]'), make(2), FormatError, 'names no version');
    await expectRefused(withHeader('{"version":1}'), make(2), FormatError, 'version 1');
    await expectRefused(withHeader('{"version":2}'), make(2), FormatError, 'not what saveCheckpoint writes');
  });

  test('a header with any part missing, or of another type', async () => {
    const { tensors, metadata } = readSafetensors(await saveCheckpoint(await trained(1)));
    type Json = { [key: string]: unknown };
    const header = JSON.parse(metadata.get('firsthand.checkpoint')!) as Json;
    /** Every path to a value in the header. */
    const paths = (value: unknown, path: string[] = []): string[][] => [
      path,
      ...(typeof value === 'object' && value !== null
        ? Object.entries(value).flatMap(([key, each]) => paths(each, [...path, key]))
        : []),
    ];
    const at = (root: Json, path: readonly string[]): Json =>
      path.reduce((value, key) => value[key] as Json, root);
    const all = paths(header).slice(1);
    expect(all.length).toBeGreaterThan(40);
    const target = make(2);
    const before = await everything(target);
    for (const path of all) {
      const [parent, key] = [path.slice(0, -1), path.at(-1)!];
      const wrong: (string | undefined)[] = Array.isArray(at(header, parent))
        ? ['wrong']
        : [undefined, 'wrong'];
      // A metric less is no error
      if (parent.at(-1) === 'training' || parent.at(-1) === 'sums') wrong.shift();
      for (const value of wrong) {
        const copy = structuredClone(header);
        if (value === undefined) Reflect.deleteProperty(at(copy, parent), key);
        else at(copy, parent)[key] = value;
        const bytes = writeSafetensors(tensors, new Map([['firsthand.checkpoint', JSON.stringify(copy)]]));
        expect(() => loadCheckpoint(bytes, target), `${path.join('.')}: ${value}`).toThrow(FormatError);
      }
    }
    const more: readonly (readonly [string, unknown])[] = [
      ['generator', null],
      ['generator', { key: [1, 2, 3], counter: [0, 0] }],
      ['progress', { ...(header['progress'] as Json), totals: null }],
    ];
    for (const [key, value] of more) {
      const text = JSON.stringify({ ...header, [key]: value });
      const bytes = writeSafetensors(tensors, new Map([['firsthand.checkpoint', text]]));
      expect(() => loadCheckpoint(bytes, target), key).toThrow(FormatError);
    }
    expect(await everything(target)).toEqual(before);
  });

  test('bytes that were cut off or changed are a typed error, or a checkpoint', async () => {
    const bytes = await saveCheckpoint(await trained(1));
    const target = make(2);
    const mutation = fc.record({
      at: fc.nat(bytes.length - 1),
      value: fc.nat(255),
      length: fc.oneof(fc.constant(bytes.length), fc.nat(bytes.length)),
    });
    let refusals = 0;
    fc.assert(
      fc.property(mutation, ({ at, value, length }) => {
        const mutated = bytes.slice(0, length);
        if (at < length) mutated[at] = value;
        try {
          loadCheckpoint(mutated, target);
        } catch (error) {
          refusals++;
          expect(error).toBeInstanceOf(FirsthandError);
        }
      }),
      { numRuns: runs, seed: 6 },
    );
    expect(refusals).toBeGreaterThan(runs / 4);
  });
});
