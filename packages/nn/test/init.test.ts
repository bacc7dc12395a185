// Initial values: bounds and moments of each distribution, the seed that decides them, and the inputs that
// are refused.
import { defaultGenerator, manualSeed } from '@firsthand/autograd';
import { FirsthandError, Generator, type NDArray, ShapeError } from '@firsthand/linalg';
import { describe, expect, test } from 'vitest';
import { init } from '../src/index.ts';

const shape = [200, 50, 2, 1]; // fan in 100, fan out 400

function moments(values: NDArray): {
  readonly mean: number;
  readonly std: number;
  readonly low: number;
  readonly high: number;
} {
  const data = [...values.data];
  const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
  const variance = data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / data.length;
  return { mean, std: Math.sqrt(variance), low: Math.min(...data), high: Math.max(...data) };
}

/** Each initialiser with the standard deviation that its paper gives, and its bound if it is uniform. */
const cases: readonly (readonly [string, (generator: Generator) => NDArray, number, number | null])[] = [
  ['uniform', (generator) => init.uniform(shape, { low: -3, high: 3, generator }), 3 / Math.sqrt(3), 3],
  ['normal', (generator) => init.normal(shape, { std: 0.5, generator }), 0.5, null],
  [
    'xavierUniform',
    (generator) => init.xavierUniform(shape, { generator }),
    Math.sqrt(2 / 500),
    Math.sqrt(6 / 500),
  ],
  [
    'xavierUniform, gain 2',
    (generator) => init.xavierUniform(shape, { gain: 2, generator }),
    2 * Math.sqrt(2 / 500),
    2 * Math.sqrt(6 / 500),
  ],
  ['xavierNormal', (generator) => init.xavierNormal(shape, { generator }), Math.sqrt(2 / 500), null],
  [
    'kaimingUniform',
    (generator) => init.kaimingUniform(shape, { generator }),
    Math.sqrt(2 / 100),
    Math.sqrt(6 / 100),
  ],
  [
    'kaimingUniform, a = √5',
    (generator) => init.kaimingUniform(shape, { slope: Math.sqrt(5), generator }),
    0.1 / Math.sqrt(3),
    0.1,
  ],
  [
    'kaimingNormal, fan out',
    (generator) => init.kaimingNormal(shape, { mode: 'fanOut', nonlinearity: 'relu', generator }),
    Math.sqrt(2 / 400),
    null,
  ],
  [
    'kaimingNormal, tanh',
    (generator) => init.kaimingNormal(shape, { nonlinearity: 'tanh', generator }),
    5 / 3 / 10,
    null,
  ],
];

test.each(cases)('%s has the moments of its paper', (_, draw, std, bound) => {
  const found = moments(draw(new Generator(11)));
  expect(Math.abs(found.mean)).toBeLessThan((4 * std) / Math.sqrt(20_000));
  expect(Math.abs(found.std / std - 1)).toBeLessThan(0.03);
  if (bound === null) return;
  expect(found.high).toBeLessThanOrEqual(bound * (1 + 1e-6));
  expect(found.low).toBeGreaterThanOrEqual(-bound * (1 + 1e-6));
  expect(found.high).toBeGreaterThan(0.99 * bound);
});

test('zeros and ones are that, in any dtype', () => {
  expect(init.zeros([2]).toArray()).toEqual([0, 0]);
  expect(init.ones([2], { dtype: 'int32' })).toMatchObject({ dtype: 'int32', data: Int32Array.of(1, 1) });
});

