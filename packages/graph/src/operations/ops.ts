/**
 * The operations as functions on nodes: operands are broadcast and JavaScript numbers become constants of the
 * other operand's dtype. Each is one primitive; `derived.ts` has the operations of several.
 */
import { SCATTER_NAMES } from '../ir/primitives.ts';
import {
  broadcastShapes,
  DTypeError,
  equalShapes,
  formatShape,
  normalizeAxis,
  ShapeError,
} from '@firsthand/linalg';
import type { ReduceOptions } from '@firsthand/linalg';
import { constant, fixedConstant, node } from '../ir/node.ts';
import type { BinaryKind, DType, Node, ReduceKind, ArgReduceKind, Shape, UnaryKind } from '../ir/types.ts';
import { isFloat, operandOf, reducedAxes, requireSameDType } from '../ir/shapes.ts';

/** A node, or a number that takes the other operand's dtype. */
export type Operand = Node | number;

// ---- movement

/** The same elements in another shape. @throws ShapeError */
export function reshape(x: Node, shape: Shape): Node {
  return equalShapes(x.shape, shape) ? x : node('movement', { kind: 'reshape', shape }, [x]);
}

/** The axes in another order. @throws ShapeError */
export function permute(x: Node, axes: readonly number[]): Node {
  const normalized = axes.map((axis) => normalizeAxis('permute', axis, x.shape.length));
  return node('movement', { kind: 'permute', axes: normalized }, [x]);
}

/** Exchanges two axes. */
export function transpose(x: Node, first = -2, second = -1): Node {
  const a = normalizeAxis('transpose', first, x.shape.length);
  const b = normalizeAxis('transpose', second, x.shape.length);
  const axes = x.shape.map((_, axis) => (axis === a ? b : axis === b ? a : axis));
  return permute(x, axes);
}

/** Stretches axes of size 1, and adds leading axes, to reach `shape`. */
export function expand(x: Node, shape: Shape): Node {
  if (equalShapes(x.shape, shape)) return x;
  const missing = shape.length - x.shape.length;
  if (missing < 0) {
    const problem = `${formatShape(x.shape)} has more axes than ${formatShape(shape)}`;
    throw new ShapeError({
      operation: 'expand',
      problem,
      operands: [operandOf(x)],
      expected: `a shape of ${x.shape.length} axes or more`,
    });
  }
  const aligned = missing === 0 ? x : reshape(x, [...Array.from({ length: missing }, () => 1), ...x.shape]);
  return equalShapes(aligned.shape, shape) ? aligned : node('movement', { kind: 'expand', shape }, [aligned]);
}

/** Zeros (false for bool) before and after each axis. */
export function pad(x: Node, before: readonly number[], after: readonly number[]): Node {
  return node('movement', { kind: 'pad', before, after }, [x]);
}

/** The box from `begin` (inclusive) to `end` (exclusive). */
export function shrink(x: Node, begin: readonly number[], end: readonly number[]): Node {
  return node('movement', { kind: 'shrink', begin, end }, [x]);
}

/** Elements in reverse order along the axes; along all by default. */
export function flip(x: Node, axis?: number | readonly number[]): Node {
  return node('movement', { kind: 'flip', axes: reducedAxes('flip', axis, x.shape.length) }, [x]);
}

/** The same value as a node of its own. */
export function identity(x: Node): Node {
  return node('movement', { kind: 'reshape', shape: x.shape }, [x]);
}

// ---- elementwise

/** A constant with the dtype of `like`, fit to broadcast against it. */
function operand(operation: string, value: Operand, like: Node): Node {
  return typeof value === 'number' ? numberLike(operation, value, like, like.shape) : value;
}

/** An exponent that is known decides what is computed, and what its derivative is. */
function exponent(value: Operand, like: Node): Node {
  if (typeof value === 'number') return numberLike('pow', value, like, like.shape, true);
  return value.op === 'const' ? fixedConstant(value.attrs.value, value.shape, value.dtype) : value;
}

/** @throws DTypeError for a number that the dtype cannot hold */
function numberLike(operation: string, value: number, like: Node, shape: Shape, fixed = false): Node {
  const { dtype } = like;
  const operands = [operandOf(like)];
  if (dtype === 'bool') {
    const problem = 'a number cannot meet a bool operand';
    throw new DTypeError({
      operation,
      problem,
      operands,
      expected: 'a tensor of numbers',
      remedy: "use cast('float32')",
    });
  }
  if (!isFloat(dtype) && !Number.isInteger(value)) {
    const remedy = 'cast the tensor to float32 first';
    throw new DTypeError({
      operation,
      problem: `${value} is no ${dtype}`,
      operands,
      expected: 'a whole number',
      remedy,
    });
  }
  return fixed ? fixedConstant(value, shape, dtype) : constant(value, shape, dtype);
}

