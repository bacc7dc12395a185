// What a list of times is reduced to, and when results count as the same.
import { describe, expect, test } from 'vitest';
import { firstDifference } from '../src/compare.ts';
import { factor, median, quantile, spread, summarize } from '../src/statistics.ts';

describe('quantiles', () => {
  test('are those of the sorted values, linear between neighbours', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect([0, 0.25, 0.9, 1].map((share) => quantile([10, 20, 30, 40, 50], share))).toEqual([10, 20, 46, 50]);
    expect(quantile([7], 0.25)).toBe(7);
  });

  test('of nothing do not exist', () => {
    expect(() => median([])).toThrow(RangeError);
  });

  test('do not change the list', () => {
    const values = [2, 1];
    median(values);
    expect(values).toEqual([2, 1]);
  });
});

test('one very late run moves neither median nor spread far', () => {
  const summary = summarize([10, 11, 9, 10, 1000]);
  expect(summary).toEqual({ median: 10, low: 10, high: 11, count: 5 });
  expect(spread(summary)).toBeCloseTo(0.05);
});

describe('the factor between two contenders', () => {
  test('is taken round by round, so that a slow round counts for neither', () => {
    expect(
      factor(
        [[10], [10], [30]],
        [
          [20, 20, 21],
          [20, 19],
          [60, 70, 60],
        ],
      ),
    ).toBe(2);
  });

  test('is of the rounds that both ran', () => {
    expect(factor([[10], [1000], [1000]], [[40]])).toBe(4);
    expect(() => factor([[1]], [])).toThrow(RangeError);
  });
});

describe('results are compared', () => {
  const expected = [Float32Array.of(100, -100, 0)];

  test('relative to their size, and near zero to that of all', () => {
    expect(firstDifference([Float32Array.of(100.05, -99.95, 0.05)], expected)).toBeNull();
    expect(firstDifference([Float32Array.of(100.2, -100, 0)], expected)).toMatch('element 0 is 100.19');
    expect(firstDifference([Float32Array.of(100, -100, 0.2)], expected)).toMatch('element 2 is 0.2');
  });

  test('with NaN equal to nothing', () => {
    expect(firstDifference([Float32Array.of(100, Number.NaN, 0)], expected)).toBe(
      'output 0, element 1 is NaN instead of -100',
    );
  });

  test('in number and length too', () => {
    expect(firstDifference([], expected)).toBe('0 outputs instead of 1');
    expect(firstDifference([Float32Array.of(100)], expected)).toBe('output 0 has 1 elements instead of 3');
  });
});
