/**
 * Powers in float32 against `Math.pow` in double precision with IEEE 754's special cases, over random
 * operands whose results cover all floats, and over all pairs of special values, which must be exact. All of
 * it twice: with multiply and add, and with fused multiply-add.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { emitPow32 } from '../src/math/power.ts';
import {
  apply,
  compare,
  noErrors,
  requireRelaxed,
  type Applied,
  type Errors,
} from './support/vector-functions.ts';

const LENGTH = 16384;
const ROUNDS = process.env['FIRSTHAND_FULL'] === '1' ? 1024 : 64;
/** The largest error, in ulp. */
const BOUND = 1.1;

/** IEEE 754-2019, 9.2.1, where JavaScript differs: 1 to the NaN is 1, and −1 to the ±∞. */
function exact(x: number, y: number): number {
  if (x === 1 || (x === -1 && Math.abs(y) === Infinity)) return 1;
  return x ** y;
}

// oxfmt-ignore
const SPECIAL = [
  0, 1, 2, 3, 4, 5, 0.5, 1.5, 2.5, 1 + 2 ** -23, 1 - 2 ** -24, 2 ** 23 + 1, 2 ** 23 - 0.5, 2 ** 24 - 1, 2 ** 24, 2 ** 25, 127, 128, 126, 149, 150, 151, 1e30,
  2 ** -149, 2 ** -126, 2 ** -140, 1e-30, 3.4028234e38, Infinity, NaN,
].flatMap((value) => [Math.fround(value), -Math.fround(value)]);

/** A generator of numbers in [0, 1), the same in every run (Lehmer's, modulus 2³¹ − 1). */
function uniform(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

describe.each([
  ['with multiply and add', false],
  ['with fused multiply-add', true],
])('%s', (_, relaxed) => {
  if (relaxed) beforeAll(requireRelaxed);
  const applied = (): Applied =>
    apply((code, [x, y], features) => emitPow32(code, x!, y!, features), relaxed, LENGTH, 2);

  function measure({ operands: [x, y], result, run }: Applied, errors: Errors): void {
    run();
    for (let i = 0; i < LENGTH; i++) compare(errors, result[i]!, exact(x![i]!, y![i]!), [x![i]!, y![i]!]);
  }
  function expectWithin({ worst, at, different }: Errors): void {
    expect(different).toEqual([]);
    expect(worst, `worst at ${at.join()}`).toBeLessThanOrEqual(BOUND);
  }

  // what fills x and y, given uniform random numbers
  test.each<[string, (u: number, v: number) => readonly [number, number]]>([
    ['results from 2⁻¹⁵⁵ to 2¹³⁵', (u, v) => [2 ** (274 * u - 147), (290 * v - 155) / (274 * u - 147)]],
    [
      'bases next to 1',
      (u, v) => [1 + (u - 0.5) * 2 ** -12, (290 * v - 155) / Math.log2(1 + (u - 0.5) * 2 ** -12)],
    ],
    ['everyday operands', (u, v) => [4 * u, 8 * v - 4]],
    ['negative bases and integers', (u, v) => [-(2 ** (8 * u - 4)), Math.round(40 * v - 20)]],
    ['negative bases and halves', (u, v) => [-(2 ** (8 * u - 4)), Math.round(40 * v - 20) / 2]],
  ])('%s', (__, operandsOf) => {
    const calculation = applied();
    const [x, y] = calculation.operands;
    const random = uniform(20);
    const errors = noErrors();
    for (let round = 0; round < ROUNDS; round++) {
      for (let i = 0; i < LENGTH; i++) [x![i], y![i]] = operandsOf(random(), random()) as [number, number];
      measure(calculation, errors);
    }
    expectWithin(errors);
  });

  test('any bits', () => {
    const calculation = applied();
    const [x, y] = calculation.operands.map(
      (operand) => new Uint32Array(operand.buffer, operand.byteOffset, LENGTH),
    );
    const random = uniform(21);
    const errors = noErrors();
    for (let round = 0; round < ROUNDS; round++) {
      for (let i = 0; i < LENGTH; i++) [x![i], y![i]] = [random() * 2 ** 32, random() * 2 ** 32];
      measure(calculation, errors);
    }
    expectWithin(errors);
  });

  test('all pairs of special values', () => {
    const calculation = applied();
    const [x, y] = calculation.operands;
    const errors = noErrors();
    const pairs = SPECIAL.flatMap((a) => SPECIAL.map((b) => [a, b] as const));
    expect(pairs.length).toBeLessThanOrEqual(LENGTH);
    pairs.forEach(([a, b], i) => ([x![i], y![i]] = [a, b]));
    measure(calculation, errors);
    expectWithin(errors);
  });

  test('neither operand is changed', () => {
    for (const operand of [0, 1]) {
      const { operands, result, run } = apply(
        (code, [x, y], features) => {
          emitPow32(code, x!, y!, features);
          code.op('drop').get([x!, y!][operand]!);
        },
        relaxed,
        LENGTH,
        2,
      );
      operands.forEach((operand, i) => operand.set(SPECIAL, i));
      run();
      expect(result).toEqual(operands[operand]);
    }
  });
});
