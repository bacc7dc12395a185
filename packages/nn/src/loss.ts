/**
 * Losses: the distance of a prediction from its target, as a tensor to call `backward` on. Each has one value
 * per example, reduced to the mean (as torch does by default), to the sum, or not at all. float16 is computed
 * in float32 and rounded once.
 */
import { crossEntropy as crossEntropyOfRows, type Data, Tensor, tensor, widened } from '@firsthand/autograd';
import {
  checkCount,
  checkOptions,
  DTypeError,
  DTYPES,
  equalShapes,
  formatShape,
  type OptionKeys,
  ShapeError,
} from '@firsthand/linalg';

/** What becomes of the values of single examples; `mean` if not given. */
export type Reduction = 'mean' | 'sum' | 'none';

/** Options of every loss. */
export interface LossOptions {
  readonly reduction?: Reduction | undefined;
}

const REDUCTIONS: { readonly [K in Reduction]: (values: Tensor) => Tensor } = {
  mean: (values) => values.mean(),
  sum: (values) => values.sum(),
  none: (values) => values,
};

const LOSS_KEYS: OptionKeys<LossOptions> = { reduction: ['mean', 'sum', 'none'] };

/**
 * @throws OptionError for an option or a reduction that does not exist, or an argument that would be ignored
 */
function reductionOf(operation: string, options: LossOptions | undefined, given: number): Reduction {
  checkCount(operation, given, 3, `loss.${operation}(prediction, target, { reduction })`);
  return checkOptions(operation, options, LOSS_KEYS).reduction ?? 'mean';
}

/** What a prediction should be, beside it: data goes to its device. */
function targetOf(target: Tensor | Data, { device, dtype }: Tensor): Tensor {
  return target instanceof Tensor ? target : tensor(target, { device, dtype });
}

/** Labels as a tensor: numbers in arrays are whole. */
function labelsOf(labels: Tensor | Data, { device }: Tensor): Tensor {
  if (labels instanceof Tensor) return labels;
  return tensor(
    labels,
    Array.isArray(labels) || typeof labels === 'number' ? { device, dtype: 'int32' } : { device },
  );
}

/**
 * The squared error (prediction − target)².
 * @param wanted what it should be: a tensor, or data, which becomes one of the prediction's dtype
 * @returns a scalar, or with 'none' the shape of both
 * @throws ShapeError unless the shapes are the same: broadcasting here is nearly always a mistake
 */
export function mse(prediction: Tensor, wanted: Tensor | Data, options?: LossOptions): Tensor {
  const reduction = reductionOf('mse', options, arguments.length);
  const target = targetOf(wanted, prediction);
  if (!equalShapes(prediction.shape, target.shape)) {
    throw new ShapeError({
      operation: 'mse',
      problem: `the prediction ${formatShape(prediction.shape)} and the target ${formatShape(target.shape)} differ in shape`,
      operands: [prediction, target],
      expected: 'shape',
      remedy: 'reshape one of them',
    });
  }
  return widened((y, wanted) => REDUCTIONS[reduction](y.sub(wanted).square()), prediction, target);
}

/**
 * The cross-entropy −ln softmax(logits)[label], by log-sum-exp, without overflow.
 * @param logits unnormalised log-probabilities, (…, C)
 * @param labels classes from 0 to C − 1, (…), int32 or uint32: a tensor, or data
 * @returns a scalar, or with 'none' (…)
 * @throws ShapeError if the shapes do not fit, or a label is out of range and the labels' values are at hand,
 *   as those of host data on a device that can be read at once; else, and inside `compile`, such a label is
 *   NaN. DTypeError for labels that are no integers
 * @example
 * ```ts
 * import { tensor } from '@firsthand/autograd';
 * import { loss } from '@firsthand/nn';
 * const logits = tensor([[0, 0], [0, 0]]);
 * console.log((await loss.crossEntropy(logits, [0, 1]).item()).toFixed(4)); // 0.6931
 * ```
 */
export function crossEntropy(logits: Tensor, labels: Tensor | Data, options?: LossOptions): Tensor {
  const reduction = reductionOf('crossEntropy', options, arguments.length);
  const classes = labelsOf(labels, logits);
  if (DTYPES[classes.dtype].isFloat && equalShapes(classes.shape, logits.shape)) {
    const problem = `the labels ${formatShape(classes.shape)} are ${classes.dtype} and have the shape of the logits, as one-hot rows have`;
    const operands = [logits, classes];
    const remedy = 'write labels.argmax(-1) for one-hot labels';
    throw new DTypeError({
      operation: 'crossEntropy',
      problem,
      operands,
      expected: 'the index of a class for each row (int32)',
      remedy,
    });
  }
  return widened((x) => REDUCTIONS[reduction](crossEntropyOfRows(x, classes)), logits);
}
