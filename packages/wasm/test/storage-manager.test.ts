/** Storages are counted on the host and in linear memory, move between them unchanged, and are freed once. */
import { DeviceError } from '@firsthand/graph';
import { createReference } from '@firsthand/runtime';
import { DTYPES, type DType, type TypedArray } from '@firsthand/linalg';
import { array, assert, constantFrom, integer, nat, property, record } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LinearMemory } from '../src/memory/linear-memory.ts';
import type { WasmStorage } from '../src/memory/storage.ts';
import { StorageManager } from '../src/memory/storage-manager.ts';

const MEBIBYTE = 2 ** 20;

function create(maxBytes = 2 ** 32): StorageManager {
  return new StorageManager(new LinearMemory(maxBytes));
}

/** A storage in linear memory, filled with a number. */
function resident(storages: StorageManager, length: number, value: number): WasmStorage {
  const storage = storages.upload(new Float32Array(length).fill(value), 'float32');
  storages.promote(storage);
  return storage;
}

/** Whether a storage has `length` elements, each equal to `value`. */
function holds(storages: StorageManager, storage: WasmStorage, length: number, value: number): boolean {
  const data = storages.read(storage);
  return data.length === length && data.every((each) => each === value);
}

const SAMPLES: { readonly [K in DType]: TypedArray } = {
  float32: Float32Array.of(1.5, -0, NaN, Infinity),
  float64: Float64Array.of(0.1, -0, NaN, 1e300),
  float16: Uint16Array.of(0x3e00, 0x8000, 0x7e00, 1),
  int32: Int32Array.of(-1, 2 ** 31 - 1, -(2 ** 31)),
  uint32: Uint32Array.of(0, 2 ** 32 - 1),
  bool: Uint8Array.of(1, 0, 1),
};

describe('the array of a storage that has been disposed', () => {
  test('is that of the next one of its kind, and of no other', () => {
    const storages = create();
    const first = storages.upload(new Float32Array(5000).fill(1), 'float32');
    const { data } = first.content;
    const read = storages.read(first);
    first.dispose();
    first.dispose();
    const others = [
      storages.upload(new Float32Array(4999), 'float32'),
      storages.upload(new Int32Array(5000), 'int32'),
    ];
    expect(others.every((other) => other.content.data !== data)).toBe(true);
    const [second, third] = [2, 3].map((value) =>
      storages.upload(new Float32Array(5000).fill(value), 'float32'),
    );
    expect(second!.content.data).toBe(data);
    expect(third!.content.data).not.toBe(data);
    expect(read.every((each) => each === 1)).toBe(true);
    expect(holds(storages, second!, 5000, 2) && holds(storages, third!, 5000, 3)).toBe(true);
    expect(() => first.requireAlive()).toThrow(DeviceError);
  });

  test('is kept only where it is neither small nor large, and with few others', () => {
    const storages = create();
    const arraysOf = (length: number, count: number): readonly (TypedArray | null)[] => {
      const made = Array.from({ length: count }, () => storages.upload(new Float32Array(length), 'float32'));
      const arrays = made.map(({ content }) => content.data);
      for (const each of made) each.dispose();
      return arrays;
    };
    const again = (length: number, count: number): number => {
      const before = arraysOf(length, count);
      return Array.from({ length: count }, () => storages.upload(new Float32Array(length), 'float32')).filter(
        ({ content }) => before.includes(content.data),
      ).length;
    };
    expect([again(1000, 3), again(2 ** 20 + 1, 3), again(2000, 3), again(3000, 20)]).toEqual([0, 0, 3, 8]);
  });
});

