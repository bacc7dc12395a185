/**
 * Reading and writing by index arrays. `gather` and `scatter` are the primitives that every device shares:
 * along one axis, element i of the result is x[index[i]], with all other coordinates its own; an index out of
 * range reads NaN (0 for integers) or writes nothing, so that no device needs to check. `take` is what people
 * call, and it throws instead.
 */
import { AXIS_KEYS, checkCount, oneAxisOptions, type AxisArgument, type OneAxis } from './arguments.ts';
import { allocate, DTYPES, encode, wordsOf, type TypedArray } from './dtype.ts';
import { DTypeError, ShapeError } from './errors.ts';
import { forEachIndex } from './loops.ts';
import { NDArray } from './ndarray.ts';
import { checkDomain, requireArray, typesDiffer, widen } from './operands.ts';
import { checkChoice } from './options.ts';
import { formatShape, normalizeAxis, normalizeIndex, rowMajorStrides } from './shape.ts';

/** What an index out of range reads. */
function missing(x: NDArray): number {
  return DTYPES[x.dtype].isFloat ? encode[x.dtype](NaN) : 0;
}

function checkIndex(operation: string, x: NDArray, index: NDArray, axis: number): number {
  requireArray(operation, index, 'the index');
  const along = normalizeAxis(operation, axis, requireArray(operation, x).ndim, [x, index]);
  if (index.dtype !== 'int32' && index.dtype !== 'uint32') {
    throw new DTypeError({
      operation,
      problem: `the index holds ${index.dtype} elements`,
      operands: [x, index],
      expected: 'int32',
      remedy: "use astype('int32')",
    });
  }
  if (index.ndim !== x.ndim || !index.shape.every((length, k) => k === along || length === x.shape[k])) {
    throw new ShapeError({
      operation,
      problem: `index ${formatShape(index.shape)} must have the shape ${formatShape(x.shape)} beside axis ${along}`,
      operands: [x, index],
      expected: `an index of shape ${formatShape(x.shape)} beside axis ${along}`,
    });
  }
  return along;
}

/** Scalars count as rows of one element: their axis is 0, or −1. */
const areScalars = (...arrays: readonly NDArray[]): boolean =>
  arrays.every((x) => x instanceof NDArray && x.ndim === 0);

/** A shape with its axis set aside, so that loops over the others can walk it by themselves. */
function withoutAxis<T>(list: readonly T[], axis: number): T[] {
  return list.filter((_, k) => k !== axis);
}

/**
 * y[…, i, …] = x[…, index[…, i, …], …] along an axis (torch.gather, numpy.take_along_axis).
 * @param index int32 or uint32, of x's shape but for the axis; out of range, negatives included, reads NaN (0
 *   for integers and bools)
 * @returns a packed array of the index's shape and x's type
 * @throws ShapeError if the shapes do not fit
 * @throws DTypeError if the index does not hold integers
 */
export function gather(x: NDArray, index: NDArray, axis: number): NDArray {
  checkCount('gather', arguments.length, 3, 'gather(x, index, axis)');
  if (areScalars(x, index)) return gather(x.reshape([1]), index.reshape([1]), axis).reshape([]);
  const along = checkIndex('gather', x, index, axis);
  const data = allocate(x.dtype, index.size);
  const strides = rowMajorStrides(index.shape);
  const [s, t, u] = [x.strides[along]!, index.strides[along]!, strides[along]!];
  const [source, target] = [wordsOf(x.data), wordsOf(data)];
  // A NaN must be written as the float that it is, not as a word: what is missing is filled in first.
  data.fill(missing(x));
  const walked = [x.strides, index.strides, strides].map((list) => withoutAxis(list, along));
  forEachIndex(withoutAxis(index.shape, along), walked, [x.offset, index.offset, 0], (offsets) => {
    const [i, j, o] = offsets as [number, number, number];
    gatherRow(index.shape[along]!, source, i, s, x.shape[along]!, index.data, j, t, target, o, u);
  });
  return NDArray.packed(data, index.shape, x.dtype);
}

function gatherRow(
  n: number,
  x: TypedArray,
  i: number,
  s: number,
  length: number,
  index: TypedArray,
  j: number,
  t: number,
  y: TypedArray,
  o: number,
  u: number,
): void {
  for (let k = 0; k < n; k++, j += t, o += u) {
    const at = index[j]!;
    if (at >= 0 && at < length) y[o] = x[i + at * s]!;
  }
}

/**
 * A copy of `base` with y[…, index[…, i, …], …] set to, or increased by, source[…, i, …], in row-major order
 * of the index: of several sets of one element the last wins, and adds accumulate in double precision,
 * rounded once at the end.
 * @param mode 'set' or 'add'
 * @param index int32 or uint32, of base's shape but for the axis; what it puts out of range is dropped
 * @param source of the index's shape and base's type
 * @throws ShapeError if the shapes do not fit
 * @throws DTypeError if types do not fit, or bools would be added
 */
