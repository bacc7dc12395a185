/**
 * Random graphs over all primitives, with special values in every dtype. An instruction that the graph
 * refuses (a shape that does not fit, a dtype that an operation does not take) is left out. Sums of floats
 * have 0 added, so that a sum of −0 has one sign wherever the fold starts.
 */
import {
  add,
  argReduce,
  binary,
  BINARY_RULES,
  type BinaryKind,
  cast,
  constant,
  cumprod,
  cumsum,
  type DType,
  expand,
  flip,
  gather,
  iota,
  linearRecurrence,
  isFloat,
  argsort,
  matmul,
  node,
  type Node,
  pad,
  permute,
  random,
  reduce,
  type ReduceKind,
  reshape,
  scatter,
  shrink,
  transpose,
  unary,
  UNARY_RULES,
  type UnaryKind,
  where,
} from '@firsthand/graph';
import { DTypeError, ShapeError, sizeOf } from '@firsthand/linalg';
import fc from 'fast-check';
import { argument, type Data, elements, SPECIAL, textOf } from './simplify-support.ts';

/** A graph, and values for its arguments. */
export interface RandomGraph {
  readonly roots: readonly Node[];
  readonly data: Data;
}

interface Instruction {
  readonly operation: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly detail: number;
}

const FLOATS: readonly DType[] = ['float32', 'float64', 'float16'];
export const DTYPES_OF_ALL: readonly DType[] = [...FLOATS, 'int32', 'uint32', 'bool'];
const INTEGERS: readonly DType[] = ['int32', 'uint32', 'bool'];
const UNARY: readonly UnaryKind[] = Object.keys(UNARY_RULES) as UnaryKind[];
export const BINARY: readonly BinaryKind[] = Object.keys(BINARY_RULES) as BinaryKind[];
const REDUCE: readonly ReduceKind[] = ['sum', 'prod', 'max', 'min'];
const CONSTANTS: readonly number[] = [
  0,
  1,
  -1,
  2,
  -0,
  0.5,
  3,
  -4,
  Infinity,
  -Infinity,
  NaN,
  2 ** 31 - 1,
  -(2 ** 31),
  2 ** -126,
  0.1,
];
const MAX_SIZE = 64;
const MAX_RANK = 4;

export const pick = <T>(list: readonly T[], place: number): T => list[place % list.length]!;
const axisOf = (x: Node, detail: number): number => detail % Math.max(1, x.shape.length);
const at = (x: Node, axis: number, value: number): number[] =>
  x.shape.map((_, each) => (each === axis ? value : 0));
const axesOf = (x: Node, detail: number): number[] =>
  [...x.shape.keys()].filter((axis) => ((detail >> axis) & 1) === 1);

/** A constant of the dtype that is a number of it. */
export function constantLike(x: Node, detail: number, dtype: DType = x.dtype): Node {
  const value = pick(CONSTANTS, detail);
  return constant(value, x.shape, dtype);
}

/** The operand with the other's shape, as far as repeating, cutting and dropping axes can make it. */
export function fitted(x: Node, to: Node): Node {
  const missing = to.shape.length - x.shape.length;
  let fit = x;
  if (missing < 0) fit = reduce('max', x, { axis: Array.from({ length: -missing }, (_, axis) => axis) });
  const lead = to.shape.length - fit.shape.length;
  fit = shrink(
    fit,
    fit.shape.map(() => 0),
    fit.shape.map((extent, axis) => (extent === to.shape[axis + lead] ? extent : Math.min(1, extent))),
  );
  return expand(fit, to.shape);
}

const indexLike = (x: Node, detail: number): Node => {
  const axis = axisOf(x, detail);
  const shape = x.shape.map((extent, each) => (each === axis ? 1 + (detail % 3) : extent));
  return detail % 5 === 0
    ? constant((detail % 7) - 1, shape, 'int32')
    : detail % 5 === 1
      ? iota(shape, axis)
      : fitted(constant(detail % 4, [], 'int32'), constant(0, shape, 'int32'));
};