describe('a storage', () => {
  test.each(Object.keys(DTYPES) as DType[])(
    'of %s reads the same wherever it lies, and is a copy on the way in and out',
    (dtype) => {
      const storages = create();
      const data = SAMPLES[dtype].slice();
      const storage = storages.upload(data, dtype);
      data.fill(0);
      for (const move of [
        (): void => {},
        (): void => storages.promote(storage),
        (): void => storages.promote(storage),
      ]) {
        move();
        const read = storages.read(storage);
        expect(read).toEqual(SAMPLES[dtype]);
        read.fill(0);
      }
      expect(storages.resident).toBe(1);
    },
  );

  test('counts its own bytes, on the host and in linear memory', () => {
    const storages = create();
    const storage = storages.upload(new Float64Array(100), 'float64');
    expect(storage.bytes).toBe(800);
    expect([storages.live, storages.peak]).toEqual([800, 800]);
    storages.promote(storage);
    expect([storages.live, storages.peak]).toEqual([800, 800]);
    storages.recordPeak(50);
    expect([storages.live, storages.peak]).toEqual([800, 850]);
    storage.dispose();
    expect([storages.live, storages.peak]).toEqual([0, 850]);
  });

  test.each(['host', 'linear memory'] as const)(
    'on the %s is freed once, by dispose or by its finalizer',
    (where) => {
      const storages = create();
      const { used } = storages.memory;
      for (const free of [
        (each: WasmStorage): void => each.dispose(),
        (each: WasmStorage): void => each.finalize(),
      ]) {
        const retained = storages.upload(new Float32Array(10), 'float32');
        const storage = storages.upload(new Float32Array(1000), 'float32');
        if (where === 'linear memory') storages.promote(storage);
        free(storage);
        free(storage);
        storage.finalize();
        expect(storages.live).toBe(40);
        expect(storages.memory.used).toBe(used);
        expect(storages.resident).toBe(0);
        retained.dispose();
      }
    },
  );

  test('that has been freed, or is another device’s, is refused', () => {
    const storages = create();
    const freed = storages.upload(new Float32Array(3), 'float32');
    freed.dispose();
    expect(() => storages.resolve(freed)).toThrow(DeviceError);
    expect(() => storages.resolve(freed)).toThrow(/float32 \[3\] is used after it has been freed/);
    for (const other of [
      create().upload(new Float32Array(1), 'float32'),
      createReference().upload(new Float32Array(1), 'float32'),
    ]) {
      expect(() => storages.resolve(other)).toThrow(DeviceError);
      expect(() => storages.resolve(other)).toThrow(/another device/);
    }
  });

  test('without elements is one like any other', () => {
    const storages = create();
    const storage = storages.upload(new Int32Array(0), 'int32');
    storages.promote(storage);
    expect(storages.read(storages.resolve(storage))).toEqual(new Int32Array(0));
    storage.dispose();
    expect(storages.live).toBe(0);
  });
});

