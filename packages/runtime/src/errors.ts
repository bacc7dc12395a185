/**
 * The failures of execution: values that have been overwritten, and the errors that every device gives for a
 * disposed device, a foreign or freed storage, an argument of another shape. One wording for all devices.
 */
import { FirsthandError } from '@firsthand/linalg';
import { DeviceError } from '@firsthand/graph';
import type { DType } from '@firsthand/graph';
import type { Arg, Storage } from './device.ts';

/**
 * A value was requested whose inputs have been overwritten or dropped since. The message names the variable
 * that was updated.
 */
export class StaleError extends FirsthandError {
  override readonly name: string = 'StaleError';
}

/** The error of a device that is used after it has been disposed of. `remedy` says how to make another. */
export function disposedDevice(device: string, remedy?: string): DeviceError {
  return new DeviceError({
    operation: device,
    problem: 'the device has been disposed',
    expected: 'a device',
    remedy,
  });
}

/** The error of a storage that another device has made. */
export function foreignStorage(device: string): DeviceError {
  const [problem, remedy] = ['this storage belongs to another device', 'copy it with to(device)'];
  return new DeviceError({ operation: device, problem, expected: 'a storage of this device', remedy });
}

/** The error of a storage that is used after it has been freed. */
export function freedStorage(device: string, { dtype, length }: Storage): DeviceError {
  return new DeviceError({
    operation: device,
    problem: `a storage of ${dtype} [${length}] is used after it has been freed`,
    operands: [{ shape: [length], dtype }],
    expected: 'a storage',
  });
}

/** The error of an argument that is missing, or not what a program was compiled for. */
export function unfitArgument(
  device: string,
  title: string,
  wanted: { readonly dtype: DType; readonly length: number },
  given?: Arg,
): DeviceError {
  const expected = `${wanted.dtype} [${wanted.length}]`;
  if (given === undefined)
    return new DeviceError({ operation: device, problem: `${title} is missing`, expected });
  const isStored = typeof given === 'object' && 'dtype' in given;
  const length = typeof given === 'number' ? 1 : given.length;
  return new DeviceError({
    operation: device,
    problem: `${title} is ${isStored ? `${given.dtype} ` : ''}[${length}], the program was compiled for ${expected}`,
    operands: isStored ? [{ shape: [length], dtype: given.dtype }] : [],
    expected,
  });
}
