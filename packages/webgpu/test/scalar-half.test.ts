/**
 * float16: rounding to binary16 at every binary16 number, at every midpoint between two, and beside them; and
 * operations whose results are rounded.
 */
import { fromFloat16Bits, toFloat16Bits } from '@firsthand/linalg';
import { expect, test } from 'vitest';
import {
  binaryExpression,
  castExpression,
  reduceExpression,
  unaryExpression,
} from '../src/scalar/operations.ts';
import { evaluate, FULL, numbersOf, randomWords, wordsOf } from './support/scalar.ts';

const half = (x: number): number => fromFloat16Bits(toFloat16Bits(x));
const HALVES = Array.from({ length: 65536 }, (_, bits) => fromFloat16Bits(bits));

/** float32 words rounded to float16. */
async function roundedOf(words: Uint32Array<ArrayBuffer>): Promise<number[]> {
  const [results] = await evaluate(
    ['float32'],
    [words],
    [{ expression: (x) => castExpression('float32', 'float16', x), result: 'float16' }],
  );
  return results!;
}

test('every binary16 number is its own rounding', async () => {
  expect(await roundedOf(wordsOf('float16', HALVES))).toEqual(HALVES);
});

test('midpoints go to the even neighbour, and the floats beside them to the nearest', async () => {
  const finite = Array.from({ length: 0x7c00 }, (_, bits) => fromFloat16Bits(bits));
  // Exact.
  const midpoints = finite.map((x, bits) => (x + (bits === 0x7bff ? 65536 : fromFloat16Bits(bits + 1))) / 2);
  const magnitudes = [...wordsOf('float32', midpoints)].flatMap((word) => [word - 1, word, word + 1]);
  const words = Uint32Array.from([...magnitudes, ...magnitudes.map((word) => word | 0x80000000)]);
  expect(await roundedOf(words)).toEqual(numbersOf('float32', words).map(half));
});

test('any float32', async () => {
  const words = randomWords(FULL ? 2 ** 23 : 2 ** 17, 1);
  const results = await roundedOf(words);
  const different = numbersOf('float32', words).filter((x, i) => !Object.is(results[i], half(x)));
  expect(different).toEqual([]);
});

test('operations round once, from float32', async () => {
  const count = 2 ** 16;
  const random = (seed: number): number[] =>
    Array.from(randomWords(count, seed), (word) => HALVES[word >>> 16]!);
  const [a, b] = [random(7), random(8)];
  const binary = {
    add: (x: number, y: number) => x + y,
    mul: (x: number, y: number) => x * y,
    sub: (x: number, y: number) => x - y,
  } as const;
  const kinds = Object.keys(binary) as (keyof typeof binary)[];
  const results = await evaluate(
    ['float16', 'float16'],
    [wordsOf('float16', a), wordsOf('float16', b)],
    kinds.map((kind) => ({
      expression: (x, y) => binaryExpression(kind, 'float16', x, y),
      result: 'float16',
    })),
  );
  kinds.forEach((kind, k) => {
    const different = a.flatMap((x, i) => {
      const expected = half(Math.fround(binary[kind](x, b[i]!)));
      return Object.is(results[k]![i], expected)
        ? []
        : [`${kind}(${x}, ${b[i]}) = ${results[k]![i]}, not ${expected}`];
    });
    expect(different).toEqual([]);
  });
});

test('results are binary16 numbers, or the neighbour of the nearest where float32 is not exact', async () => {
  const [results] = await evaluate(
    ['float16'],
    [wordsOf('float16', HALVES)],
    [{ expression: (x) => unaryExpression('exp', 'float16', x), result: 'float16' }],
  );
  expect(results!.map(half)).toEqual(results);
  const far = HALVES.filter(
    (x, i) => Math.abs(toFloat16Bits(results![i]!) - toFloat16Bits(half(Math.exp(x)))) > 1,
  );
  expect(far).toEqual([]);
});

test('sums grow in float32', () => {
  expect(reduceExpression('sum', 'float16', 'sum', 'x')).toEqual({ text: '(sum + x)', needs: [] });
});
