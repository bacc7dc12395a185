/** float16 is storage: an operation of several steps takes it as float32, and rounds its result once. */
import { widened as widenedNodes } from '@firsthand/graph';
import type { Node } from '@firsthand/graph';
import { Tensor } from './tensor.ts';
import { operandNodes } from './operands.ts';

/**
 * The result of `compute`. float16 operands are given as float32 and the result is rounded to float16 once,
 * so that intermediate sums, squares and exponentials may leave the range of float16. Operands of several
 * floating-point dtypes stay as they are, so that `compute` refuses them.
 * @example
 * ```ts
 * import { tensor, widened } from '@firsthand/autograd';
 * const x = tensor([300, 400], { dtype: 'float16' });
 * console.log(await x.square().sum().sqrt().item()); // Infinity
 * console.log(await widened((wide) => wide.square().sum().sqrt(), x).item()); // 500
 * ```
 */
export function widened(compute: (...operands: Tensor[]) => Tensor, ...operands: Tensor[]): Tensor {
  if (!operands.some(({ dtype }) => dtype === 'float16')) return compute(...operands);
  const onNodes = (...nodes: Node[]): Node => compute(...nodes.map((node) => new Tensor(node))).read();
  return new Tensor(widenedNodes(onNodes, ...operandNodes(operands, 'widened')));
}
