/** Reductions against loops over indices, on every layout; their exactness, ties, NaN and empty axes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  argmax,
  argmin,
  argReduce,
  array,
  arange,
  cumsum,
  DTypeError,
  full,
  linspace,
  max,
  mean,
  min,
  type NDArray,
  prod,
  reduce,
  ShapeError,
  std,
  sum,
  variance,
  zeros,
  type ReduceKind,
} from '../src/index.ts';
import { elements, fullShapes, indicesOf, layouts } from './helpers.ts';

const STEP: Record<ReduceKind, (a: number, b: number) => number> = {
  sum: (a, b) => a + b,
  prod: (a, b) => a * b,
  max: Math.max,
  min: Math.min,
};
const START: Record<ReduceKind, number> = { sum: 0, prod: 1, max: -Infinity, min: Infinity };

/** Reduces in index order into a map from parallel indices; small whole numbers make every order exact. */
function naive(kind: ReduceKind, x: NDArray, axes: number[]): number[] {
  const shape = x.shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
  const reduced = new Map(indicesOf(shape).map((index) => [index.join(), START[kind]]));
  for (const index of indicesOf(x.shape)) {
    const key = index.map((i, axis) => (axes.includes(axis) ? 0 : i)).join();
    reduced.set(key, STEP[kind](reduced.get(key)!, x.get(...index)));
  }
  return [...reduced.values()];
}

describe('reduce', () => {
  test.each(['sum', 'prod', 'max', 'min'] as const)('%s over any axes of any layout and type', (kind) => {
    const cases = fullShapes.chain((shape) =>
      fc.tuple(
        fc.constantFrom('float64', 'float32', 'int32', 'uint32').chain((dtype) => layouts(shape, dtype)),
        fc.subarray([...shape.keys()]),
        fc.boolean(),
      ),
    );
    fc.assert(
      fc.property(cases, ([wide, axes, keepDims]) => {
        const x = array(
          elements(wide).map((value) => (value * 7) % 3),
          { shape: wide.shape, dtype: wide.dtype },
        );
        // The same numbers in the odd layout.
        wide.data.set(Array.from(wide.data, (value) => (value * 7) % 3));
        const y = reduce(kind, wide, axes, keepDims);
        expect(y.dtype).toBe(x.dtype);
        expect(y.shape).toEqual(
          x.shape.flatMap((length, axis) => (!axes.includes(axis) ? [length] : keepDims ? [1] : [])),
        );
        if (kind !== 'prod' || x.dtype === 'float64') expect(elements(y)).toEqual(naive(kind, x, axes));
        else expect(elements(y)).toEqual(elements(reduce(kind, x, axes)));
      }),
    );
  });

  test('the order of axes does not matter, negative ones count from the end', () => {
    const x = arange(24).reshape([2, 3, 4]);
    expect(elements(reduce('sum', x, [2, 0]))).toEqual(elements(reduce('sum', x, [0, -1])));
    expect(() => reduce('sum', x, [0, -3])).toThrow('sum: axes [0, -3] name one axis twice');
    expect(elements(reduce('sum', x, []))).toEqual(elements(x));
  });

  test('a float32 sum of a million elements is the exact sum rounded, along rows and along columns', () => {
    const n = 1 << 20;
    const x = full([n], 0.1);
    const exact = Math.fround(Math.fround(0.1) * n);
    expect(sum(x).get()).toBe(exact);
    expect(elements(sum(full([n / 4, 4], 0.1), { axis: 0 }))).toEqual(
      new Array(4).fill(Math.fround(Math.fround(0.1) * (n / 4))),
    );
  });

  test('long rows and columns are halved without losing or repeating an element', () => {
    for (const n of [127, 128, 129, 257, 1000]) {
      const x = arange(3 * n, { dtype: 'float64' });
      const columns = [0, 1, 2].map((j) => (3 * n * (n - 1)) / 2 + j * n);
      expect(sum(x).get()).toBe((3 * n * (3 * n - 1)) / 2);
      expect(sum(x.reshape([n, 3]), { axis: 0 }).toArray()).toEqual(columns);
      expect(sum(x.reshape([n, 3]).astype('int32'), { axis: 0 }).toArray()).toEqual(columns);
    }
  });

  test('a float64 sum is pairwise: its error stays below log₂(n)·ε, where a running sum’s does not', () => {
    const n = 1 << 20;
    const x = full([n], 0.1, { dtype: 'float64' });
    let running = 0;
    for (let i = 0; i < n; i++) running += 0.1;
    const relative = (value: number): number => Math.abs(value / (0.1 * n) - 1);
    const bound = 28 * 2 ** -53 * 128 ** 0.5;
    expect(relative(running)).toBeGreaterThan(bound);
    expect(relative(sum(x).get())).toBeLessThan(bound);
    expect(relative(sum(x.reshape([n / 2, 2]), { axis: 0 }).get(1) * 2)).toBeLessThan(bound);
  });

  test('integers wrap', () => {
    const x = full([3, 2], 2 ** 30, { dtype: 'int32' });
    expect(sum(x, { axis: 0 }).toArray()).toEqual([-(2 ** 30), -(2 ** 30)]);
    expect(sum(x).get()).toBe(Number(BigInt.asIntN(32, 6n * 2n ** 30n)));
    expect(prod(full([2, 3], 70000, { dtype: 'int32' })).get()).toBe(Number(BigInt.asIntN(32, 70000n ** 6n)));
    expect(prod(full([3, 2], 70000, { dtype: 'int32' }), { axis: 0 }).get(1)).toBe(
      Number(BigInt.asIntN(32, 70000n ** 3n)),
    );
  });

  test('empty axes give the identity, or an error where there is none', () => {
    expect(sum(zeros([0, 3]), { axis: 0 }).toArray()).toEqual([0, 0, 0]);
    expect(prod(zeros([0])).get()).toBe(1);
    expect(() => max(zeros([0, 3]), { axis: 0 })).toThrow(
      'max: max of an empty axis has no value: shape [0, 3], axes [0]',
    );
    expect(() => min(zeros([0]))).toThrow(ShapeError);
    expect(max(zeros([0, 3]), { axis: 1 }).shape).toEqual([0]);
    expect(() => argmax(zeros([0]))).toThrow(ShapeError);
    expect(mean(zeros([0])).get()).toBeNaN();
  });

  test('NaN wins in max and min, along rows and columns', () => {
    const x = array([
      [1, NaN],
      [3, 2],
    ]);
    expect(max(x, { axis: 0 }).toArray()).toEqual([3, NaN]);
    expect(min(x, { axis: 1 }).toArray()).toEqual([NaN, 2]);
    expect(max(x.transpose(), { axis: 0 }).toArray()).toEqual([NaN, 3]);
  });

  test('bools count and compare, and multiply as int32', () => {
    const x = array([true, false, true]);
    expect([sum(x).dtype, sum(x).get()]).toEqual(['int32', 2]);
    expect(max(x).toArray()).toBe(true);
    expect([prod(x).dtype, prod(x).get(), prod(array([true, true])).get()]).toEqual(['int32', 0, 1]);
    expect(() => reduce('sum', x, [0])).toThrow(DTypeError);
    expect(() => mean(array([1], { dtype: 'int32' }))).toThrow(
      "mean: int32 elements, but it takes floats; use astype('float32')",
    );
  });
});

