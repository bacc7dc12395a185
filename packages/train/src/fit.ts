/**
 * The training loop, plainly: for every epoch, for every batch, compute the loss, its gradient, and the
 * optimizer's step. Around it: groups of batches whose gradients are added up, a schedule, clipping, metrics
 * that do not stall the device, callbacks, and stopping between two steps.
 */
import { compile as compileFunction, getDefaultDevice, type Tensor } from '@firsthand/autograd';
import type { Fields } from '@firsthand/data';
import { checkCount, FirsthandError } from '@firsthand/linalg';
import type { Module } from '@firsthand/nn';
import { clipGradNorm } from '@firsthand/optim';
import {
  type Batch,
  type BatchSource,
  countExamples,
  grouped,
  noBatches,
  restart,
  toTensors,
} from './batch.ts';
import { Throughput, eventLoopYielder } from './clock.ts';
import { AHEAD, evaluator } from './evaluate.ts';
import { checkFit, type FitOptions, type StepReport } from './fit-options.ts';
import { type Metrics, readScalars, RunningMeans } from './metrics.ts';
import { NonFiniteLossError, type StepPosition } from './non-finite.ts';
import { compareParameters, inspectGradients, updatedTensors } from './parameters.ts';
import { type EpochReport, Progress } from './progress.ts';
import { detached, type StepValues, stepValues } from './step-values.ts';

/** What became of a training. */
export interface History {
  readonly epochs: readonly EpochReport[];
  /** true if the signal stopped it before the last epoch was over */
  readonly stopped: boolean;
}

/**
 * Puts progress and data at the same batch: training that is resumed goes on where it was interrupted, any
 * other begins an epoch anew.
 * @throws FirsthandError if they stand at different batches of an epoch
 */
function align(progress: Progress, data: BatchSource<string>): void {
  const { position } = data;
  if (progress.position > 0 && position !== undefined) {
    if (position === progress.position) return;
    throw new FirsthandError({
      operation: 'fit',
      problem: `progress is ${progress.position} batches into epoch ${progress.epoch}, and data ${position}`,
      expected: 'both from one checkpoint',
      remedy: 'load both from one checkpoint, or leave progress out to begin anew',
    });
  }
  progress.restartEpoch();
  restart('fit', 'data', data);
}

/**
 * One batch: gradients of its loss times `weight` are added up; with `update`, the parameters follow them.
 * @param updated what the optimizer updates, as far as it says so
 * @param inspect looks at the gradients of a step
 */
function stepFunction<M extends Module, Name extends string>(
  { model, loss, optimizer, clip }: FitOptions<M, Name>,
  updated: ReadonlyMap<Tensor, string> | null,
  inspect: () => void,
): (batch: Batch<Name>, weight: number, update: boolean) => StepValues {
  const clipped = updated === null ? model.parameters() : [...updated.keys()];
  const others =
    updated === null
      ? []
      : model.parameters().filter((parameter) => parameter.requiresGrad && !updated.has(parameter));
  return (batch, weight, update) => {
    const values = stepValues('fit', loss(model, batch));
    (weight === 1 ? values.loss : values.loss.mul(weight)).backward();
    if (update) {
      inspect();
      if (clip !== undefined) clipGradNorm(clipped, clip);
      optimizer.step();
      // Last: the gradients are used in this program, and never stored.
      optimizer.zeroGrad();
      for (const parameter of others) parameter.grad = null;
    }
    return detached(values);
  };
}

