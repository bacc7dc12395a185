// The parts of a divided kernel, one after the other, from the last to the first: whoever depends on another
// part, or computes what is another's, shows it.
import { expect } from 'vitest';
import type { Division } from '../../src/threads/division.ts';

/** How many threads share the work. */
const THREADS = 3;

/**
 * A kernel's function that takes the addresses of its operands and working memory, and then the bounds of a
 * part.
 */
type KernelFunction = (...addresses: readonly number[]) => void;

/**
 * Runs a kernel part by part on memory as it was before, and expects the bytes that the whole kernel left,
 * but for the working memory.
 */
export function expectSameByParts(
  run: KernelFunction,
  { units, grain }: Division,
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
      (share) => Math.floor((units * share) / THREADS) * grain,
    ) as [number, number];
    run(...addresses, first, end);
  }
  memory.set(whole.subarray(...scratch), scratch[0]);
  expect(Buffer.compare(memory, whole), 'bytes, by parts').toBe(0);
}
