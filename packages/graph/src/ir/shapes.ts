/**
 * What operations demand of their operands' shapes and dtypes, and how an operand is named in an error
 * message.
 */
import {
  describeOperand,
  DTYPES,
  DTypeError,
  normalizeAxes,
  ShapeError,
  withOperands,
} from '@firsthand/linalg';
import type { OperandFacts } from '@firsthand/linalg';
import type { DType, Node, Shape, Spec } from './types.ts';

/** True for float16, float32 and float64. */
export function isFloat(dtype: DType): boolean {
  return DTYPES[dtype].isFloat;
}

/** An operand as errors carry it: its name, if it is a variable that has one, shape and dtype. */
export function operandOf(value: Spec | Node): OperandFacts {
  const name = 'op' in value && value.op === 'leaf' ? (value.variable?.name ?? value.attrs.name) : null;
  return { name, shape: value.shape, dtype: value.dtype };
}

/** `float32 [32, 64] "fc1.weight"` */
export function describe(value: Spec | Node): string {
  return describeOperand(operandOf(value));
}

/** Tells an error which nodes it is about, unless it knows. @returns the error */
export function aboutNodes(error: unknown, nodes: readonly (Spec | Node)[]): unknown {
  return withOperands(error, nodes.map(operandOf));
}

/** The error of operands whose shapes should be one. */
export function shapesDiffer(
  operation: string,
  values: readonly (Spec | Node)[],
  remedy?: string,
): ShapeError {
  const problem = `shapes differ: ${values.map(describe).join(' and ')}`;
  return new ShapeError({
    operation,
    problem,
    operands: values.map(operandOf),
    expected: 'operands of one shape',
    remedy,
  });
}

/** Axes to reduce, ascending; all of them when none is named. */
export function reducedAxes(
  operation: string,
  axis: number | readonly number[] | undefined,
  rank: number,
): readonly number[] {
  return normalizeAxes(operation, axis, rank).sort((a, b) => a - b);
}

/** The shape with the named axes set to size 1. */
export function keepDimsShape(shape: Shape, axes: readonly number[]): Shape {
  return shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
}

/** @throws DTypeError unless the operand is of floating point */
export function requireFloat(operation: string, value: Spec): void {
  if (!isFloat(value.dtype)) {
    const expected = 'a floating-point operand';
    throw new DTypeError({
      operation,
      operands: [operandOf(value)],
      expected,
      remedy: "use cast('float32')",
    });
  }
}

/** @throws DTypeError for truth values, where numbers are computed with */
export function requireNumbers(operation: string, value: Spec, remedy: string): void {
  if (value.dtype === 'bool')
    throw new DTypeError({ operation, operands: [operandOf(value)], expected: 'numbers', remedy });
}

/** @throws DTypeError unless the operand holds truth values */
export function requireBool(operation: string, value: Spec): void {
  if (value.dtype === 'bool') return;
  throw new DTypeError({
    operation,
    operands: [operandOf(value)],
    expected: 'bool',
    remedy: "compare first, or cast('bool')",
  });
}

/** @throws DTypeError unless both operands have one dtype */
export function requireSameDType(operation: string, a: Spec, b: Spec): void {
  if (a.dtype !== b.dtype) {
    const problem = `operands have different dtypes: ${describe(a)} and ${describe(b)}`;
    throw new DTypeError({
      operation,
      problem,
      operands: [a, b].map(operandOf),
      expected: a.dtype,
      remedy: 'cast one of them',
    });
  }
}

/** @throws DTypeError unless the operand can index: int32 or uint32 */
export function requireIndex(operation: string, value: Spec): void {
  if (value.dtype !== 'int32' && value.dtype !== 'uint32') {
    const problem = `indices must be int32 or uint32, got ${describe(value)}`;
    throw new DTypeError({
      operation,
      problem,
      operands: [operandOf(value)],
      expected: 'int32 or uint32',
      remedy: "use cast('int32')",
    });
  }
}
