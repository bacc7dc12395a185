/**
 * Memory for time: `checkpoint(f)` has the values of `f`, but saves no intermediates for the backward pass,
 * which computes them again from the arguments (Chen et al. 2016). Random numbers are the same both times.
 */
import { checkCount } from '@firsthand/linalg';
import { recordCheckpoint } from './checkpoint-record.ts';
import { refuseAsynchronous, requireFunction, resultNode } from './linearize.ts';
import { operandNodes } from './operands.ts';
import { Tensor } from './tensor.ts';

/**
 * The function itself, whose intermediates the backward pass computes again.
 * @throws DTypeError if an argument or the result is no tensor, or the function is asynchronous
 * @example
 * ```ts
 * import { checkpoint, tensor } from '@firsthand/autograd';
 * const x = tensor([0.5], { requiresGrad: true });
 * const block = checkpoint((t) => t.tanh().exp());
 * block(x).sum().backward();
 * console.log((await x.grad!.item()).toFixed(4)); // 1.2484
 * ```
 */
export function checkpoint(f: (...args: Tensor[]) => Tensor): (...args: Tensor[]) => Tensor {
  checkCount('checkpoint', arguments.length, 1, 'checkpoint(f)');
  requireFunction('checkpoint', f);
  return (...args) => {
    const inputs = operandNodes(args, 'checkpoint');
    const result: unknown = f(...args);
    refuseAsynchronous('checkpoint', result);
    const value = resultNode('checkpoint', result);
    return new Tensor(value.requiresGrad ? recordCheckpoint(inputs, value) : value);
  };
}
