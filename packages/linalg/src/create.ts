/**
 * Arrays from nothing and from JavaScript data. Data is copied unless told otherwise; what it may be, and which
 * dtype it gets, is in `data.ts`.
 */
import { type ArrayData, type Elements, type NestedData, readData } from './data.ts';
import { allocate, encode, type DType } from './dtype.ts';
import { DTypeError, FirsthandError, ShapeError } from './errors.ts';
import { copyInto } from './loops.ts';
import { NDArray } from './ndarray.ts';
import { checkShape, equalShapes, formatShape, normalizeAxis, sizeOf, type Shape } from './shape.ts';

/** What {@link arange} and the like may be told. */
export interface ArrayOptions {
  readonly dtype?: DType | undefined;
  readonly shape?: Shape | undefined;
}

/** What {@link array} may be told. */
export interface DataOptions extends ArrayOptions {
  readonly copy?: boolean | undefined;
}

/** Everything that can be read as an array. An `NDArray` is one, strided as it may be. */
export type Data = NestedData | ArrayData;

/**
 * An array with a copy of the given data, or over the data itself.
 * @param data numbers or booleans, nested once per axis; a typed array; an `NDArray`; or a typed array with its shape, as files give it
 * @param options.dtype the element type; a `Uint16Array` needs one: with float16 it is read as bits, else as whole numbers
 * @param options.shape the shape to lay the elements out in, row by row
 * @param options.copy false to copy nothing where the data is an `NDArray` or a typed array of the dtype: the result is a view of it then
 * @throws ShapeError if rows differ in length, or the shape does not hold as many elements
 * @throws DTypeError if a `Uint16Array` comes without a dtype, or for what is no data
 * @example
 * ```ts
 * import { array } from '@firsthand/linalg';
 * console.log(array([[1, 2], [3, 4]]).shape); // [ 2, 2 ]
 * console.log(array(new Int32Array(6), { shape: [2, 3] }).dtype); // int32
 * console.log(array({ data: Uint8Array.of(0, 255), shape: [2, 1], dtype: 'uint8' }).toArray()); // [ [ 0 ], [ 255 ] ]
 * ```
 */
export function array(data: Data, options: DataOptions = {}): NDArray {
  const { dtype, copy = true } = options;
  const result = data instanceof NDArray ? fromNDArray(data, dtype, copy) : fromElements(readData('array', data, { dtype, copy }));
  return options.shape === undefined ? result : layOut(result, options.shape);
}

function fromNDArray(x: NDArray, dtype: DType | undefined, copy: boolean): NDArray {
  if (dtype !== undefined && dtype !== x.dtype) return x.astype(dtype);
  return copy ? x.copy() : x;
}

const fromElements = ({ data, shape, dtype }: Elements): NDArray => NDArray.packed(data, shape, dtype);

function layOut(flat: NDArray, shape: Shape): NDArray {
  if (sizeOf(checkShape('array', shape)) !== flat.size) {
    throw new ShapeError(`array: ${flat.size} elements do not fill shape ${formatShape(shape)}, which holds ${sizeOf(shape)}`);
  }
  return flat.reshape([...shape]);
}

/** An array of one value, converted to the type. `dtype` is float32 unless given. */
export function full(shape: Shape, value: number, dtype: DType = 'float32'): NDArray {
  const data = allocate(dtype, sizeOf(checkShape('full', shape)));
  return NDArray.packed(data.fill(encode[dtype](value)), [...shape], dtype);
}

/** An array of zeros; `dtype` is float32 unless given. */
export function zeros(shape: Shape, dtype: DType = 'float32'): NDArray {
  return full(shape, 0, dtype);
}

/** An array of ones; `dtype` is float32 unless given. */
export function ones(shape: Shape, dtype: DType = 'float32'): NDArray {
  return full(shape, 1, dtype);
}

/** The matrix with ones on the diagonal and zeros elsewhere, of shape [rows, columns]. */
export function eye(rows: number, columns: number = rows, dtype: DType = 'float32'): NDArray {
  const result = zeros([rows, columns], dtype);
  for (let i = 0; i < Math.min(rows, columns); i++) result.set(1, i, i);
  return result;
}

/**
 * start, start + step, …, up to and not including stop; with one number, 0, 1, …, stop − 1.
 * @returns shape [max(0, ⌈(stop − start)/step⌉)]
 * @throws FirsthandError if the step is 0 or a number is not finite
 */