/**
 * Trains a model.
 *
 * The model is put into training mode. After each epoch it is evaluated on `validation`, and the callbacks
 * are told. Interrupted and resumed from a checkpoint, in the middle of an epoch too, training gives the same
 * bits as without the interruption. Without a `progress` that stands in the middle of an epoch, it begins an
 * epoch anew, wherever a loop before has left the loader.
 *
 * What would train nothing is an error: data without batches, or that can be read only once; a model without
 * parameters to train; an optimizer that was made for another model; a loss that depends on none of its
 * parameters. If that holds for some of the parameters, a warning names them.
 * @throws FirsthandError if an option does not exist or is out of range, or there is nothing to train;
 *   NonFiniteLossError if the loss is not finite;
 *   whatever the loss, the data or a callback throws
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
 * const dataset = new ArrayDataset({ x, y: sum(x, { axis: 1, keepDims: true }) });
 * const data = new DataLoader(dataset, { batchSize: 16 });
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
export async function fit<M extends Module, Name extends string>(
  options: FitOptions<M, Name>,
): Promise<History> {
  checkCount('fit', arguments.length, 1, 'fit({ model, loss, optimizer, data, epochs })');
  checkFit(options);
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
    nonFinite = 'error',
  } = options;
  const warned = new Set<string>();
  /** Prints a warning, one of each kind in a training. */
  const warn = (kind: string, message: string): void => {
    if (warned.has(kind)) return;
    warned.add(kind);
    // oxlint-disable-next-line no-console -- said once in a training, to the person who started it
    console.warn(`fit: ${message}`);
  };
  const updated = updatedTensors(model, optimizer.groups);
  if (updated !== null) for (const message of compareParameters(model, updated)) warn(message, message);
  if (progress.epoch >= epochs) {
    warn(
      'done',
      `${progress.epoch} of ${epochs} epochs are done, so that nothing is left to train; raise epochs to go on`,
    );
  }
  align(progress, data);
  let inspected = updated === null;
  const inspect = (): void => {
    if (inspected) return;
    const message = inspectGradients(updated!);
    if (message !== null) warn('gradients', message);
    inspected = true;
  };
  const validate =
    options.validation === undefined
      ? null
      : evaluator(
          { model, loss: options.loss, data: options.validation, compile },
          { operation: 'fit', option: 'validation' },
        );
  const plainStep = stepFunction(options, updated, inspect);
  const step = compile ? compileFunction(plainStep) : plainStep;
  const device = model.parameters()[0]?.device ?? getDefaultDevice();
  const yieldToEventLoop = eventLoopYielder();
  const learningRates = (): number[] => optimizer.groups.map(({ lr }) => lr);

  /** The values of a batch's step, once they are there and its loss is known to be finite. */
  const checked = async (
    values: Promise<Metrics>,
    position: StepPosition,
    fields: Fields,
  ): Promise<Metrics> => {
    const numbers = await values;
    if (nonFinite === 'ignore' || Number.isFinite(numbers['loss'])) return numbers;
    const error = new NonFiniteLossError(numbers['loss']!, position, fields);
    if (nonFinite === 'error') throw error;
    warn('nonFinite', error.message.replace(/^fit: /, '').replace(/, or go on with .*$/, ''));
    return numbers;
  };

  /** One optimizer step over a group of batches. Gives the values of the whole group. */
  const takeStep = (group: readonly Fields<Name>[], total: number): RunningMeans => {
    if (schedule !== undefined) optimizer.follow(schedule, progress.step);
    const values = new RunningMeans();
    const position = {
      epoch: progress.epoch,
      step: progress.step + 1,
      learningRate: Math.max(...optimizer.groups.map(({ lr, baseLr }) => baseLr ?? lr)),
    };
    for (const [index, fields] of group.entries()) {
      const count = countExamples('fit', fields);
      const result = step(toTensors(fields, device), count / total, index === group.length - 1);
      const read = checked(readScalars(result), position, fields);
      values.add(read, count);
      progress.running.add(read, count);
    }
    progress.completeStep(group.length);
    return values;
  };

  /** One epoch, or what is left of it. False if it was stopped. */
  const runEpoch = async (): Promise<boolean> => {
    const { epoch, position: first } = progress;
    const throughput = new Throughput(progress.seconds);
    const { length } = data;
    let moves = schedule === undefined;
    for await (const group of grouped(data, accumulate, length === undefined ? undefined : length - first)) {
      const total = group.reduce((sum, fields) => sum + countExamples('fit', fields), 0);
      const values = takeStep(group, total);
      throughput.count(group.length, total);
      await progress.running.settle(AHEAD);
      progress.spend(throughput.seconds);
      const { position } = progress;
      moves ||= learningRates().some((rate) => rate !== 0);
      const report: StepReport = {
        epoch,
        step: progress.step,
        position,
        batches: length ?? null,
        learningRates: learningRates(),
        examplesPerSecond: throughput.examplesPerSecond,
        secondsLeft:
          length === undefined ? null : throughput.secondsFor(length * (epochs - epoch) - position),
        means: progress.running.means(),
        values: async () => {
          await values.settle();
          return values.means();
        },
      };
      for (const callback of callbacks) await callback.onStep?.(report);
      await yieldToEventLoop();
      if (signal?.aborted === true) return false;
    }
    if (progress.position === 0) throw noBatches('fit', 'data', epoch);
    await progress.running.settle();
    if (first === 0 && !moves)
      warn(
        'schedule',
        `the schedule's learning rates are 0 in all of epoch ${epoch}, so that nothing is learned; let it end later`,
      );
    const { seconds, examplesPerSecond } = throughput;
    const training = progress.running.means();
    const validation = validate === null ? null : await validate();
    if (nonFinite !== 'ignore' && validation !== null && !Number.isFinite(validation['loss'])) {
      warn('validation', `the validation loss is ${validation['loss']} after epoch ${epoch}`);
    }
    const report = {
      epoch,
      step: progress.step,
      training,
      validation,
      learningRates: learningRates(),
      seconds,
      examplesPerSecond,
    };
    progress.completeEpoch(report);
    for (const callback of callbacks) await callback.onEpoch?.(report);
    return true;
  };

  model.train();
  optimizer.zeroGrad(); // what was left of another training, or of a look at the gradients
  while (progress.epoch < epochs) {
    if (signal?.aborted === true || !(await runEpoch())) {
      await progress.running.settle();
      return { epochs: progress.history, stopped: true };
    }
  }
  return { epochs: progress.history, stopped: false };
}
