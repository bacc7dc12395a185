/** Opens the devices: those of the program in the terminal, and the GPU. */
import type { Device } from '@firsthand/autograd';
import { createWebGPU } from '@firsthand/webgpu';
import { DEVICES } from 'mnist/devices';
import type { PageDevice } from './protocol.ts';

/** A device and, if that is known, what it computes with. */
export interface OpenDevice {
  readonly device: Device;
  readonly hardware: string | null;
}

const OPEN: { readonly [K in PageDevice]: () => Promise<OpenDevice> } = {
  wasm: async () => ({ device: await DEVICES.wasm(), hardware: null }),
  reference: async () => ({ device: await DEVICES.reference(), hardware: null }),
  webgpu: async () => {
    const device = await createWebGPU();
    const { name, isSoftware } = device.profile;
    return { device, hardware: isSoftware ? `${name} (a GPU in software)` : name };
  },
};

/** @throws DeviceError (by rejecting) if the browser lacks what the device needs */
export async function openDevice(name: PageDevice): Promise<OpenDevice> {
  return OPEN[name]();
}
