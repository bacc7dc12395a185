/**
 * Views against naive index arithmetic: whatever the layout, an element is where its index says, and storage
 * is shared.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arange, array, NDArray, rowMajorStrides, ShapeError, sizeOf, zeros } from '../src/index.ts';
import { elements, fullShapes, indicesOf, layouts, shapes } from './helpers.ts';

const viewed = shapes.chain((shape) => layouts(shape));
const nonEmpty = fullShapes.chain((shape) => layouts(shape));
const sharesData = (a: NDArray, b: NDArray): boolean => a.data === b.data;

describe('layouts', () => {
  test('the generated views have the shape asked for and distinct elements', () => {
    fc.assert(
      fc.property(
        shapes.chain((shape) => layouts(shape).map((x) => ({ shape, x }))),
        ({ shape, x }) => {
          expect(x.shape).toEqual(shape);
          expect(new Set(elements(x)).size).toBe(x.size);
        },
      ),
    );
  });

  test('contiguous() has the elements in row-major order, and is the array itself if it has them so', () => {
    fc.assert(
      fc.property(viewed, (x) => {
        const packed = x.contiguous();
        expect([...packed.data]).toEqual(elements(x));
        expect(packed.isContiguous).toBe(true);
        expect(packed.contiguous()).toBe(packed);
        expect(packed === x).toBe(x.isContiguous);
      }),
    );
  });

  test('a row view shares data and is not contiguous, since its data holds more', () => {
    const x = arange(6).reshape([2, 3]);
    expect(x.at(0).isContiguous).toBe(false);
    expect([...x.at(1).contiguous().data]).toEqual([3, 4, 5]);
  });
});

describe('movement', () => {
  test('permute', () => {
    fc.assert(
      fc.property(
        shapes.chain((shape) =>
          fc.tuple(layouts(shape), fc.shuffledSubarray([...shape.keys()], { minLength: shape.length })),
        ),
        ([x, order]) => {
          const y = x.permute(order);
          expect(sharesData(x, y)).toBe(true);
          for (const index of indicesOf(y.shape)) {
            const original = x.shape.map((_, axis) => index[order.indexOf(axis)]!);
            expect(y.get(...index)).toBe(x.get(...original));
          }
        },
      ),
    );
  });

  test('transpose exchanges two axes and is its own inverse', () => {
    const x = arange(24).reshape([2, 3, 4]);
    expect(x.transpose().shape).toEqual([2, 4, 3]);
    expect(x.transpose(0, 2).shape).toEqual([4, 3, 2]);
    expect(elements(x.transpose().transpose())).toEqual(elements(x));
    expect(x.transpose().get(1, 3, 2)).toBe(x.get(1, 2, 3));
  });

  test('flip', () => {
    fc.assert(
      fc.property(
        nonEmpty.chain((x) => fc.tuple(fc.constant(x), fc.subarray([...x.shape.keys()]))),
        ([x, axes]) => {
          const y = x.flip(axes);
          expect(sharesData(x, y)).toBe(true);
          for (const index of indicesOf(x.shape)) {
            expect(y.get(...index)).toBe(
              x.get(...index.map((i, axis) => (axes.includes(axis) ? x.shape[axis]! - 1 - i : i))),
            );
          }
        },
      ),
    );
  });

  test('slice agrees with Python’s rule, written out', () => {
    const bound = fc.option(fc.integer({ min: -7, max: 7 }), { nil: undefined });
    const step = fc.constantFrom(-3, -2, -1, 1, 2, 3);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5 }), bound, bound, step, (length, start, stop, step) => {
        const range = {
          ...(start === undefined ? {} : { start }),
          ...(stop === undefined ? {} : { stop }),
          step,
        };
        // PySlice_AdjustIndices: negative bounds count from the end, then clip to [0, n], or to [-1, n - 1]
        // for negative steps.
        const adjust = (b: number): number => {
          const from = b < 0 ? b + length : b;
          return step > 0 ? Math.min(Math.max(from, 0), length) : Math.min(Math.max(from, -1), length - 1);
        };
        const expected: number[] = [];
        const first = start === undefined ? (step > 0 ? 0 : length - 1) : adjust(start);
        const last = stop === undefined ? (step > 0 ? length : -1) : adjust(stop);
        for (let i = first; step > 0 ? i < last : i > last; i += step) expected.push(i);
        const x = arange(length);
        expect(x.slice(range).toArray()).toEqual(expected);
        expect(sharesData(x, x.slice(range))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('reshape keeps row-major order, and copies only if no strides can say it', () => {
    fc.assert(
      fc.property(
        viewed.chain((x) => fc.tuple(fc.constant(x), factorizations(x.size))),
        ([x, shape]) => {
          const y = x.reshape(shape);
          expect(y.shape).toEqual(shape);
          expect(elements(y)).toEqual(elements(x));
          // The oracle: strides exist if and only if positions in storage fit some affine rule of the new
          // indices.
          if (x.size > 0) expect(sharesData(x, y)).toBe(isAffine(x, shape));
        },
      ),
      { numRuns: 300 },
    );
  });

  test('reshape infers one -1', () => {
    expect(zeros([2, 6]).reshape([3, -1]).shape).toEqual([3, 4]);
    expect(() => zeros([2, 3]).reshape([4, -1])).toThrow('no size fits -1');
    expect(() => zeros([0, 3]).reshape([0, -1])).toThrow(ShapeError);
  });

  test('at drops leading axes, and writing to a view writes to the array', () => {
    const x = zeros([2, 3, 4]);
    x.at(1, -1).set(5, 2);
    expect(x.get(1, 2, 2)).toBe(5);
    x.transpose(0, 2).set(7, 3, 0, 0);
    expect(x.get(0, 0, 3)).toBe(7);
    x.flip().set(9, 0, 0, 0);
    expect(x.get(1, 2, 3)).toBe(9);
  });

  test('broadcastTo repeats with stride 0', () => {
    fc.assert(
      fc.property(nonEmpty, fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 }), (x, lead) => {
        const target = [...lead, ...x.shape.map((length) => (length === 1 ? 3 : length))];
        const y = x.broadcastTo(target);
        expect(sharesData(x, y)).toBe(true);
        for (const index of indicesOf(target)) {
          const inner = index.slice(lead.length).map((i, axis) => (x.shape[axis] === 1 ? 0 : i));
          expect(y.get(...index)).toBe(x.get(...inner));
        }
      }),
    );
  });
});

/** All the ways to write a size as a shape of up to four axes, some of size 1. */
function factorizations(size: number): fc.Arbitrary<number[]> {
  if (size === 0) return fc.constantFrom([0], [0, 3], [2, 0]);
  const divisors = (n: number): number[] =>
    Array.from({ length: n }, (_, i) => i + 1).filter((d) => n % d === 0);
  return fc
    .constantFrom(...divisors(size))
    .chain((a) =>
      fc
        .constantFrom(...divisors(size / a))
        .chain((b) => fc.constantFrom(...divisors(size / a / b)).map((c) => [a, b, c, size / a / b / c])),
    );
}

