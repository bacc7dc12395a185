/**
 * Numbers for test inputs: fixed sequences that look random, the same on every machine (Weyl sequence of the
 * golden ratio).
 */
import type { Dense } from './dense.ts';
import { sizeOf } from './dense.ts';

const GOLDEN = 0.618_033_988_749_894_9;

/** Distinct numbers spread over (low, high). `seed` picks another sequence. */
export function samples(shape: readonly number[], low: number, high: number, seed = 1): Dense {
  const data = Array.from({ length: sizeOf(shape) }, (_, index) => {
    const fraction = (0.137 * seed + GOLDEN * (index + 1) * (1 + 0.01 * seed)) % 1;
    return low + (high - low) * fraction;
  });
  return { shape, data };
}

/** Whole numbers in [low, high). */
export function integers(shape: readonly number[], low: number, high: number, seed = 1): Dense {
  const { data } = samples(shape, low, high, seed);
  return { shape, data: data.map((value) => Math.min(high - 1, Math.floor(value))) };
}
