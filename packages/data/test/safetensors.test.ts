/**
 * safetensors: a file of the reference implementation, its exact bytes again on writing, round trips of every
 * dtype, and false headers.
 */
import { readFileSync } from 'node:fs';
import { arange, array, DTypeError, FirsthandError, type NDArray, ShapeError } from '@firsthand/linalg';
import fc from 'fast-check';
import { describe, expect, expectTypeOf, it, vi } from 'vitest';
import {
  type DeviceArray,
  type FileArray,
  FormatError,
  readSafetensors,
  type writeIdx,
  writeSafetensors,
} from '../src/index.ts';
import { ALL_DTYPES, fileArray, inBits, RUNS } from './formats.ts';

const reference = new Uint8Array(readFileSync(new URL('fixtures/reference.safetensors', import.meta.url)));

/** A file of this header text and data. */
function file(header: string, data: ArrayLike<number> = []): Uint8Array {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

/** What the reader throws. */
function formatError(bytes: Uint8Array): FormatError {
  try {
    readSafetensors(bytes);
  } catch (error) {
    if (error instanceof FormatError) return error;
    throw error;
  }
  throw new Error('the file was accepted');
}

describe('a file of the reference implementation', () => {
  const { tensors, metadata } = readSafetensors(reference);

  it('is read, every dtype', () => {
    const values = Object.fromEntries(
      [...tensors].map(([name, { dtype, shape, data }]) => [name, [dtype, shape, data]]),
    );
    const bfloat16 = Float32Array.of(1, -2, Infinity, NaN, NaN, 2 ** -133, -0);
    expect(values).toEqual({
      'z.int64': ['int64', [2, 2], Int32Array.of(0, -1, 2 ** 31 - 1, -(2 ** 31))],
      float64: ['float64', [5], Float64Array.of(0.1, -0, Infinity, NaN, 5e-324)],
      'b.float32': ['float32', [1, 3], Float32Array.of(1.5, -2.25, 3e38)],
      'a.float32': ['float32', [], Float32Array.of(7)],
      float16: ['float16', [4], Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001)],
      bfloat16: ['bfloat16', [7], bfloat16],
      int32: ['int32', [2], Int32Array.of(-5, 2 ** 31 - 1)],
      uint32: ['uint32', [1], Uint32Array.of(2 ** 32 - 1)],
      uint64: ['uint64', [2], Uint32Array.of(0, 2 ** 32 - 1)],
      int16: ['int16', [2], Int16Array.of(-300, 300)],
      uint16: ['uint16', [1], Uint16Array.of(65535)],
      int8: ['int8', [3], Int8Array.of(-128, 127, 1)],
      uint8: ['uint8', [3], Uint8Array.of(255, 0, 7)],
      bool: ['bool', [3], Uint8Array.of(1, 0, 1)],
      empty: ['float32', [2, 0, 3], new Float32Array(0)],
      'quote " slash \\ tab \t ü中': ['float32', [1], Float32Array.of(9)],
    });
    expect([...metadata]).toEqual([['format', 'np']]);
  });

  it('comes out the same, byte for byte, when written again in any order', () => {
    expect(writeSafetensors(tensors, metadata)).toEqual(reference);
    expect(writeSafetensors(new Map([...tensors].reverse()), metadata)).toEqual(reference);
  });

  it('becomes NDArrays', () => {
    const arrays = Object.fromEntries([...tensors].map(([name, tensor]) => [name, array(tensor)]));
    expect(arrays['z.int64']?.toArray()).toEqual([
      [0, -1],
      [2 ** 31 - 1, -(2 ** 31)],
    ]);
    expect(arrays['bfloat16']?.dtype).toBe('float32');
    expect(arrays['uint16']?.toArray()).toEqual([65535]);
    expect(arrays['float16']?.toArray()).toEqual([1, -2, 65504, 2 ** -24]);
    expect(arrays['bool']?.toArray()).toEqual([true, false, true]);
  });
});

