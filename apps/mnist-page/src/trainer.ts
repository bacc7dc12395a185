/**
 * What the worker does: opens a device, trains, and reads images with the network as it is at that moment.
 * `fit` lets the event loop turn between two steps every so often; the page's messages are heard then.
 */
import { type Device, setDefaultDevice } from '@firsthand/autograd';
import { DataLoader, loadBatch } from '@firsthand/data';
import { FirsthandError } from '@firsthand/linalg';
import type { Callbacks, EpochReport, StepReport } from '@firsthand/train';
import { type Digits, PIXELS } from 'mnist/digits';
import { reader } from 'mnist/evaluate';
import { firstDigits, toDataset } from 'mnist/mnist';
import type { Settings } from 'mnist/settings';
import { begin, learn, stepsOf } from 'mnist/training';
import { openDevice } from './open-device.ts';
import type { PageDevice, Report, Stage } from './protocol.ts';

/** Milliseconds between two reports of progress: what an eye can follow. */
const INTERVAL = 60;
/** Test images that are read at once. */
const TEST_BATCH = 500;

/** Both parts of the data, on their way. */
export interface Data {
  readonly train: Promise<Digits>;
  readonly test: Promise<Digits>;
}

export class Trainer {
  readonly #tell: (report: Report) => void;
  readonly #data: Data;
  #device: Device | null = null;
  #read: ReturnType<typeof reader> | null = null;
  #stop: AbortController = new AbortController();
  #isTraining = false;

  constructor(tell: (report: Report) => void, data: Data) {
    this.#tell = tell;
    this.#data = data;
  }

  /**
   * Trains a new network, from the first step to the last or until `stop`. What fails is told, and nothing is
   * thrown.
   */
  async start(name: PageDevice, settings: Settings): Promise<void> {
    this.#stop = new AbortController();
    this.#isTraining = true;
    let stage: Stage = 'loading';
    try {
      const [train, test] = await Promise.all([this.#data.train, this.#data.test]);
      stage = 'opening';
      this.#read = null;
      this.#device?.dispose();
      this.#device = null;
      const { device, hardware } = await openDevice(name);
      this.#device = device;
      setDefaultDevice(device);
      stage = 'training';
      const training = begin(settings, firstDigits(train, settings.examples));
      this.#read = reader(training.model);
      const parameters = training.model.parameters().reduce((sum, { size }) => sum + size, 0);
      this.#tell({
        kind: 'began',
        beginning: { device: device.name, hardware, parameters, steps: stepsOf(training, settings) },
      });
      const reporter = new Reporter(this.#tell);
      const { stopped } = await learn(training, settings, {
        validation: new DataLoader(toDataset(test), { batchSize: TEST_BATCH }),
        callbacks: [reporter],
        signal: this.#stop.signal,
      });
      await reporter.finish();
      this.#tell({ kind: 'ended', stopped });
    } catch (error) {
      this.#read = null;
      this.#tell({ kind: 'failed', stage, message: describe(error) });
    } finally {
      this.#isTraining = false;
    }
  }

  /** Ends training after the step under way; the network stays, to read images. */
  stop(): void {
    this.#stop.abort();
  }

  /** Reads images. pixels: (n · 784). */
  async read(id: number, pixels: Uint8Array): Promise<void> {
    const read = this.#read;
    let probabilities: Float32Array | null = null;
    try {
      if (read !== null) {
        const count = pixels.length / PIXELS;
        const indices = Array.from({ length: count }, (_, index) => index);
        const { image } = await loadBatch(
          toDataset({ count, pixels, labels: new Uint8Array(count) }),
          indices,
        );
        probabilities = await read(image);
      }
    } catch (error) {
      // What fails here while training goes on fails there too, and is told once, as its failure.
      if (read === this.#read && !this.#isTraining)
        this.#tell({ kind: 'failed', stage: 'reading', message: describe(error) });
    }
    this.#tell({ kind: 'readings', id, probabilities });
  }
}

/** Tells the page about a training, a few times a second. */
export class Reporter implements Callbacks {
  readonly #tell: (report: Report) => void;
  #standing: Pick<StepReport, 'epoch' | 'step' | 'examplesPerSecond'> = {
    epoch: 0,
    step: 0,
    examplesPerSecond: 0,
  };
  #steps: number[] = [];
  #losses: number[] = [];
  /** Settles when the losses of all steps so far have arrived. */
  #arrival: Promise<void> = Promise.resolve();
  #last = -Infinity;

  constructor(tell: (report: Report) => void) {
    this.#tell = tell;
  }

  onStep(report: StepReport): void {
    const { epoch, step, examplesPerSecond } = report;
    this.#standing = { epoch, step, examplesPerSecond };
    // Not awaited: the device works on while the loss is on its way. Losses may arrive in another order than
    // they were requested, and a curve goes forward only. If one fails, training fails and says so.
    const values = report.values().catch(() => null);
    this.#arrival = this.#arrival.then(async () => {
      const loss = (await values)?.['loss'];
      if (loss === undefined) return;
      this.#steps.push(step);
      this.#losses.push(loss);
    });
    if (performance.now() - this.#last >= INTERVAL) this.advance();
  }

  onEpoch({ epoch, training, validation, seconds, examplesPerSecond }: EpochReport): void {
    this.advance();
    const result = {
      epoch,
      loss: training['loss']!,
      trainingAccuracy: training['accuracy']!,
      testAccuracy: validation!['accuracy']!,
      seconds,
      examplesPerSecond,
    };
    this.#tell({ kind: 'epoch', result });
  }

  /** Tells the losses that were still on their way. */
  async finish(): Promise<void> {
    await this.#arrival;
    this.advance();
  }

  /** Tells how far the training is, with all losses that have arrived. */
  advance(): void {
    this.#tell({
      kind: 'advanced',
      advance: { ...this.#standing, steps: this.#steps, losses: this.#losses },
    });
    this.#steps = [];
    this.#losses = [];
    this.#last = performance.now();
  }
}

/** What went wrong, in a line: a mistake that a package foresees speaks for itself, another is named. */
export function describe(error: unknown): string {
  if (error instanceof FirsthandError) return error.message;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
