/** The devices that a run can choose from: a name, and how to make one. Another device is another line. */
import { createReference, type Device } from '@firsthand/autograd';
import { createWasm } from '@firsthand/wasm';
import { createWebGPU } from '@firsthand/webgpu';

export type DeviceName = 'wasm' | 'webgpu' | 'reference';

export const DEVICES: { readonly [K in DeviceName]: () => Promise<Device> } = {
  wasm: async () => createWasm(),
  webgpu: async () => createWebGPU(),
  reference: async () => createReference(),
};
