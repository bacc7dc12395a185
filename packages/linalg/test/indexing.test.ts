/** gather, scatter, take, sort, pad and joins against loops over indices. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  argsort,
  array,
  arange,
  concatenate,
  DTypeError,
  fromFloat16Bits,
  full,
  gather,
  type NDArray,
  pad,
  scatter,
  ShapeError,
  sort,
  stack,
  take,
  type DType,
} from '../src/index.ts';
import { elements, fromIndices, indicesOf, layouts } from './helpers.ts';

const shape3 = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 });
/** An array, an axis of it, and an index along it with some entries out of range. */
const indexed = shape3.chain((shape) =>
  fc
    .tuple(layouts(shape), fc.nat(shape.length - 1), fc.integer({ min: 0, max: 5 }))
    .chain(([x, axis, count]) => {
      const wanted = shape.map((length, k) => (k === axis ? count : length));
      const size = wanted.reduce((p, length) => p * length, 1);
      const entries = fc.array(fc.integer({ min: -2, max: shape[axis]! + 1 }), {
        minLength: size,
        maxLength: size,
      });
      return entries.map((list) => ({ x, axis, index: array(list, { shape: wanted, dtype: 'int32' }) }));
    }),
);
const inRange = (at: number, x: NDArray, axis: number): boolean => at >= 0 && at < x.shape[axis]!;

describe('gather and scatter', () => {
  test('gather reads x where the index says, NaN out of range', () => {
    fc.assert(
      fc.property(indexed, ({ x, axis, index }) => {
        const y = gather(x, index, axis);
        for (const i of indicesOf(index.shape)) {
          const at = index.get(...i);
          expect(y.get(...i)).toBe(
            inRange(at, x, axis) ? x.get(...i.map((k, a) => (a === axis ? at : k))) : NaN,
          );
        }
      }),
    );
  });

  test.each(['add', 'set'] as const)('scatter %s writes in order and drops what is out of range', (mode) => {
    fc.assert(
      fc.property(indexed, ({ x, axis, index }) => {
        const source = fromIndices(index.shape, 'float64', (i) => 100 + i.reduce((n, k) => n * 10 + k, 0));
        const before = elements(x);
        const expected = x.copy();
        for (const i of indicesOf(index.shape)) {
          const at = index.get(...i);
          const to = i.map((k, a) => (a === axis ? at : k));
          if (inRange(at, x, axis))
            expected.set(source.get(...i) + (mode === 'add' ? expected.get(...to) : 0), ...to);
        }
        expect(elements(scatter(mode, x, index, source, axis))).toEqual(elements(expected));
        expect(elements(x)).toEqual(before);
      }),
    );
  });

  test('every type gathers and scatters; what is missing reads 0 where there is no NaN', () => {
    const index = array([1, 9, -1], { dtype: 'int32' });
    for (const dtype of ['float32', 'float64', 'float16', 'int32', 'uint32', 'bool'] as DType[]) {
      const x = array([0, 1], { dtype });
      const missing = dtype.startsWith('float') ? NaN : 0;
      expect(elements(gather(x, index, 0))).toEqual([1, missing, missing]);
      expect(
        elements(scatter('set', x, array([0, 0], { dtype: 'uint32' }), array([0, 1], { dtype }), 0)),
      ).toEqual([1, 1]);
    }
    expect(
      fromFloat16Bits(gather(array([1], { dtype: 'float16' }), array([5], { dtype: 'int32' }), 0).data[0]!),
    ).toBeNaN();
    expect(
      scatter(
        'add',
        array([2 ** 31 - 1], { dtype: 'int32' }),
        array([0], { dtype: 'int32' }),
        array([1], { dtype: 'int32' }),
        0,
      ).get(0),
    ).toBe(-(2 ** 31));
  });

  test('float32 adds accumulate in double precision', () => {
    const n = 10000;
    const y = scatter('add', full([1], 0), full([n], 0, { dtype: 'int32' }), full([n], 0.1), 0);
    expect(y.get(0)).toBe(Math.fround(Math.fround(0.1) * n));
  });

  test('errors', () => {
    const x = arange(6).reshape([2, 3]);
    expect(() => gather(x, array([0, 1]), 0)).toThrow(
      "gather: the index holds float32 elements; use astype('int32')",
    );
    expect(() => gather(x, array([[0]], { dtype: 'int32' }), 0)).toThrow(
      'gather: index [1, 1] must have the shape [2, 3] beside axis 0',
    );
    const index = array([[0, 0, 0]], { dtype: 'int32' });
    expect(() => scatter('add', x, index, x, 0)).toThrow(
      'scatter: source [2, 3] and index [1, 3] must have one shape',
    );
    expect(() =>
      scatter('add', full([3, 1], 0), array([[0], [1]], { dtype: 'int32' }), array([1, 2]), 0),
    ).toThrow('scatter: source [2] and index [2, 1] must have one shape');
    expect(() => scatter('set', x, index, index, 0)).toThrow(DTypeError);
    expect(() => scatter('add', array([true]), array([0], { dtype: 'int32' }), array([true]), 0)).toThrow(
      DTypeError,
    );
  });
});

