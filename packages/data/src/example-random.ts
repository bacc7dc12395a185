/**
 * Random numbers of an example: a function of seed, epoch and index alone (Philox, counter-based). What else
 * has been drawn, which batches have been prefetched, their size and their order change none of them, so a
 * run that was interrupted sees the same numbers as one that was not.
 */
import { Generator, philox4x32 } from '@firsthand/linalg';

/** Two 32-bit words, of which Philox makes random numbers. */
export type Key = readonly [number, number];

/** The epoch in which examples are requested, and the key of that loader's random numbers: plain data. */
export interface EpochContext {
  /** counted from 0 */
  readonly epoch: number;
  readonly key: Key;
}

/** The context of examples that are requested outside of any loader. */
export const NO_EPOCH: EpochContext = { epoch: 0, key: [0, 0] };

const TWO_32 = 2 ** 32;

/**
 * A new key from a key and a number below 2⁶⁴, by one block of Philox: keys of different numbers are
 * independent of each other.
 */
function splitKey(key: Key, high: number, low: number): Key {
  const [first, second] = philox4x32(
    [low % TWO_32, Math.floor(low / TWO_32), high % TWO_32, Math.floor(high / TWO_32)],
    key,
  );
  return [first, second];
}

/** The generator of one example: its key is split from the context's by epoch and index. */
export function exampleGenerator({ epoch, key }: EpochContext, index: number): Generator {
  const generator = new Generator(0);
  generator.state = { key: splitKey(key, epoch, index), counter: [0, 0] };
  return generator;
}

/**
 * A key for another purpose, which shares no numbers with that of the context: such as that of a dataset
 * below.
 */
export function nextKey(key: Key): Key {
  // No epoch has this number, so that this is no example's key.
  return splitKey(key, 2 ** 53, 0);
}
