/**
 * The gradients derived by hand against those that autograd derives: two independent ways to the same
 * numbers, in float64.
 */
import { tensor, type Tensor } from '@firsthand/autograd';
import { describe, expect, it } from 'vitest';
import {
  backward,
  crossEntropy,
  forward,
  createNetwork,
  loadDigits,
  logSoftmax,
  type Network,
  randomNumbers,
} from '../src/by-hand.ts';
import { sameNumbers, smallProblem } from './small-problem.ts';

const PARAMETERS = ['W1', 'b1', 'W2', 'b2'] as const;

/** Loss and gradients by hand and by autograd, of the same network and batch. */
async function expectSameGradients(
  network: Network<Float64Array>,
  X: Float64Array,
  labels: Uint8Array,
): Promise<void> {
  const B = labels.length;
  const H = network.b1.length;
  const C = network.b2.length;
  const I = X.length / B;

  const activations = forward(network, X);
  const logP = logSoftmax(activations.Z, C);
  const byHand = backward(network, X, activations.H, logP, labels);

  const shapes = { W1: [I, H], b1: [H], W2: [H, C], b2: [C] };
  const parameter = (name: keyof typeof shapes): Tensor =>
    tensor(network[name], { dtype: 'float64', shape: shapes[name], requiresGrad: true, name });
  const parameters = { W1: parameter('W1'), b1: parameter('b1'), W2: parameter('W2'), b2: parameter('b2') };
  const hidden = tensor(X, { dtype: 'float64', shape: [B, I] })
    .matmul(parameters.W1)
    .add(parameters.b1)
    .relu(); // (B, H)
  const scores = hidden.matmul(parameters.W2).add(parameters.b2); // (B, C)
  const index = tensor(Int32Array.from(labels), { shape: [B, 1] }); // (B, 1)
  const loss = scores.logSoftmax(1).gather(1, index).mean().neg(); // ()
  loss.backward();

  expect(Math.abs(crossEntropy(logP, labels) - (await loss.item()))).toBeLessThan(1e-12);
  for (const name of PARAMETERS) {
    const gradient = await parameters[name].grad!.data();
    expect(gradient).toBeInstanceOf(Float64Array);
    // Two gradients that are all zero would agree on nothing
    expect(Math.max(...Array.from(gradient, Math.abs))).toBeGreaterThan(1e-4);
    sameNumbers(byHand[name], gradient, 1e-10);
  }
}

describe('gradients by hand equal autograd’s to 1e-10', () => {
  it('for a small network', async () => {
    const { network, X, labels } = smallProblem();
    await expectSameGradients(network, X, labels);
  });

  it('for the network that learns digits, on a batch of them', async () => {
    const { images, labels, pixels } = loadDigits('t10k');
    const network = createNetwork(
      Float64Array,
      { inputs: pixels, hidden: 128, classes: 10 },
      randomNumbers(42),
    );
    await expectSameGradients(
      network,
      Float64Array.from(images.subarray(0, 32 * pixels)),
      labels.subarray(0, 32),
    );
  });
});
