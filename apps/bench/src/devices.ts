/** Where this project's tensors can live: a name, and how to make the device. */
import { createReference, type Device } from '@firsthand/autograd';
import { createWasm } from '@firsthand/wasm';
import type { DeviceName } from './contender.ts';

/** Of so many threads, where there can be several. */
export const DEVICES: { readonly [K in DeviceName]: (threads: number) => Promise<Device> } = {
  wasm: (threads) => createWasm({ threads }),
  reference: async () => createReference(),
};
