/**
 * Reductions as people call them: `sum(x)`, `mean(x, { axis: 0 })`. Without an axis all elements are reduced to a scalar array.
 * The variance subtracts the mean first, Σ(x − x̄)²/(n − c), because Σx²/n − x̄² loses every digit where the mean is large.
 */
import { allocate, DTYPES, type TypedArray } from './dtype.ts';
import type { ReduceOptions } from './arguments.ts';
import { binary } from './binary.ts';
import { forEachIndex } from './loops.ts';
import { NDArray } from './ndarray.ts';
import { checkDomain, widen } from './operands.ts';
import { argReduce, reduce } from './reduce.ts';
import { normalizeAxes, normalizeAxis, rowMajorStrides, sizeOf } from './shape.ts';
import { sqrt } from './unary.ts';

/** As {@link ReduceOptions}, for one axis. Without it the index counts through all elements in row-major order. */
export interface ArgReduceOptions {
  readonly axis?: number | undefined;
  readonly keepDims?: boolean | undefined;
}

/** As {@link ReduceOptions}; the divisor is n − correction (0: of a population, if not given; 1: estimated from a sample). */
export interface VarianceOptions extends ReduceOptions {
  readonly correction?: number | undefined;
}

/**
 * The sum; of bools, the int32 count of the true ones. Pairwise, in double precision.
 * @example
 * ```ts
 * import { array, sum } from '@firsthand/linalg';
 * const x = array([[1, 2], [3, 4]]);
 * console.log(sum(x).get(), sum(x, { axis: 0 }).toArray()); // 10 [ 4, 6 ]
 * ```
 */
export function sum(x: NDArray, options: ReduceOptions = {}): NDArray {
  const numbers = x.dtype === 'bool' ? x.astype('int32') : x;
  return reduce('sum', numbers, normalizeAxes('sum', options.axis, x.ndim), options.keepDims);
}

/** The product; 1 of no elements. */
export function prod(x: NDArray, options: ReduceOptions = {}): NDArray {
  return reduce('prod', x, normalizeAxes('prod', options.axis, x.ndim), options.keepDims);
}

/**
 * The largest element; NaN if there is one.
 * @throws ShapeError of no elements
 */
export function max(x: NDArray, options: ReduceOptions = {}): NDArray {
  return reduce('max', x, normalizeAxes('max', options.axis, x.ndim), options.keepDims);
}

/**
 * The smallest element; NaN if there is one.
 * @throws ShapeError of no elements
 */
export function min(x: NDArray, options: ReduceOptions = {}): NDArray {
  return reduce('min', x, normalizeAxes('min', options.axis, x.ndim), options.keepDims);
}

/** Where the largest element is, as int32: the first of equals, and the first NaN if there is one. */
export function argmax(x: NDArray, options: ArgReduceOptions = {}): NDArray {
  return argWhole('argmax', x, options);
}

/** Where the smallest element is, as int32: the first of equals, and the first NaN if there is one. */
export function argmin(x: NDArray, options: ArgReduceOptions = {}): NDArray {
  return argWhole('argmin', x, options);
}

function argWhole(kind: 'argmax' | 'argmin', x: NDArray, { axis, keepDims }: ArgReduceOptions): NDArray {
  if (axis !== undefined) return argReduce(kind, x, axis, keepDims);
  const index = argReduce(kind, x.reshape([x.size]), 0);
  return keepDims === true ? index.reshape(x.shape.map(() => 1)) : index;
}

/**
 * The arithmetic mean; NaN of no elements.
 * @throws DTypeError for integers and bools
 */
export function mean(x: NDArray, options: ReduceOptions = {}): NDArray {
  return averaged('mean', x, options, 0);
}

/** The sum over n − correction, in x's type but with float16 rounded only at the end. */
function averaged(operation: string, x: NDArray, options: ReduceOptions, correction: number): NDArray {
  checkDomain(operation, x.dtype, 'float');
  const axes = normalizeAxes(operation, options.axis, x.ndim);
  const count = sizeOf(axes.map((axis) => x.shape[axis]!));
  return binary('div', reduce('sum', widen(x), axes, options.keepDims), Math.max(0, count - correction)).astype(x.dtype);
}

/**
 * The variance, the mean squared distance from the mean.
 * @throws DTypeError for integers and bools
 */
export function variance(x: NDArray, options: VarianceOptions = {}): NDArray {
  checkDomain('variance', x.dtype, 'float');
  const wide = widen(x);
  const centered = binary('sub', wide, mean(wide, { axis: options.axis, keepDims: true }));
  return averaged('variance', binary('mul', centered, centered), options, options.correction ?? 0).astype(x.dtype);
}

/** The standard deviation, the square root of the {@link variance}. */
export function std(x: NDArray, options: VarianceOptions = {}): NDArray {
  return sqrt(variance(x, options));
}

/**
 * Running sums along an axis: y[i] = x[0] + … + x[i], added left to right in double precision and rounded when stored; integers wrap.
 * @param options.axis which axis; without it the elements are taken in row-major order as one
 * @throws ShapeError if the axis is out of range
 * @throws DTypeError for bool
 */
export function cumsum(x: NDArray, options: { readonly axis?: number | undefined } = {}): NDArray {
  checkDomain('cumsum', x.dtype, 'number');
  const source = options.axis === undefined ? widen(x).reshape([x.size]) : widen(x);
  const axis = normalizeAxis('cumsum', options.axis ?? 0, source.ndim);
  const data = allocate(source.dtype, source.size);
  const strides = rowMajorStrides(source.shape);
  const starts = source.shape.map((length, k) => (k === axis ? Math.min(length, 1) : length));
  const scan = DTYPES[source.dtype].isFloat ? scanFloat : scanInteger;
  forEachIndex(starts, [source.strides, strides], [source.offset, 0], (offsets) => {
    const [i, o] = offsets as [number, number];
    scan(source.shape[axis]!, source.data, i, source.strides[axis]!, data, o, strides[axis]!);
  });
  return NDArray.packed(data, source.shape, source.dtype).astype(x.dtype);
}

function scanFloat(n: number, x: TypedArray, i: number, s: number, y: TypedArray, o: number, t: number): void {
  let total = 0;
  for (let k = 0; k < n; k++, i += s, o += t) y[o] = total += x[i]!;
}

function scanInteger(n: number, x: TypedArray, i: number, s: number, y: TypedArray, o: number, t: number): void {
  let total = 0;
  for (let k = 0; k < n; k++, i += s, o += t) y[o] = total = (total + x[i]!) | 0;
}
