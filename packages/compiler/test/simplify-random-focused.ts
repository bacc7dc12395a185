/**
 * Random graphs of fewer operations, for rules that rarely meet in graphs of all: arithmetic on arithmetic,
 * and matrix products of movements and sums.
 */
import {
  add,
  binary,
  cast,
  expand,
  matmul,
  mul,
  permute,
  reshape,
  sub,
  sum,
  transpose,
  unary,
  where,
} from '@firsthand/graph';
import { sizeOf } from '@firsthand/linalg';
import fc from 'fast-check';
import {
  BINARY,
  build,
  constantLike,
  DTYPES_OF_ALL,
  fitted,
  type Operation,
  pick,
  type RandomGraph,
  rotated,
} from './simplify-random.ts';
import { argument, elements, evaluate, SPECIAL, textOf } from './simplify-support.ts';

/** Elementwise operations that the rules of arithmetic, logic and casts look for, on top of each other. */
const EXPRESSIONS: readonly Operation[] = [
  (a, _, __, detail) =>
    unary(pick(['neg', 'neg', 'abs', 'floor', 'round', 'isNaN', 'reciprocal', 'exp'], detail), a),
  (a) => unary('logicalNot', cast(a, 'bool')),
  (a, b, _, detail) => binary(pick(BINARY, detail), a, cast(b, a.dtype)),
  (a, b, _, detail) =>
    binary(pick(['sub', 'mul', 'div', 'add'], detail), unary('neg', a), unary('neg', cast(b, a.dtype))),
  (a, _, __, detail) => binary(pick(BINARY, detail >> 4), a, constantLike(a, detail)),
  (a, _, __, detail) => binary(pick(BINARY, detail >> 4), constantLike(a, detail), a),
  (a, _, __, detail) => binary(pick(BINARY, detail), a, a),
  (a, b, c, detail) =>
    where(
      detail % 3 === 0
        ? cast(c, 'bool')
        : binary(pick(['lt', 'eq', 'ne', 'ge'], detail), a, cast(c, a.dtype)),
      a,
      cast(b, a.dtype),
    ),
  (a, _, c, detail) =>
    where(cast(c, 'bool'), detail % 2 === 0 ? a : constantLike(a, detail >> 1), constantLike(a, detail >> 3)),
  (a, _, __, detail) => cast(a, pick(DTYPES_OF_ALL, detail)),
];

/** Elementwise expressions, computed for every special value and for pairs of them. */
export const expressions: fc.Arbitrary<RandomGraph> = fc
  .record({
    inputs: fc.tuple(
      fc.constantFrom(...DTYPES_OF_ALL),
      fc.constantFrom(...DTYPES_OF_ALL),
      fc.nat(SPECIAL.length),
    ),
    list: fc.array(
      fc.record({
        operation: fc.nat(EXPRESSIONS.length - 1),
        a: fc.nat(2),
        b: fc.nat(31),
        c: fc.nat(31),
        detail: fc.nat(1023),
      }),
      {
        minLength: 2,
        maxLength: 10,
        size: 'max',
      },
    ),
  })
  .map(({ inputs: [first, second, shift], list }) => {
    const count = SPECIAL.length;
    const shifted = [...SPECIAL.slice(shift), ...SPECIAL];
    const data = new Map([
      [argument('x', [count], first), elements(SPECIAL, count, first)],
      [argument('y', [count], second), elements(shifted, count, second)],
    ]);
    const roots = build([...data.keys()], list, false, EXPRESSIONS);
    return { roots, data, [fc.toStringMethod]: () => roots.map(textOf).join('\n') };
  });

/**
 * Sums, products and movements, with matrix products between them: of small whole numbers, every value is
 * exact whatever the order of the terms.
 */
const PRODUCTS: readonly Operation[] = [
  (a, b) => matmul(a, b),
  (a, b) => matmul(transpose(a), b),
  (a, b) => matmul(a, transpose(b)),
  (a) => matmul(a, transpose(a)),
  (a, b) => matmul(expand(a, [2, ...a.shape.slice(-2)]), b),
  (a) => transpose(a),
  (a, b) => sum(matmul(transpose(a), b), { axis: 0 }),
  (a) => sum(matmul(transpose(a), mul(a, 3)), { axis: 0, keepDims: true }),
  (a, b) => transpose(matmul(a, transpose(b))),
  (a, _, __, detail) => permute(a, rotated(a, detail)),
  (a, _, __, detail) => sum(a, { axis: detail % a.shape.length, keepDims: detail % 3 > 0 }),
  (a, _, __, detail) =>
    sum(a, { axis: [...a.shape.keys()].slice(0, 1 + (detail % 2)), keepDims: detail % 3 > 0 }),
  (a) => reshape(a, [a.shape[0]! * a.shape[1]!, ...a.shape.slice(2)]),
  (a, b) => reshape(a, [...b.shape.slice(0, -1), sizeOf(a.shape) / sizeOf(b.shape.slice(0, -1))]),
  (a) => reshape(a, [1, ...a.shape]),
  (a, b) => add(a, fitted(b, a)),
  (a, b) => sub(a, fitted(b, a)),
  (a) => mul(a, -2),
  (a, b) => mul(a, fitted(b, a)),
];
const LARGEST_WHOLE = 2 ** 50;

/** Graphs of matrix products of whole numbers. */
export const productGraphs: fc.Arbitrary<RandomGraph> = fc
  .record({
    shapes: fc.array(fc.array(fc.constantFrom(1, 2, 3, 3, 4), { minLength: 2, maxLength: 4 }), {
      minLength: 2,
      maxLength: 4,
    }),
    list: fc.array(
      fc.record({
        operation: fc.nat(PRODUCTS.length - 1),
        a: fc.nat(2),
        b: fc.nat(31),
        c: fc.nat(31),
        detail: fc.nat(31),
      }),
      {
        minLength: 2,
        maxLength: 12,
        size: 'max',
      },
    ),
  })
  .map(({ shapes, list }) => {
    const data = new Map(
      shapes.map((extents, index) => {
        const values = Array.from({ length: 29 }, (_, place) => ((place * (index + 3)) % 5) - 2);
        return [
          argument(`x${index}`, extents, 'float64'),
          elements(values, sizeOf(extents), 'float64'),
        ] as const;
      }),
    );
    const roots = build([...data.keys()], list, false, PRODUCTS);
    return { roots, data, [fc.toStringMethod]: () => roots.map(textOf).join('\n') };
  })
  .filter(({ roots, data }) =>
    evaluate(roots, data).every((values) => values.every((value) => Math.abs(value) < LARGEST_WHOLE)),
  );
