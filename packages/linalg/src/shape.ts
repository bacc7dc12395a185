/**
 * Arithmetic on shapes and strides. Element (i₀, …, iₙ₋₁) is at offset + Σ iₖ·strideₖ; an axis of stride 0
 * repeats one element. Broadcasting aligns shapes at their last axis, and an axis of size 1 takes the other's
 * size with stride 0.
 */
import { ShapeError, type ErrorFacts } from './errors.ts';
import { describeValue } from './options.ts';

/** The sizes of the axes, outermost first; `[]` is a scalar. */
export type Shape = readonly number[];

/** The number of elements: the product of the sizes, 1 for a scalar. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const length of shape) size *= length;
  return size;
}

/** A shape as errors print it: `[32, 64]`. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/**
 * Returns the shape if every size is a whole number ≥ 0.
 * @throws ShapeError otherwise
 */
export function checkShape(operation: string, shape: Shape): Shape {
  for (const length of shape) {
    if (!Number.isSafeInteger(length) || length < 0) {
      const sizes = shape.map((size: unknown) =>
        typeof size === 'number' ? String(size) : describeValue(size),
      );
      throw new ShapeError({
        operation,
        problem: `[${sizes.join(', ')}] is not a shape: sizes are whole numbers of at least 0`,
        expected: 'sizes that are whole numbers of at least 0',
      });
    }
  }
  return shape;
}

/** The strides of an array packed row by row: the last axis has stride 1. */
export function rowMajorStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

/** Whether two shapes are the same, axis by axis. */
export function equalShapes(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
}

/** Operands for the fields of an error. */
type Operands = ErrorFacts['operands'];

/**
 * An axis counted from the front; negative ones count from the end.
 * @param operands whose axis it is, for the fields of the error
 * @throws ShapeError if there is no such axis
 */
export function normalizeAxis(operation: string, axis: number, ndim: number, operands?: Operands): number {
  const normalized = typeof axis === 'number' && axis < 0 ? axis + ndim : axis;
  if (!Number.isInteger(axis) || normalized < 0 || normalized >= ndim) {
    throw new ShapeError({
      operation,
      problem:
        typeof axis === 'number'
          ? `axis ${axis} is out of range for ${ndim} ${ndim === 1 ? 'axis' : 'axes'}`
          : `the axis is ${describeValue(axis)}, not a number`,
      operands,
      expected: ndim === 0 ? 'no axis: there is none' : `a whole number from ${-ndim} to ${ndim - 1}`,
    });
  }
  return normalized;
}

/**
 * Axes counted from the front, in the order given. `undefined` means all of them. A scalar counts as one row
 * of one element: it has an axis 0, or −1, along which there is nothing to do, so that the result is empty.
 * @param operands whose axes they are, for the fields of the error
 * @throws ShapeError if one is out of range or appears twice
 */
export function normalizeAxes(
  operation: string,
  axes: number | readonly number[] | undefined,
  ndim: number,
  operands?: Operands,
): number[] {
  if (axes === undefined) return Array.from({ length: ndim }, (_, axis) => axis);
  const list = typeof axes === 'number' ? [axes] : axes;
  if (!Array.isArray(list)) {
    const problem = `${describeValue(list)} where axes are wanted`;
    throw new ShapeError({ operation, problem, operands, expected: 'an array of axes' });
  }
  const normalized = (list as readonly number[]).map((axis) =>
    normalizeAxis(operation, axis, Math.max(ndim, 1), operands),
  );
  if (new Set(normalized).size !== normalized.length) {
    throw new ShapeError({
      operation,
      problem: `axes ${formatShape(list)} name one axis twice`,
      operands,
      expected: 'each axis once',
    });
  }
  return ndim === 0 ? [] : normalized;
}

/**
 * An index counted from the front; negative ones count from the end.
 * @param operands whose index it is, for the fields of the error
 * @throws ShapeError if it is out of range
 */
