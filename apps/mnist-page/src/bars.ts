/** The probabilities of the ten digits as bars, the likeliest in colour, and what they come to in words. */
import { CLASSES, likeliest } from 'mnist/digits';
import { formatPercent } from '@firsthand/kit/numbers';
import { element, make } from '@firsthand/kit/dom';

interface Bar {
  readonly item: HTMLLIElement;
  readonly value: HTMLSpanElement;
}

export class Bars {
  readonly #verdict: HTMLParagraphElement = element('verdict', HTMLParagraphElement);
  readonly #bars: readonly Bar[] = Array.from({ length: CLASSES }, (_, digit) => {
    const value = make('span', { className: 'value', textContent: '–' });
    const digits = make('span', { className: 'digit', textContent: String(digit) });
    return {
      item: make(
        'li',
        {},
        digits,
        make('span', { className: 'track' }, make('span', { className: 'bar' })),
        value,
      ),
      value,
    };
  });

  constructor() {
    element('bars', HTMLOListElement).append(...this.#bars.map(({ item }) => item));
  }

  /** @param probabilities (10) */
  show(probabilities: Float32Array): void {
    const best = likeliest(probabilities);
    for (const [digit, { item, value }] of this.#bars.entries()) {
      const probability = probabilities[digit]!;
      item.style.setProperty('--probability', String(probability));
      item.classList.toggle('likeliest', digit === best);
      value.textContent = formatPercent(probability, 1);
    }
    this.#verdict.replaceChildren(
      'It reads ',
      make('strong', { textContent: String(best) }),
      `, with ${formatPercent(probabilities[best]!, 1)}.`,
    );
  }

  /** Shows no probabilities, and says why. */
  blank(reason: string): void {
    for (const { item, value } of this.#bars) {
      item.style.removeProperty('--probability');
      item.classList.remove('likeliest');
      value.textContent = '–';
    }
    this.#verdict.textContent = reason;
  }
}
