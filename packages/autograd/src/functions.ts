/** Operations on several tensors, or with several results. */
import {
  aboutNodes,
  add,
  argReduce,
  argsort,
  attention as attentionNode,
  cast,
  computeDType,
  concatenate,
  expand,
  gather,
  gt,
  log,
  maximum,
  neg,
  operandOf,
  requireFloat,
  reshape,
  slice,
  stack as stackNodes,
  sub,
  where as whereNode,
} from '@firsthand/graph';
import type { Node } from '@firsthand/graph';
import {
  AXIS_KEYS,
  checkCount,
  checkOptions,
  describeValue,
  oneAxisOptions,
  ShapeError,
} from '@firsthand/linalg';
import type { AxisArgument, OneAxis, OptionKeys } from '@firsthand/linalg';
import { rand } from './create.ts';
import { Tensor } from './tensor.ts';
import { operandNode, operandNodes } from './operands.ts';

/** A tensor computed of nodes, which its errors name. */
function about(nodes: readonly Node[], fn: () => Node): Tensor {
  try {
    return new Tensor(fn());
  } catch (error) {
    throw aboutNodes(error, nodes);
  }
}

/** The axis that a function is given, or its default. */
function axisOf(operation: string, axis: AxisArgument<OneAxis> | undefined, otherwise: number): number {
  return oneAxisOptions(operation, axis, AXIS_KEYS).axis ?? otherwise;
}

/**
 * Joins tensors along an axis, the first by default. They share a dtype, and all sizes but that axis's.
 * @param axis a number or { axis }
 * @throws ShapeError, DTypeError
 */
export function cat(tensors: readonly Tensor[], axis?: AxisArgument<OneAxis>): Tensor {
  checkCount('cat', arguments.length, 2, 'cat([a, b], axis)');
  const [nodes, along] = [operandNodes(tensors, 'cat'), axisOf('cat', axis, 0)];
  return about(nodes, () => concatenate(nodes, along));
}

/**
 * Joins tensors of one shape along a new axis, the first by default.
 * @param axis a number or { axis }
 * @throws ShapeError, DTypeError
 */
export function stack(tensors: readonly Tensor[], axis?: AxisArgument<OneAxis>): Tensor {
  checkCount('stack', arguments.length, 2, 'stack([a, b], axis)');
  const [nodes, along] = [operandNodes(tensors, 'stack'), axisOf('stack', axis, 0)];
  return about(nodes, () => stackNodes(nodes, along));
}

/** condition ? a : b, element by element, broadcast against each other. condition: bool. */
export function where(condition: Tensor, a: Tensor | number, b: Tensor | number): Tensor {
  checkCount('where', arguments.length, 3, 'where(condition, a, b)');
  if (a instanceof Tensor) return a.where(condition, b);
  operandNode(condition, 'where', 'the condition');
  if (b instanceof Tensor && typeof a === 'number') return b.where(condition.logicalNot(), a);
  const problem =
    typeof a === 'number' && typeof b === 'number'
      ? 'at least one branch must be a tensor'
      : `a is ${describeValue(a)}, b is ${describeValue(b)}`;
  throw new ShapeError({
    operation: 'where',
    problem,
    expected: 'tensors or numbers, at least one a tensor',
    remedy: 'make one with tensor(…)',
  });
}

/** What attention may be told: a mask, whether later keys are hidden, and the factor of the scores. */
export interface AttentionOptions {
  readonly mask?: Tensor | undefined;
  readonly causal?: boolean | undefined;
  readonly scale?: number | undefined;
}

const ATTENTION_KEYS: OptionKeys<AttentionOptions> = { mask: true, causal: 'boolean', scale: 'number' };

/**
 * Scaled dot-product attention. q: (…, T, D), k: (…, S, D), v: (…, S, E), mask: (…, T, S), bool (true
 * attends) or added to the scores. Result: (…, T, E). Rows without any key give 0. scale: 1/√D by default.
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options?: AttentionOptions): Tensor {
  checkCount('attention', arguments.length, 4, 'attention(q, k, v, { mask, causal, scale })');
  const { mask, causal = false, scale } = checkOptions('attention', options, ATTENTION_KEYS);
  const nodes = [
    operandNode(q, 'attention', 'q'),
    operandNode(k, 'attention', 'k'),
    operandNode(v, 'attention', 'v'),
  ] as const;
  const maskNode = mask === undefined ? null : operandNode(mask, 'attention', 'the mask');
  return about(maskNode === null ? nodes : [...nodes, maskNode], () =>
    attentionNode(...nodes, {
      causal,
      ...(maskNode === null ? {} : { mask: maskNode }),
      ...(scale === undefined ? {} : { scale }),
    }),
  );
}

/** Whether a position may be drawn again; false by default. */
export interface MultinomialOptions {
  readonly replacement?: boolean | undefined;
}

const MULTINOMIAL_KEYS: OptionKeys<MultinomialOptions> = { replacement: 'boolean' };

/**
 * The least −ln u of the Gumbel-max trick: half of what the largest u below 1 has, for u = 1, so that its
 * logarithm is finite.
 */
const LEAST_EXPONENTIAL = 2 ** -25;

/**
 * Draws positions with probability proportional to the weights, by the Gumbel-max trick (Gumbel 1954; Kool et
 * al. 2019): the largest of ln w − ln(−ln u). A weight that is not positive (0, negative or NaN) is never
 * drawn; where none is left, as in a row of zeros or without replacement beyond the positive weights, the
 * position is −1. float16 weights are taken as float32. weights: (…, K). Result: (…, count), int32.
 * @throws ShapeError if more are drawn without replacement than there are, DTypeError for weights that are no
 *   floats
 */
export function multinomial(weights: Tensor, count: number, options?: MultinomialOptions): Tensor {
  checkCount('multinomial', arguments.length, 3, 'multinomial(weights, count, { replacement })');
  const { replacement = false } = checkOptions('multinomial', options, MULTINOMIAL_KEYS);
  const given = operandNode(weights, 'multinomial', 'the weights');
  requireFloat('multinomial', given);
  const dtype = computeDType(given.dtype);
  const w = cast(given, dtype);
  const classes = w.shape.at(-1) ?? 0;
  const rows = w.shape.slice(0, -1);
  if (classes === 0 || !Number.isInteger(count) || count < 0 || (!replacement && count > classes)) {
    throw new ShapeError({
      operation: 'multinomial',
      problem: `cannot draw ${count} of ${classes} ${replacement ? 'with' : 'without'} replacement`,
      operands: [operandOf(given)],
      expected:
        replacement || classes === 0
          ? 'a whole number of draws, and a class'
          : `a whole number of at most ${classes} draws`,
    });
  }
  const shape = [...rows, replacement ? count : 1, classes];
  const each = expand(reshape(w, [...rows, 1, classes]), shape);
  const uniform = sub(1, rand(shape, { dtype, device: weights.device }).read()); // in (0, 1]
  const gumbel = neg(log(maximum(neg(log(uniform)), LEAST_EXPONENTIAL))); // finite
  const scores = whereNode(gt(each, 0), add(log(each), gumbel), -Infinity);
  const drawn = replacement
    ? argReduce('argmax', scores, { axis: -1 })
    : slice(argsort(reshape(scores, [...rows, classes]), -1, true), -1, 0, count);
  return new Tensor(whereNode(gt(gather(w, drawn, -1), 0), drawn, -1));
}
