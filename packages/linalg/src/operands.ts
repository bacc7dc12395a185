/**
 * What kernels do with element types before they loop. The two types that JavaScript has no arithmetic storage for compute in a wider one,
 * float16 in float32 and bool in int32, and a JavaScript number beside an array is taken in the array's type.
 */
import { allocate, DTYPES, encode, type DType } from './dtype.ts';
import { DTypeError } from './errors.ts';
import { NDArray } from './ndarray.ts';

/** An array, or a number taken in the other operand's type. */
export type Operand = NDArray | number;

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
    throw new DTypeError(`${operation}: ${value} is no ${dtype} value; use astype on the array first`);
  }
  data[0] = encoded;
  return NDArray.packed(data, [], dtype);
}

/**
 * Two operands as arrays of one type; two numbers become float32.
 * @throws DTypeError if two arrays differ in type, or a number does not fit the array's
 */
export function matchOperands(operation: string, a: Operand, b: Operand): [NDArray, NDArray] {
  const dtype = typeof a !== 'number' ? a.dtype : typeof b !== 'number' ? b.dtype : 'float32';
  const left = typeof a === 'number' ? scalar(operation, a, dtype) : a;
  const right = typeof b === 'number' ? scalar(operation, b, dtype) : b;
  if (left.dtype !== right.dtype) {
    throw new DTypeError(`${operation}: element types differ: ${left.dtype} and ${right.dtype}; convert one with astype('${left.dtype}')`);
  }
  return [left, right];
}

/** What element types an operation takes: floats alone, every type but bool, or all. */
export type Domain = 'float' | 'number' | 'any';

/** @throws DTypeError if the type lies outside the domain */
export function checkDomain(operation: string, dtype: DType, domain: Domain): void {
  if (domain === 'any') return;
  if (DTYPES[dtype].isFloat || (domain === 'number' && dtype !== 'bool')) return;
  const remedy = domain === 'float' ? `floats; use astype('float32')` : `numbers; use astype('int32')`;
  throw new DTypeError(`${operation}: ${dtype} elements, but it takes ${remedy}`);
}
