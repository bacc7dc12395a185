/** The loss and metrics of a model over a data set, without training it. */
import { compile as compileFunction, getDefaultDevice, noGrad, Tensor } from '@firsthand/autograd';
import type { Module } from '@firsthand/nn';
import { type Batch, type BatchSource, countExamples, toTensors } from './batch.ts';
import { type Metrics, readScalars, RunningMeans } from './metrics.ts';

/** A step's loss, a scalar to differentiate, and other scalars to report; means over the batch's examples. */
export type StepValues = { readonly loss: Tensor; readonly [metric: string]: Tensor };

/** From a model and a batch to the loss, alone or with metrics. */
export type LossFunction<M extends Module, Name extends string> = (model: M, batch: Batch<Name>) => Tensor | StepValues;

/** Values that may be waited for: so many steps may run ahead of the one whose values are read. */
export const AHEAD = 8;

/** What a loss function gives, by name. */
export function stepValues(result: Tensor | StepValues): StepValues {
  return result instanceof Tensor ? { loss: result } : result;
}

/** The same values without their history, to be read. */
export function detached(values: StepValues): StepValues {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value.detach()])) as StepValues;
}

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
    for (const { module, training } of modes) module.train(training); // from the outside in, so that each has its own in the end
  }
}

/** A function that evaluates the model over `data` each time it is called. */
export function evaluator<M extends Module, Name extends string>({
  model,
  loss,
  data,
  compile = true,
}: EvaluateOptions<M, Name>): () => Promise<Metrics> {
  const plain = (batch: Batch<Name>): StepValues => noGrad(() => stepValues(loss(model, batch)));
  const step = compile ? compileFunction(plain) : plain;
  const device = model.parameters()[0]?.device ?? getDefaultDevice();
  return async () =>
    inUse(model, async () => {
      const means = new RunningMeans();
      for await (const fields of data) {
        means.add(readScalars(step(toTensors(fields, device))), countExamples(fields));
        await means.settle(AHEAD);
      }
      await means.settle();
      return means.means();
    });
}

/**
 * The means of a model's loss and metrics over the examples of `data`, with the model in use: no dropout, no gradients.
 * @returns numbers by name
 * @example
 * ```ts
 * import { manualSeed } from '@firsthand/autograd';
 * import { ArrayDataset, DataLoader } from '@firsthand/data';
 * import { array } from '@firsthand/linalg';
 * import { Linear, loss } from '@firsthand/nn';
 * import { evaluate } from '@firsthand/train';
 * manualSeed(0);
 * const data = new DataLoader(new ArrayDataset({ x: array([[0], [0]]), y: array([[1], [1]]) }), { batchSize: 1 });
 * const model = new Linear(1, 1, { bias: false });
 * console.log(await evaluate({ model, data, loss: (net, { x, y }) => loss.mse(net.forward(x), y) })); // { loss: 1 }
 * ```
 */
export async function evaluate<M extends Module, Name extends string>(options: EvaluateOptions<M, Name>): Promise<Metrics> {
  return evaluator(options)();
}
