// Index expressions against plain integer arithmetic: random movements of random shapes, walked element by
// element.
import { constant, node, type Movement, type Node, type NodeOf } from '@firsthand/graph';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { coalesce } from '../src/lower/coalesce.ts';
import {
  addIndices,
  axisIndex,
  boundsOf,
  constantIndex,
  evaluateIndex,
  coefficientOf,
  isAffine,
  quotient,
  remainder,
  scaleIndex,
  type Index,
} from '../src/ir/index-expression.ts';
import { flatten, isRearrangement, pull, push, unflatten, type Guard } from '../src/ir/coordinates.ts';

/** All places of a shape, in row-major order. */
function placesOf(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>(
    (places, extent) => places.flatMap((place) => Array.from({ length: extent }, (_, i) => [...place, i])),
    [[]],
  );
}
const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const identity = (rank: number): Index[] => Array.from({ length: rank }, (_, axis) => axisIndex(axis));

/** An array of `shape` whose elements are their positions, moved; null shows padding. */
function moved(
  { attrs, shape }: NodeOf<'movement'>,
  from: readonly number[],
  values: readonly (number | null)[],
): (number | null)[] {
  const strides = from.map((_, axis) => sizeOf(from.slice(axis + 1)));
  const read = (place: readonly number[]): number | null =>
    place.every((index, axis) => index >= 0 && index < from[axis]!)
      ? values[place.reduce((sum, index, axis) => sum + index * strides[axis]!, 0)]!
      : null;
  if (attrs.kind === 'reshape') return [...values];
  return placesOf(shape).map((place) => {
    if (attrs.kind === 'permute') return read(from.map((_, axis) => place[attrs.axes.indexOf(axis)]!));
    if (attrs.kind === 'expand') return read(place.map((index, axis) => (from[axis] === 1 ? 0 : index)));
    if (attrs.kind === 'pad') return read(place.map((index, axis) => index - attrs.before[axis]!));
    if (attrs.kind === 'shrink') return read(place.map((index, axis) => index + attrs.begin[axis]!));
    if (attrs.kind === 'flip')
      return read(place.map((index, axis) => (attrs.axes.includes(axis) ? from[axis]! - 1 - index : index)));
    return read(place);
  });
}

interface Choice {
  readonly kind: number;
  readonly seed: number;
}
const SHAPES: { readonly [size: number]: readonly (readonly number[])[] } = {
  12: [[12], [3, 4], [4, 3], [2, 6], [2, 3, 2], [1, 12], [2, 1, 6]],
  24: [[24], [4, 6], [2, 3, 4], [6, 4], [2, 12], [3, 8], [2, 2, 6]],
};

/** A movement of `x` that the choice picks. */
function movementOf(x: Node, { kind, seed }: Choice): NodeOf<'movement'> {
  const { shape } = x;
  const pick = (axis: number, bound: number): number => (seed >> (axis % 8)) % bound;
  const options: (() => Movement)[] = [
    () => {
      const shapes = SHAPES[sizeOf(shape)] ?? [[sizeOf(shape)]];
      return { kind: 'reshape', shape: shapes[seed % shapes.length]! };
    },
    () => ({ kind: 'permute', axes: shape.map((_, axis) => (axis + seed) % shape.length) }),
    () => ({
      kind: 'expand',
      shape: shape.map((extent, axis) => (extent === 1 ? 1 + pick(axis, 3) : extent)),
    }),
    () => ({
      kind: 'pad',
      before: shape.map((_, axis) => pick(axis, 3)),
      after: shape.map((_, axis) => pick(axis + 1, 2)),
    }),
    () => ({
      kind: 'shrink',
      begin: shape.map((extent, axis) => pick(axis, Math.min(2, extent))),
      end: [...shape],
    }),
    () => ({ kind: 'flip', axes: shape.flatMap((_, axis) => (pick(axis, 2) === 0 ? [axis] : [])) }),
  ];
  return node<'movement'>('movement', options[kind % options.length]!(), [x]);
}

const choices = fc.array(fc.record({ kind: fc.nat(5), seed: fc.nat(255) }), { minLength: 1, maxLength: 6 });
const start = fc.constantFrom([12], [3, 4], [2, 3, 2], [24], [2, 3, 4], [1, 12], [4, 6]);

describe('movements as rewrites', () => {
  test('pull finds the element that each place shows, over the axes as they are and over one long axis', () => {
    fc.assert(
      fc.property(start, choices, fc.boolean(), (shape, list, isFlat) => {
        let x: Node = constant(0, shape, 'float32');
        let values: (number | null)[] = Array.from({ length: sizeOf(shape) }, (_, position) => position);
        const chain: NodeOf<'movement'>[] = [];
        for (const choice of list) {
          const next = movementOf(x, choice);
          if (sizeOf(next.shape) > 600) break;
          values = moved(next, x.shape, values);
          chain.unshift(next);
          x = next;
        }
        const extents = isFlat ? [sizeOf(x.shape)] : [...x.shape];
        const space = { extents, splits: new Map<number, number>() };
        const guards: Guard[] = [];
        let at = isFlat ? unflatten(axisIndex(0), x.shape, space) : identity(extents.length);
        for (const movement of chain) at = pull(movement, at, space, guards);
        const place = flatten(at, shape);
        const actual = placesOf(extents).map((each) =>
          guards.every(
            ({ index, high }) => evaluateIndex(index, each) >= 0 && evaluateIndex(index, each) < high,
          )
            ? evaluateIndex(place, each)
            : null,
        );
        expect(actual).toEqual(values);
      }),
      { numRuns: 500 },
    );
  });

  test('push is the way back', () => {
    fc.assert(
      fc.property(start, choices, (shape, list) => {
        let x: Node = constant(0, shape, 'float32');
        const space = { extents: shape, splits: new Map<number, number>() };
        let at: readonly Index[] = identity(shape.length);
        let values: (number | null)[] = Array.from({ length: sizeOf(shape) }, (_, position) => position);
        for (const choice of list) {
          const next = movementOf(x, choice);
          if (!isRearrangement(next)) continue;
          at = push(next, at, space);
          values = moved(next, x.shape, values);
          x = next;
        }
        const place = flatten(at, x.shape);
        placesOf(shape).forEach((each, position) =>
          expect(values[evaluateIndex(place, each)]).toBe(position),
        );
      }),
      { numRuns: 300 },
    );
  });
});

