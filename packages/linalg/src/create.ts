/**
 * Arrays from nothing and from JavaScript data. Data is copied unless told otherwise; what it may be, and
 * which dtype it gets, is in `data.ts`.
 */
import {
  AXIS_KEYS,
  checkCount,
  oneAxisOptions,
  readShape,
  readSizes,
  type AxisArgument,
  type OneAxis,
  type ShapeAndOptions,
} from './arguments.ts';
import { type ArrayData, type Elements, type NestedData, readData } from './data.ts';
import { allocate, checkDType, encode, type DType } from './dtype.ts';
import { DTypeError, OptionError, ShapeError } from './errors.ts';
import { copyInto } from './loops.ts';
import { NDArray } from './ndarray.ts';
import { requireArray, typesDiffer } from './operands.ts';
import { checkNumber, checkOptions, describeValue, type OptionKeys } from './options.ts';
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

const DATA_KEYS: OptionKeys<DataOptions> = { dtype: true, shape: true, copy: 'boolean' };

/** Everything that can be read as an array. An `NDArray` is one, strided as it may be. */
export type Data = NestedData | ArrayData;

/**
 * An array with a copy of the given data, or over the data itself.
 * @param data numbers or booleans, nested once per axis; a typed array; an `NDArray`; or a typed array with
 *   its shape, as files give it
 * @param options.dtype the element type; a `Uint16Array` needs one: with float16 it is read as bits, else as
 *   whole numbers
 * @param options.shape the shape to lay the elements out in, row by row
 * @param options.copy false to copy nothing where the data is an `NDArray` or a typed array of the dtype: the
 *   result is a view of it then
 * @throws ShapeError if rows differ in length, or the shape does not hold as many elements
 * @throws DTypeError if a `Uint16Array` comes without a dtype, or for what is no data
 * @example
 * ```ts
 * import { array } from '@firsthand/linalg';
 * console.log(array([[1, 2], [3, 4]]).shape); // [ 2, 2 ]
 * console.log(array(new Int32Array(6), { shape: [2, 3] }).dtype); // int32
 * const bytes = array({ data: Uint8Array.of(0, 255), shape: [2, 1], dtype: 'uint8' });
 * console.log(bytes.toArray()); // [ [ 0 ], [ 255 ] ]
 * ```
 */
export function array(data: Data, options?: DataOptions): NDArray {
  checkCount('array', arguments.length, 2, 'array(data, { dtype, shape })');
  return readArray('array', data, checkOptions('array', options, DATA_KEYS));
}

/** What `array` makes of data, for an operation that its errors name. @throws as `array` */
export function readArray(
  operation: string,
  data: Data,
  { dtype, copy = true, shape }: DataOptions,
): NDArray {
  if (dtype !== undefined) checkDType(operation, dtype);
  const result =
    data instanceof NDArray
      ? fromNDArray(data, dtype, copy)
      : fromElements(readData(operation, data, { dtype, copy }));
  return shape === undefined ? result : layOut(operation, result, readSizes(operation, [shape]));
}

function fromNDArray(x: NDArray, dtype: DType | undefined, copy: boolean): NDArray {
  if (dtype !== undefined && dtype !== x.dtype) return x.astype(dtype);
  return copy ? x.copy() : x;
}

const fromElements = ({ data, shape, dtype }: Elements): NDArray => NDArray.packed(data, shape, dtype);

function layOut(operation: string, flat: NDArray, shape: Shape): NDArray {
  if (sizeOf(checkShape(operation, shape)) !== flat.size) {
    throw new ShapeError({
      operation,
      problem: `${flat.size} elements do not fill shape ${formatShape(shape)}, which holds ${sizeOf(shape)}`,
      operands: [flat],
      expected: `${sizeOf(shape)} elements`,
    });
  }
  return flat.reshape([...shape]);
}

/** Which type the elements of a new array have: float32, if not given. */
export interface DTypeOptions {
  readonly dtype?: DType | undefined;
}

const DTYPE_KEYS: OptionKeys<DTypeOptions> = { dtype: true };

const dtypeOf = (operation: string, { dtype = 'float32' }: DTypeOptions): DType =>
  checkDType(operation, dtype);

