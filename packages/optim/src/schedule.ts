/**
 * Learning-rate schedules: functions from the number of the step, counted from 0, to a factor of the base
 * rate. They have no state, so resuming needs the step alone; `optimizer.follow(schedule, step)` before each
 * step sets the rates, which compiled steps read at every call.
 */
import { checkCount, checkOptions, type OptionKeys } from '@firsthand/linalg';
import { requireAtLeast } from './settings.ts';

/** The factor of the base learning rate at a step, counted from 0. */
export type Schedule = (step: number) => number;

/** Options of {@link step}. */
export interface StepOptions {
  /** how many steps a factor lasts */
  readonly every: number;
  /** 0.1 if not given */
  readonly factor?: number | undefined;
}

/** Options of {@link exponential}: the factor of each step. */
export interface ExponentialOptions {
  readonly factor: number;
}

/** Options of {@link linearWarmup}: how many steps it takes. */
export interface WarmupOptions {
  readonly steps: number;
}

/** Options of {@link cosine}. */
export interface CosineOptions {
  /** of the whole training */
  readonly steps: number;
  /** steps of linear warm-up, 0 if not given */
  readonly warmup?: number | undefined;
  /** the last factor, 0 if not given */
  readonly minimum?: number | undefined;
}

/**
 * The options of a schedule, checked.
 * @param given how many arguments it was called with
 */
function scheduleOptions<O extends object>(name: string, options: O, keys: OptionKeys<O>, given: number): O {
  const operation = `schedule.${name}`;
  checkCount(operation, given, 1, `${operation}({ ${Object.keys(keys).join(', ')} })`);
  return checkOptions(operation, options, keys);
}

/** Always the base rate. */
export function constant(): Schedule {
  return () => 1;
}

/** Multiplied by `factor` every `every` steps: factor^⌊step/every⌋. */
export function step(options: StepOptions): Schedule {
  const { every, factor = 0.1 } = scheduleOptions(
    'step',
    options,
    { every: 'number', factor: 'number' },
    arguments.length,
  );
  requireAtLeast('schedule.step', 'every', every, 1);
  return (at) => factor ** Math.floor(at / every);
}

/** Multiplied by `factor` at every step: factor^step. */
export function exponential(options: ExponentialOptions): Schedule {
  const { factor } = scheduleOptions('exponential', options, { factor: 'number' }, arguments.length);
  requireAtLeast('schedule.exponential', 'factor', factor, 0);
  return (at) => factor ** at;
}

/**
 * Up in equal steps to the base rate, which step `steps` − 1 is the first to have: min(1, (step + 1)/steps).
 */
export function linearWarmup(options: WarmupOptions): Schedule {
  const { steps } = scheduleOptions('linearWarmup', options, { steps: 'number' }, arguments.length);
  requireAtLeast('schedule.linearWarmup', 'steps', steps, 0);
  return (at) => (at < steps ? (at + 1) / steps : 1);
}

/**
 * Up linearly for `warmup` steps, then down along half a cosine to `minimum` at step `steps`, and constant
 * from there on (Loshchilov & Hutter 2017): minimum + (1 − minimum)·(1 + cos πt)/2 with t from 0 to 1.
 * @param options.steps of the whole training
 * @param options.warmup steps of linear warm-up, 0 if not given
 * @param options.minimum the last factor, 0 if not given
 * @throws FirsthandError unless 0 ≤ warmup < steps
 * @example
 * ```ts
 * import { schedule } from '@firsthand/optim';
 * const factor = schedule.cosine({ warmup: 2, steps: 10 });
 * console.log([0, 1, 2, 6, 10].map((at) => factor(at).toFixed(2)).join(' ')); // 0.50 1.00 1.00 0.50 0.00
 * ```
 */
export function cosine(options: CosineOptions): Schedule {
  const keys: OptionKeys<CosineOptions> = { steps: 'number', warmup: 'number', minimum: 'number' };
  const { steps, warmup = 0, minimum = 0 } = scheduleOptions('cosine', options, keys, arguments.length);
  requireAtLeast('schedule.cosine', 'steps', steps, 1);
  requireAtLeast('schedule.cosine', 'warmup', warmup, 0, steps);
  const rise = linearWarmup({ steps: warmup });
  return (at) => {
    if (at < warmup) return rise(at);
    const t = Math.min(1, (at - warmup) / (steps - warmup));
    return minimum + ((1 - minimum) * (1 + Math.cos(Math.PI * t))) / 2;
  };
}
