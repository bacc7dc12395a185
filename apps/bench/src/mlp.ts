/** The classic network for handwritten digits, with this project's layers: one hidden layer, relu, logits. */
import type { Tensor } from '@firsthand/autograd';
import { Linear, Module } from '@firsthand/nn';

export class MLP extends Module {
  readonly fc1: Linear;
  readonly fc2: Linear;

  constructor(inputs: number, hidden: number, classes: number) {
    super();
    this.fc1 = new Linear(inputs, hidden);
    this.fc2 = new Linear(hidden, classes);
  }

  forward(x: Tensor): Tensor {
    const h = this.fc1.forward(x).relu(); // (N, inputs) → (N, hidden)
    return this.fc2.forward(h); // (N, classes)
  }
}
