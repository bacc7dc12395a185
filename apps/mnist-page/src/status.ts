/**
 * What is said of a training in words and numbers: a line, the tiles, a table with a row for each epoch, and
 * what went wrong.
 */
import { formatCount, formatPercent, formatSeconds } from '@firsthand/kit/numbers';
import { CHOICES, DEFAULT_DEVICE } from './choices.ts';
import { element, make } from '@firsthand/kit/dom';
import type { Advance, Beginning, EpochResult, PageDevice, Stage } from './protocol.ts';

/** What is said of a failure, by what was under way. */
const FAILURES: {
  readonly [K in Stage]: {
    readonly title: (device: PageDevice) => string;
    readonly remedy: (device: PageDevice) => string;
  };
} = {
  loading: {
    title: () => 'The page could not get what it needs',
    remedy: () => 'Reload the page; if that does not help, start its server again.',
  },
  opening: {
    title: (device) => `The ${device} device cannot be used here`,
    remedy: (device) => CHOICES[device].remedy,
  },
  training: {
    title: () => 'The training ended',
    remedy: () => 'Press Start to train a new network, with other settings or on another device.',
  },
  reading: {
    title: () => 'The digits could not be read',
    remedy: () => 'Press Start to train a new network, on another device if this one fails again.',
  },
};

const TILES = ['device', 'epoch', 'step', 'loss', 'pace', 'accuracy'] as const;
type Tile = (typeof TILES)[number];

export class Status {
  readonly #message: HTMLParagraphElement = element('message', HTMLParagraphElement);
  readonly #progress: HTMLProgressElement = element('progress', HTMLProgressElement);
  readonly #tiles: ReadonlyMap<Tile, HTMLElement> = new Map(
    TILES.map((name) => [name, element(`tile-${name}`, HTMLElement)]),
  );
  readonly #table: HTMLTableElement = element('epochs', HTMLTableElement);
  readonly #failure: HTMLDivElement = element('failure', HTMLDivElement);
  #device: PageDevice = DEFAULT_DEVICE;
  #epochs = 0;
  #steps = 0;

  say(message: string): void {
    this.#message.textContent = message;
  }

  /** Forgets the training before; another is about to begin. */
  clear(device: PageDevice, epochs: number): void {
    this.#device = device;
    this.#epochs = epochs;
    this.#progress.value = 0;
    for (const name of TILES) this.#set(name, '–');
    this.#table.hidden = true;
    this.#table.tBodies[0]!.replaceChildren();
    this.#failure.hidden = true;
  }

  begin({ device, hardware, parameters, steps }: Beginning): void {
    this.#steps = steps;
    this.#set('device', hardware === null ? device : `${device}, ${hardware}`);
    this.say(`Training ${formatCount(parameters)} parameters…`);
  }

  /** @param loss the mean over the last steps */
  advance({ epoch, step, examplesPerSecond }: Advance, loss: number | null): void {
    this.#progress.value = step / this.#steps;
    this.#set('epoch', `${formatCount(epoch + 1)} / ${formatCount(this.#epochs)}`);
    this.#set('step', `${formatCount(step)} / ${formatCount(this.#steps)}`);
    this.#set('pace', formatCount(examplesPerSecond));
    if (loss !== null) this.#set('loss', loss.toFixed(4));
  }

  endEpoch({ epoch, loss, trainingAccuracy, testAccuracy, seconds }: EpochResult): void {
    this.#set('accuracy', formatPercent(testAccuracy));
    const entries = [
      loss.toFixed(4),
      formatPercent(trainingAccuracy),
      formatPercent(testAccuracy),
      formatSeconds(seconds),
    ];
    const heading = Object.assign(make('th', { textContent: String(epoch + 1) }), { scope: 'row' });
    this.#table.tBodies[0]!.append(
      make('tr', {}, heading, ...entries.map((textContent) => make('td', { textContent }))),
    );
    this.#table.hidden = false;
  }

  /** Says what went wrong and what to do about it. */
  fail(stage: Stage, message: string): void {
    element('failure-title', HTMLElement).textContent = FAILURES[stage].title(this.#device);
    element('failure-message', HTMLParagraphElement).textContent = message;
    element('failure-remedy', HTMLParagraphElement).textContent = FAILURES[stage].remedy(this.#device);
    this.#failure.hidden = false;
    this.say('');
  }

  #set(name: Tile, text: string): void {
    this.#tiles.get(name)!.textContent = text;
  }
}
