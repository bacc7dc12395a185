/**
 * Smaller reductions: axes of extent 1, axes that only repeat, and axes that a movement made. The order of
 * the elements is unchanged, so that sums round as before; only the split of large reductions changes it.
 */
import type { Node, ReduceKind, Shape } from '@firsthand/graph';
import { isFloat, keepDimsShape } from '@firsthand/graph';
import { sizeOf } from '@firsthand/linalg';
import type { Rewriter, Rule } from './rewrite.ts';
import { inexact, movedBy, reduceRule, rule } from './rewrite-rule.ts';
import { axisGroups } from './reshape.ts';

const ALL: readonly ReduceKind[] = ['sum', 'prod', 'max', 'min'];
const ORDER_FREE: readonly ReduceKind[] = ['max', 'min'];
/**
 * How many copies may become n·x: below, n is a number of the dtype and no partial sum of the reference
 * rounds.
 */
const LARGEST_COUNT = {
  float16: 2 ** 11,
  float32: 2 ** 24,
  float64: 2,
  int32: 2 ** 31 - 1,
  uint32: 2 ** 31 - 1,
  bool: 0,
} as const;

/**
 * The axes of the value below a reshape that hold what the reduced axes hold, or null where only parts of
 * them do.
 */
function axesBelow(from: Shape, to: Shape, axes: readonly number[]): readonly number[] | null {
  const below: number[] = [];
  for (const group of axisGroups(from, to)) {
    const reduced = group.to.filter((axis) => axes.includes(axis)).length;
    if (reduced === group.to.length) below.push(...group.from);
    else if (reduced > 0) return null;
  }
  return below;
}

const ascending = (axes: readonly number[]): number[] => [...axes].sort((a, b) => a - b);
const isRepeated = (source: Node, to: Node, axis: number): boolean => source.shape[axis] !== to.shape[axis];

function withoutOnes(kind: ReduceKind, x: Node, axes: readonly number[], make: Rewriter): Node | null {
  const longer = axes.filter((axis) => x.shape[axis] !== 1);
  if (longer.length === axes.length) return null;
  return longer.length === 0 ? x : make.reduce(kind, x, longer);
}