export const rotated = (x: Node, by: number): number[] =>
  [...x.shape.keys()].map((axis) => (axis + by) % x.shape.length);

export type Operation = (a: Node, b: Node, c: Node, detail: number) => Node;
const withZero = (x: Node): Node => (isFloat(x.dtype) ? add(x, 0) : x);

const OPERATIONS: readonly (readonly [weight: number, Operation])[] = [
  [5, (a, _, __, detail) => unary(pick(UNARY, detail), a)],
  [6, (a, b, _, detail) => binary(pick(BINARY, detail), a, fitted(cast(b, a.dtype), a))],
  [5, (a, _, __, detail) => binary(pick(BINARY, detail >> 4), a, constantLike(a, detail))],
  [2, (a, _, __, detail) => binary(pick(BINARY, detail >> 4), constantLike(a, detail), a)],
  [2, (a, _, __, detail) => binary(pick(BINARY, detail), a, a)],
  [3, (a, b, c) => where(fitted(cast(c, 'bool'), a), a, fitted(cast(b, a.dtype), a))],
  [
    2,
    (a, _, c, detail) =>
      where(
        fitted(cast(c, 'bool'), a),
        detail % 2 === 0 ? a : constantLike(a, detail >> 1),
        constantLike(a, detail >> 3),
      ),
  ],
  [5, (a, _, __, detail) => cast(a, pick(DTYPES_OF_ALL, detail))],
  [
    3,
    (a, _, __, detail) =>
      withZero(reduce(pick(REDUCE, detail), a, { axis: axesOf(a, detail >> 2), keepDims: detail % 3 > 0 })),
  ],
  [
    1,
    (a, _, __, detail) =>
      argReduce(detail % 2 === 0 ? 'argmax' : 'argmin', a, { axis: axisOf(a, detail >> 1), keepDims: true }),
  ],
  [1, (a, _, __, detail) => cumsum(a, axisOf(a, detail))],
  [1, (a, _, __, detail) => cumprod(a, axisOf(a, detail))],
  [1, (a, b, _, detail) => linearRecurrence(a, fitted(cast(b, a.dtype), a), axisOf(a, detail))],
  [1, (a, _, __, detail) => argsort(a, axisOf(a, detail), detail % 2 === 0)],
  [2, (a) => reshape(a, [sizeOf(a.shape)])],
  [2, (a, _, __, detail) => reshape(a, a.shape.toSpliced(detail % (a.shape.length + 1), 0, 1))],
  [
    2,
    (a) =>
      reshape(
        a,
        a.shape.filter((extent) => extent !== 1),
      ),
  ],
  [2, (a, b) => reshape(a, b.shape)],
  [3, (a, _, __, detail) => permute(a, rotated(a, detail))],
  [
    3,
    (a, _, __, detail) =>
      expand(
        a,
        a.shape.map((extent, axis) => (extent === 1 && axis !== detail % 3 ? 2 + (detail % 2) : extent)),
      ),
  ],
  [2, (a) => expand(a, [2, ...a.shape])],
  [
    3,
    (a, _, __, detail) =>
      pad(a, at(a, axisOf(a, detail), detail % 3), at(a, axisOf(a, detail), (detail >> 2) % 2)),
  ],
  [
    3,
    (a, _, __, detail) => {
      const axis = axisOf(a, detail);
      const begin = Math.min((detail >> 2) % 2, a.shape[axis]!);
      return shrink(
        a,
        at(a, axis, begin),
        a.shape.map((extent, each) =>
          each === axis ? Math.max(begin, extent - ((detail >> 3) % 2)) : extent,
        ),
      );
    },
  ],
  [2, (a, _, __, detail) => flip(a, axesOf(a, detail))],
  [1, (a, _, __, detail) => node('movement', { kind: 'barrier', id: detail % 3 }, [a])],
  [3, (a, _, __, detail) => gather(a, indexLike(a, detail), axisOf(a, detail))],
  [
    2,
    (a, b, _, detail) => {
      const axis = axisOf(a, detail);
      const index = fitted(
        cast(b, 'int32'),
        constant(
          0,
          a.shape.map((extent, each) => (each === axis ? 1 : extent)),
          'int32',
        ),
      );
      return gather(a, index, axis);
    },
  ],
  [
    1,
    (a, b, c, detail) => {
      const index = fitted(cast(c, 'int32'), a);
      return scatter(
        detail % 2 === 0 ? 'add' : 'set',
        a,
        index,
        fitted(cast(b, a.dtype), a),
        axisOf(a, detail),
      );
    },
  ],
  [1, (_, __, ___, detail) => iota([2, 3], detail % 2)],
  [
    1,
    (a, _, __, detail) =>
      random(
        fitted(cast(a, 'uint32'), constant(0, [2], 'uint32')),
        constant(detail, [2], 'uint32'),
        [3],
        detail % 2 === 0 ? 'uint32' : 'float32',
      ),
  ],
  [2, (a, b) => matmul(a, cast(b, a.dtype))],
  [1, (a) => matmul(a, transpose(a))],
];
const WEIGHTED: readonly Operation[] = OPERATIONS.flatMap(([weight, operation]) =>
  Array.from({ length: weight }, () => operation),
);

