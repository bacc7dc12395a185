/**
 * Reductions as people call them: `sum(x)`, `mean(x, { axis: 0 })`. Without an axis all elements are reduced
 * to a scalar array; a scalar array has an axis 0, or −1, of one element. Of bools, sums and products are
 * int32 and extremes are bools, as in numpy and PyTorch (whose integers have 64 bits). The variance subtracts
 * the mean first, Σ(x − x̄)²/(n − c), because Σx²/n − x̄² loses every digit where the mean is large.
 */
import {
  axisOptions,
  checkCount,
  oneAxisOptions,
  REDUCE_KEYS,
  type AxisArgument,
  type ReduceOptions,
} from './arguments.ts';
import { binary } from './binary.ts';
import type { NDArray } from './ndarray.ts';
import type { OptionKeys } from './options.ts';
import { checkDomain, requireArray, widen } from './operands.ts';
import { argReduce, reduce, type ReduceKind } from './reduce.ts';
import { normalizeAxes, sizeOf } from './shape.ts';
import { sqrt } from './unary.ts';

/**
 * As {@link ReduceOptions}, for one axis. Without it the index counts through all elements in row-major
 * order.
 */
export interface ArgReduceOptions {
  readonly axis?: number | undefined;
  readonly keepDims?: boolean | undefined;
}

/**
 * As {@link ReduceOptions}; the divisor is n − correction (0: of a population, if not given; 1: estimated
 * from a sample).
 */
export interface VarianceOptions extends ReduceOptions {
  readonly correction?: number | undefined;
}

const VARIANCE_KEYS: OptionKeys<VarianceOptions> = { ...REDUCE_KEYS, correction: 'number' };

/** What a reduction is called with: checked, its axes counted from the front. */
function reduction<O extends ReduceOptions>(
  operation: string,
  x: NDArray,
  axis: AxisArgument<O> | undefined,
  keys: OptionKeys<O>,
  given: number,
): { readonly axes: readonly number[]; readonly options: O } {
  checkCount(operation, given, 2, `${operation}(x, { ${Object.keys(keys).join(', ')} })`);
  const options = axisOptions(operation, axis, keys);
  return { axes: normalizeAxes(operation, options.axis, requireArray(operation, x).ndim, [x]), options };
}

function reduceBy(kind: ReduceKind, x: NDArray, axis: AxisArgument | undefined, given: number): NDArray {
  const { axes, options } = reduction(kind, x, axis, REDUCE_KEYS, given);
  // The extremes of truth values are truth values, their sums and products are numbers.
  const counts = x.dtype === 'bool' && (kind === 'sum' || kind === 'prod');
  return reduce(kind, counts ? x.astype('int32') : x, axes, options.keepDims);
}

/**
 * The sum; of bools, the int32 count of the true ones. Pairwise, in double precision.
 * @param axis which axes, all if not given: a number, an array, or { axis, keepDims }
 * @example
 * ```ts
 * import { array, sum } from '@firsthand/linalg';
 * const x = array([[1, 2], [3, 4]]);
 * console.log(sum(x).get(), sum(x, 0).toArray()); // 10 [ 4, 6 ]
 * console.log(sum(x, { axis: 1, keepDims: true }).toArray()); // [ [ 3 ], [ 7 ] ]
 * ```
 */
export function sum(x: NDArray, axis?: AxisArgument): NDArray {
  return reduceBy('sum', x, axis, arguments.length);
}

/** The product; 1 of no elements; of bools, int32. */
export function prod(x: NDArray, axis?: AxisArgument): NDArray {
  return reduceBy('prod', x, axis, arguments.length);
}

/**
 * The largest element; NaN if there is one; of bools a bool, whether any is true.
 * @throws ShapeError of no elements
 */
export function max(x: NDArray, axis?: AxisArgument): NDArray {
  return reduceBy('max', x, axis, arguments.length);
}

/**
 * The smallest element; NaN if there is one; of bools a bool, whether all are true.
 * @throws ShapeError of no elements
 */
export function min(x: NDArray, axis?: AxisArgument): NDArray {
  return reduceBy('min', x, axis, arguments.length);
}

/** Where the largest element is, as int32: the first of equals, and the first NaN if there is one. */
export function argmax(x: NDArray, axis?: AxisArgument<ArgReduceOptions>): NDArray {
  return argWhole('argmax', x, axis, arguments.length);
}

/** Where the smallest element is, as int32: the first of equals, and the first NaN if there is one. */
export function argmin(x: NDArray, axis?: AxisArgument<ArgReduceOptions>): NDArray {
  return argWhole('argmin', x, axis, arguments.length);
}

function argWhole(
  kind: 'argmax' | 'argmin',
  x: NDArray,
  argument: AxisArgument<ArgReduceOptions> | undefined,
  given: number,
): NDArray {
  checkCount(kind, given, 2, `${kind}(x, { axis, keepDims })`);
  const { axis, keepDims } = oneAxisOptions<ArgReduceOptions>(kind, argument, REDUCE_KEYS);
  requireArray(kind, x);
  if (axis !== undefined) return argReduce(kind, x, axis, keepDims);
  const index = argReduce(kind, x.reshape([x.size]), 0);
  return keepDims === true ? index.reshape(x.shape.map(() => 1)) : index;
}

/**
 * The arithmetic mean; NaN of no elements.
 * @param axis which axes, all if not given: a number, an array, or { axis, keepDims }
 * @throws DTypeError for integers and bools
 */
export function mean(x: NDArray, axis?: AxisArgument): NDArray {
  const { axes, options } = reduction('mean', x, axis, REDUCE_KEYS, arguments.length);
  return averaged('mean', x, axes, options.keepDims, 0);
}

/** The sum over n − correction, in x's type but with float16 rounded only at the end. */
function averaged(
  operation: string,
  x: NDArray,
  axes: readonly number[],
  keepDims: boolean | undefined,
  correction: number,
): NDArray {
  checkDomain(operation, x, 'float');
  const count = sizeOf(axes.map((axis) => x.shape[axis]!));
  return binary('div', reduce('sum', widen(x), axes, keepDims), Math.max(0, count - correction)).astype(
    x.dtype,
  );
}

/**
 * The variance, the mean squared distance from the mean.
 * @param axis which axes, all if not given: a number, an array, or { axis, keepDims, correction }
 * @throws DTypeError for integers and bools
 */
export function variance(x: NDArray, axis?: AxisArgument<VarianceOptions>): NDArray {
  return varianceBy('variance', x, axis, arguments.length, widen).astype(x.dtype);
}

/** The variance in the type to which `widening` takes the elements. */
function varianceBy(
  operation: string,
  x: NDArray,
  axis: AxisArgument<VarianceOptions> | undefined,
  given: number,
  widening: (x: NDArray) => NDArray,
): NDArray {
  const { axes, options } = reduction<VarianceOptions>(operation, x, axis, VARIANCE_KEYS, given);
  checkDomain(operation, x, 'float');
  const wide = widening(x);
  const centered = binary('sub', wide, averaged(operation, wide, axes, true, 0));
  return averaged(
    operation,
    binary('mul', centered, centered),
    axes,
    options.keepDims,
    options.correction ?? 0,
  );
}

/**
 * The standard deviation, the square root of the {@link variance}, which is kept in double precision: it may
 * leave the range of x's type.
 */
export function std(x: NDArray, axis?: AxisArgument<VarianceOptions>): NDArray {
  const wide = varianceBy('std', x, axis, arguments.length, (each) => each.astype('float64'));
  return sqrt(wide).astype(x.dtype);
}
