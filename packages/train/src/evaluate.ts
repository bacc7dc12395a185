/** The loss and metrics of a model over a data set, without training it. */
import { compile as compileFunction, getDefaultDevice, noGrad } from '@firsthand/autograd';
import { checkCount, checkOptions, type OptionKeys } from '@firsthand/linalg';
import type { Module } from '@firsthand/nn';
import {
  type Batch,
  type BatchSource,
  checkSource,
  countExamples,
  noBatches,
  restart,
  toTensors,
} from './batch.ts';
import { type Metrics, readScalars, RunningMeans } from './metrics.ts';
import { type LossFunction, type StepValues, stepValues } from './step-values.ts';

/** The number of steps that may run ahead of the one whose values are read. */
export const AHEAD = 8;

/** What `evaluate` needs. */
export interface EvaluateOptions<M extends Module, Name extends string> {
  readonly model: M;
  readonly loss: LossFunction<M, Name>;
  readonly data: BatchSource<Name>;
  /** whether steps are compiled; true if not given */
  readonly compile?: boolean;
}

/** Runs `fn` with all modules in use instead of training; then each is as it was. */
async function inUse<T>(model: Module, fn: () => Promise<T>): Promise<T> {
  const modes = [...model.namedModules().values()].map((module) => ({ module, training: module.training }));
  model.eval();
  try {
    return await fn();
  } finally {
    // From the outside in, so that each has its own in the end
    for (const { module, training } of modes) module.train(training);
  }
}

/**
 * A function that evaluates the model over `data` each time it is called.
 * @param names what errors call the operation and the source
 */
export function evaluator<M extends Module, Name extends string>(
  { model, loss, data, compile = true }: EvaluateOptions<M, Name>,
  names: { readonly operation: string; readonly option: string },
): () => Promise<Metrics> {
  const { operation, option } = names;
  const plain = (batch: Batch<Name>): StepValues => noGrad(() => stepValues(operation, loss(model, batch)));
  const step = compile ? compileFunction(plain) : plain;
  const device = model.parameters()[0]?.device ?? getDefaultDevice();
  return async () =>
    inUse(model, async () => {
      const means = new RunningMeans();
      let batches = 0;
      restart(operation, option, data);
      for await (const fields of data) {
        batches++;
        means.add(readScalars(step(toTensors(fields, device))), countExamples(operation, fields));
        await means.settle(AHEAD);
      }
      if (batches === 0) throw noBatches(operation, option, null);
      await means.settle();
      return means.means();
    });
}

const KEYS: OptionKeys<EvaluateOptions<Module, string>> = {
  model: true,
  loss: true,
  data: true,
  compile: 'boolean',
};

/**
 * The means of a model's loss and metrics over the examples of `data`, with the model in use: no dropout, no
 * gradients. A loader that was left in mid-epoch begins the epoch again.
 * @returns numbers by name
 * @throws FirsthandError if there is nothing to evaluate on: no batches, or a batch without examples
 * @example
 * ```ts
 * import { manualSeed } from '@firsthand/autograd';
 * import { ArrayDataset, DataLoader } from '@firsthand/data';
 * import { array } from '@firsthand/linalg';
 * import { Linear, loss } from '@firsthand/nn';
 * import { evaluate } from '@firsthand/train';
 * manualSeed(0);
 * const dataset = new ArrayDataset({ x: array([[0], [0]]), y: array([[1], [1]]) });
 * const data = new DataLoader(dataset, { batchSize: 1 });
 * const model = new Linear(1, 1, { bias: false });
 // { loss: 1 }
 * console.log(await evaluate({ model, data, loss: (net, { x, y }) => loss.mse(net.forward(x), y) }));
 * ```
 */
export async function evaluate<M extends Module, Name extends string>(
  options: EvaluateOptions<M, Name>,
): Promise<Metrics> {
  checkCount('evaluate', arguments.length, 1, 'evaluate({ model, loss, data })');
  const { data } = checkOptions('evaluate', options, KEYS as OptionKeys<EvaluateOptions<M, Name>>);
  checkSource('evaluate', 'data', data, 1);
  return evaluator(options, { operation: 'evaluate', option: 'data' })();
}
