/**
 * Philox against the vectors that its authors publish (Random123, kat_vectors), and the generator's streams
 * against its definition and against statistics.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  argsort,
  FirsthandError,
  floatsWithin,
  Generator,
  mean,
  norm,
  philox4x32,
  randomBits,
  std,
  sub,
  variance,
} from '../src/index.ts';
import { elements } from './helpers.ts';

const hex = (words: ArrayLike<number>): string =>
  Array.from(words, (word) => word.toString(16).padStart(8, '0')).join(' ');

describe('philox4x32-10', () => {
  test('published vectors', () => {
    const ones = 0xffffffff;
    expect(hex(philox4x32([0, 0, 0, 0], [0, 0]))).toBe('6627e8d5 e169c58d bc57ac4c 9b00dbd8');
    expect(hex(philox4x32([ones, ones, ones, ones], [ones, ones]))).toBe(
      '408f276d 41c83b0e a20bc7c6 6d5451fd',
    );
    expect(hex(philox4x32([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]))).toBe(
      'd16cfe09 94fdcceb 5001e420 24126ea1',
    );
  });

  test('randomBits is word i mod 4 of block ⌊i/4⌋, over the carry into the high word too', () => {
    const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    const low = fc.oneof(word, fc.integer({ min: 2 ** 32 - 4, max: 2 ** 32 - 1 }));
    fc.assert(
      fc.property(word, word, low, word, fc.nat(23), (k0, k1, c0, c1, length) => {
        const bits = randomBits([k0, k1], [c0, c1], length);
        expect(bits).toHaveLength(length);
        bits.forEach((value, i) => {
          const block = (BigInt(c0) + (BigInt(c1) << 32n) + BigInt(i >> 2)) & (2n ** 64n - 1n);
          expect(value).toBe(
            philox4x32([Number(block & 0xffffffffn), Number(block >> 32n), 0, 0], [k0, k1])[i % 4],
          );
        });
      }),
    );
  });
});

describe('Generator', () => {
  test('uniform float32 is the top 24 bits of each word, float64 the top 53 of two', () => {
    const bits = randomBits([42, 0], [0, 0], 8);
    expect(elements(new Generator(42).uniform([5]))).toEqual(
      Array.from(bits.slice(0, 5), (word) => (word >>> 8) / 2 ** 24),
    );
    const wide = [0, 1, 2].map(
      (i) => Number(((BigInt(bits[2 * i]!) >> 5n) << 26n) | (BigInt(bits[2 * i + 1]!) >> 6n)) / 2 ** 53,
    );
    expect(elements(new Generator(42).uniform([3], { dtype: 'float64' }))).toEqual(wide);
    expect(elements(new Generator(42).uniform([3], { low: -2, high: 2, dtype: 'float64' }))).toEqual(
      wide.map((u) => -2 + 4 * u),
    );
  });

  test('uniform numbers are in [low, high) in the type, also where rounding would leave it', () => {
    const bound = fc.oneof(
      fc.double({ min: -4, max: 4, noNaN: true }),
      fc.constantFrom(-1, 0, 0.1, 1, 1 + 2 ** -10, 1e-9, -65504, 60000),
    );
    for (const dtype of ['float16', 'float32', 'float64'] as const) {
      fc.assert(
        fc.property(bound, bound, fc.nat(1000), (a, b, seed) => {
          const [low, high] = a < b ? [a, b] : [b, a];
          fc.pre(low < high && floatsWithin(low, high, dtype, false) !== null);
          const values = elements(new Generator(seed).uniform([64], { low, high, dtype }));
          expect(values.filter((value) => !(value >= low && value < high))).toEqual([]);
        }),
      );
    }
  });

  test('the upper end never comes out, whatever the generator draws', () => {
    /** A generator that draws the largest unit there is: all bits of its words are 1. */
    class Largest extends Generator {
      constructor() {
        super(0);
        Object.assign(this, { words: (count: number) => new Uint32Array(count).fill(0xffffffff) });
      }
    }
    const drawn = (low: number, high: number, dtype: 'float16' | 'float32' | 'float64'): number =>
      new Largest().uniform([1], { low, high, dtype }).get(0);
    expect(drawn(0, 1, 'float16')).toBe(1 - 2 ** -11);
    expect(drawn(0, 1, 'float32')).toBe(1 - 2 ** -24);
    expect(drawn(0, 1, 'float64')).toBe(1 - 2 ** -53);
    expect(drawn(1, 2, 'float32')).toBe(2 - 2 ** -23); // 2 − 2⁻²⁴ is a tie, which rounds to 2
    expect(drawn(-3, 5, 'float16')).toBe(5 - 2 ** -8);
    expect(drawn(1, 1 + 2 ** -52, 'float64')).toBe(1);
    expect(drawn(-1e308, 1.5e308, 'float64')).toBeLessThan(1.5e308); // high − low is no float64
    expect(drawn(0, 0.1, 'float32')).toBeLessThan(0.1); // the float32 nearest to 0.1 is larger
    // And the float16 nearest is less: it does not come out either.
    expect(drawn(0, 0.1, 'float16')).toBeLessThan(0.0999755859375);
    expect(drawn(0, 1e-9, 'float16')).toBe(0); // unless nothing else is there
    expect(drawn(2, 2, 'float16')).toBe(2);
    // The largest normal number that there can be: √(−2 ln 2⁻²⁴).
    expect(new Largest().normal([1], { dtype: 'float16' }).get(0)).toBe(5.76953125);
  });

  test('bounds that are no interval, or hold no number of the type, are refused', () => {
    const draw = (low: number, high: number, dtype: 'float16' | 'float64' = 'float64') =>
      new Generator(0).uniform([1], { low, high, dtype });
    for (const [low, high] of [
      [1, 0],
      [NaN, 1],
      [0, Infinity],
    ] as const) {
      expect(() => draw(low, high)).toThrow(
        `uniform: [${low}, ${high}) is no interval; needs finite numbers with low ≤ high`,
      );
    }
    expect(() => draw(1.0001, 1.0002, 'float16')).toThrow(
      'uniform: there is no float16 number in [1.0001, 1.0002)',
    );
    expect(() => draw(0, 65520, 'float16')).toThrow(
      'uniform: [0, 65520) reaches beyond the range of float16',
    );
  });

  test('the numbers of a type in an interval', () => {
    const tiny = 2 ** -24;
    expect(floatsWithin(0, 1, 'float16', true)).toEqual({ least: 0, largest: 1 });
    expect(floatsWithin(-Infinity, Infinity, 'float16', true)).toEqual({
      least: -Infinity,
      largest: Infinity,
    });
    expect(floatsWithin(0.1, 0.3, 'float16', true)).toEqual({
      least: 0.0999755859375 + 2 ** -14,
      largest: 0.300048828125 - 2 ** -12,
    });
    expect(floatsWithin(tiny / 2, 3 * tiny, 'float16', false)).toEqual({ least: tiny, largest: 2 * tiny });
    expect(floatsWithin(-tiny, 0, 'float16', false)).toEqual({ least: -tiny, largest: -tiny });
    expect(floatsWithin(1, 2, 'float64', false)).toEqual({ least: 1, largest: 2 - 2 ** -52 });
    expect(floatsWithin(-2, -1, 'float64', false)).toEqual({ least: -2, largest: -1 - 2 ** -52 });
    expect(floatsWithin(1 + 2 ** -30, 1 + 2 ** -25, 'float32', true)).toBe(null);
  });

  test('normals are Box and Muller’s pairs of those uniforms', () => {
    for (const [dtype, round] of [
      ['float64', (x: number) => x],
      ['float32', Math.fround],
    ] as const) {
      const [u, v] = elements(new Generator(8).uniform([2], { dtype })) as [number, number];
      const radius = Math.sqrt(-2 * Math.log(1 - u));
      const pair = [radius * Math.cos(2 * Math.PI * v), radius * Math.sin(2 * Math.PI * v)];
      expect(elements(new Generator(8).normal([2], { dtype }))).toEqual(pair.map(round));
    }
  });

  test('the state is key and counter, and drawing moves the counter by whole blocks', () => {
    const random = new Generator(2 ** 40 + 7);
    expect(random.state).toEqual({ key: [7, 256], counter: [0, 0] });
    random.uniform([5]);
    expect(random.state.counter).toEqual([2, 0]);
    const saved = JSON.parse(JSON.stringify(random.state));
    const first = elements(random.normal([7], { dtype: 'float64' }));
    random.state = saved;
    expect(elements(random.normal([7], { dtype: 'float64' }))).toEqual(first);
    expect(random.state.counter).toEqual([6, 0]);
    expect(random.advance(2 ** 33 + 1)).toEqual([6, 0]);
    expect(random.state.counter).toEqual([7, 2]);
    random.state = { key: [0, 0], counter: [2 ** 32 - 1, 2 ** 32 - 1] };
    random.advance(1);
    expect(random.state.counter).toEqual([0, 0]);
  });

  test('seeds', () => {
    expect(new Generator(0n).state.key).toEqual([0, 0]);
    expect(new Generator(2n ** 64n - 1n).state.key).toEqual([2 ** 32 - 1, 2 ** 32 - 1]);
    for (const seed of [-1, 0.5, NaN, 2 ** 53, 2n ** 64n, -1n])
      expect(() => new Generator(seed)).toThrow(FirsthandError);
    expect(() => (new Generator(0).state = { key: [0, -1], counter: [0, 0] })).toThrow('is not a state');
  });

  test('split gives streams that differ from each other and from the parent', () => {
    const parent = new Generator(3);
    const streams = [parent.split(), parent.split(), parent].map((random) => String(random.uniform([8])));
    expect(new Set(streams).size).toBe(3);
    expect(String(new Generator(3).split().uniform([8]))).toBe(streams[0]);
  });

  // Bounds are six standard deviations of each statistic; seeds are fixed, so a pass is for ever.
  test('normals have the moments and the pairs of the normal distribution', () => {
    const n = 1 << 18;
    for (const dtype of ['float32', 'float64'] as const) {
      const x = new Generator(7).normal([n], { mean: 3, std: 2, dtype });
      expect(Math.abs(mean(x).get() - 3)).toBeLessThan((6 * 2) / Math.sqrt(n));
      expect(Math.abs(std(x).get() - 2)).toBeLessThan((6 * 2) / Math.sqrt(2 * n));
      const z = elements(x).map((value) => (value - 3) / 2);
      const fourth = z.reduce((sum, value) => sum + value ** 4, 0) / n;
      expect(Math.abs(fourth - 3)).toBeLessThan(6 * Math.sqrt(96 / n));
      const within = z.filter((value) => Math.abs(value) < 1).length / n;
      expect(Math.abs(within - 0.6826894921370859)).toBeLessThan(6 * Math.sqrt((0.683 * 0.317) / n));
      const correlation =
        z.reduce((sum, value, i) => sum + (i % 2 === 0 ? value * z[i + 1]! : 0), 0) / (n / 2);
      expect(Math.abs(correlation)).toBeLessThan(6 / Math.sqrt(n / 2));
    }
    expect(new Generator(1).normal([3], { dtype: 'float64' }).toArray()).toEqual(
      new Generator(1).normal([4], { dtype: 'float64' }).slice({ stop: 3 }).toArray(),
    );
  });

  test('integers cover their range evenly and without bias', () => {
    const n = 60000;
    const counts = new Array<number>(6).fill(0);
    for (const value of elements(new Generator(11).integers(-2, 4, { shape: [n] }))) counts[value + 2]!++;
    const chiSquared = counts.reduce((sum, count) => sum + (count - n / 6) ** 2 / (n / 6), 0);
    expect(chiSquared).toBeLessThan(30); // five degrees of freedom: 30 is beyond the 99.998th percentile
    // 3·2³⁰ leaves a quarter of all words over; without redrawing, the lowest third would be twice as likely.
    const wide = elements(new Generator(5).integers(0, 3 * 2 ** 30, { shape: [30000], dtype: 'uint32' }));
    expect(wide.filter((value) => value < 2 ** 30).length / 30000).toBeCloseTo(1 / 3, 1);
    expect(elements(new Generator(5).integers(0, 2 ** 32, { shape: [4], dtype: 'uint32' }))).toEqual([
      ...randomBits([5, 0], [0, 0], 4),
    ]);
    for (const [low, high] of [
      [0, 0],
      [1, 0],
      [0, 0.5],
      [0, 2 ** 31 + 1],
    ])
      expect(() => new Generator(0).integers(low!, high!)).toThrow(FirsthandError);
    expect(new Generator(0).integers(4, 5).get()).toBe(4);
  });

  test('integers: a word at the rejection bound is drawn again, the word below it is taken', () => {
    // The bound of a range w > 2³¹ is w itself, the last full multiple of w below 2³²: w mod w = 0 would make
    // 0 likelier than the rest.
    const first = (seed: number, block: number): number => randomBits([seed, 0], [block, 0], 1)[0]!;
    const seeds = Array.from({ length: 200 }, (_, seed) => seed).filter(
      (seed) => first(seed, 0) > 2 ** 31 && first(seed, 1) < first(seed, 0),
    );
    expect(seeds.length).toBeGreaterThan(20);
    for (const seed of seeds) {
      const word = first(seed, 0);
      expect(new Generator(seed).integers(0, word, { dtype: 'uint32' }).get()).toBe(first(seed, 1));
      expect(new Generator(seed).integers(0, word + 1, { dtype: 'uint32' }).get()).toBe(word);
    }
  });

  test('permutations: each order of three equally likely, and all elements once', () => {
    const random = new Generator(9);
    const counts = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      const order = String(random.permutation(3));
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    expect([...counts.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0)).toBeLessThan(30);
    const order = new Generator(1).permutation(1000);
    expect(elements(order).sort((a, b) => a - b)).toEqual([...Array(1000).keys()]);
    expect(String(argsort(order)) === String(order)).toBe(false);
    expect(new Generator(0).permutation(0).shape).toEqual([0]);
  });

  test('normals are finite in float16, and differ between seeds', () => {
    const x = new Generator(2).normal([1000], { dtype: 'float16' });
    expect(elements(x).every(Number.isFinite)).toBe(true);
    expect(Math.abs(variance(x).get() - 1)).toBeLessThan(0.3);
    const y = new Generator(2).normal([1000], { dtype: 'float64' });
    expect(norm(sub(y, new Generator(3).normal([1000], { dtype: 'float64' }))).get()).toBeGreaterThan(1);
    expect(() => new Generator(0).uniform([1], { dtype: 'int32' })).toThrow(
      'uniform: int32 elements, but it takes floats',
    );
  });
});
