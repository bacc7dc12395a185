/**
 * Sorting along an axis. One comparison defines the order: by value, −0 equal to 0, NaN after everything in both directions;
 * equal elements keep their order (JavaScript's sort is stable), so `argsort` is determined by its input alone.
 */
import { decode } from './dtype.ts';
import { gather } from './gather.ts';
import { forEachIndex } from './loops.ts';
import { NDArray } from './ndarray.ts';
import { normalizeAxis, rowMajorStrides } from './shape.ts';

/** Along which axis (the last, if not given) and in which direction (ascending, if not given). */
export interface SortOptions {
  readonly axis?: number | undefined;
  readonly descending?: boolean | undefined;
}

/**
 * The indices that sort an axis; stable, NaN last.
 * @returns int32, of x's shape
 * @throws ShapeError if the axis is out of range
 */
export function argsort(x: NDArray, options: SortOptions = {}): NDArray {
  const axis = normalizeAxis('argsort', options.axis ?? -1, x.ndim);
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
 * @throws ShapeError if the axis is out of range
 */
export function sort(x: NDArray, options: SortOptions = {}): NDArray {
  const axis = normalizeAxis('sort', options.axis ?? -1, x.ndim);
  return gather(x, argsort(x, { ...options, axis }), axis);
}
