/**
 * A network and a batch small enough to differentiate numerically, in float64, and the comparison that
 * gradient tests share.
 */
import { expect } from 'vitest';
import {
  createNetwork,
  crossEntropy,
  forward,
  logSoftmax,
  type Network,
  randomNumbers,
} from '../src/by-hand.ts';

/**
 * Seven examples of five inputs, six hidden units, four classes; a few inputs are 0, as a digit's margin is.
 */
export interface SmallProblem {
  readonly network: Network<Float64Array>;
  readonly X: Float64Array; // (7, 5)
  readonly labels: Uint8Array; // (7)
  loss(): number;
}

export function smallProblem(): SmallProblem {
  const random = randomNumbers(3);
  const network = createNetwork(Float64Array, { inputs: 5, hidden: 6, classes: 4 }, random);
  for (const bias of [network.b1, network.b2]) bias.forEach((_, i) => (bias[i] = random() - 0.5));
  const X = Float64Array.from({ length: 7 * 5 }, (_, i) => (i % 4 === 0 ? 0 : 2 * random() - 1));
  const labels = Uint8Array.from({ length: 7 }, () => Math.floor(4 * random()));
  return { network, X, labels, loss: () => crossEntropy(logSoftmax(forward(network, X).Z, 4), labels) };
}

/** Equal lengths and, element by element, |actual − expected| ≤ tolerance. */
export function sameNumbers(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  const worst = Array.from(actual).reduce(
    (max, value, i) => Math.max(max, Math.abs(value - (expected[i] ?? NaN))),
    0,
  );
  expect(worst).toBeLessThanOrEqual(tolerance);
}
