/**
 * Reductions: many elements along some axes become one. Sums of floats are pairwise: a run of at most 128 is
 * added left to right in double precision, longer ones are halved, so that rounding errors grow with log n,
 * not n; a float32 result is rounded once, at the end. Columns that are adjacent in memory are reduced at the
 * same time, row upon row.
 */
import { allocate, DTYPES, type TypedArray } from './dtype.ts';
import { ShapeError } from './errors.ts';
import { forEachIndex } from './loops.ts';
import { NDArray } from './ndarray.ts';
import { checkDomain, requireArray, widen } from './operands.ts';
import { formatShape, normalizeAxes, normalizeAxis, sizeOf } from './shape.ts';

/** The names of the reductions. */
export type ReduceKind = 'sum' | 'prod' | 'max' | 'min';

/** f(x[i], x[i + s], …) over n elements, n ≥ 1. */
type RowReducer = (n: number, x: TypedArray, i: number, s: number) => number;

/** For n columns at once: y[k] = f(y[k], x[i + k·s]). */
type ColumnReducer = (n: number, y: TypedArray, x: TypedArray, i: number, s: number) => void;

interface ReduceRule {
  /** the value of no elements, or null if there is none */
  readonly identity: number | null;
  readonly float: Reducers;
  /** wraps modulo 2³² where it must */
  readonly integer: Reducers;
}

interface Reducers {
  readonly row: RowReducer;
  readonly column: ColumnReducer;
}

const PAIRWISE_RUN = 128;

const sumColumn: ColumnReducer = (n, y, x, i, s) => {
  for (let k = 0; k < n; k++, i += s) y[k]! += x[i]!; // wraps by itself where y holds integers
};

const largestOf: Reducers = {
  row: (n, x, i, s) => {
    let value = x[i]!;
    for (let k = 1; k < n; k++) value = Math.max(value, x[(i += s)]!);
    return value;
  },
  column: (n, y, x, i, s) => {
    for (let k = 0; k < n; k++, i += s) y[k] = Math.max(y[k]!, x[i]!);
  },
};

const smallestOf: Reducers = {
  row: (n, x, i, s) => {
    let value = x[i]!;
    for (let k = 1; k < n; k++) value = Math.min(value, x[(i += s)]!);
    return value;
  },
  column: (n, y, x, i, s) => {
    for (let k = 0; k < n; k++, i += s) y[k] = Math.min(y[k]!, x[i]!);
  },
};

const REDUCE: { readonly [K in ReduceKind]: ReduceRule } = {
  sum: {
    identity: 0,
    float: { row: sumRow, column: sumColumn },
    integer: {
      row: (n, x, i, s) => {
        let value = 0;
        for (let k = 0; k < n; k++, i += s) value = (value + x[i]!) | 0;
        return value;
      },
      column: sumColumn,
    },
  },
  prod: {
    identity: 1,
    float: {
      row: (n, x, i, s) => {
        let value = 1;
        for (let k = 0; k < n; k++, i += s) value *= x[i]!;
        return value;
      },
      column: (n, y, x, i, s) => {
        for (let k = 0; k < n; k++, i += s) y[k]! *= x[i]!;
      },
    },
    integer: {
      row: (n, x, i, s) => {
        let value = 1;
        for (let k = 0; k < n; k++, i += s) value = Math.imul(value, x[i]!);
        return value;
      },
      column: (n, y, x, i, s) => {
        for (let k = 0; k < n; k++, i += s) y[k] = Math.imul(y[k]!, x[i]!);
      },
    },
  },
  max: { identity: null, float: largestOf, integer: largestOf },
  min: { identity: null, float: smallestOf, integer: smallestOf },
};

function sumRow(n: number, x: TypedArray, i: number, s: number): number {
  if (n > PAIRWISE_RUN) {
    const half = n >> 1;
    return sumRow(half, x, i, s) + sumRow(n - half, x, i + half * s, s);
  }
  let value = 0;
  for (let k = 0; k < n; k++, i += s) value += x[i]!;
  return value;
}

/**
 * An array arranged for reducing: parallel axes first, in order, all reduced elements along one last axis.
 */
interface Arranged {
  readonly source: NDArray;
  /** the sizes of the parallel axes */
  readonly parallelSizes: readonly number[];
  /** the result's shape */
  readonly shape: readonly number[];
}

function arrange(x: NDArray, reduced: readonly number[], keepDims: boolean): Arranged {
  const parallelAxes = x.shape.map((_, axis) => axis).filter((axis) => !reduced.includes(axis));
  const parallelSizes = parallelAxes.map((axis) => x.shape[axis]!);
  const count = sizeOf(reduced.map((axis) => x.shape[axis]!));
  const ascending = [...reduced].sort((a, b) => a - b);
  const source = x.permute([...parallelAxes, ...ascending]).reshape([...parallelSizes, count]);
  return {
    source,
    parallelSizes: parallelSizes,
    shape: keepDims ? x.shape.map((length, axis) => (reduced.includes(axis) ? 1 : length)) : parallelSizes,
  };
}

