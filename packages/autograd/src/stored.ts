/** Host data as leaves of the graph: copied to a device that has its dtype. */
import { type Device, type DType, leaf, type Leaf, type Node, runtimeOf, storedAttributes, type TypedArray } from '@firsthand/graph';
import { type Data, describeValue, DTypeError, DTYPES, type NDArray, OptionError } from '@firsthand/linalg';
import { currentTrace } from './trace.ts';

/** @throws OptionError for what is no device: a name, a dtype */
export function checkDevice(operation: string, device: Device): void {
  if (typeof device === 'object' && device !== null && typeof device.supports === 'function') return;
  const isDType = typeof device === 'string' && Object.hasOwn(DTYPES, device);
  throw new OptionError({
    operation,
    problem: `the device is ${describeValue(device)}`,
    expected: 'a Device',
    remedy: isDType ? `write x.cast('${String(device)}') for a dtype` : 'make one, as with await createWasm()',
  });
}

/** @throws DTypeError if the device lacks the dtype */
export function requireSupport(device: Device, dtype: DType): void {
  if (!device.supports(dtype)) throw new DTypeError(`the ${device.name} device has no ${dtype}; use float32, or another device`);
}

/** Copies host data to a device. @throws DTypeError if the device lacks the dtype */
export function upload(data: TypedArray, dtype: DType, device: Device): NonNullable<Node['cell']> {
  requireSupport(device, dtype);
  return runtimeOf(device).adopt(device.upload(data, dtype));
}

/** Host data becomes a part of a program: inside `compile`, other elements next time mean another trace. */
export function guardData(data: Data): void {
  currentTrace()?.guards.contents(typeof data === 'object' && 'data' in data ? data.data : data);
}

/** A leaf with a copy of the elements on the device. @throws DTypeError if the device lacks the dtype */
export function storedLeaf(values: NDArray, device: Device, requiresGrad: boolean, name: string | null): Leaf {
  const { shape, dtype } = values;
  const created = leaf(storedAttributes({ shape: [...shape], dtype }, name), device, { requiresGrad });
  const packed = values.contiguous();
  const elements = packed.data.subarray(packed.offset, packed.offset + packed.size);
  created.cell = upload(elements, dtype, device);
  currentTrace()?.addData(created, elements);
  return created;
}
