/**
 * What becomes of a variable's old storage when it is updated (rule 10). Optimizer state is overwritten; a
 * parameter's old value stays readable for one more update, so that `await loss.item(); await logits.data()`
 * works.
 */
import { equalShapes, formatShape, ShapeError } from '@firsthand/linalg';
import { isExclusive, releaseCell } from './cell.ts';
import { DeviceError } from './errors.ts';
import type { Handle, PendingEffect } from './handle.ts';
import { describe, operandOf, requireSameDType } from './shapes.ts';
import type { Cell, Node } from './types.ts';

/**
 * True if the update may write over the old value: nobody else holds it, and its handle keeps no generation.
 */
export function overwritable({ handle, previous }: PendingEffect): boolean {
  const cell = previous?.cell ?? null;
  return handle !== null && handle.inPlace && cell !== null && isExclusive(cell);
}

/**
 * A handle's storage gives way to a new one. Overwritten or private storage is gone at once; a parameter's
 * stays readable until the next update (rule 10).
 */
export function replaceGeneration(handle: Handle, old: Cell | null, cell: Cell): void {
  handle.hold(cell);
  if (old === null || old === cell) return;
  const name = handle.name === null ? 'a variable' : `"${handle.name}"`;
  if (old.stale !== null) {
    old.stale = name;
    return;
  }
  if (handle.inPlace) {
    if (old.owners === 0) releaseCell(old, name);
    return;
  }
  if (handle.previous !== null && handle.previous.owners === 0) releaseCell(handle.previous, name);
  handle.previous = old;
}

/** @throws ShapeError, DTypeError, DeviceError unless the value fits the variable */
export function requireAssignable(handle: Handle, value: Node): void {
  requireSameDType('assign', handle.node, value);
  if (!equalShapes(handle.node.shape, value.shape)) {
    throw new ShapeError({
      operation: 'assign',
      problem: `${describe(value)} does not fit ${describe(handle.node)}`,
      operands: [handle.node, value].map(operandOf),
      expected: formatShape(handle.node.shape),
      remedy: 'reshape or expand it',
    });
  }
  // A variable that began as a constant is on no device yet.
  if (value.device !== null && handle.node.device !== null && value.device !== handle.node.device) {
    throw new DeviceError({
      operation: 'assign',
      problem: `${describe(value)} is on ${value.device.name}, ${describe(handle.node)} on ${handle.node.device.name}`,
      operands: [handle.node, value].map(operandOf),
      expected: 'a value on its device',
      remedy: 'move it with to(device)',
    });
  }
}
