/** Where this project's tensors can live: a name, and how to make the device. */
import { createReference, type Device } from '@firsthand/autograd';
import { createWasm } from '@firsthand/wasm';
import type { DeviceName } from './contender.ts';

/** Makes the device with a number of threads; the reference device has one. */
export const DEVICES: { readonly [K in DeviceName]: (threads: number) => Promise<Device> } = {
  wasm: (threads) => createWasm({ threads }),
  reference: async () => createReference(),
};