/** The error of an operation on numbers alone. */
function numbersOnly(operation: string): DTypeError {
  return new DTypeError({ operation, problem: 'all operands are numbers', expected: 'a node among them' });
}

/** An elementwise operation on two operands, broadcast against each other. @throws ShapeError, DTypeError */
export function binary(kind: BinaryKind, a: Operand, b: Operand): Node {
  if (typeof a === 'number' && typeof b === 'number') throw numbersOnly(kind);
  const left = typeof a === 'number' ? operand(kind, a, b as Node) : a;
  const right = kind === 'pow' ? exponent(b, left) : typeof b === 'number' ? operand(kind, b, left) : b;
  requireSameDType(kind, left, right);
  // The larger of two truth values is true where either is.
  if (left.dtype === 'bool' && (kind === 'maximum' || kind === 'minimum')) {
    return binary(kind === 'maximum' ? 'logicalOr' : 'logicalAnd', left, right);
  }
  if (equalShapes(left.shape, right.shape)) return node('binary', { kind }, [left, right]);
  const shape = broadcastShapes(kind, left.shape, right.shape);
  return node('binary', { kind }, [expand(left, shape), expand(right, shape)]);
}

/** An elementwise function of one operand. @throws DTypeError */
export function unary(kind: UnaryKind, x: Node): Node {
  return node('unary', { kind }, [x]);
}

/** a + b */
export const add = (a: Operand, b: Operand): Node => binary('add', a, b);
/** a − b */
export const sub = (a: Operand, b: Operand): Node => binary('sub', a, b);
/** a · b, element by element. */
export const mul = (a: Operand, b: Operand): Node => binary('mul', a, b);
/** a / b; integers truncate, and give 0 for a division by zero. */
export const div = (a: Operand, b: Operand): Node => binary('div', a, b);
/** a to the power of b. */
export const pow = (a: Operand, b: Operand): Node => binary('pow', a, b);
/** The larger of two elements; NaN wins. */
export const maximum = (a: Operand, b: Operand): Node => binary('maximum', a, b);
/** The smaller of two elements; NaN wins. */
export const minimum = (a: Operand, b: Operand): Node => binary('minimum', a, b);
/** a = b, bool. */
export const eq = (a: Operand, b: Operand): Node => binary('eq', a, b);
/** a ≠ b, bool. */
export const ne = (a: Operand, b: Operand): Node => binary('ne', a, b);
/** a < b, bool. */
export const lt = (a: Operand, b: Operand): Node => binary('lt', a, b);
/** a ≤ b, bool. */
export const le = (a: Operand, b: Operand): Node => binary('le', a, b);
/** a > b, bool. */
export const gt = (a: Operand, b: Operand): Node => binary('gt', a, b);
/** a ≥ b, bool. */
export const ge = (a: Operand, b: Operand): Node => binary('ge', a, b);

/** −x */
export const neg = (x: Node): Node => unary('neg', x);
/** eˣ */
export const exp = (x: Node): Node => unary('exp', x);
/** ln x */
export const log = (x: Node): Node => unary('log', x);
/** √x */
export const sqrt = (x: Node): Node => unary('sqrt', x);
/** 1/√x */
export const rsqrt = (x: Node): Node => unary('rsqrt', x);
/** 1/x */
export const reciprocal = (x: Node): Node => unary('reciprocal', x);
/** ¬x, for bool. */
export const logicalNot = (x: Node): Node => unary('logicalNot', x);

/** condition ? a : b, broadcast against each other; a number takes the other branch's dtype. */
export function where(condition: Node, a: Operand, b: Operand): Node {
  const like = typeof a === 'number' ? b : a;
  if (typeof like === 'number') throw numbersOnly('where');
  const scalar = (value: Operand): Node =>
    typeof value === 'number' ? numberLike('where', value, like, []) : value;
  const left = scalar(a);
  const right = scalar(b);
  const shape = broadcastShapes('where', condition.shape, broadcastShapes('where', left.shape, right.shape));
  return node('where', {}, [expand(condition, shape), expand(left, shape), expand(right, shape)]);
}

/** Float to integer truncates toward zero and saturates; to bool it asks `≠ 0`. */
export function cast(x: Node, dtype: DType): Node {
  return x.dtype === dtype ? x : node('cast', { dtype }, [x]);
}

// ---- reductions

/**
 * A reduction over axes, all of them by default. Of bools, sums and products are int32 and extremes are
 * bools.
 * @throws ShapeError, DTypeError
 */
