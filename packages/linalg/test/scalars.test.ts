/**
 * Arrays of no axes along an axis, which is 0 or −1, and reductions of truth values: the same rules in every
 * function.
 */
import { describe, expect, test } from 'vitest';
import {
  argmax,
  argmin,
  argsort,
  array,
  cumprod,
  cumsum,
  gather,
  linearRecurrence,
  max,
  mean,
  min,
  norm,
  prod,
  scatter,
  ShapeError,
  sort,
  std,
  sum,
  take,
  variance,
} from '../src/index.ts';
import type { NDArray } from '../src/index.ts';

const x = array(-3);
const zero = array(0, { dtype: 'int32' });

const ALONG: { readonly [name: string]: readonly [f: (axis: number) => NDArray, value: number] } = {
  sum: [(axis) => sum(x, axis), -3],
  'sum, keepDims': [(axis) => sum(x, { axis, keepDims: true }), -3],
  'sum, a list': [(axis) => sum(x, [axis]), -3],
  prod: [(axis) => prod(x, axis), -3],
  max: [(axis) => max(x, axis), -3],
  min: [(axis) => min(x, axis), -3],
  mean: [(axis) => mean(x, axis), -3],
  variance: [(axis) => variance(x, axis), 0],
  std: [(axis) => std(x, { axis, correction: 1 }), NaN],
  norm: [(axis) => norm(x, axis), 3],
  argmax: [(axis) => argmax(x, axis), 0],
  'argmin, keepDims': [(axis) => argmin(x, { axis, keepDims: true }), 0],
  cumsum: [(axis) => cumsum(x, axis), -3],
  cumprod: [(axis) => cumprod(x, axis), -3],
  linearRecurrence: [(axis) => linearRecurrence(x, x, axis), -3],
  sort: [(axis) => sort(x, axis), -3],
  argsort: [(axis) => argsort(x, axis), 0],
  flip: [(axis) => x.flip(axis), -3],
  gather: [(axis) => gather(x, zero, axis), -3],
  'scatter add': [(axis) => scatter('add', x, zero, array(5), axis), 2],
  take: [(axis) => take(x, zero, axis), -3],
};

describe.each(Object.keys(ALONG))('%s of a scalar', (name) => {
  const [f, value] = ALONG[name]!;
  test.each([0, -1])('along axis %d', (axis) => {
    const result = f(axis);
    expect(result.shape).toEqual([]);
    expect(result.get()).toBe(value);
  });
  test.each([1, -2])('has no axis %d', (axis) => {
    expect(() => f(axis)).toThrow(ShapeError);
    expect(() => f(axis)).toThrow(`axis ${axis} is out of range`);
  });
});

test('what has an axis more or less than its operand takes no axis of a scalar', () => {
  expect(() => sum(x, [0, -1])).toThrow('name one axis twice');
  expect(() => x.permute(0)).toThrow(ShapeError);
  expect(() => x.transpose()).toThrow(ShapeError);
  expect(take(x, [0, 0, -1], 0).toArray()).toEqual([-3, -3, -3]);
});

describe('reductions of truth values', () => {
  const truths = array([
    [true, false],
    [true, true],
  ]);
  test('extremes are truth values', () => {
    expect([max(truths, 1).dtype, max(truths, 1).toArray()]).toEqual(['bool', [true, true]]);
    expect([min(truths, 1).dtype, min(truths, 1).toArray()]).toEqual(['bool', [false, true]]);
    expect(max(array([false, false])).toArray()).toBe(false);
  });
  test('sums and products are int32', () => {
    expect([sum(truths, 1).dtype, sum(truths, 1).toArray()]).toEqual(['int32', [1, 2]]);
    expect([prod(truths, 1).dtype, prod(truths, 1).toArray()]).toEqual(['int32', [0, 1]]);
    expect([cumsum(truths, 0).dtype, cumsum(truths, 0).toArray()]).toEqual([
      'int32',
      [
        [1, 0],
        [2, 1],
      ],
    ]);
    expect([cumprod(truths, 1).dtype, cumprod(truths, 1).toArray()]).toEqual([
      'int32',
      [
        [1, 0],
        [1, 1],
      ],
    ]);
  });
  test('positions and order', () => {
    expect([argmax(truths, 1).toArray(), argmin(truths, 1).toArray()]).toEqual([
      [0, 0],
      [1, 0],
    ]);
    expect(sort(truths, 1).toArray()).toEqual([
      [false, true],
      [true, true],
    ]);
  });
});
