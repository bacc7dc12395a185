/**
 * How far a training has come: what `fit` counts, and continues from. It is saved in checkpoints, so it is
 * plain data at heart.
 */
import { checkCount, checkNumber } from '@firsthand/linalg';
import { type Metrics, RunningMeans, type Totals } from './metrics.ts';

/** What is known of an epoch once it is over. */
export interface EpochReport {
  /** counted from 0 */
  readonly epoch: number;
  /** optimizer steps since the training began */
  readonly step: number;
  /** means over the epoch's examples, each taken before the step that it led to */
  readonly training: Metrics;
  /** means over the validation data after the epoch, null without such data */
  readonly validation: Metrics | null;
  /** of each parameter group at the epoch's last step */
  readonly learningRates: readonly number[];
  /** that the epoch took, validation excluded; the parts of one that was interrupted are added up */
  readonly seconds: number;
  /** examples per second of training, since the epoch began or was resumed */
  readonly examplesPerSecond: number;
}

/** A training's progress as data for JSON. */
export interface ProgressState {
  readonly step: number;
  readonly history: readonly EpochReport[];
  /** of the epoch under way: batches used, seconds taken, sums of losses and metrics */
  readonly position: number;
  readonly seconds: number;
  readonly totals: Totals;
}

/**
 * How far a training has come. Give the same object to `fit` and `saveCheckpoint`, or to `loadCheckpoint` and
 * then `fit`.
 */
export class Progress {
  #step = 0;
  #history: EpochReport[] = [];
  #position = 0;
  #seconds = 0;
  /** Means of the epoch under way. */
  readonly running: RunningMeans = new RunningMeans();

  /** optimizer steps done */
  get step(): number {
    return this.#step;
  }

  /** epochs completed, which is also the number of the one under way, counted from 0 */
  get epoch(): number {
    return this.#history.length;
  }

  /** the completed epochs */
  get history(): readonly EpochReport[] {
    return this.#history;
  }

  /** batches used in the epoch under way */
  get position(): number {
    return this.#position;
  }

  /** that the epoch under way has taken, up to its last step */
  get seconds(): number {
    return this.#seconds;
  }

  /**
   * Counts an optimizer step.
   * @param batches that were used for it
   */
  completeStep(batches: number = 1): void {
    checkCount('completeStep', arguments.length, 1, 'progress.completeStep(batches)');
    checkNumber('completeStep', 'batches', batches);
    this.#step++;
    this.#position += batches;
  }

  /** Notes how long the epoch under way has taken. */
  spend(seconds: number): void {
    checkCount('spend', arguments.length, 1, 'progress.spend(seconds)');
    checkNumber('spend', 'seconds', seconds);
    this.#seconds = seconds;
  }

  /** Counts an epoch, and begins the next. */
  completeEpoch(report: EpochReport): void {
    checkCount('completeEpoch', arguments.length, 1, 'progress.completeEpoch(report)');
    this.#history = [...this.#history, report];
    this.restartEpoch();
  }

  /** Begins the epoch under way from its first batch; the steps that were taken in it stay counted. */
  restartEpoch(): void {
    checkCount('restartEpoch', arguments.length, 0, 'progress.restartEpoch()');
    this.#position = 0;
    this.#seconds = 0;
    this.running.totals = { sums: {}, weight: 0 };
  }

  /** The progress as data, once every requested value has arrived. */
  async state(): Promise<ProgressState> {
    checkCount('state', arguments.length, 0, 'progress.state()');
    await this.running.settle();
    return {
      step: this.#step,
      history: this.#history,
      position: this.#position,
      seconds: this.#seconds,
      totals: this.running.totals,
    };
  }

  /** Goes back to a state. */
  restore({ step, history, position, seconds, totals }: ProgressState): void {
    checkCount('restore', arguments.length, 1, 'progress.restore(state)');
    this.#step = step;
    this.#position = position;
    this.#seconds = seconds;
    this.#history = [...history];
    this.running.totals = totals;
  }
}
