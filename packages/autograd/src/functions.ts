/** Operations on several tensors, or with several results. */
import {
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
  requireFloat,
  reshape,
  slice,
  stack as stackNodes,
  sub,
  topk as topkNodes,
  where as whereNode,
} from '@firsthand/graph';
import { normalizeAxis, ShapeError } from '@firsthand/linalg';
import { rand } from './create.ts';
import { Tensor } from './tensor.ts';
import { operandNode, operandNodes } from './value.ts';

/** Joins tensors along an axis. They share a dtype, and all sizes but that axis's. @throws ShapeError, DTypeError */
export function cat(tensors: readonly Tensor[], axis = 0): Tensor {
  return new Tensor(concatenate(operandNodes(tensors, 'cat'), axis));
}

/** Joins tensors of one shape along a new axis. @throws ShapeError, DTypeError */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
  return new Tensor(stackNodes(operandNodes(tensors, 'stack'), axis));
}

/** Pieces of the given sizes along an axis. @throws ShapeError unless the sizes add up to the axis */
export function split(tensor: Tensor, sizes: readonly number[], axis = 0): Tensor[] {
  const along = normalizeAxis('split', axis, tensor.ndim);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total !== tensor.shape[along])
    throw new ShapeError(`split: sizes ${sizes.join(' + ')} are ${total}, axis ${axis} has ${tensor.shape[along]}`);
  let start = 0;
  return sizes.map((size) => {
    const piece = tensor.narrow(along, start, size);
    start += size;
    return piece;
  });
}

/** At most `count` pieces of equal size along an axis; the last one may be smaller. */
export function chunk(tensor: Tensor, count: number, axis = 0): Tensor[] {
  const along = normalizeAxis('chunk', axis, tensor.ndim);
  if (!Number.isInteger(count) || count < 1) throw new ShapeError(`chunk: needs a whole number of pieces, 1 or more, got ${count}`);
  const extent = tensor.shape[along]!;
  const size = Math.max(1, Math.ceil(extent / count));
  const sizes: number[] = [];
  for (let start = 0; start < extent; start += size) sizes.push(Math.min(size, extent - start));
  return split(tensor, sizes.length === 0 ? [0] : sizes, along);
}

/** condition ? a : b, element by element, broadcast against each other. condition: bool. */
export function where(condition: Tensor, a: Tensor | number, b: Tensor | number): Tensor {
  if (a instanceof Tensor) return a.where(condition, b);
  operandNode(condition, 'where: the condition');
  if (b instanceof Tensor) return b.where(condition.logicalNot(), a);
  throw new ShapeError('where: at least one branch must be a tensor');
}

/**
 * Scaled dot-product attention. q: (…, T, D), k: (…, S, D), v: (…, S, E), mask: (…, T, S), bool (true attends) or added to the
 * scores. Result: (…, T, E). Rows without any key give 0. scale: 1/√D by default.
 */
export function attention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  { mask, causal = false, scale }: { readonly mask?: Tensor; readonly causal?: boolean; readonly scale?: number } = {},
): Tensor {
  return new Tensor(
    attentionNode(operandNode(q, 'attention: q'), operandNode(k, 'attention: k'), operandNode(v, 'attention: v'), {
      causal,
      ...(mask === undefined ? {} : { mask: operandNode(mask, 'attention: the mask') }),
      ...(scale === undefined ? {} : { scale }),
    }),
  );
}

/** The elements in order along an axis, stable, NaN last, with their int32 positions. */
export function sort(tensor: Tensor, axis = -1, descending = false): { readonly values: Tensor; readonly indices: Tensor } {
  const x = operandNode(tensor, 'sort: the operand');
  const indices = argsort(x, axis, descending);
  return { values: new Tensor(gather(x, indices, axis)), indices: new Tensor(indices) };
}

/** The `count` largest (or smallest) elements along an axis, in order, with their int32 positions. */
export function topk(tensor: Tensor, count: number, axis = -1, largest = true): { readonly values: Tensor; readonly indices: Tensor } {
  const { values, indices } = topkNodes(operandNode(tensor, 'topk: the operand'), count, axis, largest);
  return { values: new Tensor(values), indices: new Tensor(indices) };
}

/** The least −ln u of the Gumbel-max trick: half of what the largest u below 1 has, for u = 1, so that its logarithm is finite. */
const LEAST_EXPONENTIAL = 2 ** -25;

/**
 * Draws positions with probability proportional to the weights, by the Gumbel-max trick (Gumbel 1954; Kool et al. 2019): the
 * largest of ln w − ln(−ln u). A weight that is not positive (0, negative or NaN) is never drawn; where none is left, as in a row of zeros or without replacement
 * beyond the positive weights, the position is −1. float16 weights are taken as float32. weights: (…, K). Result: (…, count), int32.
 * @throws ShapeError if more are drawn without replacement than there are, DTypeError for weights that are no floats
 */
export function multinomial(weights: Tensor, count: number, { replacement = false }: { readonly replacement?: boolean } = {}): Tensor {
  const given = operandNode(weights, 'multinomial: the weights');
  requireFloat('multinomial', given);
  const dtype = computeDType(given.dtype);
  const w = cast(given, dtype);
  const classes = w.shape.at(-1) ?? 0;
  const rows = w.shape.slice(0, -1);
  if (classes === 0 || !Number.isInteger(count) || count < 0 || (!replacement && count > classes)) {
    throw new ShapeError(`multinomial: cannot draw ${count} of ${classes} ${replacement ? 'with' : 'without'} replacement`);
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
