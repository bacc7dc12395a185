/**
 * The six element types and their storage. JavaScript has no array of booleans and Node 20 none of float16,
 * so bool is stored as bytes 0 or 1 and float16 as its 16 bits; the others in the typed array of the same
 * name.
 */
import { ShapeError } from './errors.ts';
import { fromFloat16Bits, toFloat16Bits } from './float16.ts';
import { checkChoice } from './options.ts';

/** The name of an element type. */
export type DType = 'float32' | 'float64' | 'float16' | 'int32' | 'uint32' | 'bool';

/**
 * What elements are stored in: `Uint16Array` holds float16 bits, `Uint8Array` holds bools. With `ArrayBuffer`
 * for `Buffer`, memory that is shared with no other thread, as a `Blob`, a request and a transfer to a worker
 * want it.
 */
export type TypedArray<Buffer extends ArrayBufferLike = ArrayBufferLike> =
  | Float32Array<Buffer>
  | Float64Array<Buffer>
  | Uint16Array<Buffer>
  | Int32Array<Buffer>
  | Uint32Array<Buffer>
  | Uint8Array<Buffer>;

/** What is known of an element type. */
export interface DTypeInfo {
  /** bytes per element */
  readonly bytes: number;
  /** whether it holds fractions, infinities and NaN */
  readonly isFloat: boolean;
  /** the typed array that stores it */
  readonly constructor: new (length: number) => TypedArray<ArrayBuffer>;
}

/** The traits of each element type. */
export const DTYPES: { readonly [K in DType]: DTypeInfo } = {
  float32: { bytes: 4, isFloat: true, constructor: Float32Array },
  float64: { bytes: 8, isFloat: true, constructor: Float64Array },
  float16: { bytes: 2, isFloat: true, constructor: Uint16Array },
  int32: { bytes: 4, isFloat: false, constructor: Int32Array },
  uint32: { bytes: 4, isFloat: false, constructor: Uint32Array },
  bool: { bytes: 1, isFloat: false, constructor: Uint8Array },
};

const DTYPE_NAMES: readonly DType[] = ['float32', 'float64', 'float16', 'int32', 'uint32', 'bool'];

/**
 * Returns an element type if it is one.
 * @throws OptionError otherwise, naming the nearest one
 */
export function checkDType(operation: string, dtype: DType): DType {
  return Object.hasOwn(DTYPES, dtype) ? dtype : checkChoice(operation, 'dtype', dtype, DTYPE_NAMES);
}

/**
 * Storage for `length` elements, all zero.
 * @param operation whose result it is, for the error
 * @throws ShapeError if no array holds as many, or there is no memory for them
 */
export function allocate(
  dtype: DType,
  length: number,
  operation: string | null = null,
): TypedArray<ArrayBuffer> {
  try {
    return new DTYPES[dtype].constructor(length);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const problem = `there is no array of ${length} elements of ${dtype}: ${reason}`;
    throw new ShapeError(
      { operation, problem, operands: [{ shape: [length], dtype }], expected: 'fewer elements' },
      { cause },
    );
  }
}

/**
 * How a number becomes an element of each type, before storing. Floats round when stored; float → integer
 * truncates toward zero and saturates (NaN → 0); bool is `!= 0`; float16 becomes its bits.
 */
export const encode: { readonly [K in DType]: (value: number) => number } = {
  float32: (value) => value,
  float64: (value) => value,
  float16: toFloat16Bits,
  int32: (value) =>
    value >= 2147483647 ? 2147483647 : value <= -2147483648 ? -2147483648 : Math.trunc(value),
  uint32: (value) => (value >= 4294967295 ? 4294967295 : value <= 0 ? 0 : Math.trunc(value)),
  bool: (value) => (value !== 0 ? 1 : 0),
};

/** The number that a stored element stands for: itself, except for float16 bits. */
export function decode(dtype: DType, stored: number): number {
  return dtype === 'float16' ? fromFloat16Bits(stored) : stored;
}

/**
 * Converts stored elements to another type: float → integer truncates and saturates, int32 ↔ uint32 keeps the
 * 32 bits (wraps), anything → bool is `!= 0`.
 * @param source stored elements of type `from`
 * @returns new storage of the same length
 */
export function convert(source: TypedArray, from: DType, to: DType): TypedArray {
  const result = allocate(to, source.length);
  if (from === to) result.set(source);
  else if (from === 'float16') return convert(Float32Array.from(source, fromFloat16Bits), 'float32', to);
  else if (to === 'float16') encodeAll(source, result, toFloat16Bits);
  else if (to === 'bool') truthAll(source, result);
  else if (DTYPES[from].isFloat && !DTYPES[to].isFloat) encodeAll(source, result, encode[to]);
  else result.set(source); // typed-array assignment rounds to float32, and reduces integers modulo 2³²
  return result;
}

function encodeAll(source: TypedArray, result: TypedArray, write: (value: number) => number): void {
  for (let i = 0; i < source.length; i++) result[i] = write(source[i]!);
}

function truthAll(source: TypedArray, result: TypedArray): void {
  for (let i = 0; i < source.length; i++) result[i] = source[i] !== 0 ? 1 : 0;
}

/**
 * The same memory as plain words of equal width. To move elements is to move bits, whatever they mean;
 * kernels that only move see one array type per width, which keeps their loops fast.
 */
export function wordsOf(data: TypedArray): TypedArray {
  if (data instanceof Float32Array || data instanceof Uint32Array)
    return new Int32Array(data.buffer, data.byteOffset, data.length);
  return data;
}