export function normalizeIndex(
  operation: string,
  index: number,
  length: number,
  axis: number,
  operands?: Operands,
): number {
  const normalized = typeof index === 'number' && index < 0 ? index + length : index;
  if (!Number.isInteger(index) || normalized < 0 || normalized >= length) {
    throw new ShapeError({
      operation,
      problem:
        typeof index === 'number'
          ? `index ${index} is out of range for axis ${axis} of size ${length}`
          : `the index of axis ${axis} is ${describeValue(index)}, not a number`,
      operands,
      expected:
        length === 0 ? 'no index: the axis is empty' : `a whole number from ${-length} to ${length - 1}`,
    });
  }
  return normalized;
}

/**
 * The shape that all the given ones broadcast to.
 * @throws ShapeError if two sizes differ and neither is 1
 */
export function broadcastShapes(operation: string, ...shapes: Shape[]): number[] {
  const result = new Array<number>(Math.max(0, ...shapes.map((shape) => shape.length))).fill(1);
  for (const shape of shapes) {
    for (let axis = 0; axis < shape.length; axis++) {
      const target = result.length - shape.length + axis;
      const length = shape[axis]!;
      if (length === 1 || length === result[target]) continue;
      if (result[target] !== 1) {
        throw new ShapeError({
          operation,
          problem: `shapes ${shapes.map(formatShape).join(' and ')} do not broadcast: sizes ${result[target]} and ${length} meet, and neither is 1`,
          expected: 'sizes that are equal or 1, counted from the last axis',
        });
      }
      result[target] = length;
    }
  }
  return result;
}

/**
 * The strides with which an array of one shape is read as another, broader one: stride 0 along every axis
 * that repeats.
 * @throws ShapeError if it does not broadcast to the target
 */
export function broadcastStrides(
  operation: string,
  shape: Shape,
  strides: readonly number[],
  target: Shape,
  operands?: Operands,
): number[] {
  const lead = target.length - shape.length;
  const fits = lead >= 0 && shape.every((length, axis) => length === target[lead + axis] || length === 1);
  if (!fits) {
    throw new ShapeError({
      operation,
      problem: `${formatShape(shape)} does not broadcast to ${formatShape(target)}`,
      operands,
      expected: 'sizes that are equal or 1, counted from the last axis',
    });
  }
  return target.map((length, axis) =>
    axis < lead || shape[axis - lead] !== length ? 0 : strides[axis - lead]!,
  );
}

/**
 * The strides of the same elements under a new shape, or null if no strides can say it (then the elements
 * must be copied). Groups of old and new axes with equal products are matched; within a group the old axes
 * must be evenly spaced, as one long axis.
 */
export function reshapeStrides(shape: Shape, strides: readonly number[], target: Shape): number[] | null {
  if (sizeOf(shape) === 0) return rowMajorStrides(target);
  const oldShape = shape.filter((length) => length !== 1);
  const oldStrides = strides.filter((_, axis) => shape[axis] !== 1);
  const result = new Array<number>(target.length).fill(1); // an axis of size 1 may have any stride
  let oldAxis = 0;
  let newAxis = 0;
  while (oldAxis < oldShape.length) {
    let oldEnd = oldAxis;
    let newEnd = newAxis;
    let oldSize = oldShape[oldEnd++]!;
    let newSize = target[newEnd++]!;
    while (oldSize !== newSize) {
      if (oldSize < newSize) oldSize *= oldShape[oldEnd++]!;
      else newSize *= target[newEnd++]!;
    }
    for (let axis = oldAxis; axis < oldEnd - 1; axis++) {
      if (oldStrides[axis] !== oldShape[axis + 1]! * oldStrides[axis + 1]!) return null;
    }
    let stride = oldStrides[oldEnd - 1]!;
    for (let axis = newEnd - 1; axis >= newAxis; axis--) {
      result[axis] = stride;
      stride *= target[axis]!;
    }
    oldAxis = oldEnd;
    newAxis = newEnd;
  }
  return result;
}
