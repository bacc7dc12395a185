/** The device of tensors that name none: the reference device until an application chooses a faster one. */
import { checkCount } from '@firsthand/linalg';
import { createReference } from './reference/device.ts';
import type { Device } from './types.ts';

let chosen: Device | null = null;

/** The device chosen last, or the reference device. */
export function getDefaultDevice(): Device {
  checkCount('getDefaultDevice', arguments.length, 0, 'getDefaultDevice()');
  chosen ??= createReference();
  return chosen;
}

/** Tensors made from now on live on `device` unless they name another. */
export function setDefaultDevice(device: Device): void {
  checkCount('setDefaultDevice', arguments.length, 1, 'setDefaultDevice(device)');
  chosen = device;
}