function filled(operation: string, shape: Shape, value: number, options: DTypeOptions): NDArray {
  const dtype = dtypeOf(operation, options);
  const data = allocate(dtype, sizeOf(checkShape(operation, shape)), operation);
  return NDArray.packed(data.fill(encode[dtype](value)), [...shape], dtype);
}

/**
 * An array of one value, converted to the type.
 * @param shape sizes, or the one size of a vector
 * @throws ShapeError for what is no shape
 */
export function full(shape: Shape | number, value: number, options?: DTypeOptions): NDArray {
  checkCount('full', arguments.length, 3, 'full([2, 3], value, { dtype })');
  return filled(
    'full',
    readSizes('full', [shape]),
    checkNumber('full', 'the value', value),
    checkOptions('full', options, DTYPE_KEYS),
  );
}

/**
 * An array of zeros: `zeros([2, 3])` or `zeros(2, 3)`, with { dtype } behind.
 * @throws ShapeError for what is no shape
 * @example
 * ```ts
 * import { zeros } from '@firsthand/linalg';
 * console.log(zeros(2, 3, { dtype: 'int32' }).toArray()); // [ [ 0, 0, 0 ], [ 0, 0, 0 ] ]
 * ```
 */
export function zeros(...shapeAndOptions: ShapeAndOptions<DTypeOptions>): NDArray {
  const { shape, options } = readShape('zeros', shapeAndOptions, DTYPE_KEYS);
  return filled('zeros', shape, 0, options);
}

/**
 * An array of ones: `ones([2, 3])` or `ones(2, 3)`, with { dtype } behind.
 * @throws ShapeError for what is no shape
 */
export function ones(...shapeAndOptions: ShapeAndOptions<DTypeOptions>): NDArray {
  const { shape, options } = readShape('ones', shapeAndOptions, DTYPE_KEYS);
  return filled('ones', shape, 1, options);
}

/**
 * The matrix with ones on the diagonal and zeros elsewhere: `eye(3)`, `eye(2, 3)` or `eye([2, 3])`, with {
 * dtype } behind.
 * @throws ShapeError unless one or two sizes are given
 */
export function eye(...shapeAndOptions: ShapeAndOptions<DTypeOptions>): NDArray {
  const { shape, options } = readShape('eye', shapeAndOptions, DTYPE_KEYS);
  if (shape.length !== 1 && shape.length !== 2) {
    throw new ShapeError({
      operation: 'eye',
      problem: `${formatShape(shape)} is no matrix`,
      expected: 'rows, and columns if they differ',
    });
  }
  const [rows, columns = rows] = shape as readonly [number, number?];
  const result = filled('eye', [rows, columns], 0, options);
  for (let i = 0; i < Math.min(rows, columns); i++) result.set(1, i, i);
  return result;
}

/** What {@link arange} may be told besides its numbers. */
export interface RangeOptions extends DTypeOptions {
  /** the distance of neighbours, 1 if not given */
  readonly step?: number | undefined;
}

const RANGE_KEYS: OptionKeys<RangeOptions> = { ...DTYPE_KEYS, step: 'number' };

/** One number, which is where it stops, or two; a step, and options behind. */
export type RangeArguments<O extends RangeOptions> =
  | readonly [stop: number, options?: O | undefined]
  | readonly [start: number, stop: number, options?: O | undefined]
  | readonly [start: number, stop: number, step: number, options?: O | undefined];

/**
 * What the arguments of a range mean.
 * @throws ShapeError if the range has no end
 * @throws OptionError for a key that does not exist
 */
export function readRange<O extends RangeOptions>(
  operation: string,
  args: RangeArguments<O>,
  keys: OptionKeys<O>,
): { readonly start: number; readonly step: number; readonly count: number; readonly options: O } {
  const list: readonly unknown[] = args;
  const end = list.findIndex((each) => typeof each !== 'number');
  const numbers = end < 0 ? list : list.slice(0, end);
  const call = `${operation}(start, stop, { step, dtype })`;
  checkCount(operation, list.length, Math.min(numbers.length, 3) + 1, call);
  if (numbers.length === 0) {
    throw new OptionError({
      operation,
      problem: `${describeValue(list[0])} where it stops`,
      expected: 'a number',
      remedy: `write ${call}`,
    });
  }
  const options = checkOptions(operation, list[numbers.length] as O | undefined, keys);
  const [first, second, third] = numbers as readonly (number | undefined)[];
  const [start, stop, step] = [second === undefined ? 0 : first, second ?? first, third ?? options.step ?? 1];
  const count = Math.max(0, Math.ceil((stop! - start!) / step));
  if (![start, stop, step].every(Number.isFinite) || step === 0) {
    const problem = `cannot count from ${start} to ${stop} in steps of ${step}`;
    throw new ShapeError({ operation, problem, expected: 'finite numbers, and a step that is not 0' });
  }
  return { start: start!, step, count, options };
}

