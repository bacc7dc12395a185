/**
 * Operations that layers, losses and optimizers are made of, as functions of tensors. A device may have a
 * kernel for each of them.
 */
import {
  constant,
  crossEntropy as crossEntropyNode,
  indexSelect as indexSelectNode,
  layerNorm as layerNormNode,
  type Node,
  oneHot as oneHotNode,
  operandOf,
} from '@firsthand/graph';
import { bufferOf, deviceOf } from '@firsthand/runtime';
import {
  checkCount,
  checkOptions,
  type DType,
  formatShape,
  type OptionKeys,
  readSizes,
  type Shape,
  ShapeError,
} from '@firsthand/linalg';
import { Tensor } from './tensor.ts';
import { operandNode } from './operands.ts';

/** Options of {@link layerNorm}. */
export interface LayerNormFunctionOptions {
  /** scale, of the normalised shape; 1 if not given */
  readonly weight?: Tensor | null | undefined;
  /** shift, of the normalised shape; 0 if not given */
  readonly bias?: Tensor | null | undefined;
  /** ε, added to the variance; 1e-5 if not given */
  readonly eps?: number | undefined;
}

const LAYER_NORM_KEYS: OptionKeys<LayerNormFunctionOptions> = { weight: true, bias: true, eps: 'number' };

/**
 * Layer normalisation (Ba, Kiros & Hinton 2016) over the last axes: (x − μ)/√(σ² + ε)·weight + bias with the
 * mean and the biased variance of each row.
 * @param x (…, …shape), floating point
 * @param shape the sizes of the axes to normalise over, or of the last one
 * @returns the shape of x
 * @throws ShapeError if the last axes are others, or weight or bias has another shape; DTypeError unless all
 *   are of one floating-point dtype
 * @example
 * ```ts
 * import { layerNorm, tensor } from '@firsthand/autograd';
 * const x = tensor([[1, 3], [10, 30]]);
 * console.log(await layerNorm(x, 2, { eps: 0 }).toArray()); // [ [ -1, 1 ], [ -1, 1 ] ]
 * const affine = { weight: tensor([1, 2]), bias: tensor([0, 5]), eps: 0 };
 * console.log(await layerNorm(x, [2], affine).toArray()); // [ [ -1, 7 ], [ -1, 7 ] ]
 * ```
 */
export function layerNorm(x: Tensor, shape: number | Shape, options?: LayerNormFunctionOptions): Tensor {
  checkCount('layerNorm', arguments.length, 3, 'layerNorm(x, shape, { weight, bias, eps })');
  const { weight, bias, eps = 1e-5 } = checkOptions('layerNorm', options, LAYER_NORM_KEYS);
  const node = operandNode(x, 'layerNorm', 'the operand');
  const normalized = readSizes('layerNorm', [shape]);
  const operand = (given: Tensor | null | undefined, value: number, name: string): Node =>
    given === null || given === undefined
      ? constant(value, normalized, node.dtype)
      : operandNode(given, 'layerNorm', `the ${name}`);
  const [scale, shift] = [operand(weight, 1, 'weight'), operand(bias, 0, 'bias')];
  for (const [name, given] of [
    ['weight', scale],
    ['bias', shift],
  ] as const) {
    if (formatShape(given.shape) === formatShape(normalized)) continue;
    throw new ShapeError({
      operation: 'layerNorm',
      problem: `the ${name} is ${formatShape(given.shape)}`,
      operands: [node, given].map(operandOf),
      expected: `the normalised shape ${formatShape(normalized)}`,
    });
  }
  return new Tensor(layerNormNode(node, scale, shift, eps));
}

/**
 * The cross-entropy of each row, −ln softmax(logits)[label], by log-sum-exp, without overflow.
 * @param logits unnormalised log-probabilities, (…, C)
 * @param labels classes from 0 to C − 1, (…), int32 or uint32
 * @returns (…)
 * @throws ShapeError if the shapes do not fit, or a label is out of range and the labels' values are at hand,
 *   as those of host data on a device that can be read at once; else, and inside `compile`, such a label is
 *   NaN. DTypeError for labels that are no integers
 * @example
 * ```ts
 * import { crossEntropy, tensor } from '@firsthand/autograd';
 * const logits = tensor([[0, 0], [0, 100]]);
 * const losses = crossEntropy(logits, tensor([1, 1], { dtype: 'int32' }));
 * console.log((await losses.data()).map((loss) => Math.round(loss * 1e4)).join()); // 6931,0
 * ```
 */
