/**
 * What `fit` is told and what it tells: its options, checked before anything else happens, and the reports
 * that callbacks get.
 */
import type { Tensor } from '@firsthand/autograd';
import {
  checkChoice,
  checkOptions,
  describeValue,
  FirsthandError,
  OptionError,
  type OptionKeys,
} from '@firsthand/linalg';
import type { Module } from '@firsthand/nn';
import type { Schedule } from '@firsthand/optim';
import { type BatchSource, checkSource } from './batch.ts';
import type { Metrics } from './metrics.ts';
import type { NonFinitePolicy } from './non-finite.ts';
import { type EpochReport, Progress } from './progress.ts';
import type { LossFunction } from './step-values.ts';

/** What `fit` asks of an optimizer. */
export interface FitOptimizer {
  /** `parameters` are compared with the model's, and `baseLr` is named in errors, if they are there */
  readonly groups: readonly {
    readonly lr: number;
    readonly baseLr?: number;
    readonly parameters?: readonly Tensor[];
  }[];
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
  /** until the last epoch ends, at this throughput; null if the data does not say how many batches it has */
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
  /**
   * stops training after the step under way: model, optimizer, data and progress then agree, ready to be
   * saved or to go on
   */
  readonly signal?: AbortSignal;
  /** whether steps are compiled; true if not given. Numbers are the same either way. */
  readonly compile?: boolean;
  /** where to go on from; from the beginning if not given */
  readonly progress?: Progress;
  /**
   * what a loss that is NaN or infinite does: end the training with a `NonFiniteLossError` (if not given),
   * print a warning once, or nothing. It is noticed where losses are read: at most 8 batches later, at the
   * latest when the epoch ends. A validation loss is warned of, and ends nothing.
   */
  readonly nonFinite?: NonFinitePolicy;
}

const KEYS: OptionKeys<FitOptions<Module, string>> = {
  model: true,
  loss: true,
  optimizer: true,
  data: true,
  validation: true,
  epochs: true,
  schedule: true,
  clip: true,
  accumulate: true,
  callbacks: true,
  signal: true,
  compile: 'boolean',
  progress: true,
  nonFinite: true,
};

const CALLBACKS: readonly (keyof Callbacks)[] = ['onStep', 'onEpoch'];

/** @throws FirsthandError if an option does not exist or is out of range: what would be ignored is refused */
export function checkFit<M extends Module, Name extends string>(options: FitOptions<M, Name>): void {
  const {
    data,
    validation,
    epochs,
    accumulate = 1,
    clip,
    callbacks = [],
    signal,
    progress,
    nonFinite = 'error',
  } = checkOptions('fit', options ?? {}, KEYS as OptionKeys<FitOptions<M, Name>>);
  if (!Array.isArray(callbacks)) {
    const problem = `callbacks is ${describeValue(callbacks)}`;
    throw new OptionError({
      operation: 'fit',
      problem,
      expected: 'an array',
      remedy: 'write callbacks: [{ onStep }]',
    });
  }
  for (const [name, value] of Object.entries({ epochs, accumulate })) {
    if (Number.isInteger(value) && value >= 1) continue;
    const expected = 'a whole number of at least 1';
    throw new FirsthandError({ operation: 'fit', problem: `${name} is ${expected}, not ${value}`, expected });
  }
  if (clip !== undefined && !(clip > 0)) {
    const [expected, remedy] = ['a number above 0', 'leave it out for no limit'];
    throw new FirsthandError({
      operation: 'fit',
      problem: `clip is ${expected}, not ${clip}`,
      expected,
      remedy,
    });
  }
  checkChoice('fit', 'nonFinite', nonFinite, ['error', 'warn', 'ignore']);
  if (signal !== undefined && typeof (signal as Partial<AbortSignal> | null)?.aborted !== 'boolean') {
    const remedy = signal instanceof AbortController ? 'write signal: controller.signal' : undefined;
    throw new OptionError({
      operation: 'fit',
      problem: `signal is ${describeValue(signal)}`,
      expected: 'an AbortSignal',
      remedy,
    });
  }
  for (const callback of callbacks as readonly unknown[]) {
    if (CALLBACKS.some((name) => typeof (callback as Callbacks | null | undefined)?.[name] === 'function'))
      continue;
    throw new OptionError({
      operation: 'fit',
      problem: `a callback is ${describeValue(callback)} that would never be called`,
      expected: 'an object with onStep or onEpoch',
    });
  }
  if (progress !== undefined && !(progress instanceof Progress)) {
    const problem = `progress is ${describeValue(progress)}`;
    throw new OptionError({
      operation: 'fit',
      problem,
      expected: 'a Progress',
      remedy: 'write progress: new Progress()',
    });
  }
  const left = epochs - (progress?.epoch ?? 0);
  checkSource('fit', 'data', data, left);
  if (validation !== undefined) checkSource('fit', 'validation', validation, left);
}
