/**
 * Byte addresses of elements: operand + offset + Σ stride·counter. Shapes are fixed, so strides are
 * constants, and a loop advances an address by adding to it.
 */
import { coefficientOf, type Index } from '@firsthand/compiler';
import type { Code, Local } from '../assembler/code.ts';

/** The layout of an operand's elements in bytes; `strides` by axis of the kernel. */
export interface View {
  readonly operand: Local;
  readonly offset: number;
  readonly strides: readonly number[];
}

/** A number that is known when code is emitted, or a local that holds it at run time. */
export type Count = number | Local;

/**
 * The bytes between neighbours along each axis.
 * @throws Error where the index is not affine in an axis
 */
export function stridesOf(index: Index, axes: number, bytes: number): readonly number[] {
  return Array.from({ length: axes }, (_, axis) => {
    const coefficient = coefficientOf(index, axis);
    if (coefficient === null)
      throw new Error(`a contraction reads its operands at affine indices; axis ${axis} is divided`);
    return coefficient * bytes;
  });
}

/** Adds count·factor to the number on the stack. */
export function emitAddProduct(code: Code, count: Count, coefficient: number): void {
  if (coefficient === 0 || count === 0) return;
  if (typeof count === 'number') code.i32(count * coefficient);
  else if (coefficient === 1) code.get(count);
  else code.op('i32.mul', count, coefficient);
  code.op('i32.add');
}

/** Sets `address` to that of the element at these coordinates of some axes; the other axes are at 0. */
export function emitAddress(
  code: Code,
  address: Local,
  view: View,
  coordinates: readonly (readonly [axis: number, coordinate: Count])[],
): void {
  code.get(view.operand);
  emitAddProduct(code, 1, view.offset);
  for (const [axis, coordinate] of coordinates) emitAddProduct(code, coordinate, view.strides[axis]!);
  code.set(address);
}

/** local += bytes */
export function emitAdvance(code: Code, local: Local, bytes: number): void {
  if (bytes !== 0) code.op('i32.add', local, bytes).set(local);
}

/**
 * The offsets of lines from a pointer, which is moved to the lowest of them: offsets of loads are unsigned.
 */
export function offsetsOf(code: Code, pointer: Local, lines: number, stride: number): readonly number[] {
  const least = Math.min(0, (lines - 1) * stride);
  emitAdvance(code, pointer, least);
  return Array.from({ length: lines }, (_, line) => line * stride - least);
}
