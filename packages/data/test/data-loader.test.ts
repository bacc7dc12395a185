/** Loaders: every example once per epoch, exact resume from any position, prefetching that changes nothing, errors, and states that do not fit. */
import { arange, array, FirsthandError, Generator } from '@firsthand/linalg';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArrayDataset, DataLoader, type DataLoaderOptions, type Dataset, type DataLoaderState, FormatError } from '../src/index.ts';

const dataset = (length: number): ArrayDataset<'x'> => new ArrayDataset({ x: arange(length, undefined, 1, 'int32') });

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
    for (const count of counts.values()) expect(Math.abs(count - 200)).toBeLessThan(60); // 200 ± 4.6 standard deviations
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
        const whole = new DataLoader(dataset(length), options(shuffled, { dropLast, prefetch: prefetches[0] }));
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
          options(shuffled, { dropLast, prefetch: prefetches[1], ...(shuffled ? { shuffle: new Generator(1) } : {}) }),
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

  const good: DataLoaderState = { epoch: 0, position: 1, generator: { key: [1, 2], counter: [0, 0] }, examples: 10, batchSize: 4 };

  it.each<[string, Partial<DataLoaderState>, RegExp]>([
    ['another dataset', { examples: 11 }, /state is of 11 examples in batches of 4, this loader has 10 in batches of 4/],
    ['another batch size', { batchSize: 5 }, /10 examples in batches of 5/],
    ['a position beyond the epoch', { position: 4 }, /position 4 of 3 batches/],
    ['a negative position', { position: -1 }, /position -1/],
    ['half an epoch', { epoch: 0.5 }, /epoch 0.5/],
    ['no position', { position: undefined as unknown as number }, /position undefined/],
    ['no shuffling', { generator: null }, /examples in order, this loader's come shuffled/],
    ['a broken generator', { generator: { key: [1, -2], counter: [0, 0] } }, /is not a generator's state/],
    ['half a generator', { generator: { key: [1, 2] } as unknown as DataLoaderState['generator'] }, /is not a generator's state/],
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

describe('prefetch', () => {
  /** A dataset that answers later, last asked first, and records how many questions are open. */
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

describe('misuse', () => {
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
