/**
 * Moving tensors to another device in place: the handles stay the same, so that a module's fields and an
 * optimizer's groups still mean the same parameters. All values are copied before the first handle is
 * rebound.
 */
import { replaceVersion, checkDevice, type Device, bufferOf } from '@firsthand/runtime';
import { checkCount, NDArray } from '@firsthand/linalg';
import type { Tensor } from './tensor.ts';
import { operandNodes } from './operands.ts';
import { storedLeaf } from './stored.ts';

/**
 * Rebinds each tensor to a copy of its value, and of its gradient if it has one, on `device`.
 * @throws DTypeError if the device lacks a dtype; all tensors are then where they were
 */
export async function moveInPlace(tensors: readonly Tensor[], device: Device): Promise<void> {
  checkCount('moveInPlace', arguments.length, 2, 'moveInPlace(tensors, device)');
  checkDevice('moveInPlace', device);
  operandNodes(tensors, 'moveInPlace');
  const moving = tensors.filter((tensor) => tensor.device !== device);
  const copies = await Promise.all(
    moving.map(async (tensor) => {
      const { shape, dtype, requiresGrad, name } = tensor;
      const [data, grad] = await Promise.all([tensor.data(), tensor.grad?.to(device) ?? null]);
      return {
        tensor,
        grad,
        leaf: storedLeaf('to', NDArray.packed(data, shape, dtype), device, requiresGrad, name),
      };
    }),
  );
  for (const { tensor, grad, leaf } of copies) {
    const old = bufferOf(tensor.node);
    leaf.variable = tensor;
    tensor.grad = null;
    tensor.node = leaf;
    replaceVersion(tensor, old, bufferOf(leaf)!);
    // Nodes built earlier refer to the old value; the collector frees it after them.
    tensor.previous = null;
    tensor.grad = grad;
  }
}