describe('quotients and remainders', () => {
  const expression = fc
    .record({ factors: fc.tuple(fc.nat(12), fc.nat(12), fc.nat(12)), offset: fc.nat(20) })
    .map(({ factors, offset }) =>
      addIndices(
        constantIndex(offset),
        ...factors.map((factor, axis) => scaleIndex(axisIndex(axis), factor)),
      ),
    );
  const extents = [3, 4, 2];

  test('are those of integers, and make the whole again', () => {
    fc.assert(
      fc.property(expression, fc.integer({ min: 1, max: 12 }), (x, by) => {
        const [whole, rest] = [quotient(x, by, extents, new Map()), remainder(x, by, extents, new Map())];
        for (const place of placesOf(extents)) {
          const value = evaluateIndex(x, place);
          expect(evaluateIndex(whole, place)).toBe(Math.floor(value / by));
          expect(evaluateIndex(rest, place)).toBe(value % by);
        }
        expect(addIndices(scaleIndex(whole, by), rest)).toEqual(x);
        const [low, high] = boundsOf(rest, extents);
        expect(low).toBeGreaterThanOrEqual(0);
        expect(high).toBeLessThan(by + boundsOf(x, extents)[1]);
      }),
    );
  });

  test('a place that was taken apart into coordinates is put together again', () => {
    for (const shape of [
      [2, 2, 2],
      [2, 3, 4],
      [3, 1, 2, 2],
      [5, 2],
    ]) {
      const space = { extents: [sizeOf(shape)], splits: new Map<number, number>() };
      expect(flatten(unflatten(axisIndex(0), shape, space), shape)).toEqual(axisIndex(0));
    }
  });

  test('of windows vanish: rows that are one longer than the windows shift are taken apart', () => {
    const [x, extents] = [addIndices(scaleIndex(axisIndex(0), 31), axisIndex(1)), [28, 3]];
    expect(quotient(x, 30, extents, new Map())).toEqual(axisIndex(0));
    expect(remainder(x, 30, extents, new Map())).toEqual(addIndices(axisIndex(0), axisIndex(1)));
    // 31·27 + 3 is 30·27 + 30: there it is the next row.
    expect(isAffine(quotient(x, 30, [28, 4], new Map()))).toBe(false);
  });

  test('a loop that would be divided asks to be cut', () => {
    const splits = new Map<number, number>();
    expect(isAffine(quotient(axisIndex(0), 4, [12], splits))).toBe(false);
    expect([...splits]).toEqual([[0, 4]]);
    // 4·(two loops) needs no division any more.
    expect(quotient(addIndices(scaleIndex(axisIndex(0), 4), axisIndex(1)), 4, [3, 4], splits)).toEqual(
      axisIndex(0),
    );
  });

  test('the factor of an axis is unknown inside a quotient', () => {
    const x = addIndices(scaleIndex(axisIndex(1), 5), quotient(axisIndex(0), 3, [7, 2], new Map()));
    expect([coefficientOf(x, 1), coefficientOf(x, 2), coefficientOf(x, 0)]).toEqual([5, 0, null]);
  });
});

describe('coalesce', () => {
  test('merges loops over neighbouring memory, and no others', () => {
    const index = (...factors: readonly number[]): Index =>
      addIndices(...factors.map((factor, axis) => scaleIndex(axisIndex(axis), factor)));
    expect(coalesce([2, 3, 4], 3, [index(12, 4, 1)])).toMatchObject({ extents: [24], rows: 1 });
    expect(coalesce([2, 3, 4], 3, [index(12, 4, 1), index(0, 4, 1)])).toMatchObject({
      extents: [2, 12],
      rows: 2,
    });
    expect(coalesce([2, 3, 4], 3, [index(3, 1, 6)])).toMatchObject({ extents: [6, 4], rows: 2 });
    expect(coalesce([2, 3, 4], 1, [index(12, 4, 1)])).toMatchObject({ extents: [2, 12], rows: 1 });
    expect(coalesce([2, 3, 4], 2, [index(12, 4, 1)])).toMatchObject({ extents: [6, 4], rows: 1 });
  });

  test('rewritten expressions have the same values', () => {
    const parts = fc.array(fc.tuple(fc.nat(2), fc.nat(2), fc.nat(2), fc.nat(3)), {
      minLength: 1,
      maxLength: 3,
    });
    fc.assert(
      fc.property(parts, fc.integer({ min: 0, max: 3 }), (list, rows) => {
        const extents = [2, 3, 4];
        const stride = [12, 4, 1];
        const indices = list.map(([a, b, c, offset]) =>
          addIndices(
            constantIndex(offset),
            ...[a, b, c].map((factor, axis) => scaleIndex(axisIndex(axis), factor * stride[axis]!)),
          ),
        );
        const merged = coalesce(extents, rows, indices);
        const values = (list_: readonly Index[], lengths: readonly number[]): number[][] =>
          placesOf(lengths).map((place) => list_.map((each) => evaluateIndex(each, place)));
        expect(values(indices.map(merged.rewrite), merged.extents)).toEqual(values(indices, extents));
      }),
    );
  });
});
