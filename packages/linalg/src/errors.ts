/**
 * The errors of the whole house start here. A message names the operation, then the operands, then what to do:
 * `matmul: inner sizes differ: [32, 64] · [128, 10] (64 ≠ 128)`. Catch the class to tell one kind of mistake from another.
 */

/** The base class of every error that a Firsthand package throws on purpose. */
export class FirsthandError extends Error {
  // Written out in each class: bundlers shorten the names of classes.
  override readonly name: string = 'FirsthandError';
}

/** Shapes, axes or indices that do not fit the operation. */
export class ShapeError extends FirsthandError {
  override readonly name: string = 'ShapeError';
}

/** An element type that the operation does not take, or two that do not match. */
export class DTypeError extends FirsthandError {
  override readonly name: string = 'DTypeError';
}
