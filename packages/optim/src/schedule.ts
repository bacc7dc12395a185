/**
 * Learning-rate schedules: functions from the number of the step, counted from 0, to a factor of the base rate. They have no state, so resuming
 * needs the step alone; `optimizer.follow(schedule, step)` before each step sets the rates, which compiled steps read at every call.
 */
import { requireAtLeast } from './settings.ts';

/** The factor of the base learning rate at a step, counted from 0. */
export type Schedule = (step: number) => number;

/** Always the base rate. */
export function constant(): Schedule {
  return () => 1;
}

/** Multiplied by `factor` every `every` steps: factor^⌊step/every⌋. */
export function step({ every, factor = 0.1 }: { readonly every: number; readonly factor?: number }): Schedule {
  requireAtLeast('schedule.step', 'every', every, 1);
  return (at) => factor ** Math.floor(at / every);
}

/** Multiplied by `factor` at every step: factor^step. */
export function exponential({ factor }: { readonly factor: number }): Schedule {
  return (at) => factor ** at;
}

/** Up in equal steps to the base rate, which step `steps` − 1 is the first to have: min(1, (step + 1)/steps). */
export function linearWarmup({ steps }: { readonly steps: number }): Schedule {
  requireAtLeast('schedule.linearWarmup', 'steps', steps, 0);
  return (at) => (at < steps ? (at + 1) / steps : 1);
}

/**
 * Up linearly for `warmup` steps, then down along half a cosine to `minimum` at step `steps`, and constant from there on
 * (Loshchilov & Hutter 2017): minimum + (1 − minimum)·(1 + cos πt)/2 with t from 0 to 1.
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
export function cosine({
  steps,
  warmup = 0,
  minimum = 0,
}: {
  readonly steps: number;
  readonly warmup?: number;
  readonly minimum?: number;
}): Schedule {
  requireAtLeast('schedule.cosine', 'steps', steps, 1);
  requireAtLeast('schedule.cosine', 'warmup', warmup, 0, steps);
  const rise = linearWarmup({ steps: warmup });
  return (at) => {
    if (at < warmup) return rise(at);
    const t = Math.min(1, (at - warmup) / (steps - warmup));
    return minimum + ((1 - minimum) * (1 + Math.cos(Math.PI * t))) / 2;
  };
}