/** Rules about reductions. */
export const REDUCE_RULES: readonly Rule[] = [
  // There is one element, which is the result.
  reduceRule(['prod', 'max', 'min'], 'fold over axes of extent 1', (x, axes, make, { attrs }) =>
    withoutOnes(attrs.kind, x, axes, make),
  ),
  // Other axes remain, and their elements in their order.
  reduceRule(['sum'], 'sum over axes of extent 1', (x, axes, make) =>
    axes.every((axis) => x.shape[axis] === 1) ? null : withoutOnes('sum', x, axes, make),
  ),
  inexact(
    // But for the sign of zero: a sum of −0 may start from 0.
    reduceRule(['sum'], 'Σ x ≈ x for one x', (x, axes) =>
      axes.every((axis) => x.shape[axis] === 1) ? x : null,
    ),
  ),
  // Copies of a row have equal reductions.
  reduceRule(ALL, 'fold(expand(x)) = expand(fold(x))', (x, axes, make, { attrs, shape }) => {
    const repeated = movedBy(x, 'expand');
    if (repeated === null) return null;
    const { source } = repeated;
    const inner = x.shape.map((extent, axis) => (axes.includes(axis) ? extent : source.shape[axis]!));
    if (sizeOf(inner) === sizeOf(x.shape)) return null;
    return make.expand(make.reduce(attrs.kind, make.expand(source, inner), axes), shape);
  }),
  // A copy is no larger.
  reduceRule(ORDER_FREE, 'max of copies = max', (x, axes, make, { attrs, shape }) => {
    const repeated = movedBy(x, 'expand');
    if (repeated === null || !axes.some((axis) => isRepeated(repeated.source, x, axis))) return null;
    return make.expand(make.reduce(attrs.kind, repeated.source, axes), shape);
  }),
  // For integers modulo 2³².
  reduceRule(['sum'], 'Σ of n equal terms = n·x', (x, axes, make) =>
    isFloat(x.dtype) ? null : sumOfCopies(x, axes, make),
  ),
  inexact(
    // But for the sign of zero: the partial sums are exact in float64.
    reduceRule(['sum'], 'Σ of n equal terms ≈ n·x', (x, axes, make) =>
      isFloat(x.dtype) ? sumOfCopies(x, axes, make) : null,
    ),
  ),
  // Whole axes are reduced, in the same order.
  reduceRule(ALL, 'fold(reshape(x)) = reshape(fold(x))', (x, axes, make, { attrs, shape }) => {
    const reshaped = movedBy(x, 'reshape');
    if (reshaped === null) return null;
    const below = axesBelow(reshaped.source.shape, x.shape, axes);
    return below === null || below.length === 0
      ? null
      : make.reshape(make.reduce(attrs.kind, reshaped.source, below), shape);
  }),
  // The reduction axes keep their order, or their order has no influence.
  reduceRule(ALL, 'fold(permute(x)) = permute(fold(x))', (x, axes, make, { attrs }) => {
    const permuted = movedBy(x, 'permute');
    if (permuted === null) return null;
    const below = ascending(axes).map((axis) => permuted.move.axes[axis]!);
    const isOrdered = below.every((axis, position) => position === 0 || axis > below[position - 1]!);
    if (!isOrdered && isFloat(x.dtype) && !ORDER_FREE.includes(attrs.kind)) return null;
    return make.permute(make.reduce(attrs.kind, permuted.source, ascending(below)), permuted.move.axes);
  }),
  // Products, and sums of integers; a float −0 would become 0, and 0 times a factor may be NaN.
  rule('prefixScan', 'scan along an axis of extent 1', ({ attrs: { kind, axis }, inputs, dtype, shape }) => {
    if (shape[axis] !== 1 || (kind !== 'prod' && isFloat(dtype))) return null;
    return inputs.at(-1)!;
  }),
];

/** Elements of a reduction from which it is split. */
const MANY = 2 ** 17;
/** Parts at the most: a thread has several of them. */
const MOST_PARTS = 16;

/**
 * For targets whose threads share rows: one row cannot be shared. The number of parts follows from the shape
 * alone.
 */
export const SPLIT_REDUCTION: Rule = inexact(
  // For very many elements; sums are added up in another order.
  reduceRule(
    ['sum', 'max', 'min'],
    'fold(x) ≈ fold(folds of parts)',
    (x, _axes, make, { attrs, shape, dtype }) => {
      const count = sizeOf(x.shape);
      if (sizeOf(shape) !== 1 || count < MANY) return null;
      let parts = MOST_PARTS;
      while (count % parts !== 0) parts--;
      if (parts === 1) return null;
      // Sums of float16 are float32 until the last: those of the parts may leave its range.
      const wide = attrs.kind === 'sum' && dtype === 'float16' ? make.cast(x, 'float32') : x;
      const partial = make.reduce(attrs.kind, make.reshape(wide, [parts, count / parts]), [1]);
      return make.cast(make.reshape(make.reduce(attrs.kind, partial, [0]), shape), dtype);
    },
  ),
);

/** n·x, where all reduced axes are copies; where it has the value of the sum. */
function sumOfCopies(x: Node, axes: readonly number[], make: Rewriter): Node | null {
  const repeated = movedBy(x, 'expand');
  if (repeated === null || !axes.every((axis) => isRepeated(repeated.source, x, axis))) return null;
  const shape = keepDimsShape(x.shape, axes);
  const count = sizeOf(x.shape) / sizeOf(shape);
  if (count > LARGEST_COUNT[x.dtype]) return null;
  return make.binary('mul', make.expand(repeated.source, shape), make.constant(count, shape, x.dtype));
}
