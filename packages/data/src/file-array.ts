/**
 * An array as a file holds it: shape, packed elements, and the element type that the file names, of which
 * there are more than an `NDArray` has. One table says for each what it takes in a file, what stores it here,
 * and which of linalg's types holds it. Typed arrays have no bfloat16 and no numeric int64: those are stored
 * as float32 and int32, and the name is kept, so that writing restores them.
 */
import {
  type ArrayData,
  type DType,
  DTypeError,
  formatShape,
  type NDArray,
  type Shape,
  ShapeError,
  sizeOf,
  type TypedArray,
} from '@firsthand/linalg';

/** The element types of files. */
export type FileDType = DType | 'int8' | 'uint8' | 'int16' | 'uint16' | 'int64' | 'uint64' | 'bfloat16';

/** What elements read from a file are stored in. */
export type FileData = TypedArray | Int8Array<ArrayBufferLike> | Int16Array<ArrayBufferLike>;

/**
 * An array read from a file, or to be written to one: data that `array` of linalg and `tensor` of autograd
 * read as it is.
 */
export interface FileArray extends ArrayData {
  /** the element type in the file */
  readonly dtype: FileDType;
  /** sizes of the axes, outermost first; `[]` is one element */
  readonly shape: Shape;
  /** the elements, row-major, in the storage that {@link FILE_DTYPES} names */
  readonly data: FileData;
}

/** What is known of an element type of files. */
export interface FileDTypeInfo {
  /** bytes per element in a file */
  readonly bytes: number;
  /**
   * what stores the elements once read; its own bytes per element differ from `bytes` where reading converts
   */
  readonly constructor: {
    new (length: number): FileData;
    new (buffer: ArrayBufferLike, byteOffset: number, length: number): FileData;
    readonly BYTES_PER_ELEMENT: number;
  };
  /**
   * linalg's type of the same values: the narrowest that has them all, within the range that reading checks
   * for 64-bit integers
   */
  readonly memory: DType;
}

/** The traits of each element type of files. */
export const FILE_DTYPES: { readonly [K in FileDType]: FileDTypeInfo } = {
  float64: { bytes: 8, constructor: Float64Array, memory: 'float64' },
  float32: { bytes: 4, constructor: Float32Array, memory: 'float32' },
  float16: { bytes: 2, constructor: Uint16Array, memory: 'float16' },
  bfloat16: { bytes: 2, constructor: Float32Array, memory: 'float32' },
  int64: { bytes: 8, constructor: Int32Array, memory: 'int32' },
  uint64: { bytes: 8, constructor: Uint32Array, memory: 'uint32' },
  int32: { bytes: 4, constructor: Int32Array, memory: 'int32' },
  uint32: { bytes: 4, constructor: Uint32Array, memory: 'uint32' },
  int16: { bytes: 2, constructor: Int16Array, memory: 'int32' },
  uint16: { bytes: 2, constructor: Uint16Array, memory: 'int32' },
  int8: { bytes: 1, constructor: Int8Array, memory: 'int32' },
  uint8: { bytes: 1, constructor: Uint8Array, memory: 'int32' },
  bool: { bytes: 1, constructor: Uint8Array, memory: 'bool' },
};

/**
 * What a writer writes: an `NDArray` packed row by row (copied only if it is not yet), a {@link FileArray} as
 * it is.
 * @param operation names the writer in errors
 * @param part and what is given to it, if it is one of several: `tensor "w": `
 * @throws ShapeError if the data's length is not the product of the shape, DTypeError if the data is not the
 *   storage of its dtype
 */
export function toFileArray(operation: string, array: FileArray | NDArray, part = ''): FileArray {
  if (typeof array !== 'object' || array === null || !('contiguous' in array))
    return checkFileArray(operation, array, part);
  const { dtype, shape, data } = array.contiguous();
  return { dtype, shape, data };
}

function checkFileArray(operation: string, array: FileArray, part: string): FileArray {
  if (
    typeof array !== 'object' ||
    array === null ||
    !('dtype' in array && 'shape' in array && 'data' in array)
  ) {
    const expected = 'an NDArray or { dtype, shape, data }';
    throw new DTypeError({
      operation,
      problem: `${part}expected ${expected}, got ${kindOf(array)}`,
      expected,
    });
  }
  const { dtype, shape, data } = array;
  if (!Object.hasOwn(FILE_DTYPES, dtype)) {
    const expected = Object.keys(FILE_DTYPES).join(', ');
    throw new DTypeError({
      operation,
      problem: `${part}no element type ${String(dtype)}`,
      expected,
      remedy: `there are ${expected}`,
    });
  }
  if (typeof data === 'function') {
    const expected = '{ dtype, shape, data: await tensor.data() }';
    const problem = `${part}the elements are on a device`;
    throw new DTypeError({
      operation,
      problem,
      operands: [{ shape, dtype }],
      expected,
      remedy: `read them first: ${expected}`,
    });
  }
  const { constructor } = FILE_DTYPES[dtype];
  if (!(data instanceof constructor)) {
    const expected = withArticle(constructor.name);
    throw new DTypeError({
      operation,
      problem: `${part}${dtype} is held in ${expected}, not in ${kindOf(data)}`,
      expected,
    });
  }
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0) || sizeOf(shape) !== data.length) {
    const problem = `${part}shape ${formatShape(shape)} does not describe ${data.length} elements`;
    throw new ShapeError({
      operation,
      problem,
      operands: [{ shape, dtype }],
      expected: `a shape of ${data.length} elements`,
    });
  }
  return array;
}

/** What a value is, for an error: `a Float32Array`, `an Array`, `undefined`. */
function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  return withArticle(typeof value === 'object' ? (value.constructor?.name ?? 'object') : typeof value);
}

const withArticle = (noun: string): string => `${/^[aeio]/i.test(noun) ? 'an' : 'a'} ${noun}`;
