/**
 * Operations derived from primitives, each written once. Where the plain formula overflows, or where its
 * derivative at an edge would be 0·∞, the form here is the one that stays finite; ties and edges follow
 * PyTorch. Of float16 they are computed in float32 and rounded once.
 */
import {
  formatShape,
  normalizeAxis,
  normalizeIndex,
  resolveRange,
  ShapeError,
  sizeOf,
} from '@firsthand/linalg';
import { constant, widened, withGradient } from '../ir/node.ts';
import {
  add,
  argsort,
  cast,
  div,
  eq,
  exp,
  expand,
  flip,
  gather,
  ge,
  gt,
  identity,
  iota,
  le,
  log,
  lt,
  max,
  mul,
  neg,
  pad,
  reduce,
  reshape,
  scatter,
  shrink,
  sqrt,
  sub,
  sum,
  unary,
  where,
} from './ops.ts';
import type { ReduceOptions, SliceRange } from '@firsthand/linalg';
import type { Node, Shape } from '../ir/types.ts';
import { operandOf, reducedAxes, requireFloat, requireIndex } from '../ir/shapes.ts';

/** The value of `x`, with no path for gradients. */
export function stopGradient(x: Node): Node {
  return withGradient(false, () => identity(x));
}

// ---- activations

/** max(x, 0) with relu'(0) = 0; NaN stays NaN. */
export const relu = (x: Node): Node => where(le(x, 0), 0, x);

/** x for x > 0, else slope·x; the derivative at 0 is the slope. */
export const leakyRelu = (x: Node, slope = 0.01): Node =>
  widened((wide) => where(gt(wide, 0), wide, mul(wide, slope)), x);

/**
 * x for x > 0, else α(eˣ − 1). At 0 the first derivative is α, that of the left side, and all higher ones are
 * 0, those of the right side: at 0 the function is αx.
 */
export function elu(x: Node, alpha = 1): Node {
  return widened((wide) => {
    const straight = ge(wide, 0);
    const line = alpha === 1 ? wide : where(gt(wide, 0), wide, mul(wide, alpha));
    return where(straight, line, mul(unary('expm1', where(straight, 0, wide)), alpha));
  }, x);
}

/**
 * x·Φ(x), with Φ the normal distribution function; or its tanh approximation (Hendrycks & Gimpel 2016),
 * x/2·(1 + tanh u) with u = √(2/π)(x + 0.044715 x³). Neither is written with a sum of 1 and a function: for x
 * < 0 that is a difference of nearly equal numbers. 1 + tanh u is 2σ(2u).
 */
export function gelu(x: Node, approximate: 'none' | 'tanh' = 'none'): Node {
  return widened(approximate === 'none' ? exactGelu : tanhGelu, x);
}

const exactGelu = (x: Node): Node => mul(x, unary('normalCdf', x));

function tanhGelu(x: Node): Node {
  const scale = 2 * Math.sqrt(2 / Math.PI);
  const twice = mul(x, add(mul(mul(x, x), 0.044715 * scale), scale)); // 2u
  return mul(x, unary('sigmoid', twice));
}

/** x·σ(x) */
export const silu = (x: Node): Node => widened((wide) => mul(wide, unary('sigmoid', wide)), x);

/** log(1 + eˣ), without overflow: x + log(1 + e⁻ˣ) for x > 0. */
export function softplus(x: Node): Node {
  return widened((wide) => {
    const positive = gt(wide, 0);
    const above = add(wide, unary('log1p', exp(neg(where(positive, wide, 0)))));
    return where(positive, above, unary('log1p', exp(where(positive, 0, wide))));
  }, x);
}

/** x limited to [low, high]; the gradient passes at the bounds, NaN stays NaN. */
export function clamp(x: Node, low: number | null, high: number | null): Node {
  const raised = low === null ? x : where(lt(x, low), low, x);
  return high === null ? raised : where(gt(raised, high), high, raised);
}

// ---- reductions

/** The number of elements that a reduction folds into one. */
export function reducedCount(x: Node, axis: ReduceOptions['axis'], operation: string): number {
  return reducedAxes(operation, axis, x.shape.length).reduce((count, each) => count * x.shape[each]!, 1);
}

/** Σ x / n over the axes. @throws DTypeError for integers */
export function mean(x: Node, options: ReduceOptions = {}): Node {
  requireFloat('mean', x);
  return widened((wide) => div(sum(wide, options), reducedCount(x, options.axis, 'mean')), x);
}

/** Two-pass variance; divides by n − correction (1 gives the unbiased estimate). */
export function variance(
  x: Node,
  options: ReduceOptions & { readonly correction?: number | undefined } = {},
): Node {
  requireFloat('var', x);
  const { correction = 1, ...rest } = options;
  return widened((wide) => {
    const centred = sub(wide, mean(wide, { axis: rest.axis, keepDims: true }));
    return div(sum(mul(centred, centred), rest), Math.max(0, reducedCount(x, rest.axis, 'var') - correction));
  }, x);
}

