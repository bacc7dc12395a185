/**
 * The failures that belong to running a graph rather than to describing an array. Each message names the
 * operation, the operand and the remedy; `ShapeError` and `DTypeError` come from the floor below.
 */
import { FirsthandError } from '@firsthand/linalg';
import type { Arg, DType, Storage } from './types.ts';

/** A device cannot do what was asked: mixed devices, a disposed device or handle, a failed kernel. */
export class DeviceError extends FirsthandError {
  override readonly name: string = 'DeviceError';
}

/**
 * A value was asked for whose inputs have been overwritten or dropped since. The message names the variable
 * that moved on.
 */
export class StaleError extends FirsthandError {
  override readonly name: string = 'StaleError';
}

/** A value that must be finite is not. */
export class NonFiniteError extends FirsthandError {
  override readonly name: string = 'NonFiniteError';
}

/**
 * A gradient was asked for that does not exist: a second pass through a released graph, or a path that was
 * cut.
 */
export class GradientError extends FirsthandError {
  override readonly name: string = 'GradientError';
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
