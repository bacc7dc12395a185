/**
 * Elements to and from bytes. Types whose bytes in the file are their bytes in memory are viewed in place
 * when the byte order is this machine's and the position is a multiple of the element's size, else copied
 * once; bfloat16 and 64-bit integers are converted. Whoever calls has checked that the bytes are there:
 * nothing is allocated on the word of a header.
 */
import { FormatError } from './errors.ts';
import { FILE_DTYPES, type FileArray, type FileData, type FileDType } from './file-array.ts';

/** The order of the bytes of one number: `little` has the least significant byte first. */
export type ByteOrder = 'little' | 'big';

const HOST_ORDER: ByteOrder = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 'little' : 'big';

/** The location of elements in a file. */
export interface ElementsLocation {
  /** the whole file */
  readonly bytes: Uint8Array;
  /** bytes from its start to the first element */
  readonly begin: number;
  /** number of elements; `begin + count · bytes per element` is inside the file */
  readonly count: number;
  readonly dtype: FileDType;
  readonly order: ByteOrder;
  /** the reader, for errors */
  readonly operation: string;
  /** what it reads, for errors, if it is one of several: `tensor "w": ` */
  readonly part: string;
}

/**
 * Reads elements. The result may share the file's memory.
 * @throws FormatError if a bool is neither 0 nor 1, or a 64-bit integer does not fit in 32 bits
 */
export function readElements(location: ElementsLocation): FileData {
  switch (location.dtype) {
    case 'bfloat16':
      return readBFloat16(location);
    case 'int64':
    case 'uint64':
      return readInteger64(location, location.dtype);
    case 'bool':
      return readBool(location);
    default:
      return readRaw(location, location.dtype);
  }
}

/** Writes a packed array's elements into `target` from byte `begin` on. */
export function writeElements(target: Uint8Array, begin: number, array: FileArray, order: ByteOrder): void {
  const { dtype, data } = array;
  if (dtype === 'bfloat16') return writeRaw(target, begin, bfloat16Bits(data), order);
  if (dtype === 'int64' || dtype === 'uint64') return writeInteger64(target, begin, data, order);
  writeRaw(target, begin, data, order);
}

function readRaw({ bytes, begin, count, order }: ElementsLocation, dtype: FileDType): FileData {
  const { constructor: Storage, bytes: width } = FILE_DTYPES[dtype];
  const start = bytes.byteOffset + begin;
  const orderFits = width === 1 || order === HOST_ORDER;
  if (orderFits && start % width === 0) return new Storage(bytes.buffer, start, count);
  const copy = new Uint8Array(count * width);
  copy.set(bytes.subarray(begin, begin + count * width));
  if (!orderFits) reverseEach(copy, width);
  return new Storage(copy.buffer, 0, count);
}

function writeRaw(target: Uint8Array, begin: number, data: FileData, order: ByteOrder): void {
  const width = data.BYTES_PER_ELEMENT;
  target.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), begin);
  if (width > 1 && order !== HOST_ORDER) reverseEach(target.subarray(begin, begin + data.byteLength), width);
}

/** Reverses the bytes of every element in place. */
function reverseEach(bytes: Uint8Array, width: number): void {
  for (let first = 0; first < bytes.length; first += width) {
    for (let low = first, high = first + width - 1; low < high; low++, high--) {
      const byte = bytes[low]!;
      bytes[low] = bytes[high]!;
      bytes[high] = byte;
    }
  }
}

function readBool(location: ElementsLocation): FileData {
  const values = readRaw(location, 'bool');
  const wrong = values.findIndex((value) => value > 1);
  if (wrong >= 0) {
    const problem = `${location.part}a bool is 0 or 1, element ${wrong} is ${values[wrong]}`;
    throw new FormatError(
      { operation: location.operation, problem, expected: '0 or 1' },
      { offset: location.begin + wrong },
    );
  }
  return values;
}

/**
 * A bfloat16 is the upper half of a float32: sign, the same 8 bits of exponent, and 7 of the 23 bits of
 * fraction.
 */
function readBFloat16(location: ElementsLocation): Float32Array {
  const upper = readRaw(location, 'uint16'); // two bytes per element, as bfloat16
  const bits = new Uint32Array(upper.length);
  for (let i = 0; i < bits.length; i++) bits[i] = upper[i]! << 16;
  return new Float32Array(bits.buffer);
}

/**
 * The upper halves of float32 numbers, rounded to nearest, ties to even; numbers that came from bfloat16 come
 * out as they were, NaN's bits included.
 */
function bfloat16Bits(data: FileData): Uint16Array {
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  const upper = new Uint16Array(data.length);
  for (let i = 0; i < upper.length; i++) {
    const value = bits[i]!;
    const isNaN = (value & 0x7fffffff) > 0x7f800000;
    // Rounding a NaN could carry into infinity, and cutting it could leave infinity's bits: cut, and set the
    // bit that keeps it a quiet NaN if it lost any.
    upper[i] = isNaN
      ? (value >>> 16) | ((value & 0xffff) !== 0 ? 0x40 : 0)
      : (value + 0x7fff + ((value >>> 16) & 1)) >>> 16;
  }
  return upper;
}

function readInteger64(
  { bytes, begin, count, order, operation, part }: ElementsLocation,
  dtype: 'int64' | 'uint64',
): FileData {
  const view = new DataView(bytes.buffer, bytes.byteOffset + begin, count * 8);
  const little = order === 'little';
  const values = dtype === 'int64' ? new Int32Array(count) : new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const low = view.getUint32(8 * i + (little ? 0 : 4), little);
    const high = view.getInt32(8 * i + (little ? 4 : 0), little);
    if (high !== (dtype === 'int64' ? (low | 0) >> 31 : 0)) {
      const value = dtype === 'int64' ? view.getBigInt64(8 * i, little) : view.getBigUint64(8 * i, little);
      const expected = dtype === 'int64' ? '−2³¹ … 2³¹ − 1' : '0 … 2³² − 1';
      const problem = `${part}element ${i} is ${value}, but ${dtype} is read into 32 bits: ${expected}`;
      throw new FormatError({ operation, problem, expected }, { offset: begin + 8 * i });
    }
    values[i] = low;
  }
  return values;
}

function writeInteger64(target: Uint8Array, begin: number, data: FileData, order: ByteOrder): void {
  const view = new DataView(target.buffer, target.byteOffset + begin, data.length * 8);
  const little = order === 'little';
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!;
    view.setUint32(8 * i + (little ? 0 : 4), value, little);
    view.setInt32(8 * i + (little ? 4 : 0), value < 0 ? -1 : 0, little);
  }
}

/**
 * The product of sizes that a file claims, or null if some product of leading sizes is beyond exact integers:
 * then no file can hold the elements.
 */
export function elementCount(shape: readonly number[]): number | null {
  let count = 1;
  for (const size of shape) {
    count *= size;
    if (!Number.isSafeInteger(count)) return null;
  }
  return count;
}
