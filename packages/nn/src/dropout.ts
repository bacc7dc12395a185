/**
 * Dropout (Srivastava et al. 2014): in training, each element is zeroed with probability p and the others are
 * scaled by 1/(1 − p).
 */
import { rand, type Tensor } from '@firsthand/autograd';
import { checkCount, describeValue, FirsthandError } from '@firsthand/linalg';
import { Module } from './module.ts';

/**
 * Zeroes elements at random in training; does nothing in use. The mask is never stored: its random numbers
 * are made again where they are needed. They are multiples of 2⁻²⁴, and so is the probability in effect.
 */
export class Dropout extends Module {
  readonly probability: number;

  /** @throws FirsthandError unless 0 ≤ probability ≤ 1 */
  constructor(probability = 0.5) {
    super();
    checkCount('Dropout', arguments.length, 1, 'new Dropout(0.5)');
    if (typeof probability !== 'number' || !(probability >= 0 && probability <= 1)) {
      const problem = `the probability is from 0 to 1, not ${describeValue(probability)}`;
      throw new FirsthandError({
        operation: 'Dropout',
        problem,
        expected: 'a number from 0 to 1',
        remedy: 'write new Dropout(0.5)',
      });
    }
    this.probability = probability;
  }

  /** Any shape; the result has the same. */
  forward(x: Tensor): Tensor {
    const { probability } = this;
    if (!this.training || probability === 0) return x;
    const survives = rand(x.shape, { device: x.device }).ge(probability);
    const scale = probability === 1 ? 0 : 1 / (1 - probability);
    // float32 holds the scale of every probability; float16 has none above 65504, and a gradient of 0 times
    // infinity would be NaN.
    const scaled = x.dtype === 'float16' ? x.cast('float32').mul(scale) : x.mul(scale);
    return scaled.where(survives, 0).cast(x.dtype);
  }
}
