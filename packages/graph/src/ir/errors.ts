/**
 * Errors of graphs: operands on several devices, values that are not finite, gradients that do not exist.
 * Each message names the operation, the operand and the remedy. `ShapeError` and `DTypeError` are linalg's.
 */
import { FirsthandError } from '@firsthand/linalg';

/** A device cannot run this: operands on several devices, a disposed device or handle, a failed kernel. */
export class DeviceError extends FirsthandError {
  override readonly name: string = 'DeviceError';
}

/** A value that must be finite is not. */
export class NonFiniteError extends FirsthandError {
  override readonly name: string = 'NonFiniteError';
}

/** A gradient that does not exist was requested: a second pass through a released graph, or a cut path. */
export class GradientError extends FirsthandError {
  override readonly name: string = 'GradientError';
}
