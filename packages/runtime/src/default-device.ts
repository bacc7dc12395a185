/** The device of tensors that name none: the reference device until an application chooses a faster one. */
import { checkCount, describeValue, DTYPES, OptionError } from '@firsthand/linalg';
import { createReference } from './reference-device.ts';
import type { Device } from './device.ts';

/** @throws OptionError for what is no device: a name, a dtype */
export function checkDevice(operation: string, device: Device): void {
  checkCount('checkDevice', arguments.length, 2, 'checkDevice(operation, device)');
  if (typeof device === 'object' && device !== null && typeof device.supports === 'function') return;
  const isDType = typeof device === 'string' && Object.hasOwn(DTYPES, device);
  throw new OptionError({
    operation,
    problem: `the device is ${describeValue(device)}`,
    expected: 'a Device',
    remedy: isDType
      ? `write x.cast('${String(device)}') for a dtype`
      : 'make one, as with await createWasm()',
  });
}

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
  checkDevice('setDefaultDevice', device);
  chosen = device;
}
