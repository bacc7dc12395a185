/**
 * What a loss function gives for a batch, checked when it is traced: a mistake is named before it becomes a
 * number.
 */
import { Tensor } from '@firsthand/autograd';
import { describeValue, FirsthandError, ShapeError } from '@firsthand/linalg';
import type { Module } from '@firsthand/nn';
import type { Batch } from './batch.ts';

/** A step's loss, a scalar to differentiate, and other scalars to report; means over the batch's examples. */
export type StepValues = { readonly loss: Tensor; readonly [metric: string]: Tensor };

/** From a model and a batch to the loss, alone or with metrics. */
export type LossFunction<M extends Module, Name extends string> = (
  model: M,
  batch: Batch<Name>,
) => Tensor | StepValues;

/**
 * What a loss function gives, by name.
 * @throws FirsthandError if it is no tensor or a record of tensors with a loss, ShapeError if one of them is
 *   no scalar
 */
export function stepValues(operation: string, result: Tensor | StepValues): StepValues {
  const fail = (problem: string, remedy: string): FirsthandError =>
    new FirsthandError({
      operation,
      problem,
      expected: 'a scalar tensor, or an object { loss, … } of scalar tensors',
      remedy,
    });
  if (result instanceof Promise) {
    result.catch(() => {}); // what it fails with is of no interest any more
    throw fail(
      'the loss function gives a promise',
      'make it synchronous: it builds the graph, and reads no values',
    );
  }
  const values: StepValues = result instanceof Tensor ? { loss: result } : result;
  if (typeof values !== 'object' || values === null) {
    throw fail(
      `the loss function gives ${describeValue(values)}`,
      values === undefined ? 'return the loss' : 'return a tensor',
    );
  }
  if (!('loss' in values))
    throw fail(
      `the loss function gives an object without a loss: { ${Object.keys(values).join(', ')} }`,
      'name it loss',
    );
  for (const [name, value] of Object.entries<unknown>(values)) {
    if (!(value instanceof Tensor))
      throw fail(`${name} of the loss function is ${describeValue(value)}`, 'give a tensor');
    if (value.size !== 1) {
      throw new ShapeError({
        operation,
        problem: `${name} of the loss function has several elements`,
        operands: [{ name, shape: value.shape, dtype: value.dtype }],
        expected: 'a scalar',
        remedy: `reduce it: ${name}.mean()`,
      });
    }
  }
  return values;
}

/** The same values without their history, to be read. */
export function detached(values: StepValues): StepValues {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, value.detach()]),
  ) as StepValues;
}
