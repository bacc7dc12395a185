/**
 * Which operands of float operations are hidden from the shader compiler. WGSL allows it to assume that there
 * is neither NaN nor infinity nor rounding: it makes 0 of x·0, x of (x − y) + y, and x of x·3/3. Such a
 * rewrite needs two operations, or one and a literal. So arithmetic is hidden from the operation that reads
 * it, and so are literals that alone cause a rewrite.
 */
import { inputsOf, type Scalar } from '@firsthand/compiler';
import type { BinaryKind, DType } from '@firsthand/graph';
import { exposesArithmetic } from '../scalar/operations.ts';

const isFloat = (dtype: DType): boolean => dtype === 'float32' || dtype === 'float16';

/** Whether a compiler may merge the arithmetic that gives a value with the operation that reads it. */
function isArithmetic(scalar: Scalar): boolean {
  if (!isFloat(scalar.dtype)) return false;
  if (scalar.op === 'unary' || scalar.op === 'binary') return exposesArithmetic(scalar.kind, scalar.dtype);
  if (scalar.op === 'where')
    return [scalar.a, scalar.b].some((each) => each.op === 'const' || isArithmetic(each));
  return scalar.op === 'total';
}

/**
 * Whether a compiler may replace an operation because of this literal operand. A quotient by anything but a
 * power of two becomes a product with a rounded reciprocal.
 */
function isRewritten(kind: BinaryKind, value: number, isSecond: boolean): boolean {
  if (!exposesArithmetic(kind, 'float32')) return !Number.isFinite(value);
  if (value === 0 || !Number.isFinite(value)) return true;
  return kind === 'div' && isSecond && !Number.isInteger(Math.log2(Math.abs(value)));
}

/** For each operand of a float operation whether it must be opaque. */
export function opaqueOperands(scalar: Scalar): readonly boolean[] {
  const inputs = inputsOf(scalar);
  if ((scalar.op !== 'unary' && scalar.op !== 'binary') || !isFloat(inputs[0]!.dtype))
    return inputs.map(() => false);
  return inputs.map((input, operand) =>
    input.op === 'const'
      ? scalar.op === 'binary' && isRewritten(scalar.kind, input.value, operand === 1)
      : isArithmetic(input),
  );
}