export function crossEntropy(logits: Tensor, labels: Tensor): Tensor {
  checkCount('crossEntropy', arguments.length, 2, 'crossEntropy(logits, labels)');
  const classes = operandNode(labels, 'crossEntropy', 'the labels');
  const losses = new Tensor(crossEntropyNode(operandNode(logits, 'crossEntropy', 'the logits'), classes));
  requireInRange(
    'crossEntropy',
    ['label', 'a class'],
    classes,
    logits.shape.at(-1)!,
    'check the labels or the number of outputs',
  );
  return losses;
}

/**
 * Checks integers that pick one of `count` if that costs no more than copying them: nothing is computed, no
 * queue is waited for.
 * @throws ShapeError that names the first one out of range and where it stands
 */
function requireInRange(
  operation: string,
  [noun, kind]: readonly [string, string],
  indices: Node,
  count: number,
  remedy: string,
): void {
  const [buffer, device] = [bufferOf(indices), deviceOf(indices)];
  if (
    buffer === null ||
    device?.readSync === undefined ||
    buffer.inFlight !== null ||
    buffer.failure !== null ||
    buffer.stale !== null
  )
    return;
  const values = device.readSync(buffer.storage);
  const position = values.findIndex((value) => value < 0 || value >= count);
  if (position < 0) return;
  const problem = `${noun} ${values[position]} at position ${position} is not ${kind} from 0 to ${count - 1}`;
  const expected = `whole numbers from 0 to ${count - 1}`;
  throw new ShapeError({ operation, problem, operands: [operandOf(indices)], expected, remedy });
}

/**
 * Rows of a table, one for each index, as in a layer of token embeddings.
 * @param index which rows: (…), int32 or uint32
 * @param weight the table: (count, size)
 * @returns (…, size)
 * @throws ShapeError if an index is out of range and the indices' values are at hand, as those of host data
 *   on a device that can be read at once; else, and inside `compile`, such an index gives NaN. DTypeError for
 *   indices that are no integers
 * @example
 * ```ts
 * import { embedding, tensor } from '@firsthand/autograd';
 * const table = tensor([[1, 2], [3, 4], [5, 6]]);
 * console.log(await embedding(tensor(Int32Array.of(2, 0)), table).toArray()); // [ [ 5, 6 ], [ 1, 2 ] ]
 * ```
 */
export function embedding(index: Tensor, weight: Tensor): Tensor {
  checkCount('embedding', arguments.length, 2, 'embedding(index, weight)');
  const at = operandNode(index, 'embedding', 'the index');
  const table = operandNode(weight, 'embedding', 'the weight');
  if (table.shape.length !== 2) {
    throw new ShapeError({
      operation: 'embedding',
      operands: [operandOf(table)],
      expected: 'a table (count, size)',
    });
  }
  const rows = new Tensor(indexSelectNode(table, at, 0));
  requireInRange(
    'embedding',
    ['index', 'a row'],
    at,
    table.shape[0]!,
    'check the ids, or the number of embeddings',
  );
  return rows;
}

/**
 * 1 where the class is the label, else 0; a label out of range has 0 everywhere.
 * @param labels (…), int32 or uint32
 * @returns (…, classes), float32 if not told otherwise
 * @throws DTypeError for labels that are no integers
 * @example
 * ```ts
 * import { oneHot, tensor } from '@firsthand/autograd';
 * console.log(await oneHot(tensor([2, 0], { dtype: 'int32' }), 3).toArray()); // [ [ 0, 0, 1 ], [ 1, 0, 0 ] ]
 * ```
 */
export function oneHot(labels: Tensor, classes: number, options?: { readonly dtype?: DType }): Tensor {
  checkCount('oneHot', arguments.length, 3, 'oneHot(labels, classes, { dtype })');
  const { dtype = 'float32' } = checkOptions<{ dtype?: DType }>('oneHot', options, { dtype: true });
  if (!Number.isInteger(classes) || classes < 1) {
    throw new ShapeError({
      operation: 'oneHot',
      problem: `classes is ${classes}`,
      expected: 'a whole number, 1 or more',
    });
  }
  return new Tensor(oneHotNode(operandNode(labels, 'oneHot', 'the labels'), classes, dtype));
}

/** The value of `x`, through which no gradient flows: `x.detach()`. */
export function stopGradient(x: Tensor): Tensor {
  checkCount('stopGradient', arguments.length, 1, 'stopGradient(x)');
  operandNode(x, 'stopGradient', 'the operand');
  return x.detach();
}