describe('truncNormal', () => {
  // Moments of a standard normal limited to ±2: variance 1 − 2·2φ(2)/(Φ(2) − Φ(−2)).
  test('within two deviations', () => {
    const { mean, std, low, high } = moments(
      init.truncNormal([40_000], { generator: new Generator(3), dtype: 'float64' }),
    );
    expect(Math.abs(mean)).toBeLessThan(0.02);
    expect(std).toBeCloseTo(Math.sqrt(1 - (4 * 0.05399096651318806) / 0.9544997361036416), 2);
    expect(low).toBeGreaterThanOrEqual(-2);
    expect(high).toBeLessThanOrEqual(2);
  });

  test('far from the mean, where plain rejection would never end, the tail falls off as it must', () => {
    const { mean, low } = moments(
      init.truncNormal([2000], { low: 30, high: Infinity, generator: new Generator(4), dtype: 'float64' }),
    );
    expect(low).toBeGreaterThanOrEqual(30);
    expect(mean - 30).toBeGreaterThan(0.9 / 30); // nearly exponential with rate 30
    expect(mean - 30).toBeLessThan(1.1 / 30);
  });

  test('with mean and deviation, bounds are absolute', () => {
    const { mean, low, high } = moments(
      init.truncNormal([5000], {
        mean: 5,
        std: 0.1,
        low: 4.9,
        high: 5.1,
        generator: new Generator(4),
        dtype: 'float64',
      }),
    );
    expect([low >= 4.9, high <= 5.1]).toEqual([true, true]);
    expect(mean).toBeCloseTo(5, 2);
  });
});

test('values stay within their bounds when they are rounded to the dtype', () => {
  for (const dtype of ['float16', 'float32'] as const) {
    const within = (values: NDArray, least: number, largest: number): void => {
      const list = values.astype('float64').data;
      expect(list.every((value) => value >= least && value <= largest)).toBe(true);
      expect(list.some((value) => value > 0.99 * largest)).toBe(true);
    };
    const options = { dtype, generator: new Generator(9) };
    within(init.truncNormal([20_000], { mean: 0, std: 5, low: -0.3, high: 0.3, ...options }), -0.3, 0.3);
    within(init.uniform([20_000], { low: -0.3, high: 0.3, ...options }), -0.3, 0.3);
    within(init.kaimingUniform([200, 100], options), -Math.sqrt(6 / 100), Math.sqrt(6 / 100));
  }
  // A bound below the smallest float16 is no error: all are 0.
  expect(
    new Set(init.uniform([50], { low: -1e-9, high: 1e-9, dtype: 'float16' }).astype('float32').data),
  ).toEqual(new Set([0]));
  expect(() => init.truncNormal([1], { low: 1.0001, high: 1.0002, dtype: 'float16' })).toThrow(
    'there is no float16 number in',
  );
  expect(() => init.truncNormal([1], { dtype: 'int32' })).toThrow('gives floats, not int32');
});

test('the default generator decides, so a seed gives the same values', () => {
  const draw = (): unknown => init.kaimingNormal([3, 2]).toArray();
  manualSeed(6);
  const first = draw();
  expect(draw()).not.toEqual(first);
  manualSeed(6);
  expect(draw()).toEqual(first);
  manualSeed(6);
  const { state } = defaultGenerator();
  expect(init.xavierNormal([3, 2], { generator: new Generator(1) }).shape).toEqual([3, 2]);
  expect(defaultGenerator().state).toEqual(state);
});

test('gains are those of torch.nn.init.calculate_gain', () => {
  const gains = (['linear', 'sigmoid', 'tanh', 'relu', 'leakyRelu'] as const).map((name) => init.gain(name));
  expect(gains).toEqual([1, 1, 5 / 3, Math.SQRT2, Math.sqrt(2 / 1.0001)]);
  expect(init.gain('leakyRelu', 1)).toBe(1);
});

test('refuses shapes without fans and empty intervals', () => {
  for (const draw of [init.xavierUniform, init.xavierNormal, init.kaimingUniform, init.kaimingNormal]) {
    expect(() => draw([3])).toThrow(ShapeError);
  }
  expect(() => init.truncNormal([1], { low: 2, high: 2 })).toThrow(FirsthandError);
  expect(() => init.truncNormal([1], { std: 0 })).toThrow(FirsthandError);
});
