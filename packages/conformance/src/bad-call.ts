/** One wrong call with the error that it must give, and operands to make it with. */
import type { FirsthandError, Tensor } from '@firsthand/autograd';
import { toTensor } from './compare.ts';
import { dense } from './oracle/dense.ts';

type ErrorClass = new (...args: never[]) => FirsthandError;

export interface BadCall {
  /** What is done, and what the message has to say. */
  readonly title: string;
  readonly call: () => unknown;
  readonly error: ErrorClass;
  readonly says: readonly (string | RegExp)[];
}

export const floats = (...shape: readonly number[]): Tensor =>
  toTensor(
    dense(shape, () => 1),
    'float32',
  );
export const whole = (...shape: readonly number[]): Tensor =>
  toTensor(
    dense(shape, () => 1),
    'int32',
  );
export const halves = (...shape: readonly number[]): Tensor =>
  toTensor(
    dense(shape, () => 1),
    'float16',
  );
export const bools = (...shape: readonly number[]): Tensor =>
  toTensor(
    dense(shape, () => 1),
    'bool',
  );
