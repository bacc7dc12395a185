/**
 * The failures that belong to running a graph rather than to describing an array. Each message names the
 * operation, the operand and the remedy; `ShapeError` and `DTypeError` come from the floor below.
 */
import { FirsthandError } from '@firsthand/linalg';

/** A device cannot do what was asked: mixed devices, a disposed device or handle, a failed kernel. */
export class DeviceError extends FirsthandError {
  override readonly name: string = 'DeviceError';
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