/** √x with derivative 0 where x = 0: the subgradient of a norm at the origin. */
function sqrtAtOrigin(x: Node): Node {
  const zero = eq(x, 0);
  return where(zero, 0, sqrt(where(zero, 1, x)));
}

/** √variance, with derivative 0 where all elements are equal. */
export function standardDeviation(
  x: Node,
  options?: ReduceOptions & { readonly correction?: number | undefined },
): Node {
  return widened((wide) => sqrtAtOrigin(variance(wide, options)), x);
}

/** Sums over the axes that broadcasting has stretched from `shape`. */
export function sumTo(x: Node, shape: Shape): Node {
  const extra = x.shape.length - shape.length;
  const axes = x.shape
    .map((_, axis) => axis)
    .filter((axis) => axis < extra || (shape[axis - extra] === 1 && x.shape[axis] !== 1));
  return axes.length === 0 ? x : reshape(sum(x, { axis: axes, keepDims: true }), shape);
}

/** The 1-, 2- or ∞-norm over the axes. */
export function norm(x: Node, options: ReduceOptions & { readonly order?: number | undefined } = {}): Node {
  requireFloat('norm', x);
  const { order = 2, ...rest } = options;
  if (order === 1) return sum(unary('abs', x), rest);
  if (order === 2) return widened((wide) => sqrtAtOrigin(sum(mul(wide, wide), rest)), x);
  if (order === Infinity) return max(unary('abs', x), rest);
  const expected = '1, 2 or Infinity';
  throw new ShapeError({
    operation: 'norm',
    problem: `the order must be ${expected}, got ${order}`,
    operands: [operandOf(x)],
    expected,
  });
}

/** 1 where an element differs from 0, else 0; int32. */
const truth = (x: Node): Node => cast(cast(x, 'bool'), 'int32');
/** True where any element differs from 0 (of none, false); bool. */
export const any = (x: Node, options?: ReduceOptions): Node => cast(reduce('sum', truth(x), options), 'bool');
/** True where all elements differ from 0 (of none, true); bool. */
export const all = (x: Node, options?: ReduceOptions): Node =>
  cast(reduce('prod', truth(x), options), 'bool');

// ---- cutting

/**
 * Elements start, start + step, … before stop, along one axis. Negative bounds count from the end. step > 0.
 */
export function slice(x: Node, axis: number, start: number, stop: number, step = 1): Node {
  const along = normalizeAxis('slice', axis, x.shape.length);
  if (!Number.isInteger(step) || step < 1) {
    const expected = 'a whole number, 1 or more';
    const problem = `the step must be ${expected}, got ${step}`;
    throw new ShapeError({
      operation: 'slice',
      problem,
      operands: [operandOf(x)],
      expected,
      remedy: 'use flip to go backward',
    });
  }
  const extent = x.shape[along]!;
  const bound = (value: number): number => Math.min(Math.max(value < 0 ? value + extent : value, 0), extent);
  const from = bound(start);
  const count = Math.max(0, bound(stop) - from);
  const replace = (shape: Shape, extents: readonly number[]): number[] => [
    ...shape.slice(0, along),
    ...extents,
    ...shape.slice(along + 1),
  ];
  const cut = shrink(
    x,
    replace(
      x.shape.map(() => 0),
      [from],
    ),
    replace(x.shape, [from + count]),
  );
  if (step === 1) return cut;
  // A stride is a reshape: pad to whole groups of `step`, keep the first of each group.
  const groups = Math.ceil(count / step);
  const none = x.shape.map(() => 0);
  const whole = pad(cut, none, replace(none, [groups * step - count]));
  const split = reshape(whole, replace(x.shape, [groups, step]));
  const firsts = shrink(
    split,
    split.shape.map(() => 0),
    split.shape.map((size, each) => (each === along + 1 ? Math.min(1, size) : size)),
  );
  return reshape(firsts, replace(x.shape, [groups]));
}

/**
 * The part of `x` at an index, which drops its axis, or in a range, for each leading axis; null keeps an axis
 * whole.
 * @throws ShapeError if there are more indices than axes, or one is out of range
 */
