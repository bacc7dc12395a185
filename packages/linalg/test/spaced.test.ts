/**
 * Equally spaced numbers against exact rational arithmetic: ends, symmetry, and at most one rounding in every
 * type.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arange, linspace, type DType } from '../src/index.ts';
import { elements } from './helpers.ts';

const SCALE = 160n;
/** A double as a multiple of 2⁻¹⁶⁰. */
const scaled = (x: number): bigint => BigInt(x * 2 ** 80) * 2n ** (SCALE - 80n);
/** Multiples of 2⁻⁴⁰ below 2¹⁰, which float32 may hold or not. */
const bounds = fc.integer({ min: -(2 ** 50), max: 2 ** 50 }).map((k) => Math.fround(k * 2 ** -40));

/** The distance of neighbouring numbers of a float type. */
function ulp(x: number, digits: number, least: number): number {
  return 2 ** (Math.max(Math.floor(Math.log2(Math.abs(x))), least) - digits);
}

describe('linspace', () => {
  test.each([
    ['float32', 23, -126],
    ['float16', 10, -14],
  ] as const)('%s is the exact number, rounded once', (dtype, digits, least) => {
    fc.assert(
      fc.property(bounds, bounds, fc.integer({ min: 2, max: 300 }), (start, stop, count) => {
        const x = linspace(start, stop, count, { dtype });
        const steps = BigInt(count - 1);
        for (let i = 0; i < count; i++) {
          const exact = (scaled(start) * (steps - BigInt(i)) + scaled(stop) * BigInt(i)) / steps;
          const value = x.get(i);
          const error = scaled(value) - exact;
          const distance = Number(error < 0n ? -error : error) / 2 ** Number(SCALE);
          const magnitude = Math.max(Math.abs(value), Math.abs(Number(exact) / 2 ** Number(SCALE)));
          expect(distance).toBeLessThanOrEqual(0.51 * ulp(magnitude, digits, least));
        }
        expect(elements(linspace(-stop, -start, count, { dtype })).map((value) => 0 - value)).toEqual(
          elements(x)
            .toReversed()
            .map((value) => value + 0),
        );
      }),
    );
  });

  test.each(['float32', 'float64', 'float16'] as const)(
    '%s: the ends are the ends, and the middle of a symmetric interval is 0',
    (dtype) => {
      for (const count of [2, 3, 7, 50, 98, 99, 1001]) {
        const x = linspace(-0.3, 0.3, count, { dtype });
        expect([x.get(0), x.get(-1)]).toEqual([
          linspace(-0.3, 0, 1, { dtype }).get(0),
          linspace(0.3, 0, 1, { dtype }).get(0),
        ]);
        if (count % 2 === 1) expect(x.get((count - 1) / 2)).toBe(0);
      }
    },
  );

  test.each(['int32', 'uint32'] as const)('%s is the exact number, truncated toward zero', (dtype) => {
    const low = dtype === 'int32' ? -(2 ** 31) : 0;
    const high = dtype === 'int32' ? 2 ** 31 - 1 : 2 ** 32 - 1;
    const near = fc.integer({ min: Math.max(low, -200), max: 200 });
    const any = fc.oneof(near, fc.integer({ min: low, max: high }));
    fc.assert(
      fc.property(any, any, fc.integer({ min: 2, max: 300 }), (start, stop, count) => {
        const steps = BigInt(count - 1);
        const expected = Array.from({ length: count }, (_, i) =>
          Number((BigInt(start) * (steps - BigInt(i)) + BigInt(stop) * BigInt(i)) / steps),
        );
        expect(elements(linspace(start, stop, count, { dtype }))).toEqual(expected);
      }),
    );
    // 29 · (100/100) from a step of 0.01 would be 28.999….
    expect(linspace(0, 100, 101, { dtype }).get(29)).toBe(29);
  });

  test('intervals longer than the largest number, of one element and of none', () => {
    const end = 2 ** 1023;
    expect(elements(linspace(-end, end, 5, { dtype: 'float64' }))).toEqual([-end, -end / 2, 0, end / 2, end]);
    expect([elements(linspace(3, 7, 1)), linspace(3, 7, 0).size]).toEqual([[3], 0]);
  });
});

describe('arange', () => {
  test.each<[number, number, number, DType]>([
    [0, 1, 0.1, 'float32'],
    [-1, 1, 0.1, 'float32'],
    [5, -5, -0.3, 'float16'],
    [0, 3, 1 / 3, 'float64'],
    [0, 3, 0.5, 'int32'],
  ])('from %d to %d in steps of %d is start + i·step rounded once, as %s', (start, stop, step, dtype) => {
    const count = Math.ceil((stop - start) / step);
    const x = arange(start, stop, step, { dtype });
    const expected = Array.from({ length: count }, (_, i) =>
      linspace(start + i * step, 0, 1, { dtype }).get(0),
    );
    expect(elements(x)).toEqual(expected);
  });
});