/**
 * Equally spaced numbers: `arange(stop)` counts 0, 1, …; `arange(start, stop)` and
 * `arange(start, stop, step)` from start on; stop is not included. Options behind: { dtype, step }.
 * @returns shape [max(0, ⌈(stop − start)/step⌉)]
 * @throws ShapeError if the step is 0 or a number is not finite
 * @example
 * ```ts
 * import { arange } from '@firsthand/linalg';
 * console.log(arange(3).toArray()); // [ 0, 1, 2 ]
 * console.log(arange(1, 2, 0.5, { dtype: 'float64' }).toArray()); // [ 1, 1.5 ]
 * ```
 */
export function arange(...rangeAndOptions: RangeArguments<RangeOptions>): NDArray {
  const { start, step, count, options } = readRange('arange', rangeAndOptions, RANGE_KEYS);
  return counted(start, step, count, dtypeOf('arange', options));
}

function counted(first: number, step: number, count: number, dtype: DType): NDArray {
  const data = allocate(dtype, count, 'arange');
  for (let i = 0; i < data.length; i++) data[i] = encode[dtype](first + i * step);
  return NDArray.packed(data, [data.length], dtype);
}

/**
 * `count` numbers evenly spaced from start to stop, both included: start + i·(stop − start)/(count − 1),
 * counted from the nearer end, so that the ends are exact and the numbers of two opposite intervals are
 * opposite. Computed in double precision and rounded once; integer types truncate toward zero.
 * @returns shape [count]
 * @example
 * ```ts
 * import { linspace } from '@firsthand/linalg';
 * console.log(linspace(0, 1, 5).toArray()); // [ 0, 0.25, 0.5, 0.75, 1 ]
 * console.log(linspace(-10, 10, 4, { dtype: 'int32' }).toArray()); // [ -10, -3, 3, 10 ]
 * ```
 */
export function linspace(start: number, stop: number, count: number, options?: DTypeOptions): NDArray {
  checkCount('linspace', arguments.length, 4, 'linspace(start, stop, count, { dtype })');
  const dtype = dtypeOf('linspace', checkOptions('linspace', options, DTYPE_KEYS));
  checkNumber('linspace', 'the start', start);
  checkNumber('linspace', 'the stop', stop);
  const data = allocate(dtype, sizeOf(checkShape('linspace', [checkNumber('linspace', 'the count', count)])));
  const last = count - 1;
  for (let i = 0; i < count; i++)
    data[i] = encode[dtype](
      2 * i <= last ? spaced(start, stop, i, last) : spaced(stop, start, last - i, last),
    );
  return NDArray.packed(data, [count], dtype);
}

/** The number i of `last` equal steps from one end of an interval toward the other. */
function spaced(from: number, to: number, i: number, last: number): number {
  if (i === 0) return from;
  // Multiplied first: whole numbers stay exact.
  const distance = ((to - from) * i) / last;
  // Intervals longer than the largest double.
  return Number.isFinite(distance) ? from + distance : from * (1 - i / last) + to * (i / last);
}

/**
 * Each element's own index along one axis, as a view that repeats it along the others.
 * @throws ShapeError if the axis is out of range
 */
export function iota(sizes: Shape, axis: number, options?: DTypeOptions): NDArray {
  checkCount('iota', arguments.length, 3, 'iota(shape, axis, { dtype })');
  const { dtype = 'int32' } = checkOptions('iota', options, DTYPE_KEYS);
  const shape = checkShape('iota', readSizes('iota', [sizes]));
  const along = normalizeAxis('iota', axis, shape.length);
  const single = shape.map((length, k) => (k === along ? length : 1));
  return counted(0, 1, shape[along]!, checkDType('iota', dtype)).reshape(single).broadcastTo(shape);
}

