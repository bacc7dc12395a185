/**
 * The protocol between the benchmark and a contender's process: one request at a time, one reply to each.
 */

import type { Notes } from './contender.ts';

export type Request =
  /**
   * Makes a task ready, and runs it a few times, so that its results can be compared. A run that takes longer
   * than `enough` milliseconds is the last.
   */
  | { readonly kind: 'prepare'; readonly task: string; readonly runs: number; readonly enough: number }
  /** Runs the task for a time, without timing it. */
  | { readonly kind: 'warmUp'; readonly milliseconds: number }
  /** Times runs for a time; at least one run. */
  | { readonly kind: 'time'; readonly milliseconds: number }
  /** Gives the task's memory back. */
  | { readonly kind: 'release' };

export type Reply =
  /**
   * What the runs computed, how long each took, and what there was to note after the first, which has
   * compiling in it.
   */
  | {
      readonly kind: 'prepared';
      readonly outputs: readonly Float32Array[];
      readonly times: readonly number[];
      readonly notes: Notes;
    }
  /** The contender cannot do the task. */
  | { readonly kind: 'unable' }
  /** Milliseconds of a run. Runs too short for the clock are timed together, and each given its share. */
  | { readonly kind: 'times'; readonly times: readonly number[] }
  | { readonly kind: 'done'; readonly notes: Notes }
  | { readonly kind: 'failed'; readonly message: string };
