/** A row of test images drawn by chance, each with what the network takes it for. */
import { CLASSES, type Digits, likeliest, PIXELS } from 'mnist/digits';
import { formatPercent } from '@firsthand/kit/numbers';
import { element, make } from '@firsthand/kit/dom';
import { showImage } from './image.ts';

const SHOWN = 10;

/** One of the images on show. */
export interface Exhibit {
  readonly pixels: Uint8Array;
  readonly label: number;
}

interface Frame extends Exhibit {
  readonly button: HTMLButtonElement;
  readonly reading: HTMLSpanElement;
}

export class Gallery {
  readonly #list: HTMLUListElement = element('gallery', HTMLUListElement);
  readonly #others: HTMLButtonElement = element('others', HTMLButtonElement);
  readonly #onChoose: (exhibit: Exhibit) => void;
  #frames: readonly Frame[] = [];

  /** @param onChoose is given an image that was clicked; `onChange` is called when others are shown */
  constructor(onChoose: (exhibit: Exhibit) => void) {
    this.#onChoose = onChoose;
  }

  /** The images on show. */
  get exhibits(): readonly Exhibit[] {
    return this.#frames;
  }

  /** Shows some of the digits, and others at each press of the button. */
  open(digits: Digits, onChange: () => void): void {
    const hang = (): void => {
      this.#frames = Array.from({ length: SHOWN }, () =>
        this.#frame(digits, Math.floor(Math.random() * digits.count)),
      );
      this.#list.replaceChildren(...this.#frames.map(({ button }) => make('li', {}, button)));
      onChange();
    };
    this.#others.disabled = false;
    this.#others.addEventListener('click', hang);
    hang();
  }

  /**
   * Shows what the images are read as, if they still hang there.
   * @param probabilities (exhibits · 10)
   */
  show(exhibits: readonly Exhibit[], probabilities: Float32Array): void {
    if (exhibits !== this.#frames) return;
    for (const [index, { button, label, reading }] of this.#frames.entries()) {
      const given = probabilities.subarray(index * CLASSES, (index + 1) * CLASSES);
      const read = likeliest(given);
      const share = formatPercent(given[read]!, 0);
      reading.textContent = read === label ? `${read} ✓` : `${read} ✗`;
      reading.className = read === label ? 'right' : 'wrong';
      button.ariaLabel = `A ${label}, read as ${read} with ${share}`;
      button.title = `read as ${read} with ${share}${read === label ? '' : `, is ${label}`}`;
    }
  }

  /** Takes the readings away: there is no network that gave them any more. */
  blank(): void {
    for (const { button, label, reading } of this.#frames) {
      reading.textContent = '·';
      reading.className = '';
      button.ariaLabel = `A ${label}`;
      button.title = `is ${label}`;
    }
  }

  #frame(digits: Digits, index: number): Frame {
    const pixels = digits.pixels.subarray(index * PIXELS, (index + 1) * PIXELS);
    const label = digits.labels[index]!;
    const image = Object.assign(make('img', { className: 'ink' }), { alt: '' });
    showImage(image, pixels);
    const reading = make('span', { textContent: '·' });
    const button = make(
      'button',
      { title: `is ${label}` },
      make('span', { className: 'paper' }, image),
      reading,
    );
    button.type = 'button';
    button.ariaLabel = `A ${label}`;
    const frame = { pixels, label, button, reading };
    button.addEventListener('click', () => this.#onChoose(frame));
    return frame;
  }
}
