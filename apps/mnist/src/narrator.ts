/**
 * Tells a training as it goes on: how far the epoch is, and at its end what it came to and what went through
 * each layer.
 */
import type { Layer } from '@firsthand/nn';
import type { Callbacks, EpochReport, StepReport } from '@firsthand/train';
import { type Display, startDisplay } from './display.ts';
import { type Batch, measureLayers, type Snapshot, snapshot } from './layers.ts';
import { formatCount, formatPercent, formatSeconds } from '@firsthand/kit/numbers';
import type { Settings } from './settings.ts';
import { layerTable } from './tables.ts';
import { type Output, paint, writeLine } from '@firsthand/kit/terminal';

/** What a narrator has to know of the run. */
interface Subject {
  readonly model: Layer;
  /** A batch that layers are measured on. */
  readonly probe: Batch;
  readonly settings: Settings;
  /** Images in an epoch. */
  readonly images: number;
}

export class Narrator implements Callbacks {
  readonly #output: Output;
  readonly #subject: Subject;
  /** The parameters when the epoch began, or when the run was resumed in it. */
  #before: Snapshot;
  #display: Display | null = null;

  private constructor(output: Output, subject: Subject, before: Snapshot) {
    this.#output = output;
    this.#subject = subject;
    this.#before = before;
  }

  /** A narrator of a training that is about to begin or to go on. */
  static async create(output: Output, subject: Subject): Promise<Narrator> {
    return new Narrator(output, subject, await snapshot(subject.model));
  }

  onStep({ epoch, position, means, examplesPerSecond, secondsLeft }: StepReport): void {
    const { images, settings } = this.#subject;
    const { loss, accuracy } = means;
    // The first steps' values are still on their way
    if (loss === undefined || accuracy === undefined) return;
    this.#display ??= startDisplay(this.#output, this.#title(epoch), images);
    this.#display.update({
      images: Math.min(position * settings.batchSize, images),
      loss,
      accuracy,
      imagesPerSecond: examplesPerSecond,
      secondsLeft: secondsLeft ?? Infinity,
    });
  }

  async onEpoch({ epoch, training, seconds, examplesPerSecond }: EpochReport): Promise<void> {
    this.stop();
    const { model, probe } = this.#subject;
    const loss = `loss ${training['loss']!.toFixed(4)}`;
    const accuracy = `accuracy ${formatPercent(training['accuracy']!)}`;
    const throughput = `${formatSeconds(seconds)}, ${formatCount(examplesPerSecond)} images/s`;
    writeLine(
      this.#output,
      [paint(this.#output, 'bold', this.#title(epoch)), loss, accuracy, throughput].join('  '),
    );
    writeLine(this.#output, layerTable(await measureLayers(model, probe, this.#before), this.#output));
    this.#before = await snapshot(model);
  }

  /** Ends what is drawn over itself. */
  stop(): void {
    this.#display?.stop();
    this.#display = null;
  }

  #title(epoch: number): string {
    return `epoch ${epoch + 1}/${this.#subject.settings.epochs}`;
  }
}
