/**
 * Loaders: every example once per epoch, exact resume from any position, prefetching that changes nothing,
 * errors, and states that do not fit.
 */
import { arange, array, FirsthandError, Generator, stack } from '@firsthand/linalg';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ArrayDataset,
  DataLoader,
  type DataLoaderOptions,
  type Dataset,
  type DataLoaderState,
  FormatError,
  mapDataset,
  mapExamples,
} from '../src/index.ts';

const dataset = (length: number): ArrayDataset<'x'> =>
  new ArrayDataset({ x: arange(length, { dtype: 'int32' }) });

/** The examples of the batches that are left of the current epoch. */
async function epoch(loader: DataLoader<'x'>): Promise<number[][]> {
  const batches: number[][] = [];
  for await (const { x } of loader) batches.push([...x.data]);
  return batches;
}

describe('an epoch', () => {
  it('without shuffling is the dataset, cut', async () => {
    const loader = new DataLoader(dataset(7), { batchSize: 3 });
    expect(loader.length).toBe(3);
    expect(await epoch(loader)).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
    expect(await epoch(loader)).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
    expect(loader.epoch).toBe(2);
  });

  it('with dropLast leaves out what does not fill a batch', async () => {
    const loader = new DataLoader(dataset(7), { batchSize: 3, dropLast: true });
    expect(loader.length).toBe(2);
    expect(await epoch(loader)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
  });

  it('shuffled has every example once, in another order each time, the same for the same seed', async () => {
    const loader = new DataLoader(dataset(50), { batchSize: 8, shuffle: new Generator(3) });
    const [first, second] = [(await epoch(loader)).flat(), (await epoch(loader)).flat()];
    const sorted = (values: number[]): number[] => values.toSorted((a, b) => a - b);
    expect(sorted(first)).toEqual([...dataset(50).batch(arange(50).data).x.data]);
    expect(sorted(second)).toEqual(sorted(first));
    expect(second).not.toEqual(first);
    expect(first).not.toEqual(sorted(first));
    const again = new DataLoader(dataset(50), { batchSize: 8, shuffle: new Generator(3) });
    expect([(await epoch(again)).flat(), (await epoch(again)).flat()]).toEqual([first, second]);
  });

  it('draws orders that are evenly spread', async () => {
    const loader = new DataLoader(dataset(3), { batchSize: 3, shuffle: new Generator(11) });
    const counts = new Map<string, number>();
    for (let i = 0; i < 1200; i++) {
      const order = (await epoch(loader)).join();
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    // 200 ± 4.6 standard deviations
    for (const count of counts.values()) expect(Math.abs(count - 200)).toBeLessThan(60);
  });
});

describe('state', () => {
  const options = (shuffled: boolean, more: Partial<DataLoaderOptions>): DataLoaderOptions => ({
    batchSize: 4,
    ...(shuffled ? { shuffle: new Generator(9) } : {}),
    ...more,
  });

  it('resumes from any position of any epoch with the same batches, whatever is prefetched', async () => {
    const positions = fc.record({
      length: fc.integer({ min: 4, max: 30 }),
      shuffled: fc.boolean(),
      dropLast: fc.boolean(),
      prefetches: fc.tuple(fc.nat(4), fc.nat(4)),
      stop: fc.nat(25),
    });
    await fc.assert(
      fc.asyncProperty(positions, async ({ length, shuffled, dropLast, prefetches, stop }) => {
        const whole = new DataLoader(
          dataset(length),
          options(shuffled, { dropLast, prefetch: prefetches[0] }),
        );
        let saved: DataLoaderState = JSON.parse(JSON.stringify(whole.state)) as DataLoaderState;
        const after: number[][] = [];
        let delivered = 0;
        for (let i = 0; i < 6; i++) {
          for await (const { x } of whole) {
            if (++delivered > stop) after.push([...x.data]);
            else saved = JSON.parse(JSON.stringify(whole.state)) as DataLoaderState;
          }
        }
        const resumed = new DataLoader(
          dataset(length),
          options(shuffled, {
            dropLast,
            prefetch: prefetches[1],
            ...(shuffled ? { shuffle: new Generator(1) } : {}),
          }),
        );
        resumed.state = saved;
        const rest: number[][] = [];
        while (resumed.epoch < 6) rest.push(...(await epoch(resumed)));
        expect(rest).toEqual(after);
        expect(resumed.state).toEqual(whole.state);
      }),
      { numRuns: 60 },
    );
  });

  it('goes back within one loader, and is not changed by reading it', async () => {
    const loader = new DataLoader(dataset(10), { batchSize: 4, shuffle: new Generator(5) });
    await epoch(loader);
    const saved = loader.state;
    expect(loader.state).toEqual(saved);
    const second = await epoch(loader);
    loader.state = saved;
    expect(await epoch(loader)).toEqual(second);
  });

  it('counts delivered batches only, and goes on after a loop that was left early', async () => {
    const loader = new DataLoader(dataset(10), { batchSize: 4, prefetch: 2 });
    for await (const { x } of loader) {
      expect([...x.data]).toEqual([0, 1, 2, 3]);
      break;
    }
    expect([loader.epoch, loader.position]).toEqual([0, 1]);
    expect(await epoch(loader)).toEqual([
      [4, 5, 6, 7],
      [8, 9],
    ]);
    expect([loader.epoch, loader.position]).toEqual([1, 0]);
  });

  it('still is in the epoch after its last batch, until a loop has seen the end', async () => {
    const loader = new DataLoader(dataset(4), { batchSize: 4 });
    for await (const _ of loader) break;
    expect([loader.epoch, loader.position]).toEqual([0, 1]);
    expect(await epoch(loader)).toEqual([]);
    expect(await epoch(loader)).toEqual([[0, 1, 2, 3]]);
  });

  const good: DataLoaderState = {
    epoch: 0,
    position: 1,
    generator: { key: [1, 2], counter: [0, 0] },
    key: [1, 2],
    examples: 10,
    batchSize: 4,
  };

  it.each<[string, Partial<DataLoaderState>, RegExp]>([
    [
      'another dataset',
      { examples: 11 },
      /state is of 11 examples in batches of 4, this loader has 10 in batches of 4/,
    ],
    ['another batch size', { batchSize: 5 }, /10 examples in batches of 5/],
    ['a position beyond the epoch', { position: 4 }, /position 4 of 3 batches/],
    ['a negative position', { position: -1 }, /position -1/],
    ['half an epoch', { epoch: 0.5 }, /epoch 0.5/],
    ['no position', { position: undefined as unknown as number }, /position undefined/],
    ['no shuffling', { generator: null }, /examples in order, this loader's come shuffled/],
    ['a broken generator', { generator: { key: [1, -2], counter: [0, 0] } }, /is not a generator's state/],
    ['no key', { key: undefined as unknown as DataLoaderState['key'] }, /is not a generator's state/],
    ['a broken key', { key: [1, 2 ** 32] }, /is not a generator's state/],
    [
      'half a generator',
      { generator: { key: [1, 2] } as unknown as DataLoaderState['generator'] },
      /is not a generator's state/,
    ],
  ])('of %s is refused and changes nothing', async (_, change, message) => {
    const loader = new DataLoader(dataset(10), { batchSize: 4, shuffle: new Generator(5) });
    const before = loader.state;
    const assign = (): void => {
      loader.state = { ...good, ...change };
    };
    expect(assign).toThrow(FormatError);
    expect(assign).toThrow(message);
    expect(loader.state).toEqual(before);
  });

  it('of shuffled examples is refused by a loader in order', () => {
    const loader = new DataLoader(dataset(10), { batchSize: 4 });
    expect(() => (loader.state = good)).toThrow(/shuffled, this loader's come in order/);
  });
});

describe('random numbers of examples', () => {
  /** Each example is its index and two numbers that were drawn for it. */
  const random = (length: number): Dataset<'x'> =>
    mapExamples(dataset(length), async ({ x }, { index, epoch: number, generator }) => {
      expect(x.get()).toBe(index);
      await new Promise((resolve) => setTimeout(resolve, index % 3));
      return { x: stack([array(index), array(number), generator.uniform([])]) };
    });
  /** The numbers of the next epochs, by epoch and index. */
  async function drawn(loader: DataLoader<'x'>, epochs = 2): Promise<Map<string, number>> {
    const numbers = new Map<string, number>();
    for (const last = loader.epoch + epochs; loader.epoch < last;) {
      for await (const { x } of loader) {
        for (let i = 0; i < x.shape[0]!; i++) numbers.set(`${x.get(i, 1)}.${x.get(i, 0)}`, x.get(i, 2));
      }
    }
    return numbers;
  }

  it('depend on seed, epoch and index alone: not on order, batch size or prefetching', async () => {
    const expected = await drawn(new DataLoader(random(11), { batchSize: 3, seed: 5 }));
    expect(expected.size).toBe(22);
    expect(new Set(expected.values()).size).toBe(22);
    for (const batchSize of [1, 4, 11]) {
      for (const prefetch of [0, 1, 5]) {
        for (const shuffle of [new Generator(5), new Generator(8), undefined]) {
          const options = { batchSize, prefetch, seed: 5, ...(shuffle === undefined ? {} : { shuffle }) };
          const numbers = await drawn(new DataLoader(random(11), options));
          expect(numbers).toEqual(expected);
        }
      }
    }
    expect(await drawn(new DataLoader(random(11), { batchSize: 3, seed: 6 }))).not.toEqual(expected);
  });

  it('are those of the shuffling generator’s seed by default, and never its own numbers', async () => {
    const shuffled = await drawn(new DataLoader(random(5), { batchSize: 2, shuffle: new Generator(5) }));
    const seeded = await drawn(new DataLoader(random(5), { batchSize: 2, seed: 5n }));
    expect(shuffled).toEqual(seeded);
    const generator = new Generator(5);
    const streams = [generator, generator.split(), generator.split()]
      .map((stream) => stream.uniform([100]).toArray() as number[])
      .flat();
    expect(streams.filter((number) => [...seeded.values()].includes(number))).toEqual([]);
  });

  it('are the same after a loop that was left early, and in a program that goes on from a state, whatever it was seeded with', async () => {
    const make = (seed: number, prefetch: number): DataLoader<'x'> =>
      new DataLoader(random(10), { batchSize: 3, prefetch, shuffle: new Generator(seed) });
    const whole = await drawn(make(1, 2), 3);
    for (const prefetch of [0, 1, 2, 7]) {
      const numbers = new Map<string, number>();
      let loader = make(1, prefetch);
      let seed = 50;
      for (let delivered = 0; loader.epoch < 3;) {
        for await (const { x } of loader) {
          for (let i = 0; i < x.shape[0]!; i++) numbers.set(`${x.get(i, 1)}.${x.get(i, 0)}`, x.get(i, 2));
          if (++delivered % 2 === 1) break; // with batches prefetched that nobody will see
        }
        const { state } = loader;
        loader = make(seed++, (prefetch + seed) % 5);
        loader.state = JSON.parse(JSON.stringify(state)) as DataLoaderState;
      }
      expect(numbers).toEqual(whole);
    }
  });

  it('of a dataset and of one that sees through it are different ones', async () => {
    const inner = mapExamples(dataset(20), (_, { generator }) => ({ a: generator.uniform([]) }));
    const outer = mapExamples(inner, ({ a }, { generator }) => ({ a, b: generator.uniform([]) }));
    const batches = mapDataset(outer, ({ a, b }, { indices, generator }) => ({
      a,
      b,
      c: stack(Array.from(indices, (_, position) => generator(position).uniform([]))),
    }));
    for await (const { a, b, c } of new DataLoader(batches, { batchSize: 20, seed: 3 })) {
      expect(new Set([...a.data, ...b.data, ...c.data]).size).toBe(60);
    }
    // Outside of a loader too.
    expect((await batches.get(4)).b.get()).toBe((await batches.batch([3, 4])).b.get(1));
    expect((await batches.get(4, { epoch: 1, key: [0, 0] })).b.get()).not.toBe(
      (await batches.get(4)).b.get(),
    );
  });

  it('are evenly spread over epochs and indices', async () => {
    const numbers = [...(await drawn(new DataLoader(random(100), { batchSize: 50, seed: 0 }), 20)).values()];
    const mean = numbers.reduce((a, b) => a + b) / 2000;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.03); // 4.6 standard deviations of 0.289/√2000
    const neighbours = numbers.slice(1).map((number, i) => (number - 0.5) * (numbers[i]! - 0.5));
    expect(Math.abs(12 * (neighbours.reduce((a, b) => a + b) / 1999))).toBeLessThan(0.11); // of 1/√2000
  });
});

describe('prefetch', () => {
  /** A dataset that answers later, last request first, and records the number of open requests. */
  function slow(length: number): { dataset: Dataset<'x'>; mostOpen: () => number } {
    let open = 0;
    let most = 0;
    return {
      mostOpen: () => most,
      dataset: {
        length,
        get: async (index) => {
          most = Math.max(most, ++open);
          await new Promise((resolve) => setTimeout(resolve, (length - index) % 5));
          open--;
          return { x: array(index, { dtype: 'int32' }) };
        },
      },
    };
  }

  it.each([
    [0, 1],
    [1, 2],
    [3, 4],
  ])('of %i keeps %i batches loading, in order', async (prefetch, most) => {
    const { dataset: source, mostOpen } = slow(12);
    const batches = await epoch(new DataLoader(source, { batchSize: 1, prefetch }));
    expect(batches.flat()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(mostOpen()).toBe(most);
  });

  it('reports a failure at the batch that failed, not before, and goes on from there', async () => {
    let broken = true;
    const source: Dataset<'x'> = {
      length: 4,
      get: async (index) => {
        if (index === 2 && broken) throw new Error('a page is missing');
        return { x: array(index, { dtype: 'int32' }) };
      },
    };
    const loader = new DataLoader(source, { batchSize: 1, prefetch: 3 });
    const seen: number[] = [];
    const loop = async (): Promise<void> => {
      for await (const { x } of loader) seen.push(...x.data);
    };
    await expect(loop()).rejects.toThrow('a page is missing');
    expect(seen).toEqual([0, 1]);
    broken = false;
    await loop();
    expect(seen).toEqual([0, 1, 2, 3]);
  });

  it('lets a failure go that no loop came to', async () => {
    const source: Dataset<'x'> = {
      length: 3,
      get: async (index) => (index === 0 ? { x: array([0]) } : Promise.reject(new Error('nobody asked'))),
    };
    const unhandled: unknown[] = [];
    const listen = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', listen);
    for await (const _ of new DataLoader(source, { batchSize: 1, prefetch: 2 })) break;
    await new Promise((resolve) => setTimeout(resolve, 5));
    process.off('unhandledRejection', listen);
    expect(unhandled).toEqual([]);
  });
});

describe('beginning again', () => {
  it('delivers the epoch from its first batch, in the same order, and ends a loop that runs', async () => {
    const loader = new DataLoader(dataset(9), { batchSize: 2, shuffle: new Generator(4) });
    const running = loader[Symbol.asyncIterator]();
    const first = [...(await running.next()).value!.x.data];
    await running.next();
    loader.restart();
    expect([loader.epoch, loader.position]).toEqual([0, 0]);
    await expect(running.next()).rejects.toThrow(/another loop over this loader has begun/);
    const again = await epoch(loader);
    expect(again[0]).toEqual(first);
    expect(again.flat().toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    const untouched = new DataLoader(dataset(9), { batchSize: 2, shuffle: new Generator(4) });
    untouched.restart();
    expect(await epoch(untouched)).toEqual(again);
    expect(await epoch(untouched)).toEqual(await epoch(loader));
  });
});

describe('misuse', () => {
  it.each<[string, unknown, RegExp]>([
    [
      'fields instead of a dataset',
      { x: arange(3) },
      /an object where a dataset is wanted; needs a length and get.*new ArrayDataset/,
    ],
    ['a list of examples', [{ x: array(1) }], /an array where a dataset is wanted/],
    ['a dataset of unknown length', { get: () => ({}), length: undefined }, /where a dataset is wanted/],
    ['a dataset of half an example', { get: () => ({}), length: 0.5 }, /where a dataset is wanted/],
    ['nothing', undefined, /undefined where a dataset is wanted/],
  ])('refuses %s', (_, value, message) => {
    expect(() => new DataLoader(value as Dataset<'x'>, { batchSize: 1 })).toThrow(message);
  });

  it.each<[object, RegExp]>([
    [{ batchSize: 1, batch: 2 }, /no option 'batch'/],
    [{ batch_size: 1 }, /no option 'batch_size'.*write batchSize/],
    [{ batchSize: 1, shuffle: true }, /shuffle is true; write shuffle: new Generator\(42\)/],
    [{ batchSize: 1, shuffle: null }, /shuffle is null/],
    [{ batchSize: 1, seed: -1 }, /seed -1 is not a whole number/],
    [{}, /batchSize is a whole number of at least 1, not undefined/],
  ])('refuses the options %o', (options, message) => {
    expect(() => new DataLoader(dataset(3), options as DataLoaderOptions)).toThrow(message);
  });

  it('notices a dataset that has grown, instead of leaving examples out', async () => {
    const growing = { length: 2, get: (index: number) => ({ x: array(index) }) };
    const loader = new DataLoader(growing, { batchSize: 1 });
    await epoch(loader);
    growing.length = 3;
    await expect(epoch(loader)).rejects.toThrow(
      'the dataset had 2 examples when the loader was made, and has 3 now',
    );
  });

  it('ends a loop that another has overtaken, instead of sharing batches out between them', async () => {
    const loader = new DataLoader(dataset(6), { batchSize: 2 });
    const first = loader[Symbol.asyncIterator]();
    await first.next();
    const second = loader[Symbol.asyncIterator]();
    expect([...(await second.next()).value!.x.data]).toEqual([2, 3]);
    await expect(first.next()).rejects.toThrow(/another loop over this loader has begun/);
    expect([...(await second.next()).value!.x.data]).toEqual([4, 5]);
  });

  it.each<[string, number, DataLoaderOptions, RegExp]>([
    ['batchSize 0', 3, { batchSize: 0 }, /batchSize is a whole number of at least 1, not 0/],
    ['batchSize 1.5', 3, { batchSize: 1.5 }, /not 1.5/],
    ['batchSize NaN', 3, { batchSize: NaN }, /not NaN/],
    ['prefetch −1', 3, { batchSize: 1, prefetch: -1 }, /prefetch is a whole number of at least 0, not -1/],
    ['no examples', 0, { batchSize: 1 }, /0 examples make no batch of 1; give a dataset with examples/],
    [
      'dropLast that drops all',
      3,
      { batchSize: 4, dropLast: true },
      /3 examples make no batch of 4; lower batchSize or leave dropLast off/,
    ],
  ])('refuses %s', (_, length, options, message) => {
    expect(() => new DataLoader(dataset(length), options)).toThrow(FirsthandError);
    expect(() => new DataLoader(dataset(length), options)).toThrow(message);
  });
});