/**
 * Reduces some axes with a function of many elements.
 * @param kind sum, prod, max or min; NaN anywhere makes max and min NaN
 * @param axes which axes; an empty list leaves x as it is
 * @param keepDims whether reduced axes stay, with size 1
 * @returns a packed array of x's type; integers wrap modulo 2³²
 * @throws ShapeError if an axis is out of range or named twice, or for max and min if no elements meet
 * @throws DTypeError for sum and prod of bool
 */
export function reduce(kind: ReduceKind, x: NDArray, axes: readonly number[], keepDims = false): NDArray {
  const rule = REDUCE[kind];
  checkDomain(kind, requireArray(kind, x), kind === 'sum' || kind === 'prod' ? 'number' : 'any');
  const { source, parallelSizes, shape } = arrange(
    widen(x),
    normalizeAxes(kind, axes, x.ndim, [x]),
    keepDims,
  );
  const count = source.shape.at(-1)!;
  const data = allocate(source.dtype, sizeOf(parallelSizes));
  if (count === 0 && data.length > 0) {
    if (rule.identity === null) throw noElements(kind, x, `axes ${formatShape(axes)}`);
    data.fill(rule.identity);
  } else {
    const { row, column } = DTYPES[source.dtype].isFloat ? rule.float : rule.integer;
    const width = source.shape.at(-2) ?? 1;
    const sideBySide = width > 1 && Math.abs(source.strides.at(-2)!) < Math.abs(source.strides.at(-1)!);
    if (sideBySide) reduceColumns(source, count, width, data, column);
    else reduceRows(source, parallelSizes, count, data, row);
  }
  return NDArray.packed(data, shape, source.dtype).astype(x.dtype);
}

function noElements(kind: string, x: NDArray, axes: string): ShapeError {
  return new ShapeError({
    operation: kind,
    problem: `${kind} of an empty axis has no value: shape ${formatShape(x.shape)}, ${axes}`,
    operands: [x],
    expected: 'at least one element along the axes',
  });
}

function reduceRows(
  source: NDArray,
  parallelSizes: readonly number[],
  count: number,
  data: TypedArray,
  row: RowReducer,
): void {
  const step = source.strides.at(-1)!;
  let position = 0;
  forEachIndex(parallelSizes, [source.strides], [source.offset], ([start]) => {
    data[position++] = row(count, source.data, start!, step);
  });
}

/**
 * Reduces `width` columns at once: each row of the source is added to a row of accumulators, in runs that
 * are halved as in a row.
 */
function reduceColumns(
  source: NDArray,
  count: number,
  width: number,
  data: TypedArray,
  column: ColumnReducer,
): void {
  const [across, down] = [source.strides.at(-2)!, source.strides.at(-1)!];
  const isFloat = DTYPES[source.dtype].isFloat;
  const reduceRun = (start: number, rows: number): TypedArray => {
    if (rows > PAIRWISE_RUN) {
      const half = rows >> 1;
      const top = reduceRun(start, half);
      column(width, top, reduceRun(start + half * down, rows - half), 0, 1);
      return top;
    }
    const result = isFloat ? new Float64Array(width) : allocate(source.dtype, width);
    for (let k = 0; k < width; k++) result[k] = source.data[start + k * across]!;
    for (let r = 1; r < rows; r++) column(width, result, source.data, start + r * down, across);
    return result;
  };
  let position = 0;
  forEachIndex(source.shape.slice(0, -2), [source.strides], [source.offset], ([start]) => {
    data.set(reduceRun(start!, count), position);
    position += width;
  });
}

/**
 * The index of the largest or smallest element along an axis: the first of equals, and the first NaN if there
 * is one.
 * @returns int32
 * @throws ShapeError if the axis is out of range, or empty while the result is not
 */
export function argReduce(kind: 'argmax' | 'argmin', x: NDArray, axis: number, keepDims = false): NDArray {
  if (requireArray(kind, x).ndim === 0) return argReduce(kind, x.reshape([1]), axis);
  const { source, parallelSizes, shape } = arrange(
    widen(x),
    [normalizeAxis(kind, axis, x.ndim, [x])],
    keepDims,
  );
  const count = source.shape.at(-1)!;
  const data = new Int32Array(sizeOf(parallelSizes));
  if (count === 0 && data.length > 0) throw noElements(kind, x, `axis ${axis}`);
  const find = kind === 'argmax' ? largest : smallest;
  const step = source.strides.at(-1)!;
  let position = 0;
  forEachIndex(parallelSizes, [source.strides], [source.offset], ([start]) => {
    data[position++] = find(count, source.data, start!, step);
  });
  return NDArray.packed(data, shape, 'int32');
}

function largest(n: number, x: TypedArray, i: number, s: number): number {
  let best = 0;
  let value = x[i]!;
  for (let k = 1; k < n && value === value; k++) {
    const candidate = x[i + k * s]!;
    if (!(candidate <= value)) [best, value] = [k, candidate]; // larger, or NaN
  }
  return best;
}

function smallest(n: number, x: TypedArray, i: number, s: number): number {
  let best = 0;
  let value = x[i]!;
  for (let k = 1; k < n && value === value; k++) {
    const candidate = x[i + k * s]!;
    if (!(candidate >= value)) [best, value] = [k, candidate]; // smaller, or NaN
  }
  return best;
}
