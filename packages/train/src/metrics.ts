/**
 * Metrics: scalars that a step gives besides its loss, averaged over examples on the host. Reading a value
 * waits for the device, so values are read some steps after they are requested: the loop stays ahead of the
 * device and never waits for the step that it has just begun.
 */
import { realize, Tensor } from '@firsthand/autograd';
import {
  checkCount,
  checkNumber,
  describeValue,
  DTypeError,
  FirsthandError,
  ShapeError,
} from '@firsthand/linalg';

/** Numbers by name: `loss`, and whatever else the loss function gives. */
export type Metrics = { readonly [name: string]: number };

/**
 * The share of rows whose largest logit is that of the label.
 * @param logits (…, C)
 * @param labels (…), integers
 * @returns a float32 scalar from 0 to 1
 * @throws ShapeError if there are no rows, whose share would be no number
 * @example
 * ```ts
 * import { tensor } from '@firsthand/autograd';
 * import { accuracy } from '@firsthand/train';
 * const share = accuracy(tensor([[2, 1], [0, 3], [5, 4]]), tensor(Int32Array.of(0, 1, 1)));
 * console.log((await share.item()).toFixed(3)); // 0.667
 * ```
 */
export function accuracy(logits: Tensor, labels: Tensor): Tensor {
  checkCount('accuracy', arguments.length, 2, 'accuracy(logits, labels)');
  const wrong: unknown = [logits, labels].find((each) => !(each instanceof Tensor));
  if (!(logits instanceof Tensor && labels instanceof Tensor)) {
    const problem = `${describeValue(wrong)} where a tensor is wanted`;
    throw new DTypeError({
      operation: 'accuracy',
      problem,
      expected: 'two tensors',
      remedy: 'make one with tensor(…)',
    });
  }
  if (labels.size === 0) {
    throw new ShapeError({
      operation: 'accuracy',
      problem: 'there are no rows',
      operands: [
        { name: 'logits', shape: logits.shape, dtype: logits.dtype },
        { name: 'labels', shape: labels.shape, dtype: labels.dtype },
      ],
      expected: 'at least one',
    });
  }
  const hits = logits.argmax({ axis: -1 }).eq(labels.cast('int32')); // (…)
  return hits.cast('float32').mean();
}

/** The values of scalars, computed in one program. It is enqueued at once; the promise waits for it. */
export async function readScalars(values: { readonly [name: string]: Tensor }): Promise<Metrics> {
  await realize(...Object.values(values));
  const entries = Object.entries(values).map(async ([name, value]) => [name, await value.item()] as const);
  return Object.fromEntries(await Promise.all(entries));
}

/** Sums of values times weights, and the weights' sum: plain data for JSON. */
export interface Totals {
  readonly sums: Metrics;
  readonly weight: number;
}

/**
 * A weighted mean over values that may not have been read yet. They are added in the order in which they were
 * given.
 */
export class RunningMeans {
  #sums: { [name: string]: number } = {};
  #weight = 0;
  readonly #waiting: { readonly values: Promise<Metrics>; readonly weight: number }[] = [];

  /**
   * Adds values with a weight, such as a batch's number of examples, once they are there.
   * @throws FirsthandError unless the weight is a number above 0: a mean over nothing is no number
   */
  add(values: Promise<Metrics>, weight: number): void {
    checkCount('add', arguments.length, 2, 'means.add(values, weight)');
    if (!(weight > 0 && weight < Infinity)) {
      const expected = 'a number above 0';
      const problem = `the weight of values is ${expected}, not ${weight}`;
      throw new FirsthandError({
        operation: 'RunningMeans',
        problem,
        expected,
        remedy: 'leave a batch without examples out',
      });
    }
    values.catch(() => {}); // reported where they are waited for
    this.#waiting.push({ values, weight });
  }

  /**
   * Waits until at most `ahead` of the values are still to come. @throws what kept a value from being
   * computed
   */
  async settle(ahead: number = 0): Promise<void> {
    checkCount('settle', arguments.length, 1, 'means.settle(ahead)');
    checkNumber('settle', 'ahead', ahead);
    while (this.#waiting.length > ahead) {
      const { values, weight } = this.#waiting[0]!;
      const numbers = await values;
      this.#waiting.shift();
      for (const [name, value] of Object.entries(numbers))
        this.#sums[name] = (this.#sums[name] ?? 0) + value * weight;
      this.#weight += weight;
    }
  }

  /** The means of the values that have been read. */
  means(): Metrics {
    checkCount('means', arguments.length, 0, 'means.means()');
    return Object.fromEntries(Object.entries(this.#sums).map(([name, sum]) => [name, sum / this.#weight]));
  }

  /** What has been read; assigning replaces it, and forgets what has not. */
  get totals(): Totals {
    return { sums: { ...this.#sums }, weight: this.#weight };
  }

  set totals({ sums, weight }: Totals) {
    this.#sums = { ...sums };
    this.#weight = weight;
    this.#waiting.length = 0;
  }
}
