/**
 * Hostile files: valid ones, mutated. Whatever the bytes, a reader returns arrays that are consistent, or
 * throws a FormatError that names a byte of the file; it never throws anything else, never allocates more
 * than a small multiple of the file, and never takes long. Every typed array and buffer is counted: the
 * readers are loaded with constructors that add up the requested bytes.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type * as Data from '../src/index.ts';
import { ALL_DTYPES, fileArray, RUNS } from './formats.ts';

const COUNTED = [
  'Uint8Array',
  'Int8Array',
  'Uint16Array',
  'Int16Array',
  'Uint32Array',
  'Int32Array',
  'Float32Array',
  'Float64Array',
  'ArrayBuffer',
] as const;
const MILLISECONDS_PER_FILE = 1000;

let allocated = 0; // bytes requested since it was last set to 0
let data: typeof Data;

beforeAll(async () => {
  for (const name of COUNTED) {
    const original = globalThis[name];
    const width = 'BYTES_PER_ELEMENT' in original ? original.BYTES_PER_ELEMENT : 1;
    const counting = new Proxy(original, {
      construct(target, args: unknown[], newTarget) {
        const [first] = args;
        if (typeof first === 'number') allocated += first * width;
        else if (
          typeof first === 'object' &&
          first !== null &&
          'length' in first &&
          typeof first.length === 'number'
        )
          allocated += first.length * width;
        return Reflect.construct(target, args, newTarget) as object;
      },
    });
    vi.stubGlobal(name, counting);
  }
  vi.resetModules();
  data = await import('../src/index.ts');
});

afterAll(() => {
  vi.unstubAllGlobals();
});

/** Changes to a file's bytes, of the kinds that a broken disk, a broken writer or an attacker makes. */
const mutation: fc.Arbitrary<(bytes: number[]) => number[]> = fc.oneof(
  fc
    .integer({ min: 0, max: 9999 })
    .map((part) => (bytes: number[]) => bytes.slice(0, Math.floor((part / 10_000) * bytes.length))),
  fc.tuple(fc.nat(), fc.nat(7)).map(
    ([at, bit]) =>
      (bytes: number[]) =>
        bytes.map((byte, i) => (i === at % bytes.length ? byte ^ (1 << bit) : byte)),
  ),
  fc.tuple(fc.nat(), fc.uint8Array({ maxLength: 9 })).map(
    ([at, more]) =>
      (bytes: number[]) =>
        bytes.toSpliced(at % (bytes.length + 1), 0, ...more),
  ),
  fc.tuple(fc.nat(), fc.nat(9)).map(
    ([at, count]) =>
      (bytes: number[]) =>
        bytes.toSpliced(at % (bytes.length + 1), count),
  ),
  fc.tuple(fc.nat(), fc.nat(), fc.nat(40)).map(([from, to, count]) => (bytes: number[]) => {
    const copied = bytes.slice(from % (bytes.length + 1)).slice(0, count);
    return bytes.toSpliced(to % (bytes.length + 1), 0, ...copied);
  }),
  fc.tuple(fc.nat(19), fc.constantFrom(0xff, 0x80, 0x7f, 0x00), fc.integer({ min: 1, max: 8 })).map(
    ([at, byte, count]) =>
      (bytes: number[]) =>
        bytes.map((old, i) => (i >= at && i < at + count ? byte : old)),
  ),
);

/**
 * Changes to the header's text that leave it JSON or nearly so, with the length before it made right again.
 */