export function arange(start: number, stop?: number, step = 1, dtype: DType = 'float32'): NDArray {
  const [first, end] = stop === undefined ? [0, start] : [start, stop];
  if (step === 0 || ![first, end, step].every(Number.isFinite)) {
    throw new FirsthandError(`arange: cannot count from ${first} to ${end} in steps of ${step}`);
  }
  const data = allocate(dtype, Math.max(0, Math.ceil((end - first) / step)));
  for (let i = 0; i < data.length; i++) data[i] = encode[dtype](first + i * step);
  return NDArray.packed(data, [data.length], dtype);
}

/**
 * `count` numbers evenly spaced from start to stop, both included.
 * @returns shape [count]
 */
export function linspace(start: number, stop: number, count: number, dtype: DType = 'float32'): NDArray {
  const data = allocate(dtype, sizeOf(checkShape('linspace', [count])));
  for (let i = 0; i < count; i++) {
    const t = count === 1 ? 0 : i / (count - 1);
    data[i] = encode[dtype](start * (1 - t) + stop * t); // exact at both ends
  }
  return NDArray.packed(data, [count], dtype);
}

/**
 * Each element's own index along one axis, as a view that repeats it along the others.
 * @throws ShapeError if the axis is out of range
 */
export function iota(shape: Shape, axis: number, dtype: DType = 'int32'): NDArray {
  const along = normalizeAxis('iota', axis, checkShape('iota', shape).length);
  const single = shape.map((length, k) => (k === along ? length : 1));
  return arange(0, shape[along], 1, dtype).reshape(single).broadcastTo(shape);
}

/**
 * Joins arrays end to end along an existing axis.
 * @param arrays at least one; equal types, and equal shapes but for that axis
 * @throws ShapeError if there are none, or shapes do not fit
 * @throws DTypeError if types differ
 */
export function concatenate(arrays: readonly NDArray[], axis = 0): NDArray {
  const first = arrays[0];
  if (first === undefined) throw new ShapeError('concatenate: no arrays; give at least one');
  const along = normalizeAxis('concatenate', axis, first.ndim);
  const others = (shape: Shape): Shape => shape.filter((_, k) => k !== along);
  for (const x of arrays) {
    if (x.dtype !== first.dtype) {
      throw new DTypeError(`concatenate: element types differ: ${first.dtype} and ${x.dtype}; convert one with astype('${first.dtype}')`);
    }
    if (x.ndim !== first.ndim || !equalShapes(others(x.shape), others(first.shape))) {
      throw new ShapeError(`concatenate: shapes ${formatShape(first.shape)} and ${formatShape(x.shape)} differ beside axis ${along}`);
    }
  }
  const length = arrays.reduce((sum, x) => sum + x.shape[along]!, 0);
  const shape = first.shape.map((size, k) => (k === along ? length : size));
  const result = NDArray.packed(allocate(first.dtype, sizeOf(shape)), shape, first.dtype);
  let start = 0;
  for (const x of arrays) {
    const stop = start + x.shape[along]!;
    copyInto(result.slice(...shape.map((_, k) => (k === along ? { start, stop } : null))), x);
    start = stop;
  }
  return result;
}

/**
 * Joins arrays of one shape along a new axis.
 * @returns the arrays' shape with `arrays.length` inserted at `axis`
 * @throws ShapeError if there are none or shapes differ
 * @throws DTypeError if types differ
 */
export function stack(arrays: readonly NDArray[], axis = 0): NDArray {
  const first = arrays[0];
  if (first === undefined) throw new ShapeError('stack: no arrays; give at least one');
  const at = normalizeAxis('stack', axis, first.ndim + 1);
  for (const x of arrays) {
    if (!equalShapes(x.shape, first.shape)) {
      throw new ShapeError(`stack: shapes ${formatShape(first.shape)} and ${formatShape(x.shape)} differ`);
    }
  }
  const expanded = (x: NDArray): NDArray => x.reshape([...x.shape.slice(0, at), 1, ...x.shape.slice(at)]);
  return concatenate(arrays.map(expanded), at);
}

/**
 * Surrounds an array with a constant.
 * @param widths per axis, how many elements to add before and after; whole numbers ≥ 0
 * @param value the constant, converted to x's type
 * @throws ShapeError if there is not one pair per axis, or one is negative
 */
export function pad(x: NDArray, widths: readonly (readonly [number, number])[], value = 0): NDArray {
  if (widths.length !== x.ndim) {
    throw new ShapeError(`pad: ${widths.length} pairs of widths for shape ${formatShape(x.shape)}; give one per axis`);
  }
  const shape = x.shape.map((length, axis) => {
    const [before, after] = checkShape('pad', widths[axis]!) as readonly [number, number];
    return before + length + after;
  });
  const result = full(shape, value, x.dtype);
  const middle = result.slice(...x.shape.map((length, axis) => ({ start: widths[axis]![0], stop: widths[axis]![0] + length })));
  copyInto(middle, x);
  return result;
}
