// Runs the ranges of a partitioned kernel one after the other, from the last to the first: a range that reads
// or writes what belongs to another is found.
import { expect } from 'vitest';
import type { Partition } from '../../src/threads/partition.ts';

const THREADS = 3;

/** Takes the addresses of the operands and of the scratch memory, and then the bounds of a range. */
type KernelFunction = (...addresses: readonly number[]) => void;

/**
 * Runs a kernel range by range on memory as it was before, and expects the bytes that the whole kernel left,
 * except in the scratch memory.
 */
export function expectSameByRanges(
  run: KernelFunction,
  { chunks, chunkSize }: Partition,
  addresses: readonly number[],
  {
    memory,
    before,
    scratch,
  }: {
    readonly memory: Uint8Array;
    readonly before: Uint8Array;
    readonly scratch: readonly [start: number, end: number];
  },
): void {
  const whole = memory.slice();
  memory.set(before);
  for (let thread = THREADS - 1; thread >= 0; thread--) {
    memory.fill(0xa5, ...scratch);
    const [first, end] = [thread, thread + 1].map(
      (index) => Math.floor((chunks * index) / THREADS) * chunkSize,
    ) as [number, number];
    run(...addresses, first, end);
  }
  memory.set(whole.subarray(...scratch), scratch[0]);
  expect(Buffer.compare(memory, whole), 'bytes, by ranges').toBe(0);
}