/** The first of the arrays to join. @throws ShapeError for none, DTypeError for what is no array */
function firstOf(operation: string, arrays: readonly NDArray[]): NDArray {
  if (!Array.isArray(arrays)) {
    const problem = `${describeValue(arrays)} where arrays are wanted`;
    throw new DTypeError({
      operation,
      problem,
      expected: 'an array of NDArrays',
      remedy: `write ${operation}([a, b])`,
    });
  }
  (arrays as readonly NDArray[]).forEach((x, k) => requireArray(operation, x, `operand ${k}`));
  if (arrays[0] !== undefined) return arrays[0] as NDArray;
  throw new ShapeError({
    operation,
    problem: 'no arrays',
    expected: 'at least one array',
    remedy: 'give at least one',
  });
}

/**
 * Joins arrays end to end along an existing axis.
 * @param arrays at least one; equal types, and equal shapes but for that axis
 * @param axis the axis as a number, 0 if not given, or { axis }
 * @throws ShapeError if there are none, or shapes do not fit
 * @throws DTypeError if types differ
 */
export function concatenate(arrays: readonly NDArray[], axis?: AxisArgument<OneAxis>): NDArray {
  checkCount('concatenate', arguments.length, 2, 'concatenate([a, b], axis)');
  const first = firstOf('concatenate', arrays);
  const along = normalizeAxis(
    'concatenate',
    oneAxisOptions('concatenate', axis, AXIS_KEYS).axis ?? 0,
    first.ndim,
    arrays,
  );
  const others = (shape: Shape): Shape => shape.filter((_, k) => k !== along);
  for (const x of arrays) {
    if (x.dtype !== first.dtype) throw typesDiffer('concatenate', first, x);
    if (x.ndim !== first.ndim || !equalShapes(others(x.shape), others(first.shape))) {
      const problem = `shapes ${formatShape(first.shape)} and ${formatShape(x.shape)} differ beside axis ${along}`;
      throw new ShapeError({
        operation: 'concatenate',
        problem,
        operands: [first, x],
        expected: 'sizes that differ along one axis only',
      });
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
 * @param axis the new axis as a number, 0 if not given, or { axis }
 * @returns the arrays' shape with `arrays.length` inserted at `axis`
 * @throws ShapeError if there are none or shapes differ
 * @throws DTypeError if types differ
 */
export function stack(arrays: readonly NDArray[], axis?: AxisArgument<OneAxis>): NDArray {
  checkCount('stack', arguments.length, 2, 'stack([a, b], axis)');
  const first = firstOf('stack', arrays);
  const at = normalizeAxis(
    'stack',
    oneAxisOptions('stack', axis, AXIS_KEYS).axis ?? 0,
    first.ndim + 1,
    arrays,
  );
  for (const x of arrays) {
    if (!equalShapes(x.shape, first.shape)) {
      const problem = `shapes ${formatShape(first.shape)} and ${formatShape(x.shape)} differ`;
      throw new ShapeError({
        operation: 'stack',
        problem,
        operands: [first, x],
        expected: 'arrays of one shape',
      });
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
  checkCount('pad', arguments.length, 3, 'pad(x, [[before, after], …], value)');
  const isPairs =
    Array.isArray(widths) && widths.length === requireArray('pad', x).ndim && widths.every(Array.isArray);
  if (!isPairs) {
    const count = Array.isArray(widths) ? `${widths.length} pairs` : describeValue(widths);
    const problem = `${count} of widths for shape ${formatShape(x.shape)}`;
    throw new ShapeError({
      operation: 'pad',
      problem,
      operands: [x],
      expected: 'one per axis',
      remedy: 'give one per axis',
    });
  }
  const shape = x.shape.map((length, axis) => {
    const [before, after] = checkShape('pad', widths[axis]!) as readonly [number, number];
    return before + length + after;
  });
  const result = full(shape, checkNumber('pad', 'the value', value), { dtype: x.dtype });
  const middle = result.slice(
    ...x.shape.map((length, axis) => ({ start: widths[axis]![0], stop: widths[axis]![0] + length })),
  );
  copyInto(middle, x);
  return result;
}
