/** The device of tensors that name none: the reference device until an application chooses a faster one. */
import { createReference } from './reference/device.ts';
import type { Device } from './types.ts';

let chosen: Device | null = null;

/** The device chosen last, or the reference device. */
export function getDefaultDevice(): Device {
  chosen ??= createReference();
  return chosen;
}

/** Tensors made from now on live on `device` unless they name another. */
export function setDefaultDevice(device: Device): void {
  chosen = device;
}
