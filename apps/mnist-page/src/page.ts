/** Joins the form, the curve, the drawing and the test digits with the worker that trains. */
import { Curve } from '@firsthand/kit/curve';
import { element } from '@firsthand/kit/dom';
import { latestOnly } from '@firsthand/kit/latest';
import { LossChart } from '@firsthand/kit/loss-chart';
import { formatCount } from '@firsthand/kit/numbers';
import { CLASSES, PIXELS } from 'mnist/digits';
import uPlot from 'uplot';
import { Bars } from './bars.ts';
import { TrainerClient } from './client.ts';
import { Controls, type Order, type Phase } from './controls.ts';
import { Gallery } from './gallery.ts';
import { showImage } from './image.ts';
import { Pad } from './pad.ts';
import type { Report, Stage } from './protocol.ts';
import type { Status } from './status.ts';
import { rasterize } from './strokes.ts';

const INVITATION = 'Draw a digit, or choose one of the test digits.';

/** What the page does after a failure of each kind; null: what it did before. */
const PHASE_AFTER: { readonly [K in Stage]: Phase | null } = {
  loading: 'loading',
  opening: 'ready',
  training: 'ready',
  reading: null,
};

export class Page {
  readonly #status: Status;
  readonly #chart: LossChart = new LossChart(uPlot, {
    home: element('chart', HTMLDivElement),
    hint: element('chart-hint', HTMLSpanElement),
    logarithmic: element('logarithmic', HTMLInputElement),
  });
  readonly #bars: Bars = new Bars();
  readonly #seen: HTMLImageElement = element('seen', HTMLImageElement);
  readonly #pad: Pad = new Pad((strokes) => this.#show(rasterize(strokes)));
  readonly #gallery: Gallery = new Gallery(({ pixels }) => {
    this.#pad.clear();
    this.#show(pixels);
  });
  readonly #controls: Controls = new Controls(
    (order) => this.#start(order),
    () => this.#stop(),
  );
  readonly #client: TrainerClient = new TrainerClient({
    loaded: ({ test }) => {
      this.#gallery.open(test, this.#refresh);
      this.#controls.phase = 'ready';
      this.#status.say('Ready.');
    },
    began: ({ beginning }) => {
      this.#status.begin(beginning);
      this.#chart.begin(this.#curve, beginning.steps);
    },
    advanced: ({ advance }) => {
      for (const [index, step] of advance.steps.entries()) this.#curve.add(step, advance.losses[index]!);
      this.#status.advance(advance, this.#curve.mean);
      this.#chart.update();
      this.#refresh();
    },
    epoch: ({ result }) => this.#status.endEpoch(result),
    ended: ({ stopped }) => {
      this.#controls.phase = 'ready';
      this.#status.say(stopped ? 'Stopped.' : 'Done.');
      this.#refresh();
    },
    failed: (failure) => this.#fail(failure),
  });
  #curve: Curve = new Curve();
  /** The image whose probabilities are shown: the drawing, or a test digit. */
  #shown: Uint8Array | null = null;

  constructor(status: Status) {
    this.#status = status;
  }

  /** Begins with nothing drawn. */
  open(): void {
    this.#bars.blank(INVITATION);
    element('clear', HTMLButtonElement).addEventListener('click', () => {
      this.#pad.clear();
      this.#show(null);
    });
  }

  #start({ device, settings }: Order): void {
    this.#curve = new Curve();
    this.#chart.clear();
    this.#blank('The network is about to be made.');
    this.#controls.phase = 'training';
    this.#status.clear(device, settings.epochs);
    this.#status.say(`Preparing ${formatCount(settings.examples)} images on ${device}…`);
    this.#client.start(device, settings);
  }

  #stop(): void {
    this.#controls.phase = 'stopping';
    this.#status.say('Stopping after the step under way…');
    this.#client.stop();
  }

  #fail({ stage, message }: Pick<Extract<Report, { kind: 'failed' }>, 'stage' | 'message'>): void {
    const phase = PHASE_AFTER[stage];
    if (phase !== null) this.#controls.phase = phase;
    if (phase === 'ready') this.#refresh();
    this.#status.fail(stage, message);
  }

  /** Shows an image as the network sees it, and has it read. */
  #show(image: Uint8Array | null): void {
    this.#shown = image;
    showImage(this.#seen, image);
    if (image === null) this.#bars.blank(INVITATION);
    else this.#refresh();
  }

  /** Takes all readings away. @param reason that there is none of the image on show */
  #blank(reason: string): void {
    this.#gallery.blank();
    this.#bars.blank(this.#shown === null ? INVITATION : reason);
  }

  /** Has the image on show and the test digits read by the network as it is now. */
  readonly #refresh: () => void = latestOnly(async () => {
    const [image, exhibits] = [this.#shown, this.#gallery.exhibits];
    const images = [...(image === null ? [] : [image]), ...exhibits.map(({ pixels }) => pixels)];
    const pixels = new Uint8Array(images.length * PIXELS);
    for (const [index, each] of images.entries()) pixels.set(each, index * PIXELS);
    const probabilities = await this.#client.read(pixels);
    if (probabilities === null) {
      this.#blank('There is no network to read it: press Start.');
      return;
    }
    const drawn = image === null ? 0 : CLASSES;
    if (image !== null && image === this.#shown) this.#bars.show(probabilities.subarray(0, drawn));
    this.#gallery.show(exhibits, probabilities.subarray(drawn));
  });
}
