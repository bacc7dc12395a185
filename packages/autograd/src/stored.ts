/** Host data as leaves of the graph: copied to a device that has its dtype. */
import {
  leaf,
  type Leaf,
  type Node,
  placed,
  type Spec,
  storedAttributes,
  type TypedArray,
  type Placement,
} from '@firsthand/graph';
import { type Device, getDefaultDevice, runtimeOf } from '@firsthand/runtime';
import { type Data, DTypeError, type NDArray } from '@firsthand/linalg';
import { currentTrace } from './trace.ts';

/** @throws DTypeError if the device lacks the dtype */
export function requireSupport(operation: string, device: Device, { shape, dtype }: Spec): void {
  if (device.supports(dtype)) return;
  const problem = `the ${device.name} device has no ${dtype}`;
  throw new DTypeError({
    operation,
    problem,
    operands: [{ shape, dtype }],
    expected: 'float32',
    remedy: 'use float32, or another device',
  });
}

/** Copies host data to a device. @throws DTypeError if the device lacks the dtype */
export function upload(
  operation: string,
  data: TypedArray,
  spec: Spec,
  device: Device,
): NonNullable<Node['stored']> {
  requireSupport(operation, device, spec);
  return runtimeOf(device).adopt(device.upload(data, spec.dtype));
}

/** Guards host data that become part of a program: inside `compile`, other elements mean another trace. */
export function guardData(data: Data): void {
  currentTrace()?.guards.contents(typeof data === 'object' && 'data' in data ? data.data : data);
}

/** A leaf with a copy of the elements on the device. @throws DTypeError if the device lacks the dtype */
export function storedLeaf(
  operation: string,
  values: NDArray,
  device: Device,
  requiresGrad: boolean,
  name: string | null,
): Leaf {
  const { shape, dtype } = values;
  const created = leaf(storedAttributes({ shape: [...shape], dtype }, name), device, { requiresGrad });
  const packed = values.contiguous();
  const elements = packed.data.subarray(packed.offset, packed.offset + packed.size);
  created.stored = upload(operation, elements, values, device);
  currentTrace()?.addData(created, elements);
  return created;
}

/**
 * A constant as a value of `device`, for the derivative of a tensor there: otherwise it would be computed on
 * the default device. Other values stay.
 */
export function placedOn(value: Node, device: Placement | null): Node {
  return device === null || device === getDefaultDevice() ? value : placed(value, device);
}
