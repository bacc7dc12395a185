/** What the tests of this package build on: a placement, leaves with values, values of nodes. */
import { array, type NDArray } from '@firsthand/linalg';
import {
  closeProgram,
  type DType,
  evaluate,
  keyOf,
  leaf,
  type Leaf,
  type Node,
  type Placement,
  type StoredValue,
  type TypedArray,
} from '../src/index.ts';

export const device: Placement = { name: 'reference', supports: () => true };

const arrays = new WeakMap<StoredValue, NDArray>();

/** A stored leaf; float32 unless the data say otherwise. */
export function stored(
  data: TypedArray | readonly number[],
  shape: readonly number[],
  dtype: DType = 'float32',
  on: Placement = device,
): Leaf {
  const created = leaf({ role: 'stored', name: null, shape, dtype, host: null, sample: null }, on);
  created.stored = { stamp: 0, slot: 0 };
  arrays.set(created.stored, array(data, { shape, dtype }));
  return created;
}

function arrayOf(node: Node): NDArray {
  if (node.stored !== null) return arrays.get(node.stored)!;
  if (node.op !== 'leaf' || node.attrs.host === null) throw new Error('an argument without a value');
  const { host, shape, dtype } = node.attrs;
  return array(typeof host === 'number' ? host : [...host], { shape, dtype });
}

/** The elements of a node, by the reference interpreter. */
export function valuesOf(node: Node): number[] {
  const request = { effects: [], roots: [node] };
  const keyed = keyOf(request);
  const program = closeProgram(request, keyed);
  const [value] = evaluate(program, keyed.args.map(arrayOf));
  return [...value!.contiguous().data].slice(0, value!.size);
}
