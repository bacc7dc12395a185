/**
 * idx files: handwritten bytes, round trips for every type, alignment, and every kind of false header.
 */
import { arange, array, DTypeError, ShapeError } from '@firsthand/linalg';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FileDType, FormatError, readIdx, writeIdx } from '../src/index.ts';
import { fileArray, inBits, RUNS } from './formats.ts';

const IDX_DTYPES: FileDType[] = ['uint8', 'int8', 'int16', 'int32', 'float32', 'float64'];

/** What a reader throws. */
function formatError(bytes: readonly number[]): FormatError {
  try {
    readIdx(Uint8Array.from(bytes));
  } catch (error) {
    if (error instanceof FormatError) return error;
    throw error;
  }
  throw new Error('the file was accepted');
}

describe('readIdx', () => {
  it('reads elements of every type, big-endian', () => {
    const read = (...bytes: number[]): unknown => {
      const { dtype, shape, data } = readIdx(Uint8Array.from(bytes));
      return [dtype, shape, data];
    };
    expect(read(0, 0, 0x08, 1, 0, 0, 0, 2, 1, 255)).toEqual(['uint8', [2], Uint8Array.of(1, 255)]);
    expect(read(0, 0, 0x09, 1, 0, 0, 0, 2, 1, 255)).toEqual(['int8', [2], Int8Array.of(1, -1)]);
    expect(read(0, 0, 0x0b, 1, 0, 0, 0, 2, 1, 2, 255, 254)).toEqual(['int16', [2], Int16Array.of(258, -2)]);
    expect(read(0, 0, 0x0c, 1, 0, 0, 0, 1, 0x80, 0, 0, 1)).toEqual([
      'int32',
      [1],
      Int32Array.of(-2147483647),
    ]);
    expect(read(0, 0, 0x0d, 1, 0, 0, 0, 1, 0x3f, 0xc0, 0, 0)).toEqual(['float32', [1], Float32Array.of(1.5)]);
    expect(read(0, 0, 0x0e, 1, 0, 0, 0, 1, 0xc0, 4, 0, 0, 0, 0, 0, 0)).toEqual([
      'float64',
      [1],
      Float64Array.of(-2.5),
    ]);
  });

  it('reads scalars, several axes and empty axes', () => {
    expect(readIdx(Uint8Array.of(0, 0, 8, 0, 7))).toEqual({
      dtype: 'uint8',
      shape: [],
      data: Uint8Array.of(7),
    });
    expect(readIdx(Uint8Array.of(0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 1, 7, 8)).shape).toEqual([2, 1]);
    expect(readIdx(Uint8Array.of(0, 0, 12, 2, 0, 0, 0, 0, 0, 0, 0, 9))).toEqual({
      dtype: 'int32',
      shape: [0, 9],
      data: new Int32Array(0),
    });
  });

  it('views bytes in place and never writes to its input', () => {
    const bytes = Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 1, 5);
    const { data } = readIdx(bytes);
    bytes[8] = 6;
    expect([...data]).toEqual([6]);
    const wide = writeIdx(array([1, 2, 3]));
    const before = Uint8Array.from(wide);
    readIdx(wide);
    expect(wide).toEqual(before);
  });

  it('reads at any alignment, as from inside a larger buffer', () => {
    const file = writeIdx(arange(5, { dtype: 'float64' }));
    for (let shift = 0; shift < 9; shift++) {
      const larger = new Uint8Array(file.length + 16).fill(255);
      larger.set(file, shift);
      expect([...readIdx(larger.subarray(shift, shift + file.length)).data]).toEqual([0, 1, 2, 3, 4]);
    }
  });

  it.each([
    ['an empty file', [], 0, /header takes 4 bytes/],
    ['a file of three bytes', [0, 0, 8], 3, /header takes 4 bytes/],
    ['a gzip file', [0x1f, 0x8b, 8, 0, 0, 0], 0, /unzip it first/],
    ['another magic', [0, 1, 8, 0, 7], 0, /two zero bytes/],
    ['an unknown type', [0, 0, 10, 0, 7], 2, /type code 10 is none of 8 \(uint8\)/],
    ['a header cut short', [0, 0, 8, 2, 0, 0, 0, 1, 0], 9, /2 axes take a header of 12 bytes/],
    ['data cut short', [0, 0, 8, 1, 0, 0, 0, 3, 1, 2], 10, /shape \[3\] takes 11 bytes, the file has 10/],
    ['bytes left over', [0, 0, 8, 1, 0, 0, 0, 1, 1, 2], 9, /takes 9 bytes, the file has 10/],
    [
      'a product of sizes beyond counting',
      [0, 0, 8, 2, 255, 255, 255, 255, 255, 255, 255, 255],
      12,
      /more bytes than can be counted/,
    ],
    ['4 GiB promised', [0, 0, 14, 1, 32, 0, 0, 0], 8, /takes 4294967304 bytes, the file has 8/],
  ] as const)('refuses %s, naming the byte', (_, bytes, offset, message) => {
    const error = formatError(bytes);
    expect(error.message).toMatch(message);
    expect(error.message).toContain(`byte ${offset}`);
    expect(error.offset).toBe(offset);
    expect(error.line).toBeNull();
    expect(error.name).toBe('FormatError');
  });
});

describe('writeIdx', () => {
  it.each(IDX_DTYPES)('writes %s that reads back the same, bit for bit, to the same bytes', (dtype) => {
    fc.assert(
      fc.property(fileArray(dtype), (original) => {
        const file = writeIdx(original);
        const copy = readIdx(file);
        expect(inBits(copy)).toEqual(inBits(original));
        expect(writeIdx(copy)).toEqual(file);
      }),
      { numRuns: RUNS / 5 },
    );
  });

  it('writes an NDArray in row-major order, views included', () => {
    const x = arange(6).reshape([2, 3]).transpose();
    expect(array(readIdx(writeIdx(x))).toArray()).toEqual([
      [0, 3],
      [1, 4],
      [2, 5],
    ]);
  });

  it('refuses what the format has no room for', () => {
    expect(() => writeIdx(array([true]))).toThrow(
      new DTypeError({
        operation: 'writeIdx',
        problem: 'idx has no bool',
        operands: [{ shape: [1], dtype: 'bool' }],
        expected: 'uint8, int8, int16, int32, float32, float64',
        remedy: 'it has uint8, int8, int16, int32, float32, float64',
      }),
    );
    expect(() =>
      writeIdx({ dtype: 'uint8', shape: new Array<number>(256).fill(1), data: new Uint8Array(1) }),
    ).toThrow(ShapeError);
    expect(() => writeIdx({ dtype: 'uint8', shape: [0, 2 ** 32], data: new Uint8Array(0) })).toThrow(
      ShapeError,
    );
  });
});
