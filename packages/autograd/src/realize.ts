/**
 * `realize`: several values at once; those that share work become one program, so nothing is computed twice.
 */
import { runtimeOf } from '@firsthand/runtime';
import type { Device } from '@firsthand/runtime';
import { operandNodes } from './operands.ts';
import type { Tensor } from './tensor.ts';
import { withCompanions } from './companions.ts';
import { requireValues } from './trace.ts';
import { savedSetsOf } from './saved.ts';

/**
 * Gives the tensors their values, those that share work in one program, and waits until they exist.
 * @throws the failure of any of them; DeviceError inside `compile`
 */
export async function realize(...tensors: readonly Tensor[]): Promise<void> {
  requireValues('realize', 'return the tensors and await them outside');
  operandNodes(tensors, 'realize');
  const byDevice = new Map<Device, Tensor[]>();
  for (const tensor of tensors) byDevice.set(tensor.device, [...(byDevice.get(tensor.device) ?? []), tensor]);
  const nodesOf = (list: readonly Tensor[]) => list.map((tensor) => tensor.toCompute('realize'));
  for (const [device, list] of byDevice)
    runtimeOf(device).realize(withCompanions(nodesOf(list)), savedSetsOf);
  await Promise.all([...byDevice].map(([device, list]) => runtimeOf(device).finish(nodesOf(list))));
}