const headerMutation: fc.Arbitrary<(bytes: number[]) => number[]> = fc
  .oneof(
    fc
      .tuple(
        fc.nat(),
        fc.constantFrom(
          '0',
          '1',
          '2',
          '7',
          '-1',
          '1e9',
          '1.5',
          '4294967296',
          '9007199254740991',
          '9007199254740993',
          '99999999999999999999',
          'null',
          '[]',
        ),
      )
      .map(([which, number]) => (header: string) => {
        const numbers = [...header.matchAll(/\d+/g)];
        const found = numbers[which % Math.max(1, numbers.length)];
        return found === undefined
          ? header
          : header.slice(0, found.index) + number + header.slice(found.index + found[0].length);
      }),
    fc.tuple(fc.nat(), fc.nat()).map(([a, b]) => (header: string) => {
      const numbers = [...header.matchAll(/"data_offsets":\[\d+,\d+\]/g)].map((match) => match[0]);
      const [first, second] = [
        numbers[a % Math.max(1, numbers.length)],
        numbers[b % Math.max(1, numbers.length)],
      ];
      return first === undefined || second === undefined ? header : header.replace(first, second);
    }),
    fc
      .tuple(
        fc.nat(),
        fc.constantFrom('"BOOL"', '"F64"', '"I64"', '"U64"', '"BF16"', '"F8_E5M2"', '"__proto__"'),
      )
      .map(([which, name]) => (header: string) => {
        const numbers = [...header.matchAll(/"(?:[FIU]\d+|BF16|BOOL)"/g)];
        const found = numbers[which % Math.max(1, numbers.length)];
        return found === undefined
          ? header
          : header.slice(0, found.index) + name + header.slice(found.index + found[0].length);
      }),
    fc.constant((header: string) => header.replace(/\{("[^"]*":\{[^}]*\})/, '{$1,$1')),
    fc.tuple(fc.nat(), fc.constantFrom('[', '{"a":', '"')).map(([at, open]) => (header: string) => {
      const found = at % (header.length + 1);
      return header.slice(0, found) + open.repeat(20_000) + header.slice(found);
    }),
  )
  .map((change) => (bytes: number[]) => {
    const length = new DataView(Uint8Array.from([...bytes.slice(0, 4), 0, 0, 0, 0]).buffer).getUint32(
      0,
      true,
    );
    const header = Buffer.from(change(Buffer.from(bytes.slice(8, 8 + length)).toString('latin1')), 'latin1');
    const prefix = new Uint8Array(8);
    new DataView(prefix.buffer).setUint32(0, header.length, true);
    return [...prefix, ...header, ...bytes.slice(8 + length)];
  });

/** What came of a file, for the count that shows that both outcomes are met. */
const outcomes = { read: 0, refused: 0 };

/** Reads hostile bytes and checks the promise at the top of this file. */
function survive(read: (bytes: Uint8Array) => readonly Data.FileArray[], content: readonly number[]): void {
  const bytes = Uint8Array.from(content);
  const begin = performance.now();
  allocated = 0;
  try {
    for (const { dtype, shape, data: elements } of read(bytes)) {
      expect(elements).toHaveLength(shape.reduce((product, size) => product * size, 1));
      expect(elements.length * data.FILE_DTYPES[dtype].bytes).toBeLessThanOrEqual(bytes.length);
    }
    outcomes.read++;
  } catch (error) {
    if (!(error instanceof data.FormatError)) throw error;
    expect(error.offset).not.toBeNull();
    expect(error.offset).toBeGreaterThanOrEqual(0);
    expect(error.offset).toBeLessThanOrEqual(bytes.length);
    outcomes.refused++;
  }
  // bfloat16 is read through an array of its bits if unaligned: 1 + 2 times its bytes; everything else takes
  // at most its own.
  expect(allocated).toBeLessThanOrEqual(3 * bytes.length + 64);
  expect(performance.now() - begin).toBeLessThan(MILLISECONDS_PER_FILE);
}

describe('hostile files', { timeout: 120_000 }, () => {
  const mutate = (bytes: Uint8Array, changes: readonly ((bytes: number[]) => number[])[]): number[] =>
    changes.reduce((changed, change) => change(changed), [...bytes]);

  it('idx: arrays or a FormatError, nothing else', () => {
    Object.assign(outcomes, { read: 0, refused: 0 });
    const valid = fc.oneof(
      ...(['uint8', 'int8', 'int16', 'int32', 'float32', 'float64'] as const).map(fileArray),
    );
    fc.assert(
      fc.property(valid, fc.array(mutation, { minLength: 1, maxLength: 4 }), (array, changes) => {
        survive((bytes) => [data.readIdx(bytes)], mutate(data.writeIdx(array), changes));
      }),
      { numRuns: RUNS },
    );
    expect(outcomes.read).toBeGreaterThan(RUNS / 100);
    expect(outcomes.refused).toBeGreaterThan(RUNS / 3);
  });

  it('safetensors: arrays or a FormatError, nothing else', () => {
    Object.assign(outcomes, { read: 0, refused: 0 });
    const name = fc.constantFrom('a', 'b', 'fc.weight', 'ü', '"', '__proto__');
    const valid = fc.tuple(
      fc.array(fc.tuple(name, fc.oneof(...ALL_DTYPES.map(fileArray))), { maxLength: 4 }),
      fc.array(fc.tuple(name, fc.string()), { maxLength: 2 }),
    );
    const change = fc.oneof(mutation, headerMutation);
    fc.assert(
      fc.property(valid, fc.array(change, { minLength: 1, maxLength: 3 }), ([tensors, metadata], changes) => {
        const bytes = data.writeSafetensors(new Map(tensors), new Map(metadata));
        survive((hostile) => [...data.readSafetensors(hostile).tensors.values()], mutate(bytes, changes));
      }),
      { numRuns: RUNS },
    );
    expect(outcomes.read).toBeGreaterThan(RUNS / 100);
    expect(outcomes.refused).toBeGreaterThan(RUNS / 3);
  });

  it('the counter counts: an allocation on a header’s word would be seen', () => {
    allocated = 0;
    expect(new Float64Array(1000)).toHaveLength(1000);
    expect(allocated).toBe(8000);
    const file = data.writeSafetensors(
      new Map([['x', { dtype: 'bfloat16', shape: [50], data: new Float32Array(50) } as const]]),
    );
    allocated = 0;
    data.readSafetensors(file);
    expect(allocated).toBe(200); // what widening 50 numbers takes: the readers' own allocations are counted
  });
});
