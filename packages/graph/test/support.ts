/** Small things that the tests of this package build on: a device, leaves with values, values of nodes. */
import {
  createReference,
  leaf,
  type Device,
  type DType,
  type Leaf,
  type Node,
  runtimeOf,
  type TypedArray,
} from '../src/index.ts';

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
  created.cell = runtimeOf(on).adopt(on.upload(elements, dtype));
  return created;
}

/** The elements of a node. */
export async function valuesOf(node: Node): Promise<number[]> {
  return [...(await runtimeOf(node.device ?? device).read(node))];
}
