/**
 * The form: which device computes, with which settings, and the buttons. What a setting may be is said once,
 * in the table that the terminal's program uses too.
 */
import {
  type Count,
  DEFAULTS,
  isLearningRate,
  LEARNING_RATES,
  type OptimizerName,
  RANGES,
  type Settings,
} from 'mnist/settings';
import { CHOICES, DEFAULT_DEVICE } from './choices.ts';
import { element, make } from '@firsthand/kit/dom';
import type { PageDevice } from './protocol.ts';

/** What the page is doing, as far as the buttons are concerned. */
export type Phase = 'loading' | 'ready' | 'training' | 'stopping';

/** Whether each button can be pressed. */
const BUTTONS: { readonly [K in Phase]: { readonly start: boolean; readonly stop: boolean } } = {
  loading: { start: false, stop: false },
  ready: { start: true, stop: false },
  training: { start: false, stop: true },
  stopping: { start: false, stop: false },
};

const LABELS: { readonly [K in keyof Settings]: string } = {
  epochs: 'epochs',
  batchSize: 'images per step',
  optimizer: 'optimizer',
  learningRate: 'learning rate',
  hidden: 'hidden units',
  examples: 'training images',
  seed: 'seed',
};

const names = <Name extends string>(table: Record<Name, unknown>): Name[] => Object.keys(table) as Name[];

/** What the form asks for when it is submitted. */
export interface Order {
  readonly device: PageDevice;
  readonly settings: Settings;
}

export class Controls {
  readonly #form: HTMLFormElement = element('controls', HTMLFormElement);
  readonly #devices: HTMLFieldSetElement = element('devices', HTMLFieldSetElement);
  readonly #start: HTMLButtonElement = element('start', HTMLButtonElement);
  readonly #stop: HTMLButtonElement = element('stop', HTMLButtonElement);
  readonly #optimizer: HTMLSelectElement = make(
    'select',
    { id: 'optimizer' },
    ...names(LEARNING_RATES).map((name) => new Option(name, name)),
  );
  readonly #learningRate: HTMLInputElement = Object.assign(make('input', { id: 'learningRate' }), {
    type: 'number',
    step: 'any',
    min: '0',
  });
  readonly #counts: { readonly [K in Count]: HTMLInputElement } = {
    epochs: countInput('epochs'),
    batchSize: countInput('batchSize'),
    hidden: countInput('hidden'),
    examples: countInput('examples'),
    seed: countInput('seed'),
  };

  constructor(onStart: (order: Order) => void, onStop: () => void) {
    this.#devices.append(...names(CHOICES).map(deviceChoice));
    const fields: { readonly [K in keyof Settings]: HTMLElement } = {
      ...this.#counts,
      optimizer: this.#optimizer,
      learningRate: this.#learningRate,
    };
    const labelled = names(LABELS).map((name) =>
      make('label', {}, make('span', { textContent: LABELS[name] }), fields[name]),
    );
    element('setting-fields', HTMLDivElement).append(...labelled);
    this.#optimizer.addEventListener('change', () => this.#suggest());
    this.#suggest();
    // A field that is wrong must be seen to be repaired.
    this.#form.addEventListener('invalid', () => (element('settings', HTMLDetailsElement).open = true), {
      capture: true,
    });
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      onStart(this.#order());
    });
    this.#stop.addEventListener('click', onStop);
  }

  set phase(phase: Phase) {
    this.#start.disabled = !BUTTONS[phase].start;
    this.#stop.disabled = !BUTTONS[phase].stop;
    this.#devices.disabled = phase === 'training' || phase === 'stopping';
  }

  /** The learning rate that is used where none is given. */
  #suggest(): void {
    this.#learningRate.placeholder = String(LEARNING_RATES[this.#optimizer.value as OptimizerName]);
  }

  #order(): Order {
    const count = (name: Count): number => this.#counts[name].valueAsNumber;
    const optimizer = this.#optimizer.value as OptimizerName;
    const rate = this.#learningRate.valueAsNumber;
    return {
      device: new FormData(this.#form).get('device') as PageDevice,
      settings: {
        epochs: count('epochs'),
        batchSize: count('batchSize'),
        optimizer,
        learningRate: isLearningRate(rate) ? rate : LEARNING_RATES[optimizer],
        hidden: count('hidden'),
        examples: count('examples'),
        seed: count('seed'),
      },
    };
  }
}

function deviceChoice(name: PageDevice): HTMLLabelElement {
  const input = Object.assign(make('input'), {
    type: 'radio',
    name: 'device',
    value: name,
    checked: name === DEFAULT_DEVICE,
  });
  return make(
    'label',
    {},
    input,
    make('span', { className: 'name', textContent: name }),
    make('span', { className: 'about', textContent: CHOICES[name].about }),
  );
}

function countInput(name: Count): HTMLInputElement {
  const [least, most] = RANGES[name];
  const limits = { min: String(least), max: most === Number.MAX_SAFE_INTEGER ? '' : String(most) };
  return Object.assign(make('input', { id: name }), {
    type: 'number',
    required: true,
    step: '1',
    ...limits,
    value: String(DEFAULTS[name]),
  });
}
