/**
 * Arbitrary files' arrays for property tests, and comparison of arrays by their bits, so that NaN and −0
 * count.
 */
import fc from 'fast-check';
import { FILE_DTYPES, type FileArray, type FileData, type FileDType } from '../src/index.ts';

export const RUNS: number = process.env['FIRSTHAND_FULL'] === '1' ? 10_000 : 500;

/** The bytes of the elements in memory. */
function bytesOf(data: FileData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** A file array with its data as bytes: equal if and only if shape, dtype and every bit are. */
export function inBits({ dtype, shape, data }: FileArray): unknown {
  return { dtype, shape, storage: data.constructor.name, bytes: [...bytesOf(data)] };
}

/**
 * Arrays of one element type, of up to four axes (also empty ones), with arbitrary bits: NaN payloads,
 * infinities and subnormals included.
 */
export function fileArray(dtype: FileDType): fc.Arbitrary<FileArray> {
  const { constructor } = FILE_DTYPES[dtype];
  return fc.array(fc.nat(4), { maxLength: 4 }).chain((shape) => {
    const length = shape.reduce((product, size) => product * size, 1) * constructor.BYTES_PER_ELEMENT;
    return fc
      .uint8Array({ minLength: length, maxLength: length })
      .map((bytes) => ({ dtype, shape, data: decode(dtype, bytes) }));
  });
}

/**
 * Elements with the given bits, made valid for types that do not take all: bool, and bfloat16, whose lower
 * half is zero.
 */
function decode(dtype: FileDType, bytes: Uint8Array): FileData {
  const elements = Uint8Array.from(bytes, (byte, i) => {
    if (dtype === 'bool') return byte & 1;
    return dtype === 'bfloat16' && i % 4 < 2 ? 0 : byte;
  });
  const { constructor } = FILE_DTYPES[dtype];
  return new constructor(elements.buffer, 0, elements.length / constructor.BYTES_PER_ELEMENT);
}

/** Every element type of files. */
export const ALL_DTYPES = Object.keys(FILE_DTYPES) as FileDType[];
