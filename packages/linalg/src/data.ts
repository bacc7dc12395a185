/**
 * Elements, shape and dtype of data from outside: numbers nested once per axis, a typed array, or a typed
 * array that brings its shape and the name of its elements' type, as a file holds it. A dtype that is not
 * named follows from the data: numbers are float32, booleans bool, a typed array keeps its type, and the
 * small integers, for which there is no dtype, become int32.
 */
import { allocate, convert, DTYPES, encode, type DType, type TypedArray } from './dtype.ts';
import { DTypeError, ShapeError } from './errors.ts';
import { describeValue } from './options.ts';
import { formatShape, sizeOf, type Shape } from './shape.ts';

/** Typed arrays that can be read: those that store a dtype, and the small integers, which become int32. */
export type TypedData =
  | TypedArray
  | Int8Array<ArrayBufferLike>
  | Int16Array<ArrayBufferLike>
  | Uint8ClampedArray<ArrayBufferLike>;

/** Numbers or booleans, nested once per axis; a row may be a typed array. */
export type NestedData = number | boolean | TypedData | readonly NestedData[];

/**
 * A typed array with its shape and the name of its elements' type: what readers of files give. A name that is
 * no dtype says how a file stores the elements (`uint8`, `bfloat16`, `int64`); the typed array then decides
 * what they become.
 */
export interface ArrayData {
  /** the elements, row-major */
  readonly data: TypedData;
  readonly shape: Shape;
  readonly dtype: string;
}

/** Elements in row-major order, in the storage of their dtype. */
export interface Elements {
  readonly data: TypedArray;
  readonly shape: Shape;
  readonly dtype: DType;
}

/** What may be told of data that is read. */
export interface ReadOptions {
  /** the dtype of the result; what the data says if not given */
  readonly dtype: DType | undefined;
  /** whether the result has storage of its own; false to share a typed array of the right dtype */
  readonly copy: boolean;
}

/**
 * Reads data that is not an `NDArray`.
 * @throws ShapeError if rows differ in length, or a shape does not fit its elements
 * @throws DTypeError for what is no data, and for a `Uint16Array` without a dtype: it may hold float16's bits
 *   or whole numbers
 */
export function readData(operation: string, data: NestedData | ArrayData, options: ReadOptions): Elements {
  if (isTyped(data)) return readTyped(operation, data, options);
  if (isArrayData(data)) return readArrayData(operation, data, options);
  return readNested(operation, data, options.dtype);
}

function isTyped(data: unknown): data is TypedData {
  return ArrayBuffer.isView(data) && !(data instanceof DataView);
}

function isArrayData(data: NestedData | ArrayData): data is ArrayData {
  return (
    typeof data === 'object' &&
    data !== null &&
    'data' in data &&
    'shape' in data &&
    'dtype' in data &&
    isTyped(data.data)
  );
}

function readArrayData(
  operation: string,
  { data, shape, dtype: named }: ArrayData,
  { dtype, copy }: ReadOptions,
): Elements {
  const size = sizeOf(shape);
  if (size !== data.length) {
    throw new ShapeError({
      operation,
      problem: `${data.length} elements do not fill shape ${formatShape(shape)}, which holds ${size}`,
      operands: [{ shape, dtype: named }],
      expected: `${size} elements`,
    });
  }
  const storedAs = Object.hasOwn(DTYPES, named)
    ? (named as DType)
    : data instanceof Uint16Array
      ? 'int32'
      : undefined;
  const read = readTyped(operation, data, { dtype: storedAs, copy });
  return dtype === undefined || dtype === read.dtype
    ? { ...read, shape }
    : { data: convert(read.data, read.dtype, dtype), shape, dtype };
}

