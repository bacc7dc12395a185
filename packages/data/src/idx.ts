/**
 * The idx format, in which MNIST is kept: two zero bytes, a type code, the number of axes, each axis's length
 * as a big-endian uint32, and then the elements, row-major and big-endian. Source: Y. LeCun, C. Cortes, C.
 * Burges, "The MNIST database of handwritten digits", section FILE FORMATS.
 */
import type { NDArray } from '@firsthand/linalg';
import { checkCount, DTypeError, formatShape, ShapeError } from '@firsthand/linalg';
import { elementCount, readElements, writeElements } from './elements.ts';
import { FormatError } from './errors.ts';
import { FILE_DTYPES, type FileArray, type FileDType, toFileArray } from './file-array.ts';
import { bytesOf, notOfKind } from './sniff.ts';

/** The third byte of a file, and what it says of the elements. */
const TYPE_CODES: ReadonlyMap<number, FileDType> = new Map([
  [0x08, 'uint8'],
  [0x09, 'int8'],
  [0x0b, 'int16'],
  [0x0c, 'int32'],
  [0x0d, 'float32'],
  [0x0e, 'float64'],
]);

/**
 * Reads an idx file. Bytes (uint8, int8) are not copied: `data` is then a view of the file's bytes, and shows
 * later changes to them.
 * @param file the whole file, unzipped
 * @returns shape, element type and elements; which `array` and `tensor` read as they are
 * @throws FormatError with the byte offset of the first thing that is not as the format says; of a file of
 *   another kind it says which
 * @example
 * ```ts
 * import { readIdx } from '@firsthand/data';
 * const file = Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4); // uint8, one axis of three: three labels
 * const labels = readIdx(file);
 * console.log(labels.dtype, labels.shape, labels.data); // uint8 [ 3 ] Uint8Array(3) [ 5, 0, 4 ]
 * ```
 */
export function readIdx(file: Uint8Array | ArrayBuffer): FileArray {
  checkCount('readIdx', arguments.length, 1, 'readIdx(bytes)');
  const bytes = bytesOf('readIdx', file);
  const notIdx = (problem: string, expected: string, offset: number): FormatError =>
    notOfKind('readIdx', 'an idx file (MNIST)', bytes, { problem, expected }, offset);
  if (bytes.length < 4)
    throw notIdx(`the header takes 4 bytes, the file has ${bytes.length}`, '4 bytes', bytes.length);
  if (bytes[0] !== 0 || bytes[1] !== 0)
    throw notIdx('an idx file begins with two zero bytes', 'two zero bytes', 0);
  const code = bytes[2]!;
  const dtype = TYPE_CODES.get(code);
  if (dtype === undefined) {
    const known = [...TYPE_CODES].map(([known, name]) => `${known} (${name})`).join(', ');
    throw notIdx(`type code ${code} is none of ${known}`, known, 2);
  }
  const axes = bytes[3]!;
  const begin = 4 + 4 * axes;
  if (bytes.length < begin) {
    const problem = `${axes} axes take a header of ${begin} bytes, the file has ${bytes.length}`;
    throw new FormatError(
      { operation: 'readIdx', problem, expected: `${begin} bytes` },
      { offset: bytes.length },
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, begin);
  const shape = Array.from({ length: axes }, (_, axis) => view.getUint32(4 + 4 * axis));
  const count = elementCount(shape);
  const expected = count === null ? Infinity : begin + count * FILE_DTYPES[dtype].bytes;
  if (count === null || bytes.length !== expected) {
    const needs = count === null ? 'more bytes than can be counted' : `${expected} bytes`;
    const remedy = bytes.length < expected ? 'the file is cut off: write or download it again' : undefined;
    const problem = `${dtype} of shape ${formatShape(shape)} takes ${needs}, the file has ${bytes.length}`;
    throw new FormatError(
      { operation: 'readIdx', problem, expected: needs, remedy },
      { offset: Math.min(bytes.length, expected) },
    );
  }
  return {
    dtype,
    shape,
    data: readElements({ bytes, begin, count, dtype, order: 'big', operation: 'readIdx', part: '' }),
  };
}

/**
 * Writes an idx file.
 * @param array of uint8, int8, int16, int32, float32 or float64, with at most 255 axes of less than 2³² each
 * @returns the whole file; the same array gives the same bytes
 * @throws DTypeError if the format lacks the element type, ShapeError if it lacks room for the shape
 */
export function writeIdx(array: FileArray | NDArray): Uint8Array<ArrayBuffer> {
  checkCount('writeIdx', arguments.length, 1, 'writeIdx(array)');
  const packed = toFileArray('writeIdx', array);
  const { dtype, shape, data } = packed;
  const code = [...TYPE_CODES].find(([, name]) => name === dtype)?.[0];
  const operands = [{ shape, dtype }];
  if (code === undefined) {
    const expected = [...TYPE_CODES.values()].join(', ');
    throw new DTypeError({
      operation: 'writeIdx',
      problem: `idx has no ${dtype}`,
      operands,
      expected,
      remedy: `it has ${expected}`,
    });
  }
  if (shape.length > 255 || shape.some((size) => size >= 2 ** 32)) {
    const expected = 'at most 255 axes of less than 2³² each';
    throw new ShapeError({
      operation: 'writeIdx',
      problem: `idx holds ${expected}, not ${formatShape(shape)}`,
      operands,
      expected,
    });
  }
  const begin = 4 + 4 * shape.length;
  const bytes = new Uint8Array(begin + data.length * FILE_DTYPES[dtype].bytes);
  const view = new DataView(bytes.buffer);
  view.setUint8(2, code);
  view.setUint8(3, shape.length);
  shape.forEach((size, axis) => view.setUint32(4 + 4 * axis, size));
  writeElements(bytes, begin, packed, 'big');
  return bytes;
}
