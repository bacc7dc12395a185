/**
 * Iteration over strided arrays. Axes that are evenly spaced in all operands merge into one, so that a
 * contiguous array of any shape becomes a single row. A kernel runs over an inner row with one stride per
 * operand; an odometer counts the outer axes.
 */
import { wordsOf, type TypedArray } from './dtype.ts';
import { rowMajorStrides, sizeOf, type Shape } from './shape.ts';

/** The layout of an array's elements, for kernels. */
export interface Strided {
  readonly data: TypedArray;
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
}

/** One index space walked through several operands at once. */
export interface Walk {
  /** sizes of the merged axes, at least one of them */
  readonly shape: readonly number[];
  /** per operand, the strides along the merged axes */
  readonly strides: readonly (readonly number[])[];
}

/** Drops axes of size 1 and merges neighbours that are evenly spaced in every operand. */
export function mergeAxes(shape: Shape, strides: readonly (readonly number[])[]): Walk {
  const mergedShape: number[] = [];
  const mergedStrides: number[][] = strides.map(() => []);
  for (let axis = 0; axis < shape.length; axis++) {
    const length = shape[axis]!;
    if (length === 1) continue;
    const last = mergedShape.length - 1;
    const continues =
      last >= 0 && strides.every((operand, k) => mergedStrides[k]![last] === operand[axis]! * length);
    if (continues) mergedShape[last] = mergedShape[last]! * length;
    else mergedShape.push(length);
    strides.forEach((operand, k) => {
      if (continues) mergedStrides[k]![last] = operand[axis]!;
      else mergedStrides[k]!.push(operand[axis]!);
    });
  }
  if (mergedShape.length === 0) {
    mergedShape.push(1);
    for (const operand of mergedStrides) operand.push(0);
  }
  return { shape: mergedShape, strides: mergedStrides };
}

/**
 * Calls `visit(offsets)` once per index of `shape`, in row-major order, with each operand's offset there. The
 * array is reused between calls.
 * @param shape the index space; [] is visited once, one with a size 0 never
 * @param strides per operand, its strides along those axes
 * @param starts per operand, its offset at index 0
 */
export function forEachIndex(
  shape: Shape,
  strides: readonly (readonly number[])[],
  starts: readonly number[],
  visit: (offsets: readonly number[]) => void,
): void {
  if (shape.includes(0)) return;
  const offsets = [...starts];
  const index = new Array<number>(shape.length).fill(0);
  for (;;) {
    visit(offsets);
    let axis = shape.length - 1;
    for (; axis >= 0; axis--) {
      for (let k = 0; k < offsets.length; k++) offsets[k]! += strides[k]![axis]!;
      if (++index[axis]! < shape[axis]!) break;
      for (let k = 0; k < offsets.length; k++) offsets[k]! -= strides[k]![axis]! * shape[axis]!;
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}

/**
 * Calls `row(length, offsets, steps)` once per inner row of the merged index space; along it, operand k's
 * elements are at `offsets[k] + i·steps[k]`. Rows come in row-major order.
 */
export function forEachRow(
  shape: Shape,
  strides: readonly (readonly number[])[],
  starts: readonly number[],
  row: (length: number, offsets: readonly number[], steps: readonly number[]) => void,
): void {
  if (shape.includes(0)) return;
  const walk = mergeAxes(shape, strides);
  const inner = walk.shape.length - 1;
  const length = walk.shape[inner]!;
  const steps = walk.strides.map((operand) => operand[inner]!);
  forEachIndex(walk.shape.slice(0, inner), walk.strides, starts, (offsets) => row(length, offsets, steps));
}

/** Copies the elements of one array over those of another of the same shape and type. */
export function copyInto(target: Strided, source: Strided): void {
  const to = wordsOf(target.data);
  const from = wordsOf(source.data);
  forEachRow(
    source.shape,
    [source.strides, target.strides],
    [source.offset, target.offset],
    (length, offsets, steps) => {
      const [i, o] = offsets as [number, number];
      const [s, t] = steps as [number, number];
      if (s === 1 && t === 1) to.set(from.subarray(i, i + length), o);
      else copyRow(length, from, i, s, to, o, t);
    },
  );
}

function copyRow(n: number, x: TypedArray, i: number, s: number, y: TypedArray, o: number, t: number): void {
  for (let k = 0; k < n; k++, i += s, o += t) y[o] = x[i]!;
}

/** The elements in row-major order, in new storage of the same kind. */
export function pack(x: Strided): TypedArray {
  const data = new (x.data.constructor as new (length: number) => TypedArray)(sizeOf(x.shape));
  copyInto({ data, shape: x.shape, strides: rowMajorStrides(x.shape), offset: 0 }, x);
  return data;
}