describe('argmax and argmin', () => {
  test('give the first of equals, and the first NaN', () => {
    expect(argmax(array([1, 3, 3])).get()).toBe(1);
    expect(argmin(array([1, 0, 0])).get()).toBe(1);
    expect(argmax(array([1, NaN, 5, NaN])).get()).toBe(1);
    expect(argmin(array([NaN, -Infinity])).get()).toBe(0);
    expect(
      argmax(
        array([
          [1, 9],
          [8, 2],
        ]),
        { axis: 0 },
      ).toArray(),
    ).toEqual([1, 0]);
    expect(
      argmax(
        array([
          [1, 9],
          [8, 2],
        ]),
      ).get(),
    ).toBe(1);
    expect(
      argReduce(
        'argmin',
        array([
          [1, 9],
          [8, 2],
        ]),
        1,
        true,
      ).toArray(),
    ).toEqual([[0], [1]]);
    expect(argmax(array([[1, 2]]), { keepDims: true }).shape).toEqual([1, 1]);
  });

  test('point at the largest of any layout', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3 }).chain((n) => layouts([n, 4])),
        (x) => {
          const index = argmax(x, { axis: 1 });
          for (let i = 0; i < x.shape[0]!; i++)
            expect(x.get(i, index.get(i))).toBe(Math.max(...elements(x.at(i))));
        },
      ),
    );
  });
});

describe('mean, variance, cumsum', () => {
  test('variance keeps its digits far from 0', () => {
    const x = array([1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16], { dtype: 'float64' });
    expect(variance(x).get()).toBe(22.5);
    expect(variance(x, { correction: 1 }).get()).toBe(30);
    expect(std(x, { correction: 1 }).get()).toBe(Math.sqrt(30));
    expect(
      variance(
        array([
          [1, 3],
          [2, 6],
        ]),
        { axis: 1, keepDims: true },
      ).toArray(),
    ).toEqual([[1], [4]]);
    expect(variance(array([1]), { correction: 1 }).get()).toBeNaN();
    expect(
      mean(
        array([
          [1, 3],
          [2, 6],
        ]),
        { axis: -1 },
      ).toArray(),
    ).toEqual([2, 4]);
    // The sum would overflow float16.
    expect(mean(full([100], 60000, { dtype: 'float16' })).get()).toBe(60000);
  });

  test('a standard deviation fits where its square does not', () => {
    // √225000 = 474.34, between 474.25 and 474.5
    expect(std(array([300, -300, 600, -600], { dtype: 'float16' })).get()).toBe(474.25);
    expect(std(array([1e30, -1e30], { dtype: 'float32' })).get()).toBe(Math.fround(1e30));
    expect(variance(array([300, -300, 600, -600], { dtype: 'float16' })).get()).toBe(Infinity);
    expect(() => std(array([1, 2], { dtype: 'int32' }))).toThrow('std: ');
  });

  test('cumsum runs along an axis', () => {
    fc.assert(
      fc.property(
        fullShapes
          .filter((shape) => shape.length > 0)
          .chain((shape) => fc.tuple(layouts(shape), fc.nat(shape.length - 1))),
        ([x, axis]) => {
          const y = cumsum(x, { axis });
          for (const index of indicesOf(x.shape)) {
            const before = Array.from({ length: index[axis]! + 1 }, (_, i) =>
              x.get(...index.map((k, a) => (a === axis ? i : k))),
            );
            expect(y.get(...index)).toBe(before.reduce((a, b) => a + b, 0));
          }
        },
      ),
    );
    expect(cumsum(arange(4).reshape([2, 2])).toArray()).toEqual([0, 1, 3, 6]);
    expect(cumsum(full([3], 2 ** 31 - 1, { dtype: 'int32' })).toArray()).toEqual([
      2147483647, -2, 2147483645,
    ]);
    expect(cumsum(zeros([0, 2]), { axis: 0 }).shape).toEqual([0, 2]);
    expect(cumsum(linspace(0, 1, 3), { axis: -1 }).toArray()).toEqual([0, 0.5, 1.5]);
  });
});
