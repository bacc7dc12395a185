// The curve keeps its size however many steps there are, and what it shows are means of the losses that it
// was given.
import { expect, test } from 'vitest';
import { Curve } from '../src/curve.ts';

test('the running mean is unbiased from the first step on', () => {
  const curve = new Curve();
  expect(curve.mean).toBeNull();
  for (let step = 1; step <= 3; step++) curve.add(step, 2);
  expect(curve.columns).toEqual([
    [1, 2, 3],
    [2, 2, 2],
    [expect.closeTo(2, 10), expect.closeTo(2, 10), expect.closeTo(2, 10)],
  ]);
  curve.add(4, 0);
  // weights 0.05 · 0.95ᵏ of the last four
  const weights = [0.95 ** 3, 0.95 ** 2, 0.95, 1];
  expect(curve.mean).toBeCloseTo(
    (2 * (weights[0]! + weights[1]! + weights[2]!)) / weights.reduce((a, b) => a + b),
    10,
  );
});

test('a long training becomes fewer points, each the mean of the steps up to it', () => {
  const curve = new Curve(8);
  for (let step = 1; step <= 100; step++) curve.add(step, step);
  const [steps, losses, means] = curve.columns;
  expect(steps).toEqual([16, 32, 48, 64, 80, 96]);
  expect(losses).toEqual(steps.map((step) => step - 7.5));
  expect(means).toHaveLength(6);
});
