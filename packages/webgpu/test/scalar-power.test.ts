/**
 * Powers and remainders of float32 against JavaScript's in double precision: over all pairs of special
 * values, and over pairs that are spread over all floats.
 */
import { expect, test } from 'vitest';
import { binaryExpression } from '../src/scalar/operations.ts';
import {
  errorsOf,
  evaluate,
  FULL,
  numbersOf,
  pairsOf,
  randomWords,
  wordsOf,
  type Errors,
} from './support/scalar.ts';

const COUNT = FULL ? 2 ** 22 : 2 ** 17;

/** xʸ as IEEE 754 has it; JavaScript has NaN for 1^NaN and (±1)^±∞. */
const pow = (x: number, y: number): number =>
  x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : x ** y;
/** x − y·⌊x/y⌋. */
function mod(x: number, y: number): number {
  const rest = x % y;
  return rest !== 0 && rest < 0 !== y < 0 ? rest + y : rest;
}

async function errors(
  kind: 'pow' | 'mod',
  exact: (x: number, y: number) => number,
  x: Uint32Array<ArrayBuffer>,
  y: Uint32Array<ArrayBuffer>,
): Promise<Errors> {
  const [results] = await evaluate(
    ['float32', 'float32'],
    [x, y],
    [{ expression: (a, b) => binaryExpression(kind, 'float32', a, b), result: 'float32' }],
  );
  return errorsOf(results!, exact, numbersOf('float32', x), numbersOf('float32', y));
}

const SPECIAL = [
  0,
  0.3,
  0.5,
  1,
  1.5,
  2,
  3,
  4,
  7,
  8388609,
  16777215,
  2 ** 24,
  2 ** 31,
  1e20,
  3.4028234e38,
  2 ** -126,
  2 ** -140,
  1 + 2 ** -23,
  1 - 2 ** -24,
  Infinity,
  NaN,
];
const [FIRST, SECOND] = pairsOf(SPECIAL.flatMap((x) => [x, -x]));

/** Numbers between two bounds. */
function between(low: number, high: number, seed: number): number[] {
  return Array.from(randomWords(COUNT, seed), (word) => low + ((high - low) * word) / 2 ** 32);
}

test.each([
  ['pow', pow, 2],
  ['mod', mod, 0.5],
] as const)('%s of special values', async (kind, exact, bound) => {
  const { worst, where } = await errors(kind, exact, wordsOf('float32', FIRST), wordsOf('float32', SECOND));
  expect(worst, where).toBeLessThanOrEqual(bound);
});

test('mod of any two floats, and of such as are not far apart', async () => {
  const x = randomWords(COUNT, 1);
  const y = randomWords(COUNT, 2);
  const near = x.map((word, i) =>
    i % 2 === 0 ? word : (word & 0x807fffff) | ((y[i]! + (i << 19)) & 0x7f800000),
  );
  const { worst, where } = await errors('mod', mod, near, y);
  expect(worst, where).toBeLessThanOrEqual(0.5);
});

test('pow of any two floats', async () => {
  const { worst, where } = await errors('pow', pow, randomWords(COUNT, 3), randomWords(COUNT, 4));
  expect(worst, where).toBeLessThanOrEqual(2);
});

test.each([
  ['all positive x, results from 2⁻¹⁴⁹ to 2¹²⁸', 2 ** -126, 2 ** 128, 140],
  ['x near 1', 0.5, 2, 140],
  ['x very near 1', 1 - 2 ** -10, 1 + 2 ** -10, 140],
  ['common powers', 0, 100, 20],
])('pow: %s', async (_, low, high, range) => {
  const exponents = between(Math.log2(low), Math.log2(high), 5).map((e, i) =>
    low === 0 ? (100 * i) / COUNT : 2 ** e,
  );
  const powers = between(-range, range, 6);
  const x = wordsOf('float32', exponents);
  const y = wordsOf(
    'float32',
    powers.map((power, i) => power / Math.log2(exponents[i]!)),
  );
  const { worst, where } = await errors('pow', pow, x, y);
  if (FULL) console.log(`pow: ${worst.toFixed(2)} units in the last place, ${where}`);
  expect(worst, where).toBeLessThanOrEqual(2);
});
