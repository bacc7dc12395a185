/**
 * A small convolutional network for handwritten digits, with this project's layers: convolution, relu and
 * max-pooling, twice, then logits.
 */
import type { Tensor } from '@firsthand/autograd';
import { Conv2d, Linear, MaxPool2d, Module } from '@firsthand/nn';
import type { CNNConfig } from './tasks.ts';

export class CNN extends Module {
  readonly conv1: Conv2d;
  readonly conv2: Conv2d;
  readonly pool: MaxPool2d;
  readonly fc: Linear;

  constructor({ size, channels: [first, second], classes }: CNNConfig) {
    super();
    this.conv1 = new Conv2d(1, first, 3, { padding: 1 });
    this.conv2 = new Conv2d(first, second, 3, { padding: 1 });
    this.pool = new MaxPool2d(2);
    this.fc = new Linear(second * (size / 4) ** 2, classes);
  }

  forward(x: Tensor): Tensor {
    const narrow = this.pool.forward(this.conv1.forward(x).relu()); // (N, 1, S, S) → (N, C₁, S/2, S/2)
    const deep = this.pool.forward(this.conv2.forward(narrow).relu()); // → (N, C₂, S/4, S/4)
    return this.fc.forward(deep.flatten(1)); // → (N, classes)
  }
}
