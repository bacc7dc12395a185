/** Loop variables of an invocation, from the one number that counts its work item. */
import { axisName } from '@firsthand/compiler';
import { sizeOf } from '@firsthand/linalg';
import type { Block } from './block.ts';
import { divText, modText } from './text.ts';

/** Declares the loop variables `axes` of element `position` of their space, in row-major order. */
export function declareAxes(
  block: Block,
  axes: readonly number[],
  extents: readonly number[],
  position: string,
): void {
  let stride = sizeOf(extents);
  extents.forEach((extent, each) => {
    stride /= extent;
    const quotient = divText(position, stride);
    const text = extent === 1 ? '0' : each === 0 ? quotient : modText(quotient, extent);
    const name = axisName(axes[each]!);
    if (name !== text) block.line(`let ${name} = ${text};`);
  });
}

/** `count` consecutive integers. */
export function range(count: number, first = 0): readonly number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}
