/**
 * Linear memory: it grows as needed and no further than allowed, its views follow, and what it refuses
 * changes nothing.
 */
import { DeviceError } from '@firsthand/graph';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { LinearMemory, PAGE } from '../src/memory/linear-memory.ts';

afterEach(() => {
  vi.unstubAllGlobals();
});

/** Grows until a block of `bytes` is there. */
function require(memory: LinearMemory, bytes: number): number {
  const block = memory.allocate(bytes) ?? (memory.grow(bytes) ? memory.allocate(bytes) : null);
  return block!.address;
}

describe('growth', () => {
  test('keeps what is written, and gives new views over all of it', () => {
    const memory = new LinearMemory(2 ** 32);
    const address = require(memory, 4000);
    memory.views.float32.fill(7, address / 4, address / 4 + 1000);
    const { views, size } = memory;
    require(memory, 10 * size);
    expect(views.float32.length).toBe(0);
    expect(memory.views.float32.subarray(address / 4, address / 4 + 1000)).toEqual(
      new Float32Array(1000).fill(7),
    );
    for (const view of Object.values(memory.views)) expect(view.byteLength).toBe(memory.size);
    expect(memory.memory.buffer.byteLength).toBe(memory.size);
  });

  test('is geometric while memory is small, and at most a quarter more than needed when it is large', () => {
    const memory = new LinearMemory(2 ** 32);
    const sizes: number[] = [];
    for (let total = 0; total < 48 * 2 ** 20; total += 2 ** 18) {
      require(memory, 2 ** 18 - 16);
      if (sizes.at(-1) !== memory.size) sizes.push(memory.size);
    }
    expect(sizes).toEqual([1, 2, 4, 8, 16, 32, 64].map((mebibytes) => mebibytes * 2 ** 20));
    require(memory, 200 * 2 ** 20);
    const needed = 248 * 2 ** 20;
    expect(memory.size).toBeGreaterThan(needed);
    expect(memory.size).toBeLessThanOrEqual(1.25 * needed + 4 * PAGE);
  });

  test('uses the free end: memory grows by what is missing', () => {
    const memory = new LinearMemory(3 * 2 ** 20);
    // 15 pages are free: one page more than the block itself is needed.
    expect(memory.grow(2 * 2 ** 20)).toBe(true);
    expect(memory.allocate(2 * 2 ** 20)).not.toBeNull();
  });

  test('reaches 4 GiB less a page, addresses above 2 GiB included', () => {
    const memory = new LinearMemory(2 ** 32);
    expect(memory.grow(4 * 2 ** 30)).toBe(false);
    const bytes = 4 * 2 ** 30 - 3 * PAGE;
    const address = require(memory, bytes);
    const last = (address + bytes) / 4 - 1;
    memory.views.float32[last] = 5;
    expect(memory.views.float32.slice(last, last + 1)).toEqual(Float32Array.of(5));
    memory.copy(address, address + bytes - 4, 4);
    expect(memory.views.float32[address / 4]).toBe(5);
    expect(memory.grow(PAGE)).toBe(false);
  });
});

describe('limits', () => {
  test('a refused growth changes nothing', () => {
    const memory = new LinearMemory(2 * 2 ** 20);
    const { views, size, used } = memory;
    expect(memory.grow(2 * 2 ** 20)).toBe(false);
    expect(memory).toMatchObject({ size, used });
    expect(memory.views).toBe(views);
    expect(memory.allocate(size - PAGE - 16)).not.toBeNull();
  });

  test('a limit that leaves no room is refused', () => {
    for (const limit of [0, -1, NaN, PAGE]) expect(() => new LinearMemory(limit)).toThrow(DeviceError);
    expect(new LinearMemory(2 * PAGE).allocate(PAGE - 16)).not.toBeNull();
  });

  test('an engine that reserves less than 4 GiB gives what it can, and one that gives nothing is an error', () => {
    const Real = WebAssembly.Memory;
    const requested: number[] = [];
    const refusing = (most: number) =>
      class {
        constructor({ initial, maximum }: { initial: number; maximum: number }) {
          requested.push(maximum);
          if (maximum > most) throw new RangeError('could not allocate memory');
          return new Real({ initial, maximum });
        }
      };
    vi.stubGlobal('WebAssembly', { Memory: refusing(20_000) });
    const memory = new LinearMemory(2 ** 32);
    expect(requested).toEqual([65535, 32767, 16383]);
    expect(memory.grow(2 ** 30 - 2 ** 20)).toBe(true);
    expect(memory.grow(2 ** 30)).toBe(false);
    vi.stubGlobal('WebAssembly', { Memory: refusing(0) });
    expect(() => new LinearMemory(2 ** 32)).toThrow(/no memory left/);
  });

  test('the first page belongs to nobody', () => {
    const memory = new LinearMemory(2 ** 20);
    expect(memory.allocate(1)!.address).toBe(PAGE);
  });
});
