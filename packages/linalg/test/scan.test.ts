/**
 * Running products and linear recurrences against loops over indices, on every layout; zeros, wrapping,
 * rounding, and what is refused.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  arange,
  array,
  cumprod,
  cumsum,
  DTypeError,
  full,
  linearRecurrence,
  ones,
  ShapeError,
  zeros,
} from '../src/index.ts';
import type { NDArray } from '../src/index.ts';
import { elements, fullShapes, indicesOf, layouts } from './helpers.ts';

/** An array of some axes, in an odd layout, and one of the axes. */
const lines = fullShapes
  .filter((shape) => shape.length > 0)
  .chain((shape) => fc.tuple(layouts(shape), layouts(shape), fc.nat(shape.length - 1)));

/** The elements up to an index along an axis. */
const upTo = (x: NDArray, index: readonly number[], axis: number): number[] =>
  Array.from({ length: index[axis]! + 1 }, (_, i) => x.get(...index.with(axis, i)));

describe('cumprod', () => {
  test('multiplies along an axis of any layout', () => {
    fc.assert(
      fc.property(lines, ([x, , axis]) => {
        const y = cumprod(x, { axis });
        for (const index of indicesOf(x.shape)) {
          expect(y.get(...index)).toBe(upTo(x, index, axis).reduce((a, b) => a * b, 1));
        }
      }),
    );
  });

  test('without an axis all elements are one row', () => {
    expect(cumprod(arange(1, 5).reshape([2, 2])).toArray()).toEqual([1, 2, 6, 24]);
    expect(cumprod(zeros([0, 2]), { axis: 0 }).shape).toEqual([0, 2]);
  });

  test('zeros, signs, NaN', () => {
    expect(cumprod(array([-2, 0, 3, -1])).toArray()).toEqual([-2, -0, -0, 0]);
    expect(cumprod(array([2, NaN, 0])).toArray()).toEqual([2, NaN, NaN]);
  });

  test('integers wrap, floats are multiplied in double precision and rounded when stored', () => {
    expect(cumprod(full([3], 65537, { dtype: 'int32' })).toArray()).toEqual([65537, 131073, 196609]);
    expect(cumprod(full([3], 2 ** 31 + 1, { dtype: 'uint32' })).toArray()).toEqual([
      2147483649, 1, 2147483649,
    ]);
    expect(cumprod(array([1e30, 1e30, 1e-30])).toArray()).toEqual([1e30, Infinity, 1e30].map(Math.fround));
    expect(cumprod(array([300, 300, 1 / 300], { dtype: 'float16' })).toArray()).toEqual([300, Infinity, 300]);
  });

  test('what is refused', () => {
    expect(() => cumprod(zeros([2]), { axis: 1 })).toThrow(ShapeError);
  });
});

describe('linearRecurrence', () => {
  test('follows its definition along an axis of any layout', () => {
    fc.assert(
      fc.property(lines, ([a, b, axis]) => {
        const small = (x: NDArray): NDArray =>
          array(
            elements(x).map((value) => (value % 5) - 2),
            { shape: x.shape, dtype: 'float64' },
          );
        const [factor, term] = [small(a), small(b)];
        const y = linearRecurrence(factor, term, { axis });
        for (const index of indicesOf(term.shape)) {
          const factors = upTo(factor, index, axis);
          const expected = upTo(term, index, axis).reduce(
            (total, each, position) => factors[position]! * total + each,
            0,
          );
          expect(y.get(...index)).toBe(expected);
        }
        // The same through the odd layouts themselves.
        expect(elements(linearRecurrence(a, b, { axis }))).toEqual(
          elements(linearRecurrence(a.copy(), b.copy(), { axis })),
        );
      }),
    );
  });

  test('factors of 1 make running sums, terms of 0 nothing', () => {
    const x = array(
      [
        [3, 1, 4],
        [1, 5, 9],
      ],
      { dtype: 'float64' },
    );
    expect(elements(linearRecurrence(ones([2, 3], { dtype: 'float64' }), x, { axis: 1 }))).toEqual(
      elements(cumsum(x, { axis: 1 })),
    );
    expect(linearRecurrence(x, zeros([2, 3], { dtype: 'float64' }), { axis: 0 }).toArray()).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
  });

  test('integers wrap', () => {
    const factor = array([7, 65537, 65537], { dtype: 'int32' });
    const term = array([65537, 2 ** 31 - 1, 1], { dtype: 'int32' });
    const second = (Math.imul(65537, 65537) + (2 ** 31 - 1)) | 0;
    expect(linearRecurrence(factor, term, { axis: 0 }).toArray()).toEqual([
      65537,
      second,
      (Math.imul(65537, second) + 1) | 0,
    ]);
  });

  test('what is refused', () => {
    expect(() => linearRecurrence(zeros([2]), zeros([3]), { axis: 0 })).toThrow(ShapeError);
    expect(() => linearRecurrence(zeros([2]), zeros([2], { dtype: 'float64' }), { axis: 0 })).toThrow(
      DTypeError,
    );
    expect(() => linearRecurrence(array([true]), array([true]), { axis: 0 })).toThrow(DTypeError);
    expect(() => linearRecurrence(zeros([2]), zeros([2]), { axis: 1 })).toThrow(ShapeError);
  });
});