describe('a full memory', () => {
  test('is an error that names sizes and remedies, and changes nothing', () => {
    const storages = create(8 * MEBIBYTE);
    const storage = resident(storages, MEBIBYTE, 3);
    storages.run = 1;
    storage.allocation.lastRun = 1;
    const { live, peak } = storages;
    const { used } = storages.memory;
    const large = storages.upload(new Float32Array(MEBIBYTE), 'float32');
    expect(() => storages.promote(large)).toThrow(DeviceError);
    expect(() => storages.promote(large)).toThrow(
      /no room for an array of 4\.0 MiB.*at most 8\.0 MiB.*dispose/,
    );
    expect(holds(storages, large, MEBIBYTE, 0)).toBe(true);
    large.dispose();
    expect([storages.live, storages.peak, storages.memory.used]).toEqual([live, peak + 4 * MEBIBYTE, used]);
    expect(holds(storages, storage, MEBIBYTE, 3)).toBe(true);
  });

  test('gives up what no run under way uses, the longest unused first', () => {
    const storages = create(8 * MEBIBYTE);
    const arrays = [1, 2, 3].map((value) => resident(storages, MEBIBYTE / 2, value)); // 2 MiB each
    storages.run = 3;
    [2, 3, 1].forEach((run, index) => {
      arrays[index]!.allocation.lastRun = run;
    });
    const { live } = storages;
    storages.allocate(2 * MEBIBYTE);
    // Those of runs 1 and 2 have gone to the host: run 3 is under way, and at least 8 MiB are given up at
    // once.
    expect(arrays.map(({ allocation }) => allocation.block === null)).toEqual([true, false, true]);
    expect(storages.live).toBe(live);
    arrays.forEach((array, index) => expect(holds(storages, array, MEBIBYTE / 2, index + 1)).toBe(true));
    arrays[0]!.dispose();
    expect(storages.live).toBe(live - 2 * MEBIBYTE);
    storages.promote(arrays[2]!);
    expect(holds(storages, arrays[2]!, MEBIBYTE / 2, 3)).toBe(true);
  });

  test('gives up the working region last, and takes it anew', () => {
    const storages = create(8 * MEBIBYTE);
    storages.reserveWorkspace(4 * MEBIBYTE);
    const block = storages.allocate(5 * MEBIBYTE);
    expect(() => storages.reserveWorkspace(4 * MEBIBYTE)).toThrow(/no room/);
    storages.memory.free(block);
    expect(storages.reserveWorkspace(4 * MEBIBYTE)).toBeGreaterThan(0);
  });

  test('is not reached by arrays that nobody uses any more, even if no finalizer runs', () => {
    const storages = create();
    for (let step = 0; step < 300; step++) {
      storages.run++;
      resident(storages, MEBIBYTE / 4, step); // 1 MiB, dropped at once
    }
    expect(storages.live).toBe(300 * MEBIBYTE);
    expect(storages.memory.size).toBeLessThan(130 * MEBIBYTE);
  });
});

describe('the working region', () => {
  test('is one, as large as the largest run needs', () => {
    const storages = create();
    const first = storages.reserveWorkspace(1000);
    const { used } = storages.memory;
    expect(storages.reserveWorkspace(500)).toBe(first);
    expect(storages.memory.used).toBe(used);
    storages.reserveWorkspace(5000);
    expect(storages.memory.used).toBeLessThan(used + 4200);
  });
});

test('random uploads, moves, runs and disposals in a small memory: every array keeps its elements, and the count is exact', () => {
  const step = record({
    kind: constantFrom('upload', 'promote', 'promote', 'run', 'dispose'),
    which: nat(1000),
    length: integer({ min: 0, max: 60_000 }),
  });
  assert(
    property(array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const storages = create(MEBIBYTE);
      const live: { readonly storage: WasmStorage; readonly value: number; readonly length: number }[] = [];
      let value = 0;
      for (const { kind, which, length } of steps) {
        const chosen = live[which % Math.max(1, live.length)];
        if (kind === 'run') storages.run++;
        if (kind === 'upload')
          live.push({
            storage: storages.upload(new Float32Array(length).fill(++value), 'float32'),
            value,
            length,
          });
        if (chosen !== undefined && kind === 'dispose') {
          chosen.storage.dispose();
          live.splice(live.indexOf(chosen), 1);
        }
        if (chosen !== undefined && kind === 'promote') {
          chosen.storage.allocation.lastRun = storages.run;
          const pinned = live.filter(
            ({ storage }) => storage.allocation.block !== null && storage.allocation.lastRun === storages.run,
          );
          try {
            storages.promote(chosen.storage);
          } catch (error) {
            // Only arrays of the run under way cannot give way.
            expect(error).toBeInstanceOf(DeviceError);
            expect(pinned.length).toBeGreaterThan(0);
          }
        }
        expect(storages.live).toBe(live.reduce((sum, { storage }) => sum + storage.bytes, 0));
        expect(storages.resident).toBe(
          live.filter(({ storage }) => storage.allocation.block !== null).length,
        );
      }
      expect(live.every((each) => holds(storages, each.storage, each.length, each.value))).toBe(true);
    }),
    { numRuns: 60 },
  );
});
