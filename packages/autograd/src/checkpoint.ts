/**
 * Memory for time: `checkpoint(f)` gives what `f` gives, but keeps none of its intermediates for the backward pass, which computes
 * them again from the arguments (Chen et al. 2016). Random numbers are the same both times.
 */
import { recordCheckpoint } from './checkpoint-record.ts';
import { Tensor } from './tensor.ts';

/**
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
  return (...args) => {
    const value = f(...args).read();
    return new Tensor(
      value.requiresGrad
        ? recordCheckpoint(
            args.map((arg) => arg.read()),
            value,
          )
        : value,
    );
  };
}
