/**
 * How every kernel walks its arrays. Axes that lie evenly spaced in all operands at once merge into one, so that a contiguous array of any shape
 * becomes a single row; what remains is an inner row with one stride per operand, which the kernel runs, and an odometer over the outer axes.
 */
import type { TypedArray } from './dtype.ts';
import type { Shape } from './shape.ts';

/** Where an array's elements lie: what a kernel needs to know of it. */
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
    const continues = last >= 0 && strides.every((operand, k) => mergedStrides[k]![last] === operand[axis]! * length);
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
 * Calls `visit(offsets)` once per index of `shape`, in row-major order, with each operand's offset there. The array is reused between calls.
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
 * Calls `row(length, offsets, steps)` once per inner row of the merged index space; along it, operand k's elements lie at
 * `offsets[k] + i·steps[k]`. Rows come in row-major order.
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

/** The elements in row-major order, in new storage of the same kind. */
export function pack(x: Strided): TypedArray {
  const { data, shape, strides, offset } = x;
  let position = 0;
  let size = 1;
  for (const length of shape) size *= length;
  const result = new (data.constructor as new (length: number) => TypedArray)(size);
  forEachRow(shape, [strides], [offset], (length, offsets, steps) => {
    const start = offsets[0]!;
    const step = steps[0]!;
    if (step === 1) result.set(data.subarray(start, start + length), position);
    else copyRow(data, start, step, result, position, length);
    position += length;
  });
  return result;
}

function copyRow(source: TypedArray, start: number, step: number, target: TypedArray, position: number, length: number): void {
  for (let i = 0, at = start; i < length; i++, at += step) target[position + i] = source[at]!;
}
