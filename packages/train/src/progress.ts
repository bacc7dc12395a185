/** How far a training has come: what `fit` counts, and continues from. It is saved in checkpoints, so it is plain data at heart. */
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
  /** that the epoch took, validation excluded; since the resumption if it was interrupted */
  readonly seconds: number;
  /** examples per second of training */
  readonly examplesPerSecond: number;
}

/** A training's progress as data for JSON. */
export interface ProgressState {
  readonly step: number;
  readonly history: readonly EpochReport[];
  /** of the epoch under way */
  readonly totals: Totals;
}

/** How far a training has come. Give the same object to `fit` and `saveCheckpoint`, or to `loadCheckpoint` and then `fit`. */
export class Progress {
  #step = 0;
  #history: EpochReport[] = [];
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

  /** Counts an optimizer step. */
  completeStep(): void {
    this.#step++;
  }

  /** Counts an epoch, and begins the means of the next. */
  completeEpoch(report: EpochReport): void {
    this.#history = [...this.#history, report];
    this.running.totals = { sums: {}, weight: 0 };
  }

  /** The progress as data, once every value that has been asked for is there. */
  async state(): Promise<ProgressState> {
    await this.running.settle();
    return { step: this.#step, history: this.#history, totals: this.running.totals };
  }

  /** Goes back to a state. */
  restore({ step, history, totals }: ProgressState): void {
    this.#step = step;
    this.#history = [...history];
    this.running.totals = totals;
  }
}