export function at(x: Node, indices: readonly (number | SliceRange | null)[], operation = 'at'): Node {
  if (indices.length > x.shape.length) {
    throw new ShapeError({
      operation,
      problem: `${indices.length} indices for a tensor of ${x.shape.length} axes`,
      operands: [operandOf(x)],
      expected: `at most ${x.shape.length}`,
    });
  }
  const ranges = x.shape.map((extent, axis) => {
    const index = indices[axis] ?? {};
    if (typeof index !== 'number') return resolveRange(operation, index, extent);
    return { first: normalizeIndex(operation, index, extent, axis, [operandOf(x)]), count: 1, step: 1 };
  });
  // Where a range walks backward, its elements are taken forward and then reversed.
  const lowest = ranges.map(({ first, count, step }) => (step < 0 ? first + (count - 1) * step : first));
  const begin = ranges.map(({ count }, axis) => (count === 0 ? 0 : lowest[axis]!));
  const end = ranges.map(({ count, step }, axis) =>
    count === 0 ? 0 : lowest[axis]! + (count - 1) * Math.abs(step) + 1,
  );
  const whole = begin.every((start, axis) => start === 0 && end[axis] === x.shape[axis]);
  const cut = whole ? x : shrink(x, begin, end);
  const strided = ranges.reduce(
    (value, { step }, axis) => (Math.abs(step) > 1 ? slice(value, axis, 0, Infinity, Math.abs(step)) : value),
    cut,
  );
  const backward = ranges.flatMap(({ step, count }, axis) => (step < 0 && count > 1 ? [axis] : []));
  const ordered = backward.length === 0 ? strided : flip(strided, backward);
  return reshape(
    ordered,
    ordered.shape.filter((_, axis) => typeof indices[axis] !== 'number'),
  );
}

/** Slices of `x` at the given positions of one axis. index: any shape; its axes replace `axis`. */
export function indexSelect(x: Node, index: Node, axis: number): Node {
  requireIndex('indexSelect', index);
  if (x.shape.length === 0) return indexSelect(reshape(x, [1]), index, axis);
  const along = normalizeAxis('indexSelect', axis, x.shape.length);
  const count = sizeOf(index.shape);
  const flat = reshape(
    index,
    x.shape.map((_, each) => (each === along ? count : 1)),
  );
  const shape = x.shape.map((extent, each) => (each === along ? count : extent));
  const taken = gather(x, expand(flat, shape), along);
  return reshape(taken, [...x.shape.slice(0, along), ...index.shape, ...x.shape.slice(along + 1)]);
}

/** The lower triangle of the last two axes (column ≤ row + diagonal), zeros elsewhere. */
export function tril(x: Node, diagonal = 0): Node {
  return triangle('tril', x, (row, column) => le(column, add(row, diagonal)));
}

/** The upper triangle of the last two axes (column ≥ row + diagonal), zeros elsewhere. */
export function triu(x: Node, diagonal = 0): Node {
  return triangle('triu', x, (row, column) => le(add(row, diagonal), column));
}

function triangle(operation: string, x: Node, keep: (row: Node, column: Node) => Node): Node {
  const rank = x.shape.length;
  if (rank < 2) throw new ShapeError({ operation, operands: [operandOf(x)], expected: 'two axes or more' });
  const plane = x.shape.slice(-2);
  return where(keep(iota(plane, 0), iota(plane, 1)), x, constant(0, [], x.dtype));
}

/** The largest (or smallest) `count` elements along an axis, in order, with their indices. */
export function topk(
  x: Node,
  count: number,
  axis: number,
  largest = true,
): { readonly values: Node; readonly indices: Node } {
  const along = normalizeAxis('topk', axis, x.shape.length);
  if (!(count >= 0 && count <= x.shape[along]!)) {
    const problem = `${count} elements of an axis with ${x.shape[along]} in ${formatShape(x.shape)}`;
    const expected = `a whole number from 0 to ${x.shape[along]}`;
    throw new ShapeError({ operation: 'topk', problem, operands: [operandOf(x)], expected });
  }
  const indices = slice(argsort(x, along, largest), along, 0, count);
  return { values: gather(x, indices, along), indices };
}

// ---- random numbers and labels

/**
 * Standard normal values from two uniforms each, by Box & Muller (1958): √(−2 ln u₁)·cos 2πu₂ with u₁ in (0,
 * 1].
 */
export function boxMuller(first: Node, second: Node): Node {
  const radius = sqrt(mul(log(sub(1, first)), -2));
  return mul(radius, unary('cos', mul(second, 2 * Math.PI)));
}

/** 1 where the class is the label, else 0. labels: (…) integers; result: (…, classes). */
export function oneHot(labels: Node, classes: number, dtype: Node['dtype']): Node {
  requireIndex('oneHot', labels);
  const shape = [...labels.shape, classes];
  const column = expand(reshape(cast(labels, 'int32'), [...labels.shape, 1]), shape);
  return cast(eq(iota(shape, shape.length - 1), column), dtype);
}

/** Adds `source` into a copy of `base` along one axis. */
export const scatterAdd = (base: Node, index: Node, source: Node, axis: number): Node =>
  scatter('add', base, index, source, axis);
