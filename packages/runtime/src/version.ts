/**
 * Versions of a variable (rule 10). An update overwrites optimizer state in place; a parameter's previous
 * version stays readable until the next update, so that `await loss.item(); await logits.data()` works.
 */
import { equalShapes, formatShape, ShapeError } from '@firsthand/linalg';
import { DeviceError, describe, operandOf, requireSameDType } from '@firsthand/graph';
import type { Node } from '@firsthand/graph';
import type { Handle, PendingEffect } from './handle.ts';
import { bufferOf, isExclusive, releaseBuffer } from './buffer-reference.ts';
import type { BufferReference } from './buffer-reference.ts';

/** True if the update may overwrite the old value: no other handle has it, and no version is kept. */
export function overwritable({ handle, previous }: PendingEffect): boolean {
  const buffer = previous === null ? null : bufferOf(previous);
  return handle !== null && handle.inPlace && buffer !== null && isExclusive(buffer);
}

/**
 * The handle refers to a new buffer. What was updated in place is freed at once; a parameter's old buffer
 * becomes its previous version, and the version before that is freed (rule 10).
 */
export function replaceVersion(handle: Handle, old: BufferReference | null, buffer: BufferReference): void {
  handle.referTo(buffer);
  if (old === null || old === buffer) return;
  const name = handle.name === null ? 'a variable' : `"${handle.name}"`;
  if (old.stale !== null) {
    old.stale = name;
    return;
  }
  if (handle.inPlace) {
    if (old.referenceCount === 0) releaseBuffer(old, name);
    return;
  }
  if (handle.previous !== null && handle.previous.referenceCount === 0) releaseBuffer(handle.previous, name);
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