describe('take', () => {
  test('takes slices by index of any shape', () => {
    const x = arange(6).reshape([2, 3]);
    expect(
      take(
        x,
        array(
          [
            [2, -1],
            [0, 1],
          ],
          { dtype: 'int32' },
        ),
        1,
      ).toArray(),
    ).toEqual([
      [
        [2, 2],
        [0, 1],
      ],
      [
        [5, 5],
        [3, 4],
      ],
    ]);
    expect(take(x, []).shape).toEqual([0, 3]);
    expect(() => take(x, [2], 0)).toThrow('take: index 2 is out of range for axis 0 of size 2');
    expect(() => take(x, [-4], 1)).toThrow(ShapeError);
    expect(() => take(x, array([0]), 1)).toThrow(DTypeError);
  });
});

describe('sort', () => {
  const values = fc.array(
    fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom(NaN, Infinity, -Infinity, -0, 0.5)),
    { maxLength: 40 },
  );
  test.each([false, true])('argsort is stable with NaN last (descending: %s)', (descending) => {
    fc.assert(
      fc.property(values, (list) => {
        const order = elements(argsort(array(list, { dtype: 'float64' }), { descending }));
        expect([...order].sort((a, b) => a - b)).toEqual([...list.keys()]);
        for (let k = 1; k < order.length; k++) {
          const [a, b] = [list[order[k - 1]!]!, list[order[k]!]!];
          const tied = a === b || (a !== a && b !== b);
          if (tied) expect(order[k]!).toBeGreaterThan(order[k - 1]!);
          else if (b === b) expect(descending ? a > b : a < b).toBe(true);
          else expect(a).not.toBeNaN();
        }
      }),
    );
  });

  test('sorts along any axis of any layout', () => {
    fc.assert(
      fc.property(
        shape3.chain((shape) => fc.tuple(layouts(shape), fc.nat(shape.length - 1))),
        ([x, axis]) => {
          const y = sort(x, { axis });
          const last = (v: NDArray): NDArray => v.transpose(axis, -1);
          for (const index of indicesOf(last(x).shape.slice(0, -1))) {
            expect(elements(last(y).at(...index))).toEqual(
              elements(last(x).at(...index)).sort((a, b) => a - b),
            );
          }
        },
      ),
    );
    expect(sort(array([3, 1, 2], { dtype: 'float16' })).toArray()).toEqual([1, 2, 3]);
  });
});

describe('pad and joins', () => {
  test('pad surrounds', () => {
    fc.assert(
      fc.property(
        shape3.chain((shape) =>
          fc.tuple(
            layouts(shape),
            fc.array(fc.tuple(fc.nat(2), fc.nat(2)), { minLength: shape.length, maxLength: shape.length }),
          ),
        ),
        ([x, widths]) => {
          const y = pad(x, widths, -1);
          for (const index of indicesOf(y.shape)) {
            const inner = index.map((i, axis) => i - widths[axis]![0]);
            const inside = inner.every((i, axis) => i >= 0 && i < x.shape[axis]!);
            expect(y.get(...index)).toBe(inside ? x.get(...inner) : -1);
          }
        },
      ),
    );
    expect(() => pad(arange(2), [[0, -1]])).toThrow(ShapeError);
    expect(() => pad(arange(2), [])).toThrow('pad: 0 pairs of widths for shape [2]; give one per axis');
  });

  test('concatenate and slice are inverse; stack and at too', () => {
    fc.assert(
      fc.property(
        shape3.chain((shape) => fc.tuple(layouts(shape), layouts(shape), fc.nat(shape.length - 1))),
        ([x, y, axis]) => {
          const joined = concatenate([x, y, x], axis);
          const length = x.shape[axis]!;
          const part = (k: number): NDArray =>
            joined.slice(
              ...x.shape.map((_, a) => (a === axis ? { start: k * length, stop: (k + 1) * length } : null)),
            );
          expect([part(0), part(1), part(2)].map(elements)).toEqual([x, y, x].map(elements));
          expect(elements(stack([x, y]).at(1))).toEqual(elements(y));
        },
      ),
    );
    expect(stack([arange(2), arange(2)], 1).toArray()).toEqual([
      [0, 0],
      [1, 1],
    ]);
    expect(() => concatenate([])).toThrow(ShapeError);
    expect(() => concatenate([arange(2), arange(2).reshape([1, 2])])).toThrow(
      'concatenate: shapes [2] and [1, 2] differ beside axis 0',
    );
    expect(() => concatenate([arange(2), array([1], { dtype: 'int32' })])).toThrow(DTypeError);
    expect(() => stack([arange(2), arange(3)])).toThrow('stack: shapes [2] and [3] differ');
  });
});