export function scatter(
  mode: 'add' | 'set',
  base: NDArray,
  index: NDArray,
  source: NDArray,
  axis: number,
): NDArray {
  checkCount('scatter', arguments.length, 5, 'scatter(mode, base, index, source, axis)');
  checkChoice('scatter', 'mode', mode, ['add', 'set']);
  if (areScalars(base, index, source)) {
    return scatter(mode, base.reshape([1]), index.reshape([1]), source.reshape([1]), axis).reshape([]);
  }
  const along = checkIndex('scatter', base, index, axis);
  if (requireArray('scatter', source, 'the source').dtype !== base.dtype) {
    throw typesDiffer('scatter', base, source);
  }
  if (mode === 'add') checkDomain('scatter', base, 'number');
  if (source.ndim !== index.ndim || !source.shape.every((length, k) => length === index.shape[k])) {
    const [given, expected] = [formatShape(source.shape), formatShape(index.shape)];
    throw new ShapeError({
      operation: 'scatter',
      problem: `source ${given} and index ${expected} must have one shape`,
      operands: [base, index, source],
      expected: 'a source of the shape of the index',
    });
  }
  const adds = mode === 'add';
  const wide = adds && DTYPES[base.dtype].isFloat ? 'float64' : base.dtype;
  const result = base.astype(wide).copy();
  const values = adds ? widen(source) : source;
  const [from, to] = adds ? [values.data, result.data] : [wordsOf(values.data), wordsOf(result.data)];
  const write = adds ? addElement : setElement;
  // Row-major over the whole index, not row by row along the axis: that is the order in which the last write
  // wins.
  const strides = result.strides.map((stride, k) => (k === along ? 0 : stride));
  const [s, length] = [result.strides[along]!, base.shape[along]!];
  forEachIndex(
    index.shape,
    [strides, index.strides, values.strides],
    [0, index.offset, values.offset],
    (offsets) => {
      const [o, j, i] = offsets as [number, number, number];
      const at = index.data[j]!;
      if (at >= 0 && at < length) write(to, o + at * s, from[i]!);
    },
  );
  return result.astype(base.dtype);
}

function addElement(y: TypedArray, o: number, value: number): void {
  y[o]! += value;
}

function setElement(y: TypedArray, o: number, value: number): void {
  y[o] = value;
}

/**
 * Whole slices of an array by index: of a matrix and axis 0, its rows in any order and as often as wanted.
 * @param indices whole numbers, or an int32 or uint32 array of any shape; negative ones count from the end
 * @param axis the axis as a number, 0 if not given, or { axis }
 * @returns x's shape with the axis replaced by the indices' shape
 * @throws ShapeError if an index is out of range
 * @throws DTypeError if the index array does not hold integers
 * @example
 * ```ts
 * import { array, take } from '@firsthand/linalg';
 * console.log(take(array([[1, 2], [3, 4]]), [1, 1, -2], 0).toArray()); // [ [ 3, 4 ], [ 3, 4 ], [ 1, 2 ] ]
 * ```
 */
export function take(
  x: NDArray,
  indices: NDArray | readonly number[],
  axis?: AxisArgument<OneAxis>,
): NDArray {
  checkCount('take', arguments.length, 3, 'take(x, indices, axis)');
  const given = oneAxisOptions('take', axis, AXIS_KEYS).axis ?? 0;
  if (areScalars(x)) return take(x.reshape([1]), indices, given);
  const along = normalizeAxis('take', given, requireArray('take', x).ndim, [x]);
  if (!Array.isArray(indices)) requireArray('take', indices as NDArray, 'the indices');
  const shape = indices instanceof NDArray ? indices.shape : [indices.length];
  if (indices instanceof NDArray && indices.dtype !== 'int32' && indices.dtype !== 'uint32') {
    throw new DTypeError({
      operation: 'take',
      problem: `the indices hold ${indices.dtype} elements`,
      operands: [x, indices],
      expected: 'int32',
      remedy: "use astype('int32')",
    });
  }
  const list = indices instanceof NDArray ? indices.contiguous().data : indices;
  const length = x.shape[along]!;
  const index = Int32Array.from(list, (at) => normalizeIndex('take', at, length, along, [x]));
  const spread = x.shape.map((_, k) => (k === along ? index.length : 1));
  const wanted = x.shape.map((size, k) => (k === along ? index.length : size));
  const rows = gather(x, NDArray.packed(index, spread, 'int32').broadcastTo(wanted), along);
  return rows.reshape([...x.shape.slice(0, along), ...shape, ...x.shape.slice(along + 1)]);
}
