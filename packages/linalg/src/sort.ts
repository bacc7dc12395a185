/**
 * Sorting along an axis. One comparison defines the order: by value, −0 equal to 0, NaN after everything in
 * both directions; equal elements keep their order (JavaScript's sort is stable), so `argsort` is determined
 * by its input alone.
 */
import { checkCount, oneAxisOptions, type AxisArgument } from './arguments.ts';
import { decode } from './dtype.ts';
import { gather } from './gather.ts';
import { forEachIndex } from './loops.ts';
import { NDArray } from './ndarray.ts';
import { requireArray } from './operands.ts';
import type { OptionKeys } from './options.ts';
import { normalizeAxis, rowMajorStrides } from './shape.ts';

/** Along which axis (the last, if not given) and in which direction (ascending, if not given). */
export interface SortOptions {
  readonly axis?: number | undefined;
  readonly descending?: boolean | undefined;
}

const SORT_KEYS: OptionKeys<SortOptions> = { axis: true, descending: 'boolean' };

/**
 * The indices that sort an axis; stable, NaN last.
 * @param axis the axis as a number, or { axis, descending }
 * @returns int32, of x's shape
 * @throws ShapeError if the axis is out of range
 */
export function argsort(x: NDArray, axis?: AxisArgument<SortOptions>): NDArray {
  checkCount('argsort', arguments.length, 2, 'argsort(x, { axis, descending })');
  return argsortBy('argsort', x, oneAxisOptions('argsort', axis, SORT_KEYS));
}

function argsortBy(operation: string, x: NDArray, options: SortOptions): NDArray {
  if (requireArray(operation, x).ndim === 0) return argsortBy(operation, x.reshape([1]), options).reshape([]);
  const axis = normalizeAxis(operation, options.axis ?? -1, x.ndim, [x]);
  const direction = options.descending === true ? -1 : 1;
  const data = new Int32Array(x.size);
  const strides = rowMajorStrides(x.shape);
  const length = x.shape[axis]!;
  const starts = x.shape.map((size, k) => (k === axis ? Math.min(size, 1) : size));
  const values = new Float64Array(length);
  const compare = (a: number, b: number): number => {
    const [u, v] = [values[a]!, values[b]!];
    if (u !== u || v !== v) return (u !== u ? 1 : 0) - (v !== v ? 1 : 0);
    return u < v ? -direction : u > v ? direction : 0;
  };
  forEachIndex(starts, [x.strides, strides], [x.offset, 0], (offsets) => {
    const [i, o] = offsets as [number, number];
    for (let k = 0; k < length; k++) values[k] = decode(x.dtype, x.data[i + k * x.strides[axis]!]!);
    const order = Int32Array.from({ length }, (_, k) => k).sort(compare);
    for (let k = 0; k < length; k++) data[o + k * strides[axis]!] = order[k]!;
  });
  return NDArray.packed(data, x.shape, 'int32');
}

/**
 * The elements of an axis in order; NaN last.
 * @param axis the axis as a number, or { axis, descending }
 * @throws ShapeError if the axis is out of range
 */
export function sort(x: NDArray, axis?: AxisArgument<SortOptions>): NDArray {
  checkCount('sort', arguments.length, 2, 'sort(x, { axis, descending })');
  const options = oneAxisOptions('sort', axis, SORT_KEYS);
  return gather(x, argsortBy('sort', x, options), options.axis ?? -1);
}
