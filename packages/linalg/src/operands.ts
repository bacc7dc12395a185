/**
 * What kernels do with element types before they loop. The two types that JavaScript has no arithmetic
 * storage for compute in a wider one, float16 in float32 and bool in int32, and a JavaScript number beside an
 * array is taken in the array's type.
 */
import { allocate, DTYPES, encode, type DType } from './dtype.ts';
import { DTypeError, withOperands } from './errors.ts';
import { describeValue } from './options.ts';
import { NDArray } from './ndarray.ts';
import { broadcastShapes, type Shape } from './shape.ts';

/** An array, or a number taken in the other operand's type. */
export type Operand = NDArray | number;

/**
 * Returns an operand if it is an array.
 * @param title what the operand is called, for an operation with several
 * @throws DTypeError otherwise
 */
export function requireArray(operation: string, x: NDArray, title = 'the operand'): NDArray {
  if (x instanceof NDArray) return x;
  throw notAnArray(operation, x, title, 'an NDArray');
}

function notAnArray(operation: string, x: unknown, title: string, expected: string): DTypeError {
  const remedy = 'make one with array(…)';
  return new DTypeError({ operation, problem: `${title} is ${describeValue(x)}`, expected, remedy });
}

/** The type that a kernel computes in. */
function computeType(dtype: DType): DType {
  return dtype === 'float16' ? 'float32' : dtype === 'bool' ? 'int32' : dtype;
}

/** The array in the type that a kernel computes in. */
export function widen(x: NDArray): NDArray {
  return x.astype(computeType(x.dtype));
}

/**
 * A number as an array of no axes.
 * @throws DTypeError if an integer type or bool cannot hold the number exactly
 */
export function scalar(operation: string, value: number, dtype: DType): NDArray {
  const data = allocate(dtype, 1);
  const encoded = encode[dtype](value);
  if (!DTYPES[dtype].isFloat && encoded !== value) {
    throw new DTypeError({
      operation,
      problem: `${value} is no ${dtype} value`,
      expected: dtype === 'bool' ? 'a bool' : `a whole number within ${dtype}`,
      remedy: 'use astype on the array first',
    });
  }
  data[0] = encoded;
  return NDArray.packed(data, [], dtype);
}

/**
 * Two operands as arrays of one type; two numbers become float32.
 * @throws DTypeError if two arrays differ in type, or a number does not fit the array's
 */
export function matchOperands(operation: string, a: Operand, b: Operand): [NDArray, NDArray] {
  for (const [x, title] of [[a, 'a'] as const, [b, 'b'] as const]) {
    if (typeof x !== 'number' && !(x instanceof NDArray))
      throw notAnArray(operation, x, title, 'an NDArray or a number');
  }
  const dtype = typeof a !== 'number' ? a.dtype : typeof b !== 'number' ? b.dtype : 'float32';
  const left = typeof a === 'number' ? scalar(operation, a, dtype) : a;
  const right = typeof b === 'number' ? scalar(operation, b, dtype) : b;
  if (left.dtype !== right.dtype) {
    throw typesDiffer(operation, left, right);
  }
  return [left, right];
}

/** The error of two arrays whose types should be one. */
export function typesDiffer(operation: string, a: NDArray, b: NDArray): DTypeError {
  return new DTypeError({
    operation,
    problem: `element types differ: ${a.dtype} and ${b.dtype}`,
    operands: [a, b],
    expected: a.dtype,
    remedy: `convert one with astype('${a.dtype}')`,
  });
}

/**
 * The shape that arrays broadcast to.
 * @param shapes the shapes that broadcast, if not those of the arrays
 * @throws ShapeError if sizes do not fit
 */
export function broadcastArrays(
  operation: string,
  arrays: readonly NDArray[],
  shapes: readonly Shape[] = arrays.map((x) => x.shape),
): number[] {
  try {
    return broadcastShapes(operation, ...shapes);
  } catch (error) {
    throw withOperands(error, arrays);
  }
}

/** What element types an operation takes: floats alone, every type but bool, or all. */
export type Domain = 'float' | 'number' | 'any';

/** @throws DTypeError if the array's type is outside the domain */
export function checkDomain(
  operation: string,
  x: { readonly shape: Shape; readonly dtype: DType },
  domain: Domain,
): void {
  if (domain === 'any') return;
  if (DTYPES[x.dtype].isFloat || (domain === 'number' && x.dtype !== 'bool')) return;
  const expected = domain === 'float' ? 'floats' : 'numbers';
  const remedy = `use astype('${domain === 'float' ? 'float32' : 'int32'}')`;
  throw new DTypeError({
    operation,
    problem: `${x.dtype} elements, but it takes ${expected}`,
    operands: [x],
    expected,
    remedy,
  });
}
