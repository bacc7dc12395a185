/** What the page says about each device: its name, what it is, and what to do where it cannot be had. */
import type { PageDevice } from './protocol.ts';

export interface Choice {
  readonly about: string;
  readonly remedy: string;
}

export const CHOICES: { readonly [K in PageDevice]: Choice } = {
  reference: { about: 'plain loops, slow but sure', remedy: 'Reload the page and try again.' },
  wasm: {
    about: 'WebAssembly, on the CPU',
    remedy: 'Choose the reference device, which needs nothing, or open the page in a current browser.',
  },
  webgpu: {
    about: 'shaders, on the GPU',
    remedy: 'Choose the wasm device here: it learns the same, on the CPU.',
  },
};

export const DEFAULT_DEVICE: PageDevice = 'wasm';
