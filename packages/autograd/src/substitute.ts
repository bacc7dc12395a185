/**
 * `substitute`: a call of a function whose tensors stand for other values, as when a model runs with
 * parameters that are not its own.
 */
import { checkCount, checkFunction, describeValue, OptionError } from '@firsthand/linalg';
import { substituteNodes } from './node-substitution.ts';
import { refuseAsynchronous } from './linearize.ts';
import { operandNode } from './operands.ts';
import type { Tensor } from './tensor.ts';

/**
 * Runs `fn` while each tensor (key) stands for the value of another; then, or after an error, each has its
 * own value again. Gradients flow into the values. Meanwhile the tensors cannot be assigned to, and running
 * statistics among them are not updated.
 * @throws DTypeError for an asynchronous function, which would go on with the tensors' own values
 * @example
 * ```ts
 * import { grad, substitute, tensor } from '@firsthand/autograd';
 * const w = tensor([1, 2]);
 * const loss = () => w.square().sum();
 * const slope = grad((value) => substitute(new Map([[w, value]]), loss));
 * console.log(await slope(tensor([3, 4])).toArray(), await loss().item()); // [ 6, 8 ] 5
 * ```
 */
export function substitute<T>(values: ReadonlyMap<Tensor, Tensor>, fn: () => T): T {
  checkCount('substitute', arguments.length, 2, 'substitute(values, fn)');
  if (!(values instanceof Map)) {
    const problem = `the values are ${describeValue(values)}`;
    throw new OptionError({
      operation: 'substitute',
      problem,
      expected: 'a Map of tensors',
      remedy: 'write new Map([[w, value]])',
    });
  }
  checkFunction('substitute', 'what is to be run', fn, 'substitute(values, () => …)');
  const nodes = new Map(
    [...values].map(([tensor, value]) => [tensor, operandNode(value, 'substitute', 'a value')]),
  );
  const result = substituteNodes(nodes, fn);
  refuseAsynchronous('substitute', result);
  return result;
}