function readTyped(operation: string, data: TypedData, { dtype, copy }: ReadOptions): Elements {
  const shape = [data.length];
  if (data instanceof Uint16Array && dtype === undefined) {
    throw new DTypeError({
      operation,
      problem: 'a Uint16Array may hold float16 bits or whole numbers',
      expected: 'a dtype beside a Uint16Array',
      remedy: "say which with dtype: 'float16' or 'int32'",
    });
  }
  const stored = storedDType(data, dtype);
  if (stored !== null && (dtype === undefined || dtype === stored)) {
    const elements = data as TypedArray;
    return { data: copy ? elements.slice() : elements, shape, dtype: stored };
  }
  const storedAs = stored ?? 'int32';
  if (stored === null && !isSmallInteger(data)) {
    throw new DTypeError({
      operation,
      problem: `${describeValue(data)} has elements of no dtype`,
      expected: 'elements of at most 32 bits, or float64',
      remedy: 'convert it, as with Float32Array.from(data, Number)',
    });
  }
  const values = allocate(storedAs, data.length);
  values.set(data);
  return dtype === undefined || dtype === storedAs
    ? { data: values, shape, dtype: storedAs }
    : { data: convert(values, storedAs, dtype), shape, dtype };
}

/**
 * The dtype whose elements a typed array holds as they are; null for small integers, which are read as int32.
 */
function storedDType(data: TypedData, dtype: DType | undefined): DType | null {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Float64Array) return 'float64';
  if (data instanceof Uint32Array) return 'uint32';
  if (data instanceof Int32Array) return 'int32';
  return data instanceof Uint16Array && dtype === 'float16' ? 'float16' : null;
}

function isSmallInteger(data: TypedData): boolean {
  return (
    data instanceof Uint8Array ||
    data instanceof Uint16Array ||
    data instanceof Int8Array ||
    data instanceof Int16Array ||
    data instanceof Uint8ClampedArray
  );
}

const isRow = (level: unknown): level is readonly NestedData[] | TypedData =>
  Array.isArray(level) || isTyped(level);

function readNested(operation: string, nested: NestedData, dtype: DType | undefined): Elements {
  const shape: number[] = [];
  for (let level = nested; isRow(level); level = level[0]!) {
    shape.push(level.length);
    if (level.length === 0) break;
  }
  const values: (number | boolean)[] = [];
  /** The dtype of rows that are typed arrays, null where there are others, or several. */
  let rowType: DType | null | undefined;
  const collect = (level: NestedData, axis: number): void => {
    if (!isRow(level)) {
      if (typeof level !== 'number' && typeof level !== 'boolean') throw notData(operation, level);
      if (axis !== shape.length) throw raggedness(operation, shape, axis, 'a single value');
      rowType = null;
      values.push(level);
      return;
    }
    if (level.length !== shape[axis]) throw raggedness(operation, shape, axis, `${level.length} entries`);
    if (isTyped(level)) {
      if (axis !== shape.length - 1) throw raggedness(operation, shape, axis, 'a row of numbers');
      const row = readTyped(operation, level, { dtype: undefined, copy: false });
      rowType = rowType === undefined || rowType === row.dtype ? row.dtype : null;
      for (const value of row.data) values.push(value);
      return;
    }
    for (const entry of level) collect(entry, axis + 1);
  };
  collect(nested, 0);
  const isTruth = values.length > 0 && values.every((value) => typeof value === 'boolean');
  const type = dtype ?? rowType ?? (isTruth ? 'bool' : 'float32');
  const data = allocate(type, values.length);
  values.forEach((value, i) => (data[i] = encode[type](Number(value))));
  return { data, shape, dtype: type };
}

function raggedness(operation: string, shape: Shape, axis: number, found: string): ShapeError {
  const expected = axis < shape.length ? `${shape[axis]} entries` : 'a single value';
  const problem = `rows differ in length: ${found} at depth ${axis}, where the first row has ${expected}`;
  return new ShapeError({ operation, problem, expected });
}

function notData(operation: string, value: unknown): DTypeError {
  const expected = 'numbers, nested arrays of numbers, a typed array or an NDArray';
  return new DTypeError({ operation, problem: `wants ${expected}, not ${describeValue(value)}`, expected });
}
