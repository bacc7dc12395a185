// What is measured of a model: layers against numbers worked out by hand, readings against probabilities
// chosen in advance.
import { tensor, type Tensor } from '@firsthand/autograd';
import { ArrayDataset } from '@firsthand/data';
import { array } from '@firsthand/linalg';
import { Linear, Module, Sequential, ReLU } from '@firsthand/nn';
import { expect, test } from 'vitest';
import { CLASSES, PIXELS } from '../src/digits.ts';
import { evaluate } from '../src/evaluate.ts';
import { measureLayers, snapshot } from '../src/layers.ts';
import { Network } from '../src/model.ts';
import { chooseReadings } from '../src/report.ts';

test('activation, gradient and update of each layer', async () => {
  const model = new Sequential(new Linear(2, 2), new ReLU());
  const [weight, bias] = model.parameters() as [Tensor, Tensor];
  weight.assign(
    tensor([
      [3, 0],
      [0, 4],
    ]),
  );
  bias.assign(tensor([0, -5]));
  const before = await snapshot(model);
  bias.assign(tensor([0, -10])); // ‖Δw‖ = 5, ‖w₀‖ = √(9 + 16 + 25)
  // x·Wᵀ + b = [3, −2] and after relu [3, 0]; p = softmax = [σ(3), σ(−3)]. The loss for class 0 has gradient
  // p − [1, 0] = [−q, q] with q = σ(−3), of which relu passes the first: ∂/∂W = [[−q, −2q], [0, 0]], ∂/∂b =
  // [−q, 0].
  const q = 1 / (1 + Math.exp(3));
  const layers = await measureLayers(
    model,
    { image: tensor([[1, 2]]), label: tensor([0], { dtype: 'int32' }) },
    before,
  );
  expect(layers).toEqual([
    {
      name: '0',
      activation: expect.closeTo(Math.sqrt((9 + 4) / 2), 5),
      gradient: expect.closeTo(q, 5),
      update: expect.closeTo(5 / Math.sqrt(50), 5),
    },
    { name: '1', activation: expect.closeTo(3 / Math.SQRT2, 5), gradient: null, update: null },
  ]);
  expect([weight.grad, bias.grad]).toEqual([null, null]);
});

test('every layer of the network is measured, and only parameters have gradients', async () => {
  const model = new Network(8);
  const before = await snapshot(model);
  const layers = await measureLayers(
    model,
    {
      image: tensor(new Float32Array(2 * 784).fill(1), { shape: [2, 784] }),
      label: tensor([3, 4], { dtype: 'int32' }),
    },
    before,
  );
  expect(layers.map(({ name, gradient, update }) => [name, gradient === null, update])).toEqual([
    ['fc1', false, 0],
    ['relu', true, null],
    ['fc2', false, 0],
  ]);
});

/** Reads the digit that the first pixel says, with probability 0.9 or so. */
class Echo extends Module {
  forward(x: Tensor): Tensor {
    const digit = x.slice(1, 0, 1); // (N, 1)
    return digit
      .eq(tensor([[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]]))
      .cast('float32')
      .mul(Math.log(81)); // (N, 10)
  }
}

test('accuracy, confusion and probabilities of readings, the last batch a part of one', async () => {
  const count = 1003;
  const said = Int32Array.from({ length: count }, (_, i) => i % 10);
  const label = said.map((digit, i) => (i % 100 === 7 ? 1 : digit)); // ten sevens are really ones
  const dataset = new ArrayDataset({
    image: array(Float32Array.from(said), { shape: [count, 1] }),
    label: array(label),
  });
  const { accuracy, confusion, probabilities } = await evaluate(new Echo(), dataset);
  expect(accuracy).toBe((count - 10) / count);
  expect(confusion[1 * 10 + 7]).toBe(10);
  expect(confusion.filter((times) => times > 0)).toHaveLength(11);
  expect(confusion.reduce((sum, times) => sum + times)).toBe(count);
  expect(probabilities[1002 * 10 + 2]).toBeCloseTo(0.9, 5);
});

test('shown are the first readings that are right, and the wrong ones of greatest and of least conviction', () => {
  const convictions = [0.3, 0.9, 0.5, 0.6, 0.7, 0.4, 0.95, 0.8];
  const count = convictions.length;
  const probabilities = new Float32Array(count * CLASSES);
  for (const [i, conviction] of convictions.entries()) probabilities[i * CLASSES + 5] = conviction;
  const labels = Uint8Array.of(3, 5, 3, 3, 5, 3, 5, 3); // all are read as 5
  const pixels = Uint8Array.from({ length: count * PIXELS }, (_, i) => Math.floor(i / PIXELS));
  const chosen = chooseReadings({ count, pixels, labels }, { probabilities });
  expect(chosen.map(({ pixels: image }) => image[0])).toEqual([1, 4, 7, 3, 5, 0]);
  expect(chosen.map(({ label }) => label)).toEqual([5, 5, 3, 3, 3, 3]);
  expect(chosen.map((reading) => [reading.pixels.length, reading.probabilities.length])).toEqual(
    chosen.map(() => [PIXELS, CLASSES]),
  );
  const one = chooseReadings({ count: 1, pixels, labels }, { probabilities });
  expect(one.map(({ label }) => label)).toEqual([3]); // each is shown once
});
