/**
 * The network: one hidden layer, logits = relu(x·W₁ᵀ + b₁)·W₂ᵀ + b₂. Softmax of the logits is the probability
 * of each digit; the loss takes the logits as they are.
 */
import type { Tensor } from '@firsthand/autograd';
import { Linear, Module, ReLU } from '@firsthand/nn';
import { CLASSES, PIXELS } from './digits.ts';

export class Network extends Module {
  readonly fc1: Linear;
  readonly relu: ReLU = new ReLU();
  readonly fc2: Linear;

  constructor(hidden: number) {
    super();
    this.fc1 = new Linear(PIXELS, hidden);
    this.fc2 = new Linear(hidden, CLASSES);
  }

  forward(x: Tensor): Tensor {
    const h = this.relu.forward(this.fc1.forward(x)); // (N, 784) → (N, hidden)
    return this.fc2.forward(h); // (N, 10)
  }
}