export function reduce(kind: ReduceKind, x: Node, options: ReduceOptions = {}): Node {
  if (x.dtype === 'bool') {
    const reduced = reduce(kind, cast(x, 'int32'), options);
    return kind === 'max' || kind === 'min' ? cast(reduced, 'bool') : reduced;
  }
  const { axis, keepDims = false } = options;
  const axes = reducedAxes(kind, axis, x.shape.length);
  const reduced = axes.length === 0 ? x : node('reduce', { kind, axes }, [x]);
  return keepDims ? reduced : dropAxes(reduced, axes);
}

/**
 * An operation along an axis that keeps the shape: a scalar counts as one row of one element, whose axis is
 * 0, or −1.
 */
export function alongAxis(
  operation: string,
  axis: number,
  operands: readonly Node[],
  f: (axis: number, ...rows: Node[]) => Node,
): Node {
  const rank = operands[0]!.shape.length;
  const along = normalizeAxis(operation, axis, Math.max(rank, 1));
  if (operands.some(({ shape }) => shape.length > 0))
    return f(normalizeAxis(operation, axis, rank), ...operands);
  return reshape(f(along, ...operands.map((each) => reshape(each, [1]))), []);
}

/** Truth values as numbers. */
const counted = (x: Node): Node => (x.dtype === 'bool' ? cast(x, 'int32') : x);

/** The shape without the named axes, which have size 1. */
export function dropAxes(x: Node, axes: readonly number[]): Node {
  return axes.length === 0
    ? x
    : reshape(
        x,
        x.shape.filter((_, axis) => !axes.includes(axis)),
      );
}

/** Σ x over the axes. */
export const sum = (x: Node, options?: ReduceOptions): Node => reduce('sum', x, options);
/** The largest element over the axes; NaN wins. */
export const max = (x: Node, options?: ReduceOptions): Node => reduce('max', x, options);

/** int32 index of the first extreme element; over all elements, in row-major order, when no axis is named. */
export function argReduce(
  kind: ArgReduceKind,
  x: Node,
  {
    axis,
    keepDims = false,
  }: { readonly axis?: number | undefined; readonly keepDims?: boolean | undefined } = {},
): Node {
  if (axis === undefined) {
    const flat = reshape(counted(x), [x.shape.reduce((size, extent) => size * extent, 1)]);
    const index = node('argReduce', { kind, axis: 0 }, [flat]);
    return reshape(index, keepDims ? x.shape.map(() => 1) : []);
  }
  return alongAxis(kind, axis, [counted(x)], (along, rows) => {
    const index = node('argReduce', { kind, axis: along }, [rows]);
    return keepDims || x.shape.length === 0 ? index : dropAxes(index, [along]);
  });
}

/** Running sums along an axis; bools count, as int32. */
export function cumsum(x: Node, axis: number): Node {
  return alongAxis('cumsum', axis, [counted(x)], (along, rows) =>
    node('prefixScan', { kind: 'sum', axis: along }, [rows]),
  );
}

/** Running products along an axis; of bools, int32. */
export function cumprod(x: Node, axis: number): Node {
  return alongAxis('cumprod', axis, [counted(x)], (along, rows) =>
    node('prefixScan', { kind: 'prod', axis: along }, [rows]),
  );
}

/** yᵢ = factorᵢ·yᵢ₋₁ + termᵢ along an axis, with 0 before the first. factor, term: one shape. */
export function linearRecurrence(factor: Node, term: Node, axis: number): Node {
  return alongAxis('linearRecurrence', axis, [term, factor], (along, b, a) =>
    node('prefixScan', { kind: 'linear', axis: along }, [a, b]),
  );
}

// ---- indexing

/** 0, 1, 2, … along `axis` of `shape`, int32. */
export function iota(shape: Shape, axis: number): Node {
  return node('iota', { shape, axis: normalizeAxis('iota', axis, shape.length) }, []);
}

/** out[…, i, …] = x[…, index[…, i, …], …]; index has the shape of x but for `axis`. */
export function gather(x: Node, index: Node, axis: number): Node {
  return alongAxis('gather', axis, [x, index], (along, ...rows) => node('gather', { axis: along }, rows));
}

/** A copy of `base` with `source` added or set at `index` along one axis. */
export function scatter(mode: 'add' | 'set', base: Node, index: Node, source: Node, axis: number): Node {
  return alongAxis(SCATTER_NAMES[mode], axis, [base, index, source], (along, ...rows) =>
    node('scatter', { axis: along, mode }, rows),
  );
}

/** The permutation that sorts along `axis`. */
export function argsort(x: Node, axis: number, descending = false): Node {
  return alongAxis('sort', axis, [x], (along, rows) => node('sort', { axis: along, descending }, [rows]));
}

/** Random uint32 bits or float32 uniforms in [0, 1), a pure function of key and counter. */
export function random(key: Node, counter: Node, shape: Shape, dtype: 'uint32' | 'float32'): Node {
  return node('random', { shape, dtype }, [key, counter]);
}
