/**
 * Which operands of float operations a shader compiler must know nothing of. WGSL allows compilers to compute
 * as if there were neither NaN nor infinity nor rounding: they make 0 of x·0, x of (x − y) + y, and x of
 * x·3/3. All such rewrites need two operations, or an operation and a literal; so it is enough that no
 * arithmetic is seen through by what reads it, and that literals which are rewritten alone are hidden.
 */
import { inputsOf, type Scalar } from '@firsthand/compiler';
import type { BinaryKind, DType, UnaryKind } from '@firsthand/graph';

const ARITHMETIC: ReadonlySet<BinaryKind> = /* @__PURE__ */ new Set<BinaryKind>(['add', 'sub', 'mul', 'div']);
const ARITHMETIC_OF_ONE: ReadonlySet<UnaryKind> = /* @__PURE__ */ new Set<UnaryKind>([
  'neg',
  'reciprocal',
  'rsqrt',
]);

const isFloat = (dtype: DType): boolean => dtype === 'float32' || dtype === 'float16';

/**
 * Whether a value comes out of arithmetic that a compiler may put together with what reads it; a float16 that
 * has been rounded has gone through its bits.
 */
function isArithmetic(scalar: Scalar): boolean {
  if (!isFloat(scalar.dtype)) return false;
  if (scalar.op === 'binary') return ARITHMETIC.has(scalar.kind) && scalar.dtype === 'float32';
  if (scalar.op === 'unary')
    return ARITHMETIC_OF_ONE.has(scalar.kind) && (scalar.kind === 'neg' || scalar.dtype === 'float32');
  if (scalar.op === 'where')
    return [scalar.a, scalar.b].some((each) => each.op === 'const' || isArithmetic(each));
  return scalar.op === 'total';
}

/**
 * Whether a compiler may replace an operation by another because one operand is this number. Quotients by
 * anything but a power of two become products with a rounded reciprocal.
 */
function isRewritten(kind: BinaryKind, value: number, isSecond: boolean): boolean {
  if (!ARITHMETIC.has(kind)) return !Number.isFinite(value);
  if (value === 0 || !Number.isFinite(value)) return true;
  return kind === 'div' && isSecond && !Number.isInteger(Math.log2(Math.abs(value)));
}

/** For each operand of a float operation whether it must be opaque. */
export function opaqueOperands(scalar: Scalar): readonly boolean[] {
  const inputs = inputsOf(scalar);
  if ((scalar.op !== 'unary' && scalar.op !== 'binary') || !isFloat(inputs[0]!.dtype))
    return inputs.map(() => false);
  return inputs.map((input, place) =>
    input.op === 'const'
      ? scalar.op === 'binary' && isRewritten(scalar.kind, input.value, place === 1)
      : isArithmetic(input),
  );
}
