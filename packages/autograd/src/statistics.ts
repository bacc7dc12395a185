/**
 * Running statistics: variables that a forward pass updates on its way (batch normalisation's mean). They
 * stay as they are while a function is differentiated or examined, which may call it any number of times.
 */
import { checkCount, checkFunction } from '@firsthand/linalg';
import { assignVariable } from './value.ts';
import { isSubstituted } from './node-substitution.ts';
import type { Tensor } from './tensor.ts';

let suppressed = false;

/**
 * Rebinds a running statistic, unless statistics are suppressed or another value is substituted for it. The
 * new value is a constant for differentiation.
 */
export function updateStatistic(statistic: Tensor, value: Tensor): void {
  checkCount('updateStatistic', arguments.length, 2, 'updateStatistic(statistic, value)');
  if (!suppressed && !isSubstituted(statistic)) assignVariable(statistic, value.read(), 'stat');
}

export function areStatisticsSuppressed(): boolean {
  return suppressed;
}

/** Runs `fn` without updates of running statistics. */
export function withoutStatistics<T>(fn: () => T): T {
  checkCount('withoutStatistics', arguments.length, 1, 'withoutStatistics(fn)');
  checkFunction('withoutStatistics', 'what is to be run', fn, 'withoutStatistics(() => …)');
  const outer = suppressed;
  suppressed = true;
  try {
    return fn();
  } finally {
    suppressed = outer;
  }
}
