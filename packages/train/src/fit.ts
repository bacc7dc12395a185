/**
 * The training loop, plainly: for every epoch, for every batch, compute the loss, its gradient, and the optimizer's step. Around it: groups of
 * batches whose gradients are added up, a schedule, clipping, metrics that do not stall the device, callbacks, and stopping between two steps.
 */
import { compile as compileFunction, getDefaultDevice } from '@firsthand/autograd';
import type { Fields } from '@firsthand/data';
import { FirsthandError } from '@firsthand/linalg';
import type { Module } from '@firsthand/nn';
import { clipGradNorm, type Schedule } from '@firsthand/optim';
import { type Batch, type BatchSource, countExamples, grouped, toTensors } from './batch.ts';
import { Pace, turnTaker } from './clock.ts';
import { AHEAD, detached, evaluator, type LossFunction, type StepValues, stepValues } from './evaluate.ts';
import { type Metrics, readScalars, RunningMeans } from './metrics.ts';
import { type EpochReport, Progress } from './progress.ts';

/** What `fit` asks of an optimizer. */
export interface FitOptimizer {
  readonly groups: readonly { readonly lr: number }[];
  step(): void;
  zeroGrad(): void;
  follow(schedule: Schedule, step: number): void;
}

/** What is known after a step. */
export interface StepReport {
  /** the epoch under way, counted from 0 */
  readonly epoch: number;
  /** optimizer steps since the training began */
  readonly step: number;
  /** batches used in this epoch, and in all of it, null if the data does not say */
  readonly position: number;
  readonly batches: number | null;
  /** of each parameter group, in this step */
  readonly learningRates: readonly number[];
  /** examples per second in this epoch, since it began or was resumed */
  readonly examplesPerSecond: number;
  /** until the last epoch ends, at this pace; null if the data does not say how many batches it has */
  readonly secondsLeft: number | null;
  /** means over the epoch so far, without the last few steps, which may still run */
  readonly means: Metrics;
  /** The values of this step. Awaiting them waits for the device. */
  values(): Promise<Metrics>;
}

/** What happens after each step and each epoch. Training waits for what they return. */
export interface Callbacks {
  onStep?(report: StepReport): void | Promise<void>;
  onEpoch?(report: EpochReport): void | Promise<void>;
}

/** What became of a training. */
export interface History {
  readonly epochs: readonly EpochReport[];
  /** true if the signal stopped it before the last epoch was over */
  readonly stopped: boolean;
}

/** What `fit` needs, and what it can do besides. */
export interface FitOptions<M extends Module, Name extends string> {
  readonly model: M;
  /** the loss of a batch, a mean over its examples, alone or with metrics: `{ loss, accuracy }` */
  readonly loss: LossFunction<M, Name>;
  readonly optimizer: FitOptimizer;
  readonly data: BatchSource<Name>;
  /** evaluated after each epoch */
  readonly validation?: BatchSource<Name>;
  /** in all, those that `progress` has counted included */
  readonly epochs: number;
  /** the factor of the learning rates at each optimizer step */
  readonly schedule?: Schedule;
  /** the largest joint norm of the gradients; they are not clipped if not given */
  readonly clip?: number;
  /** batches whose gradients are added up for one step, weighted by their examples; 1 if not given */
  readonly accumulate?: number;
  readonly callbacks?: readonly Callbacks[];
  /** stops training after the step under way: model, optimizer, data and progress then agree, ready to be saved or to go on */
  readonly signal?: AbortSignal;
  /** whether steps are compiled; true if not given. Numbers are the same either way. */
  readonly compile?: boolean;
  /** where to go on from; from the beginning if not given */
  readonly progress?: Progress;
}

/** One batch: gradients of its loss times `weight` are added up; with `update`, the parameters follow them. */
function stepFunction<M extends Module, Name extends string>(
  options: FitOptions<M, Name>,
): (batch: Batch<Name>, weight: number, update: boolean) => StepValues {
  const { model, loss, optimizer, clip } = options;
  return (batch, weight, update) => {
    const values = stepValues(loss(model, batch));
    (weight === 1 ? values.loss : values.loss.mul(weight)).backward();
    if (update) {
      if (clip !== undefined) clipGradNorm(model.parameters(), clip);
      optimizer.step();
      optimizer.zeroGrad(); // last: the gradients are used in this program, and never stored
    }
    return detached(values);
  };
}

