/**
 * Scans: each element of the result reduces the elements up to it, along one axis. Cumulative sums,
 * cumulative products, and first-order linear recurrences yᵢ = aᵢ·yᵢ₋₁ + bᵢ, to which the derivatives of all
 * three lead. Accumulated left to right in double precision and rounded when stored; integers wrap modulo
 * 2³².
 */
import { AXIS_KEYS, checkCount, oneAxisOptions, type AxisArgument, type OneAxis } from './arguments.ts';
import { allocate, DTYPES, type TypedArray } from './dtype.ts';
import { ShapeError } from './errors.ts';
import { forEachIndex } from './loops.ts';
import { NDArray } from './ndarray.ts';
import { checkDomain, requireArray, typesDiffer, widen } from './operands.ts';
import { equalShapes, formatShape, normalizeAxis, rowMajorStrides } from './shape.ts';

/** One line of n elements: y[o + k·t] from x[i + k·s], and in a recurrence a[j + k·r]. */
type LineScan = (
  n: number,
  x: TypedArray,
  i: number,
  s: number,
  a: TypedArray,
  j: number,
  r: number,
  y: TypedArray,
  o: number,
  t: number,
) => void;

type ScanKind = 'sum' | 'prod' | 'linear';

const SCANS: { readonly [K in ScanKind]: { readonly float: LineScan; readonly integer: LineScan } } = {
  sum: {
    float: (n, x, i, s, _a, _j, _r, y, o, t) => {
      let total = 0;
      for (let k = 0; k < n; k++, i += s, o += t) y[o] = total += x[i]!;
    },
    integer: (n, x, i, s, _a, _j, _r, y, o, t) => {
      let total = 0;
      for (let k = 0; k < n; k++, i += s, o += t) y[o] = total = (total + x[i]!) | 0;
    },
  },
  prod: {
    float: (n, x, i, s, _a, _j, _r, y, o, t) => {
      let total = 1;
      for (let k = 0; k < n; k++, i += s, o += t) y[o] = total *= x[i]!;
    },
    integer: (n, x, i, s, _a, _j, _r, y, o, t) => {
      let total = 1;
      for (let k = 0; k < n; k++, i += s, o += t) y[o] = total = Math.imul(total, x[i]!);
    },
  },
  linear: {
    float: (n, x, i, s, a, j, r, y, o, t) => {
      let total = 0;
      for (let k = 0; k < n; k++, i += s, j += r, o += t) y[o] = total = a[j]! * total + x[i]!;
    },
    integer: (n, x, i, s, a, j, r, y, o, t) => {
      let total = 0;
      for (let k = 0; k < n; k++, i += s, j += r, o += t)
        y[o] = total = (Math.imul(a[j]!, total) + x[i]!) | 0;
    },
  },
};

/** Scans every line along an axis; `given` has one axis at least. */
function scanLines(kind: ScanKind, given: NDArray, givenFactor: NDArray, axis: number): NDArray {
  const [x, a] = [widen(given), widen(givenFactor)];
  const data = allocate(x.dtype, x.size);
  const strides = rowMajorStrides(x.shape);
  const starts = x.shape.map((length, k) => (k === axis ? Math.min(length, 1) : length));
  const { float, integer } = SCANS[kind];
  const line = DTYPES[x.dtype].isFloat ? float : integer;
  forEachIndex(starts, [x.strides, a.strides, strides], [x.offset, a.offset, 0], (offsets) => {
    const [i, j, o] = offsets as [number, number, number];
    line(x.shape[axis]!, x.data, i, x.strides[axis]!, a.data, j, a.strides[axis]!, data, o, strides[axis]!);
  });
  return NDArray.packed(data, x.shape, x.dtype).astype(given.dtype);
}

function scanOne(
  kind: 'sum' | 'prod',
  operation: string,
  x: NDArray,
  argument: AxisArgument<OneAxis> | undefined,
  given: number,
): NDArray {
  checkCount(operation, given, 2, `${operation}(x, axis)`);
  const { axis } = oneAxisOptions<OneAxis>(operation, argument, AXIS_KEYS);
  const numbers = requireArray(operation, x).dtype === 'bool' ? x.astype('int32') : x;
  const rows = axis === undefined || x.ndim === 0 ? numbers.reshape([x.size]) : numbers;
  const scanned = scanLines(kind, rows, rows, normalizeAxis(operation, axis ?? 0, rows.ndim, [x]));
  return axis === undefined ? scanned : scanned.reshape(x.shape);
}

/**
 * Running sums along an axis: y[i] = x[0] + … + x[i], added left to right in double precision and rounded
 * when stored; integers wrap; bools count, as int32.
 * @param axis which axis, as a number or { axis }; without it the elements are taken in row-major order as
 *   one
 * @throws ShapeError if the axis is out of range
 */
export function cumsum(x: NDArray, axis?: AxisArgument<OneAxis>): NDArray {
  return scanOne('sum', 'cumsum', x, axis, arguments.length);
}

/**
 * Running products along an axis: y[i] = x[0] · … · x[i], multiplied left to right in double precision and
 * rounded when stored; integers wrap; of bools, int32.
 * @param axis which axis, as a number or { axis }; without it the elements are taken in row-major order as
 *   one
 * @throws ShapeError if the axis is out of range
 * @example
 * ```ts
 * import { array, cumprod } from '@firsthand/linalg';
 * console.log(cumprod(array([2, 3, 0, 5])).toArray()); // [ 2, 6, 0, 0 ]
 * ```
 */
export function cumprod(x: NDArray, axis?: AxisArgument<OneAxis>): NDArray {
  return scanOne('prod', 'cumprod', x, axis, arguments.length);
}

/**
 * A first-order linear recurrence along an axis: y[i] = factor[i]·y[i − 1] + term[i], with 0 before the
 * first. Exponential moving averages, discounted sums and linear state-space models are of this form.
 * @param factor of the shape and type of `term`; its first element along the axis multiplies 0
 * @param axis which axis, as a number or { axis }
 * @throws ShapeError if the shapes differ, or the axis is out of range
 * @throws DTypeError if the types differ, and for bool
 * @example
 * ```ts
 * import { array, full, linearRecurrence } from '@firsthand/linalg';
 * const discounted = linearRecurrence(full([3], 0.5), array([8, 4, 2]), 0);
 * console.log(discounted.toArray()); // [ 8, 8, 6 ]
 * ```
 */
export function linearRecurrence(factor: NDArray, term: NDArray, axis: AxisArgument<OneAxis>): NDArray {
  checkCount('linearRecurrence', arguments.length, 3, 'linearRecurrence(factor, term, axis)');
  requireArray('linearRecurrence', factor, 'the factor');
  checkDomain('linearRecurrence', requireArray('linearRecurrence', term, 'the term'), 'number');
  if (factor.dtype !== term.dtype) throw typesDiffer('linearRecurrence', factor, term);
  if (!equalShapes(factor.shape, term.shape)) {
    throw new ShapeError({
      operation: 'linearRecurrence',
      problem: `shapes ${formatShape(factor.shape)} and ${formatShape(term.shape)} differ`,
      operands: [factor, term],
      expected: 'factors and terms of one shape',
      remedy: 'use broadcastTo on one of them',
    });
  }
  const along = oneAxisOptions<OneAxis>('linearRecurrence', axis, AXIS_KEYS).axis ?? 0;
  const [a, b] = term.ndim === 0 ? [factor.reshape([1]), term.reshape([1])] : [factor, term];
  return scanLines('linear', b, a, normalizeAxis('linearRecurrence', along, b.ndim, [factor, term])).reshape(
    term.shape,
  );
}
