// Bounds predicates are tested in as few loop variables as decide them, and loops are split where they
// change; so that padded and joined arrays are read whole vectors at a time.
import { evaluateIndex, type Index } from '@firsthand/compiler';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Code } from '../src/assembler/code.ts';
import { coarsePredicate, shiftIndex, type BoundsPredicate } from '../src/scalar/indices.ts';
import { CodegenScope } from '../src/scalar/codegen-scope.ts';
import { splitIndexSet } from '../src/kernels/index-set-splitting.ts';
import { affine, divided } from './support/build.ts';

function scopeOf(extents: readonly number[], laneAxis = extents.length - 1): CodegenScope {
  const code = new Code([]);
  return new CodegenScope({ code, extents, axes: extents.map(() => code.local('i32')), laneAxis });
}

/** All coordinates of a few axes. */
function coordinatesOf(extents: readonly number[]): number[][] {
  return extents.reduce<number[][]>(
    (points, extent) =>
      points.flatMap((point) => Array.from({ length: extent }, (_, value) => [...point, value])),
    [[]],
  );
}

const holds = ({ index, low, high }: BoundsPredicate, point: readonly number[]): boolean => {
  const value = evaluateIndex(index, point);
  return value >= low && value < high;
};

describe('a coarse predicate', () => {
  test('leaves out what cannot decide', () => {
    const scope = scopeOf([8, 3, 4, 32]);
    const predicate = { index: affine(-256, [1, 128], [2, 32], [3, 1]), low: 0, high: 128 };
    expect(coarsePredicate(predicate, (index) => scope.rangeOf(index))).toEqual({
      index: affine(-256, [1, 128]),
      low: 0,
      high: 128,
    });
    const exact = { index: affine(0, [2, 32], [3, 2]), low: 0, high: 64 };
    expect(coarsePredicate(exact, (index) => scope.rangeOf(index))).toBe(exact);
  });

  test('is true where the predicate is', () => {
    const extents = [3, 2, 4];
    const points = coordinatesOf(extents);
    const factor = fc.constantFrom(-12, -4, -3, -1, 1, 2, 3, 4, 6, 12, 24);
    fc.assert(
      fc.property(
        fc.tuple(factor, factor, factor),
        fc.integer({ min: -30, max: 30 }),
        fc.constantFrom(-24, -12, 0, 4, 6),
        fc.constantFrom(0, 4, 12, 24),
        (factors, offset, low, width) => {
          const scope = scopeOf(extents);
          const predicate = {
            index: affine(offset, [0, factors[0]], [1, factors[1]], [2, factors[2]]),
            low,
            high: low + width,
          };
          const coarse = coarsePredicate(predicate, (index) => scope.rangeOf(index));
          for (const point of points)
            expect(holds(coarse, point), `${point.join()}`).toBe(holds(predicate, point));
        },
      ),
    );
  });
});

describe('segments', () => {
  test('end where a guard changes, upwards and downwards', () => {
    const guards = [
      { index: affine(-3, [1, 1]), low: 0, high: 4 },
      { index: affine(9, [1, -2]), low: 0, high: 100 },
      { index: affine(0, [0, 1]), low: 1, high: 2 },
      { index: affine(0, [0, 1], [1, 1]), low: 1, high: 2 },
    ];
    expect(splitIndexSet(guards, 1, 10, 8)).toEqual([
      { from: 0, to: 3 },
      { from: 3, to: 5 },
      { from: 5, to: 7 },
      { from: 7, to: 10 },
    ]);
    expect(splitIndexSet(guards, 1, 10, 3)).toEqual([{ from: 0, to: 10 }]);
    expect(splitIndexSet([], 0, 5, 8)).toEqual([{ from: 0, to: 5 }]);
  });

  test('are single values where a guard changes along the lanes too, if they are few', () => {
    const window = { index: affine(-1, [0, 1], [1, 1]), low: 0, high: 20 };
    const ones = Array.from({ length: 3 }, (_, value) => ({ from: value, to: value + 1 }));
    expect(splitIndexSet([window], 0, 3, 8, 1)).toEqual(ones);
    expect(splitIndexSet([window], 0, 3, 8, 2)).toEqual([{ from: 0, to: 3 }]);
    expect(splitIndexSet([window], 0, 9, 8, 1)).toEqual([{ from: 0, to: 9 }]);
  });

  test('hold guards that are constant in them', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(-5, -2, -1, 1, 2, 3),
        fc.integer({ min: -20, max: 40 }),
        fc.integer({ min: -9, max: 9 }),
        fc.nat({ max: 12 }),
        (factor, offset, low, width) => {
          const predicate = { index: affine(offset, [0, factor]), low, high: low + width };
          const ranges = splitIndexSet([predicate], 0, 17, 8);
          expect(
            ranges.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, value) => from + value)),
          ).toEqual(Array.from({ length: 17 }, (_, value) => value));
          for (const { from, to } of ranges) {
            for (let value = from; value < to; value++)
              expect(holds(predicate, [value])).toBe(holds(predicate, [from]));
          }
        },
      ),
    );
  });
});

describe('within a part of an axis', () => {
  const row = affine(62, [0, 1], [1, 1]);
  const index: Index = {
    offset: 5,
    terms: [
      ...divided('remainder', row, 64, 32).terms,
      ...divided('quotient', row, 64, 8192).terms,
      ...affine(0, [1, 2]).terms,
    ],
  };

  test('quotients that are the same everywhere disappear', () => {
    const scope = scopeOf([64, 3]);
    expect(scope.resolve(index).terms).toHaveLength(3);
    scope.inRange(1, 2, 3, () => {
      const resolved = scope.resolve(index);
      expect(resolved).toEqual({ offset: 5 + 8192 - 64, terms: affine(0, [0, 32], [1, 34]).terms });
      for (let value = 0; value < 64; value++)
        expect(evaluateIndex(resolved, [value, 2])).toBe(evaluateIndex(index, [value, 2]));
      expect(scope.rangeOf(resolved)).toEqual([5 + 8192 - 64 + 68, 5 + 8192 - 64 + 68 + 32 * 63]);
    });
    expect(scope.resolve(index).terms).toHaveLength(3);
  });

  test('lanes step evenly where blocks are aligned with quotients', () => {
    const scope = scopeOf([4, 64]);
    const eighth = divided('quotient', affine(8, [0, 16], [1, 1]), 8);
    const vector = { shift: 4, lanes: 4 };
    expect(scope.stepOf(eighth, vector)).toBeNull();
    scope.inLaneRange({ from: 0, to: 64, alignment: 8 }, () => {
      expect(scope.stepOf(eighth, vector)).toBe(0);
      expect(scope.stepOf(divided('remainder', affine(8, [0, 16], [1, 1]), 8, 3), vector)).toBe(3);
      expect(scope.stepOf(divided('quotient', affine(2, [1, 1]), 8), vector)).toBeNull();
    });
  });
});

test('an index shifted along an axis is the index further on', () => {
  const index: Index = {
    offset: 1,
    terms: [...affine(0, [0, 3], [1, -2]).terms, ...divided('remainder', affine(2, [1, 5]), 7, 4).terms],
  };
  for (const [a, b] of coordinatesOf([2, 5]) as [number, number][]) {
    expect(evaluateIndex(shiftIndex(index, 1, 3), [a, b])).toBe(evaluateIndex(index, [a, b + 3]));
  }
});