/**
 * Trains a model.
 *
 * The model is put into training mode. After each epoch it is evaluated on `validation`, and the callbacks are told.
 * Interrupted and resumed from a checkpoint, in the middle of an epoch too, training gives the same bits as without the interruption.
 * @throws FirsthandError if a number is out of range; whatever the loss, the data or a callback throws
 * @example
 * ```ts
 * import { manualSeed } from '@firsthand/autograd';
 * import { ArrayDataset, DataLoader } from '@firsthand/data';
 * import { Generator, sum } from '@firsthand/linalg';
 * import { Linear, loss } from '@firsthand/nn';
 * import { SGD } from '@firsthand/optim';
 * import { fit } from '@firsthand/train';
 * manualSeed(0);
 * const x = new Generator(1).normal([64, 2]);
 * const data = new DataLoader(new ArrayDataset({ x, y: sum(x, { axis: 1, keepDims: true }) }), { batchSize: 16 });
 * const model = new Linear(2, 1);
 * const { epochs } = await fit({
 *   model,
 *   loss: (net, batch) => loss.mse(net.forward(batch.x), batch.y),
 *   optimizer: new SGD(model.parameters(), { lr: 0.3 }),
 *   data,
 *   epochs: 5,
 * });
 * console.log(epochs.at(-1)!.training.loss! < 1e-3); // true
 * ```
 */
export async function fit<M extends Module, Name extends string>(options: FitOptions<M, Name>): Promise<History> {
  const {
    model,
    optimizer,
    data,
    epochs,
    schedule,
    accumulate = 1,
    callbacks = [],
    signal,
    compile = true,
    progress = new Progress(),
  } = options;
  if (!Number.isInteger(epochs) || epochs < 0) throw new FirsthandError(`fit: epochs is a whole number of at least 0, not ${epochs}`);
  if (!Number.isInteger(accumulate) || accumulate < 1)
    throw new FirsthandError(`fit: accumulate is a whole number of at least 1, not ${accumulate}`);
  const validate = options.validation === undefined ? null : evaluator({ ...options, data: options.validation });
  const step = compile ? compileFunction(stepFunction(options)) : stepFunction(options);
  const device = model.parameters()[0]?.device ?? getDefaultDevice();
  const turn = turnTaker();
  const learningRates = (): number[] => optimizer.groups.map(({ lr }) => lr);

  /** One optimizer step over a group of batches. Gives the values of the whole group. */
  const takeStep = (group: readonly Fields<Name>[], total: number): RunningMeans => {
    if (schedule !== undefined) optimizer.follow(schedule, progress.step);
    const values = new RunningMeans();
    for (const [index, fields] of group.entries()) {
      const count = countExamples(fields);
      const read = readScalars(step(toTensors(fields, device), count / total, index === group.length - 1));
      values.add(read, count);
      progress.running.add(read, count);
    }
    progress.completeStep();
    return values;
  };

  /** One epoch, or what is left of it. False if it was stopped. */
  const runEpoch = async (): Promise<boolean> => {
    const { epoch } = progress;
    const pace = new Pace();
    const { length, position: first = 0 } = data;
    for await (const group of grouped(data, accumulate, length === undefined ? undefined : length - first)) {
      const total = group.reduce((sum, fields) => sum + countExamples(fields), 0);
      const values = takeStep(group, total);
      pace.count(group.length, total);
      await progress.running.settle(AHEAD);
      const position = first + pace.batches;
      const report: StepReport = {
        epoch,
        step: progress.step,
        position,
        batches: length ?? null,
        learningRates: learningRates(),
        examplesPerSecond: pace.examplesPerSecond,
        secondsLeft: length === undefined ? null : pace.secondsFor(length * (epochs - epoch) - position),
        means: progress.running.means(),
        values: async () => {
          await values.settle();
          return values.means();
        },
      };
      for (const callback of callbacks) await callback.onStep?.(report);
      await turn();
      if (signal?.aborted === true) return false;
    }
    await progress.running.settle();
    const { seconds, examplesPerSecond } = pace;
    const training = progress.running.means();
    const validation = validate === null ? null : await validate();
    const report = { epoch, step: progress.step, training, validation, learningRates: learningRates(), seconds, examplesPerSecond };
    progress.completeEpoch(report);
    for (const callback of callbacks) await callback.onEpoch?.(report);
    return true;
  };

  model.train();
  while (progress.epoch < epochs) {
    if (signal?.aborted === true || !(await runEpoch())) {
      await progress.running.settle();
      return { epochs: progress.history, stopped: true };
    }
  }
  return { epochs: progress.history, stopped: false };
}
