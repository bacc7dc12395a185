/**
 * Byte addresses of elements: operand + offset + Σ stride·counter. Shapes are fixed, so strides are
 * constants, and a loop keeps an address by adding to it.
 */
import { coefficientOf, type Index } from '@firsthand/compiler';
import type { Code, Local } from '../assembler/code.ts';

/** Where an operand's elements lie, in bytes: `strides` by axis of the kernel. */
export interface View {
  readonly operand: Local;
  readonly offset: number;
  readonly strides: readonly number[];
}

/** A number known when code is written, or a local that holds it when it runs. */
export type Count = number | Local;

/**
 * The bytes between neighbours along each axis.
 * @throws Error where the index is not affine in an axis
 */
export function stridesOf(index: Index, axes: number, bytes: number): readonly number[] {
  return Array.from({ length: axes }, (_, axis) => {
    const factor = coefficientOf(index, axis);
    if (factor === null)
      throw new Error(`a contraction reads its operands at affine indices; axis ${axis} is divided`);
    return factor * bytes;
  });
}

/** Pushes a count. */
export function emitCount(code: Code, count: Count): void {
  if (typeof count === 'number') code.i32(count);
  else code.get(count);
}

/** Adds count·factor to the number on the stack. */
export function emitAddProduct(code: Code, count: Count, factor: number): void {
  if (factor === 0 || count === 0) return;
  if (typeof count === 'number') code.i32(count * factor);
  else if (factor === 1) code.get(count);
  else code.get(count).i32(factor).op('i32.mul');
  code.op('i32.add');
}

/** Sets `address` to that of the element at the given places of some axes; the other axes are at 0. */
export function emitAddress(
  code: Code,
  address: Local,
  view: View,
  places: readonly (readonly [axis: number, place: Count])[],
): void {
  code.get(view.operand);
  emitAddProduct(code, 1, view.offset);
  for (const [axis, place] of places) emitAddProduct(code, place, view.strides[axis]!);
  code.set(address);
}

/** local += bytes */
export function emitAdvance(code: Code, local: Local, bytes: number): void {
  if (bytes !== 0) code.get(local).i32(bytes).op('i32.add').set(local);
}

/**
 * The offsets of lines from a pointer, which is moved to the lowest of them: the offsets of loads can't be
 * negative.
 */
export function offsetsOf(code: Code, pointer: Local, lines: number, stride: number): readonly number[] {
  const least = Math.min(0, (lines - 1) * stride);
  emitAdvance(code, pointer, least);
  return Array.from({ length: lines }, (_, line) => line * stride - least);
}