describe('round trips', () => {
  const contents = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.oneof(...ALL_DTYPES.map(fileArray)), {
    maxKeys: 6,
  });
  const texts = fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), { maxKeys: 3 });

  it('restore names, dtypes, shapes, every bit and the metadata, to the same bytes', () => {
    fc.assert(
      fc.property(contents, texts, (record, text) => {
        const [tensors, metadata] = [new Map(Object.entries(record)), new Map(Object.entries(text))];
        const bytes = writeSafetensors(tensors, metadata);
        const copy = readSafetensors(bytes);
        const bits = (entries: ReadonlyMap<string, FileArray>): unknown =>
          new Map([...entries].map(([name, entry]) => [name, inBits(entry)]));
        expect(bits(copy.tensors)).toEqual(bits(tensors));
        expect(copy.metadata).toEqual(metadata);
        expect(writeSafetensors(copy.tensors, copy.metadata)).toEqual(bytes);
        expect(writeSafetensors(new Map([...tensors].reverse()), new Map([...metadata].reverse()))).toEqual(
          bytes,
        );
      }),
      { numRuns: RUNS / 5 },
    );
  });

  it('write views in row-major order', () => {
    const bytes = writeSafetensors(
      new Map([['x', arange(6).reshape([2, 3]).transpose().slice({ step: 2 })]]),
    );
    expect(array(readSafetensors(bytes).tensors.get('x')!).toArray()).toEqual([
      [0, 3],
      [2, 5],
    ]);
  });

  it('view data in place where it is aligned and copy it where it is not', () => {
    const bytes = writeSafetensors(new Map([['x', array([1, 2])]]));
    expect(readSafetensors(bytes).tensors.get('x')!.data.buffer).toBe(bytes.buffer);
    const shifted = new Uint8Array(bytes.length + 1).subarray(1);
    shifted.set(bytes);
    const { data } = readSafetensors(shifted).tensors.get('x')!;
    expect(data.buffer).not.toBe(shifted.buffer);
    expect([...data]).toEqual([1, 2]);
  });

  it('hold keys that objects treat specially', () => {
    const bytes = file(
      '{"__metadata__":{"__proto__":"a"},"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
      [3],
    );
    const { tensors, metadata } = readSafetensors(bytes);
    expect([...metadata]).toEqual([['__proto__', 'a']]);
    expect([...tensors.keys()]).toEqual(['__proto__']);
  });
});

describe('bfloat16', () => {
  const written = (...values: number[]): string[] => {
    const bytes = writeSafetensors(
      new Map([
        ['x', { dtype: 'bfloat16', shape: [values.length], data: Float32Array.from(values) } as const],
      ]),
    );
    return Array.from(new Uint16Array(bytes.slice(-2 * values.length).buffer), (bits) => bits.toString(16));
  };

  it('rounds to nearest, ties to even, overflows to infinity, and keeps NaN', () => {
    expect(written(1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20)).toEqual([
      '3f80',
      '3f80',
      '3f82',
      '3f81',
    ]);
    expect(written(3.4028234663852886e38, -Infinity, -0)).toEqual(['7f80', 'ff80', '8000']);
    const [nan = ''] = written(NaN);
    expect(Number.parseInt(nan, 16) & 0x7fff).toBeGreaterThan(0x7f80);
  });

  it('keeps a NaN whose set bits are all in the lower half a NaN', () => {
    const data = new Float32Array(Uint32Array.of(0x7f800001).buffer);
    const bytes = writeSafetensors(new Map([['x', { dtype: 'bfloat16', shape: [1], data } as const]]));
    expect(readSafetensors(bytes).tensors.get('x')!.data[0]).toBeNaN();
  });
});

