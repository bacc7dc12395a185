/**
 * Arrays from nothing and from JavaScript data. Nested arrays give their own shape, typed arrays are flat unless a shape is given; data is
 * copied unless told otherwise. Without a `dtype`: numbers become float32, booleans bool, and a typed array keeps its type where there is one for it.
 */
import { allocate, convert, encode, type DType, type TypedArray } from './dtype.ts';
import { DTypeError, FirsthandError, ShapeError } from './errors.ts';
import type { Nested } from './format.ts';
import { copyInto } from './loops.ts';
import { NDArray } from './ndarray.ts';
import { checkShape, equalShapes, formatShape, normalizeAxis, sizeOf, type Shape } from './shape.ts';

/** Typed arrays that {@link array} reads: those that store a dtype, and the small integers, which become int32. */
export type TypedData = TypedArray | Int8Array<ArrayBufferLike> | Int16Array<ArrayBufferLike> | Uint8ClampedArray<ArrayBufferLike>;

/** What {@link arange} and the like may be told. */
export interface ArrayOptions {
  readonly dtype?: DType | undefined;
  readonly shape?: Shape | undefined;
}

/** What {@link array} may be told. */
export interface DataOptions extends ArrayOptions {
  readonly copy?: boolean | undefined;
}

/**
 * An array with a copy of the given data, or over the data itself.
 * @param data numbers or booleans, nested once per axis; or a typed array
 * @param options.dtype the element type; a `Uint16Array` needs one: with float16 it is read as bits, else as whole numbers
 * @param options.shape the shape to lay the elements out in, row by row
 * @param options.copy false to copy nothing where the data is a typed array of the dtype: the array is a view of it then
 * @throws ShapeError if rows differ in length, or the shape does not hold as many elements
 * @throws DTypeError if a `Uint16Array` comes without a dtype
 * @example
 * ```ts
 * import { array } from '@firsthand/linalg';
 * console.log(array([[1, 2], [3, 4]]).shape); // [ 2, 2 ]
 * console.log(array(new Int32Array(6), { shape: [2, 3] }).dtype); // int32
 * ```
 */
export function array(data: Nested | TypedData, options: DataOptions = {}): NDArray {
  const { dtype, copy = true } = options;
  const result = ArrayBuffer.isView(data) ? fromTyped(data, dtype, copy) : fromNested(data, dtype);
  return options.shape === undefined ? result : layOut(result, options.shape);
}

function layOut(flat: NDArray, shape: Shape): NDArray {
  if (sizeOf(checkShape('array', shape)) !== flat.size) {
    throw new ShapeError(`array: ${flat.size} elements do not fill shape ${formatShape(shape)}, which holds ${sizeOf(shape)}`);
  }
  return flat.reshape([...shape]);
}

function fromTyped(data: TypedData, dtype: DType | undefined, copy: boolean): NDArray {
  if (data instanceof Uint16Array && dtype === undefined) {
    throw new DTypeError("array: a Uint16Array may hold float16 bits or whole numbers; say which with dtype: 'float16' or 'int32'");
  }
  const stored = storedDType(data, dtype);
  if (stored !== null && (dtype === undefined || dtype === stored)) {
    const elements = data as TypedArray;
    return NDArray.packed(copy ? elements.slice() : elements, [data.length], stored);
  }
  const own = stored ?? 'int32';
  const values = allocate(own, data.length);
  values.set(data);
  return NDArray.packed(dtype === undefined || dtype === own ? values : convert(values, own, dtype), [data.length], dtype ?? own);
}

/** The dtype whose elements a typed array holds as they are; null for small integers, which are read as int32. */
function storedDType(data: TypedData, dtype: DType | undefined): DType | null {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Float64Array) return 'float64';
  if (data instanceof Uint32Array) return 'uint32';
  if (data instanceof Int32Array) return 'int32';
  return data instanceof Uint16Array && dtype === 'float16' ? 'float16' : null;
}

function fromNested(nested: Nested, dtype: DType | undefined): NDArray {
  const shape: number[] = [];
  for (let level = nested; typeof level === 'object'; level = level[0]!) {
    shape.push(level.length);
    if (level.length === 0) break;
  }
  const values: (number | boolean)[] = [];
  const collect = (level: Nested, axis: number): void => {
    if (typeof level !== 'object') {
      if (axis !== shape.length) throw raggedness(shape, axis, 'a single value');
      values.push(level);
      return;
    }
    if (level.length !== shape[axis]) throw raggedness(shape, axis, `${level.length} entries`);
    for (const entry of level) collect(entry, axis + 1);
  };
  collect(nested, 0);
  const type = dtype ?? (values.length > 0 && values.every((value) => typeof value === 'boolean') ? 'bool' : 'float32');
  const data = allocate(type, values.length);
  values.forEach((value, i) => (data[i] = encode[type](Number(value))));
  return NDArray.packed(data, shape, type);
}

function raggedness(shape: Shape, axis: number, found: string): ShapeError {
  const expected = axis < shape.length ? `${shape[axis]} entries` : 'a single value';
  return new ShapeError(`array: rows differ in length: ${found} at depth ${axis}, where the first row has ${expected}`);
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
