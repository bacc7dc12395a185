/**
 * Operations of one's own: a composite is a name, shape rules, a body in primitives and, if the body's derivative is not good
 * enough, a derivative. A device may have a kernel for it; all others run the body.
 */
import { call } from '@firsthand/graph';
import type { Attrs, Composite } from '@firsthand/graph';
import { Tensor } from './tensor.ts';
import { operandNodes } from './value.ts';

/**
 * The operation as a function on tensors; it gives as many as `infer` promises.
 * @example
 * ```ts
 * import { defineOp, tensor } from '@firsthand/autograd';
 * import { exp, mul, neg } from '@firsthand/graph';
 * const bump = defineOp<{ readonly width: number }>({
 *   name: 'bump',
 *   infer: (_, x) => [x],
 *   body: ({ width }, x) => [exp(neg(mul(mul(x, x), width)))],
 * });
 * const [y] = bump({ width: 2 }, tensor([0, 1]));
 * console.log(await y!.toArray()); // [ 1, 0.1353352814912796 ]
 * ```
 */
export function defineOp<A extends Attrs>(composite: Composite<A>): (attrs: A, ...operands: Tensor[]) => Tensor[] {
  return (attrs, ...operands) => call(composite, attrs, ...operandNodes(operands, composite.name)).map((output) => new Tensor(output));
}
