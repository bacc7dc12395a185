/**
 * The allocator against a plain model: blocks do not overlap, are aligned and as large as requested, and free
 * neighbours are coalesced.
 */
import { assert, array, constantFrom, integer, nat, oneof, property, record } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { blockSize, Heap, type Block } from '../src/memory/heap.ts';

const START = 65536;

describe('blocks', () => {
  test('are aligned, and leave 16 bytes behind what was asked for', () => {
    const heap = new Heap(START);
    heap.extend(START + 4096);
    for (const bytes of [0, 1, 47, 48, 49, 112, 113]) {
      const { address, size } = heap.allocate(bytes)!;
      expect(address % 64).toBe(0);
      expect(size).toBe(blockSize(bytes));
      expect(size - bytes).toBeGreaterThanOrEqual(16);
      expect(size - bytes).toBeLessThan(16 + 64);
    }
  });

  test('begin at the start of the range and fill it to the last byte', () => {
    const heap = new Heap(START);
    heap.extend(START + 1024);
    const blocks = Array.from({ length: 8 }, () => heap.allocate(112)!);
    expect(blocks.map(({ address }) => address)).toEqual(
      [0, 1, 2, 3, 4, 5, 6, 7].map((index) => START + index * 128),
    );
    expect(heap.allocate(0)).toBeNull();
    expect(heap.used).toBe(1024);
  });

  test('that are free and adjacent are one, whatever the order in which they were freed', () => {
    for (const order of [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ]) {
      const heap = new Heap(0);
      heap.extend(3 * 128);
      const blocks = [0, 1, 2].map(() => heap.allocate(100)!);
      for (const index of order) heap.free(blocks[index]!);
      expect(heap.freeAtEnd).toBe(3 * 128);
      expect(heap.allocate(3 * 128 - 16)).toMatchObject({ address: 0, size: 3 * 128 });
    }
  });

  test('are taken where they fit best', () => {
    const heap = new Heap(0);
    heap.extend(1 << 20);
    const holes = [5000, 300, 2000, 320, 310].map((bytes) => {
      const hole = heap.allocate(bytes)!;
      heap.allocate(1); // keeps the holes apart
      return hole;
    });
    for (const hole of holes) heap.free(hole);
    expect(heap.allocate(1900)!.address).toBe(holes[2]!.address);
    expect(heap.allocate(300)!.address).toBe(holes[1]!.address);
    expect(heap.allocate(4000)!.address).toBe(holes[0]!.address);
  });

  test('of the same size are used again: a steady loop takes no new memory', () => {
    const heap = new Heap(0);
    heap.extend(1 << 24);
    const sizes = Array.from({ length: 50 }, (_, index) => 1000 + 977 * index);
    let live = sizes.map((bytes) => heap.allocate(bytes)!);
    const end = (blocks: readonly Block[]): number =>
      Math.max(...blocks.map(({ address, size }) => address + size));
    let next = sizes.map((bytes) => heap.allocate(bytes)!);
    const highest = end(next);
    for (let step = 0; step < 200; step++) {
      for (const block of live) heap.free(block);
      live = next;
      next = sizes.map((bytes) => heap.allocate(bytes)!);
      expect(end(next)).toBeLessThanOrEqual(highest);
    }
  });

  test('freed twice are freed once', () => {
    const heap = new Heap(0);
    heap.extend(1024);
    const block = heap.allocate(100)!;
    heap.free(block);
    heap.free(block);
    expect(heap.used).toBe(0);
    expect(heap.allocate(1024 - 16)).not.toBeNull();
    expect(heap.allocate(0)).toBeNull();
  });

  test('reach to the end of 4 GiB', () => {
    const heap = new Heap(START);
    heap.extend(2 ** 32 - START);
    const first = heap.allocate(3 * 2 ** 30)!;
    const rest = 2 ** 32 - 2 * START - first.size;
    const second = heap.allocate(rest - 16)!;
    expect(second).toMatchObject({ address: START + first.size, size: rest });
    heap.free(first);
    heap.free(second);
    expect(heap.freeAtEnd).toBe(2 ** 32 - 2 * START);
  });
});

/** An allocation by its number of bytes, the freeing of one of the live blocks, or more memory. */
type Step = { readonly kind: 'allocate' | 'free' | 'extend'; readonly amount: number };

/** Ranges of free addresses, as a list of [start, end), joined where they touch. */
function gaps(blocks: readonly Block[], end: number): [number, number][] {
  const found: [number, number][] = [];
  let at = START;
  for (const { address, size } of [...blocks].toSorted((a, b) => a.address - b.address)) {
    if (address > at) found.push([at, address]);
    at = address + size;
  }
  if (at < end) found.push([at, end]);
  return found;
}

test('random allocations: no overlap, exact counts, and a refusal only where nothing fits', () => {
  const step = record<Step>({
    kind: constantFrom('allocate', 'allocate', 'allocate', 'free', 'free', 'extend'),
    amount: oneof(integer({ min: 0, max: 300 }), integer({ min: 0, max: 20_000 }), nat(200_000)),
  });
  assert(
    property(array(step, { minLength: 1, maxLength: 120, size: 'max' }), (steps) => {
      const heap = new Heap(START);
      let end = START + 64 * 1024;
      heap.extend(end);
      const live: Block[] = [];
      for (const { kind, amount } of steps) {
        if (kind === 'extend') {
          end += Math.ceil((amount + 1) / 64) * 64;
          heap.extend(end);
        } else if (kind === 'free') {
          if (live.length > 0) heap.free(live.splice(amount % live.length, 1)[0]!);
        } else {
          const free = gaps(live, end);
          const largest = Math.max(0, ...free.map(([from, to]) => to - from));
          const block = heap.allocate(amount);
          expect(block === null).toBe(blockSize(amount) > largest);
          if (block === null) continue;
          expect(block.address % 64).toBe(0);
          expect(block.size).toBe(blockSize(amount));
          // It is within one of the gaps, so it overlaps no other.
          expect(free.some(([from, to]) => from <= block.address && block.address + block.size <= to)).toBe(
            true,
          );
          live.push(block);
        }
        expect(heap.used).toBe(live.reduce((sum, { size }) => sum + size, 0));
        const last = gaps(live, end).at(-1);
        expect(heap.freeAtEnd).toBe(last !== undefined && last[1] === end ? end - last[0] : 0);
        expect(heap.end).toBe(end);
      }
    }),
    { numRuns: 200 },
  );
});
