/**
 * Losses: how far a prediction is from what it should be, as a tensor to call `backward` on. Each gives one value per example and then
 * reduces them: to their mean (as torch does by default), to their sum, or not at all. Of float16 all of this is float32, rounded once.
 */
import { Tensor, widened } from '@firsthand/autograd';
import { crossEntropy as crossEntropyNode, type Node } from '@firsthand/graph';
import { equalShapes, formatShape, ShapeError } from '@firsthand/linalg';

/** What becomes of the values of single examples; `mean` if not given. */
export type Reduction = 'mean' | 'sum' | 'none';

/** Options of every loss. */
export interface LossOptions {
  readonly reduction?: Reduction;
}

const REDUCTIONS: { readonly [K in Reduction]: (values: Tensor) => Tensor } = {
  mean: (values) => values.mean(),
  sum: (values) => values.sum(),
  none: (values) => values,
};

/**
 * The squared error (prediction − target)².
 * @returns a scalar, or with 'none' the shape of both
 * @throws ShapeError unless the shapes are the same: broadcasting here is nearly always a mistake
 */
export function mse(prediction: Tensor, target: Tensor, { reduction = 'mean' }: LossOptions = {}): Tensor {
  if (!equalShapes(prediction.shape, target.shape)) {
    throw new ShapeError(
      `mse: the prediction ${formatShape(prediction.shape)} and the target ${formatShape(target.shape)} differ in shape; reshape one of them`,
    );
  }
  return widened((y, wanted) => REDUCTIONS[reduction](y.sub(wanted).square()), prediction, target);
}

/**
 * The cross-entropy −ln softmax(logits)[label], by log-sum-exp, without overflow.
 * @param logits unnormalised log-probabilities, (…, C)
 * @param labels classes from 0 to C − 1, (…), int32 or uint32
 * @returns a scalar, or with 'none' (…)
 * @throws ShapeError if the shapes do not fit, or a label is out of range and the labels' values are at hand, as those of host data on a device that
 *   can be read at once; else such a label gives NaN, as it does inside `compile`. DTypeError for labels that are no integers
 * @example
 * ```ts
 * import { tensor } from '@firsthand/autograd';
 * import { loss } from '@firsthand/nn';
 * const logits = tensor([[0, 0], [0, 0]]);
 * const labels = tensor([0, 1], { dtype: 'int32' });
 * console.log((await loss.crossEntropy(logits, labels).item()).toFixed(4)); // 0.6931
 * ```
 */
export function crossEntropy(logits: Tensor, labels: Tensor, { reduction = 'mean' }: LossOptions = {}): Tensor {
  const classes = labels.read();
  const values = (x: Tensor): Tensor => new Tensor(crossEntropyNode(x.read(), classes)); // (…)
  const loss = widened((x) => REDUCTIONS[reduction](values(x)), logits);
  requireLabelsInRange(classes, logits.shape.at(-1)!);
  return loss;
}

/** Checks the labels if that costs no more than copying them: nothing is computed, no queue is waited for. */
function requireLabelsInRange({ cell, device }: Node, classes: number): void {
  if (cell === null || device?.readSync === undefined || cell.flight !== null || cell.failure !== null || cell.stale !== null) return;
  const values = device.readSync(cell.storage);
  const position = values.findIndex((label) => label < 0 || label >= classes);
  if (position >= 0) {
    throw new ShapeError(
      `crossEntropy: label ${values[position]} at position ${position} is not a class from 0 to ${classes - 1}; check the labels or the number of outputs`,
    );
  }
}
