/** What operations demand of their operands' shapes and dtypes, and how an operand is named in an error message. */
import { DTYPES, DTypeError, formatShape, normalizeAxes } from '@firsthand/linalg';
import type { DType, Node, Shape, Spec } from './types.ts';

/** True for float16, float32 and float64. */
export function isFloat(dtype: DType): boolean {
  return DTYPES[dtype].isFloat;
}

/** `float32 [32, 64] "fc1.weight"` */
export function describe(value: Spec | Node): string {
  const name = 'op' in value && value.op === 'leaf' ? (value.owner?.name ?? value.attrs.name) : null;
  return `${value.dtype} ${formatShape(value.shape)}${name === null ? '' : ` "${name}"`}`;
}

/** Axes to reduce, ascending; all of them when none is named. */
export function reducedAxes(operation: string, axis: number | readonly number[] | undefined, rank: number): readonly number[] {
  return normalizeAxes(operation, axis, rank).sort((a, b) => a - b);
}

/** The shape with the named axes set to size 1. */
export function keptShape(shape: Shape, axes: readonly number[]): Shape {
  return shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
}

/** @throws DTypeError unless the operand is of floating point */
export function requireFloat(operation: string, value: Spec): void {
  if (!isFloat(value.dtype)) {
    throw new DTypeError(`${operation}: needs a floating-point operand, got ${describe(value)}; use cast('float32')`);
  }
}

/** @throws DTypeError unless both operands have one dtype */
export function requireSameDType(operation: string, a: Spec, b: Spec): void {
  if (a.dtype !== b.dtype) {
    throw new DTypeError(`${operation}: operands have different dtypes: ${describe(a)} and ${describe(b)}; cast one of them`);
  }
}

/** @throws DTypeError unless the operand can index: int32 or uint32 */
export function requireIndex(operation: string, value: Spec): void {
  if (value.dtype !== 'int32' && value.dtype !== 'uint32') {
    throw new DTypeError(`${operation}: indices must be int32 or uint32, got ${describe(value)}; use cast('int32')`);
  }
}