function isAffine(x: NDArray, shape: number[]): boolean {
  const positions = indicesOf(x.shape).map((index) =>
    index.reduce((sum, i, axis) => sum + i * x.strides[axis]!, 0),
  );
  const steps = rowMajorStrides(shape);
  const unit = shape.map((length, axis) => (length === 1 ? 0 : positions[steps[axis]!]! - positions[0]!));
  return indicesOf(shape).every(
    (index, k) => positions[k]! - positions[0]! === index.reduce((sum, i, axis) => sum + i * unit[axis]!, 0),
  );
}

describe('fromParts', () => {
  test('refuses strides that leave the storage', () => {
    expect(() => NDArray.fromParts(new Float32Array(5), [2, 3], [3, 1], 0, 'float32')).toThrow(
      'reaches elements 0 to 5 of 5',
    );
    expect(() => NDArray.fromParts(new Float32Array(5), [2], [-1], 0, 'float32')).toThrow(ShapeError);
    expect(() => NDArray.fromParts(new Float32Array(5), [2], [1], 0, 'int32')).toThrow(
      'int32 is stored in a Int32Array',
    );
    expect(NDArray.fromParts(new Float32Array(0), [0, 3], [3, 1], 0, 'float32').size).toBe(0);
  });
});

describe('errors name the operation, the operand and the remedy', () => {
  const x = array([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  test.each<[string, () => unknown, string]>([
    ['get', () => x.get(0), 'get: 1 indices for an array of shape [2, 3]; give 2'],
    ['get', () => x.get(0, 3), 'get: index 3 is out of range for axis 1 of size 3'],
    ['get', () => x.get(0, 0.5), 'get: index 0.5 is out of range for axis 1 of size 3'],
    ['set', () => x.set(1, 2, 0), 'set: index 2 is out of range for axis 0 of size 2'],
    ['at', () => x.at(0, 0, 0), 'at: 3 indices for an array of shape [2, 3]; give at most 2'],
    ['slice', () => x.slice({ step: 0 }), 'slice: bounds and step are whole numbers and a step is not 0'],
    [
      'slice',
      () => x.slice(null, null, null),
      'slice: 3 ranges for an array of shape [2, 3]; give at most 2',
    ],
    ['reshape', () => x.reshape([4]), 'reshape: [2, 3] has 6 elements, [4] has 4 (6 ≠ 4)'],
    ['permute', () => x.permute([0]), 'permute: axes [0] must name each axis of [2, 3] once'],
    ['permute', () => x.permute([1, 1]), 'permute: axes [1, 1] name one axis twice'],
    ['transpose', () => array([1]).transpose(), 'transpose: axis -2 is out of range for 1 axis'],
    ['flip', () => x.flip(2), 'flip: axis 2 is out of range for 2 axes'],
    ['broadcastTo', () => x.broadcastTo([3, 3]), 'broadcastTo: [2, 3] does not broadcast to [3, 3]'],
    ['broadcastTo', () => x.broadcastTo([3]), 'broadcastTo: [2, 3] does not broadcast to [3]'],
  ])('%s', (_, act, message) => {
    expect(act).toThrow(ShapeError);
    expect(act).toThrow(message);
  });

  test('sizes are whole numbers', () => {
    expect(() => zeros([2, -1])).toThrow('[2, -1] is not a shape');
    expect(() => zeros([1.5])).toThrow(ShapeError);
    expect(sizeOf([])).toBe(1);
  });
});

describe('at', () => {
  test('drops the axis of an index, keeps that of a range and of null', () => {
    const x = arange(24).reshape([2, 3, 4]);
    expect(x.at(1, null, 2).toArray()).toEqual([14, 18, 22]);
    expect(x.at(null, -1).toArray()).toEqual([
      [8, 9, 10, 11],
      [20, 21, 22, 23],
    ]);
    expect(x.at({ start: 1 }, { step: -2 }, { stop: 1 }).toArray()).toEqual([[[20], [12]]]);
    expect(x.at(0, 0).data).toBe(x.data);
    expect(() => x.at(null, 3)).toThrow('at: index 3 is out of range for axis 1 of size 3');
    expect(() => x.at({ step: 0 })).toThrow('at: bounds and step');
  });
});