const instructions: fc.Arbitrary<readonly Instruction[]> = fc.array(
  fc.record({
    operation: fc.nat(WEIGHTED.length - 1),
    a: fc.nat(7),
    b: fc.nat(31),
    c: fc.nat(31),
    detail: fc.nat(1023),
  }),
  { minLength: 1, maxLength: 24, size: 'max' },
);
const shape = fc.array(
  fc.oneof(
    { weight: 20, arbitrary: fc.integer({ min: 1, max: 4 }) },
    { weight: 1, arbitrary: fc.constant(0) },
  ),
  {
    maxLength: 3,
  },
);

/** Graphs whose arguments have the given dtypes; of integers alone, every value stays one. */
function graphs(dtypes: readonly DType[]): fc.Arbitrary<RandomGraph> {
  const isInteger = dtypes.every((dtype) => !isFloat(dtype));
  return fc
    .record({
      inputs: fc.array(fc.tuple(shape, fc.constantFrom(...dtypes), fc.nat(40)), {
        minLength: 1,
        maxLength: 3,
      }),
      list: instructions,
    })
    .map(({ inputs, list }) => {
      const data = new Map(
        inputs.map(([extents, dtype, start], index) => {
          const values = [...SPECIAL.slice(start % SPECIAL.length), ...SPECIAL];
          return [argument(`x${index}`, extents, dtype), elements(values, sizeOf(extents), dtype)] as const;
        }),
      );
      const roots = build([...data.keys()], list, isInteger);
      return { roots, data, [fc.toStringMethod]: () => roots.map(textOf).join('\n') };
    });
}

/** Graphs over all dtypes. */
export const anyGraph: fc.Arbitrary<RandomGraph> = graphs(DTYPES_OF_ALL);
/** Graphs over integers and truth values. */
export const integerGraph: fc.Arbitrary<RandomGraph> = graphs(INTEGERS);

export function build(
  inputs: readonly Node[],
  list: readonly Instruction[],
  isInteger: boolean,
  operations: readonly Operation[] = WEIGHTED,
): readonly Node[] {
  const values = [...inputs];
  const read = new Set<Node>();
  for (const { operation, a, b, c, detail } of list) {
    // The first operand is one of the latest values: so operations come on top of each other.
    const operands = [
      values[values.length - 1 - (a % Math.min(values.length, 3))]!,
      values[b % values.length]!,
      values[c % values.length]!,
    ] as const;
    const value = attempt(() => operations[operation]!(...operands, detail));
    if (
      value === null ||
      (isInteger && isFloat(value.dtype)) ||
      value.shape.length > MAX_RANK ||
      sizeOf(value.shape) > MAX_SIZE
    )
      continue;
    operands.forEach((operand) => read.add(operand));
    values.push(value);
  }
  return values.filter((value) => !read.has(value));
}

function attempt(create: () => Node): Node | null {
  try {
    return create();
  } catch (error) {
    if (error instanceof ShapeError || error instanceof DTypeError) return null;
    throw error;
  }
}
