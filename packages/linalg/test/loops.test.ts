/**
 * How kernels walk: axes merge exactly where one stride says it for all operands, and rows visit every
 * element once, in order.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { forEachRow, mergeAxes } from '../src/loops.ts';
import { add, arange, NDArray, rowMajorStrides } from '../src/index.ts';
import { indicesOf } from './helpers.ts';

test('a packed array of any shape is one row', () => {
  expect(mergeAxes([2, 3, 4], [rowMajorStrides([2, 3, 4])])).toEqual({ shape: [24], strides: [[1]] });
  expect(mergeAxes([2, 1, 3], [[3, 99, 1]])).toEqual({ shape: [6], strides: [[1]] });
  expect(mergeAxes([], [[]])).toEqual({ shape: [1], strides: [[0]] });
});

test('axes merge only if they do so in every operand', () => {
  const packed = rowMajorStrides([2, 3, 4]);
  expect(mergeAxes([2, 3, 4], [packed, [0, 0, 1]])).toEqual({
    shape: [6, 4],
    strides: [
      [4, 1],
      [0, 1],
    ],
  });
  expect(mergeAxes([2, 3, 4], [packed, [12, 0, 0]])).toEqual({
    shape: [2, 12],
    strides: [
      [12, 1],
      [12, 0],
    ],
  });
});

test('rows visit each index once, in row-major order, whatever the strides', () => {
  const axes = fc.array(
    fc.tuple(
      fc.integer({ min: 0, max: 3 }),
      fc.integer({ min: -3, max: 3 }),
      fc.integer({ min: -3, max: 3 }),
    ),
    {
      maxLength: 4,
    },
  );
  fc.assert(
    fc.property(axes, (list) => {
      const shape = list.map(([length]) => length);
      const strides = [list.map(([, s]) => s), list.map(([, , t]) => t)];
      const visited: number[][] = [];
      forEachRow(shape, strides, [100, 200], (length, [i, j], [s, t]) => {
        for (let k = 0; k < length; k++) visited.push([i! + k * s!, j! + k * t!]);
      });
      const position = (index: number[], k: number): number =>
        index.reduce((sum, at, axis) => sum + at * strides[k]![axis]!, 0);
      expect(visited).toEqual(
        indicesOf(shape).map((index) => [100 + position(index, 0), 200 + position(index, 1)]),
      );
    }),
  );
});

test('overlapping windows are read as they lie', () => {
  const windows = NDArray.fromParts(arange(5).data, [3, 3], [1, 1], 0, 'float32');
  expect(add(windows, 0).toArray()).toEqual([
    [0, 1, 2],
    [1, 2, 3],
    [2, 3, 4],
  ]);
});