describe('a header that lies', () => {
  const u8 = (from: number, to: number, more = ''): string =>
    `{"dtype":"U8","shape":[${to - from}],"data_offsets":[${from},${to}]${more}}`;
  const length = (low: number, high: number): Uint8Array => {
    const bytes = new Uint8Array(16).fill(0x7b);
    new DataView(bytes.buffer).setUint32(0, low, true);
    new DataView(bytes.buffer).setUint32(4, high, true);
    return bytes;
  };

  it.each<[string, Uint8Array, number, RegExp]>([
    ['an empty file', new Uint8Array(0), 0, /header's length takes 8 bytes, the file has 0/],
    ['a header longer than the file', length(9, 0), 0, /claims 9 bytes, but 8 follow/],
    ['a header of 2⁶⁴ − 1 bytes', length(0xffffffff, 0xffffffff), 0, /claims 18446744073709551615 bytes/],
    ['a header of no bytes', file(''), 8, /begins with \{/],
    ['a header that is an array', file('[]'), 8, /begins with \{/],
    ['a header that is white space first', file(' {}'), 8, /begins with \{/],
    ['a header without an end', file('{'), 9, /expected a string, found the end/],
    ['text after the header', file('{}x'), 10, /expected the end of the header, found x/],
    ['a second object', file('{}{}'), 10, /expected the end/],
    ['a comma too many', file(`{"a":${u8(0, 1)},}`, [1]), 61, /expected a string, found \}/],
    ['a value that is no object', file('{"a":3}'), 13, /expected \{, found 3/],
    ['deep nesting', file(`{"a":${'['.repeat(1e5)}}`), 13, /expected \{, found \[/],
    ['metadata that is not text', file('{"__metadata__":{"a":1}}'), 29, /expected a string, found 1/],
    ['a tensor named twice', file(`{"a":${u8(0, 1)},"a":${u8(1, 2)}}`, [1, 2]), 61, /key "a" stands twice/],
    [
      'a name twice, once escaped',
      file(`{"a":${u8(0, 1)},"\\u0061":${u8(1, 2)}}`, [1, 2]),
      61,
      /key "a" stands twice/,
    ],
    ['a dtype twice', file(`{"a":${u8(0, 1, ',"dtype":"U8"')}}`, [1]), 60, /key "dtype" stands twice/],
    ['metadata twice', file('{"__metadata__":{},"__metadata__":{}}'), 27, /stands twice/],
    ['an unknown member', file(`{"a":${u8(0, 1, ',"x":[[]]')}}`, [1]), 60, /not "x"/],
    [
      'a member missing',
      file('{"a":{"dtype":"U8","shape":[]}}'),
      9,
      /"a" lacks dtype, shape or data_offsets/,
    ],
    [
      'an unknown dtype',
      file('{"a":{"dtype":"F8_E4M3","shape":[],"data_offsets":[0,1]}}', [1]),
      9,
      /dtype "F8_E4M3", which is none of BOOL/,
    ],
    [
      'a dtype that objects inherit',
      file('{"a":{"dtype":"toString","shape":[],"data_offsets":[0,1]}}', [1]),
      9,
      /none of BOOL/,
    ],
    [
      'a fraction',
      file('{"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}}', [1]),
      37,
      /expected \], found \./,
    ],
    [
      'an exponent',
      file('{"a":{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}}', [1]),
      37,
      /expected \], found e/,
    ],
    [
      'a negative size',
      file('{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}', [1]),
      36,
      /expected a whole number, found -/,
    ],
    [
      'a leading zero',
      file('{"a":{"dtype":"U8","shape":[01],"data_offsets":[0,1]}}', [1]),
      36,
      /leading zeros/,
    ],
    [
      'a size of 2⁵³',
      file('{"a":{"dtype":"U8","shape":[9007199254740992],"data_offsets":[0,1]}}', [1]),
      36,
      /beyond 2⁵³ − 1/,
    ],
    [
      'sizes that overflow to what fits',
      file('{"a":{"dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}}'),
      9,
      /more bytes than can be counted/,
    ],
    [
      '65 axes',
      file(`{"a":{"dtype":"U8","shape":[${'1,'.repeat(64)}1],"data_offsets":[0,1]}}`, [1]),
      164,
      /more than 64 numbers/,
    ],
    [
      'one data offset',
      file('{"a":{"dtype":"U8","shape":[],"data_offsets":[0]}}', [1]),
      9,
      /not two numbers/,
    ],
    [
      'three data offsets',
      file('{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1,2]}}', [1]),
      58,
      /more than 2 numbers/,
    ],
    ['data beyond the end', file(`{"a":${u8(0, 3)}}`, [1, 2]), 9, /\[0, 3\], outside the 2 bytes/],
    [
      'data that ends before it begins',
      file('{"a":{"dtype":"U8","shape":[0],"data_offsets":[1,0]}}', [1]),
      9,
      /wrong order/,
    ],
    [
      'a size that does not fit',
      file(`{"b":${u8(0, 1)},"a":{"dtype":"F32","shape":[2],"data_offsets":[1,5]}}`, [0, 1, 2, 3, 4]),
      61,
      /takes 8 bytes, its data_offsets hold 4/,
    ],
    ['an overlap', file(`{"a":${u8(0, 2)},"b":${u8(1, 3)}}`, [1, 2, 3]), 114, /tensor "b" overlaps/],
    ['a hole', file(`{"a":${u8(0, 1)},"b":${u8(2, 3)}}`, [1, 2, 3]), 114, /tensor "b" leaves 1 bytes unused/],
    ['data that begins late', file(`{"a":${u8(1, 2)}}`, [1, 2]), 61, /leaves 1 bytes unused/],
    ['data that nobody claims', file('{}', [1]), 10, /1 bytes after the last tensor/],
    [
      'a name that is not UTF-8',
      file(`{"\u00e9":${u8(0, 1)}}`, [1]).map((byte) => (byte === 0xa9 ? 0x20 : byte)),
      9,
      /not valid UTF-8/,
    ],
    ['a name with a bare control character', file(`{"\n":${u8(0, 1)}}`, [1]), 9, /not valid UTF-8 and JSON/],
    ['a name without an end', file('{"a\\"'), 9, /without an end/],
    [
      'a bool of 2',
      file('{"a":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}}', [1, 2]),
      64,
      /element 1 is 2/,
    ],
    [
      'a first bool of 3',
      file('{"a":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}}', [3, 1]),
      63,
      /element 0 is 3/,
    ],
    [
      'an int64 of 2³¹',
      file('{"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}', [0, 0, 0, 128, 0, 0, 0, 0]),
      62,
      /is 2147483648, but int64/,
    ],
    [
      'a uint64 of 2³²',
      file('{"a":{"dtype":"U64","shape":[1],"data_offsets":[0,8]}}', [0, 0, 0, 0, 1, 0, 0, 0]),
      62,
      /is 4294967296, but uint64/,
    ],
    [
      'an int64 of −2³¹ − 1',
      file(
        '{"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}',
        [255, 255, 255, 127, 255, 255, 255, 255],
      ),
      62,
      /is -2147483649/,
    ],
  ])('is refused: %s', (_, bytes, offset, message) => {
    const error = formatError(bytes);
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/^readSafetensors: /);
    expect(error.offset).toBe(offset);
  });

  it('is refused when it claims more than the format allows, though the bytes are there', () => {
    const bytes = new Uint8Array(100_000_009 + 8);
    new DataView(bytes.buffer).setUint32(0, 100_000_001, true);
    expect(formatError(bytes).message).toMatch(/claims 100000001 bytes, but the format allows 100000000/);
  });

  it('may still be spaced and ordered freely', () => {
    const bytes = file(
      `{ "b" : ${u8(1, 2)} ,\n\t"a":{"shape":[ 1 , 1 ],"data_offsets":[0,1],"dtype":"U8"} , "__metadata__" : { } }  \r\n`,
      [1, 2],
    );
    const { tensors } = readSafetensors(bytes);
    expect([...tensors.keys()]).toEqual(['b', 'a']);
    expect(tensors.get('a')).toEqual({ dtype: 'uint8', shape: [1, 1], data: Uint8Array.of(1) });
  });
});

describe('writeSafetensors', () => {
  const write =
    (entry: FileArray): (() => Uint8Array) =>
    () =>
      writeSafetensors(new Map([['w', entry]]));

  it('refuses tensors that contradict themselves, naming them', () => {
    expect(write({ dtype: 'float32', shape: [3], data: new Float32Array(2) })).toThrow(
      new ShapeError({
        operation: 'writeSafetensors',
        problem: 'tensor "w": shape [3] does not describe 2 elements',
        operands: [{ shape: [3], dtype: 'float32' }],
        expected: 'a shape of 2 elements',
      }),
    );
    expect(write({ dtype: 'float32', shape: [-1, -2], data: new Float32Array(2) })).toThrow(ShapeError);
    expect(write({ dtype: 'float32', shape: [2], data: new Float64Array(2) })).toThrow(
      new DTypeError({
        operation: 'writeSafetensors',
        problem: 'tensor "w": float32 is held in a Float32Array, not in a Float64Array',
        expected: 'a Float32Array',
      }),
    );
    expect(write({ dtype: 'toString' as 'bool', shape: [2], data: new Uint8Array(2) })).toThrow(DTypeError);
  });

  it('refuses what is no array, saying what it is', () => {
    const refuses = (value: unknown, kind: string): void => {
      expect(write(value as FileArray)).toThrow(
        new DTypeError({
          operation: 'writeSafetensors',
          problem: `tensor "w": expected an NDArray or { dtype, shape, data }, got ${kind}`,
          expected: 'an NDArray or { dtype, shape, data }',
        }),
      );
    };
    refuses(undefined, 'undefined');
    refuses(Object.create(null), 'an object');
    refuses([1, 2], 'an Array');
    refuses(3, 'a number');
    expect(write({ dtype: 'float32', shape: [2], data: [1, 2] as unknown as Float32Array })).toThrow(
      'tensor "w": float32 is held in a Float32Array, not in an Array',
    );
    expect(write({ dtype: 'int32', shape: [2], data: undefined as unknown as Int32Array })).toThrow(
      'int32 is held in an Int32Array, not in undefined',
    );
  });

  it.each([undefined, null, {}, { weight: array([1]) }, 3])('refuses what is no Map: %o', (value) => {
    expect(() => writeSafetensors(value as unknown as Map<string, NDArray>)).toThrow(
      /^writeSafetensors: expected a Map of arrays by name/,
    );
  });

  it('waits for tensors of a device, whose values are those of the call', async () => {
    const elements = Float32Array.of(1, 2, 3, 4);
    const tensor: DeviceArray = {
      dtype: 'float32',
      shape: [2, 2],
      data: vi.fn<() => Promise<Float32Array>>(async () => elements.slice()),
    };
    const host = array([5], { dtype: 'int32' });
    const metadata = new Map([['a', 'b']]);
    const writing = writeSafetensors(
      new Map<string, DeviceArray | NDArray>([
        ['t', tensor],
        ['h', host],
      ]),
      metadata,
    );
    expect(tensor.data).toHaveBeenCalledOnce();
    const same = array([
      [1, 2],
      [3, 4],
    ]);
    expect(await writing).toEqual(
      writeSafetensors(
        new Map([
          ['h', host],
          ['t', same],
        ]),
        metadata,
      ),
    );
    const failing: DeviceArray = {
      dtype: 'float32',
      shape: [],
      data: () => Promise.reject(new FirsthandError('device lost')),
    };
    await expect(writeSafetensors(new Map([['t', failing]]))).rejects.toThrow('device lost');
  });

  it('gives bytes over an ArrayBuffer of their own, which is what a Blob and a request take', () => {
    expectTypeOf(writeSafetensors(new Map([['w', array([1])]]))).toEqualTypeOf<Uint8Array<ArrayBuffer>>();
    expectTypeOf<ReturnType<typeof writeIdx>>().toEqualTypeOf<Uint8Array<ArrayBuffer>>();
    const device = new Map<string, DeviceArray>();
    expectTypeOf(() => writeSafetensors(device)).returns.toEqualTypeOf<Promise<Uint8Array<ArrayBuffer>>>();
  });

  it('refuses the reserved name', () => {
    expect(() => writeSafetensors(new Map([['__metadata__', array([1])]]))).toThrow(FirsthandError);
  });

  it('writes nothing at all as an empty header', () => {
    expect(writeSafetensors(new Map())).toEqual(
      Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d, 32, 32, 32, 32, 32, 32),
    );
  });
});
