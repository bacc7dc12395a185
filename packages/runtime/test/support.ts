/** What the tests of this package build on: a device, and leaves with values. */
import { leaf, type DType, type Leaf, type TypedArray } from '@firsthand/graph';
import { createReference, type Device, runtimeOf } from '../src/index.ts';

export const device: Device = createReference();

/** A stored leaf; float32 unless the data say otherwise. */
export function stored(
  data: TypedArray | readonly number[],
  shape: readonly number[],
  dtype: DType = 'float32',
  on: Device = device,
): Leaf {
  const created = leaf({ role: 'stored', name: null, shape, dtype, host: null, sample: null }, on);
  const elements = Array.isArray(data) ? Float32Array.from(data) : (data as TypedArray);
  created.stored = runtimeOf(on).adopt(on.upload(elements, dtype));
  return created;
}
