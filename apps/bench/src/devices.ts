/** Where this project's tensors can live: a name, and how to make the device. */
import type { Device } from '@firsthand/autograd';
import { createReference } from '@firsthand/graph';
import { createWasm } from '@firsthand/wasm';
import type { DeviceName } from './contender.ts';

export const DEVICES: { readonly [K in DeviceName]: () => Promise<Device> } = {
  wasm: () => createWasm(),
  reference: async () => createReference(),
};
