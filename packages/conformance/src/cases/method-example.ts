/** One example of a method: an input, what is called, and what it means in plain loops. */
import type { Tensor } from '@firsthand/autograd';
import type { Dense } from '../oracle/dense.ts';
import { map } from '../oracle/dense.ts';
import { samples } from '../oracle/samples.ts';

export interface Example {
  readonly title: string;
  readonly input: Dense;
  readonly tensor: (x: Tensor) => Tensor;
  readonly oracle: (x: Dense) => Dense;
  /** False where there is nothing to differentiate. */
  readonly smooth: boolean;
}

export const matrix: Dense = samples([3, 4], -2, 2);
export const cube: Dense = samples([2, 3, 4], -2, 2);

export function example(
  title: string,
  tensor: (x: Tensor) => Tensor,
  oracle: (x: Dense) => Dense,
  input: Dense = matrix,
  smooth = true,
): Example {
  return { title, input, tensor, oracle, smooth };
}
export function elementwise(tensor: (x: Tensor) => Tensor, f: (x: number) => number, title = ''): Example {
  return example(title, tensor, (x) => map(x, f));
}
