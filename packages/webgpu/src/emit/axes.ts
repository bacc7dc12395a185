/** Loop variables of an invocation, from the one number that counts its work item. */
import { axisName } from '@firsthand/compiler';
import { sizeOf } from '@firsthand/linalg';
import type { Block } from './block.ts';

/** Declares the loop variables `first`, `first + 1`, … of element `position` in row-major order. */
export function declareAxes(block: Block, first: number, extents: readonly number[], position: string): void {
  let stride = sizeOf(extents);
  extents.forEach((extent, axis) => {
    stride /= extent;
    const quotient = stride === 1 ? position : `${position} / ${stride}`;
    const remainder = stride === 1 ? position : `(${quotient})`;
    const text = extent === 1 ? '0' : axis === 0 ? quotient : `${remainder} % ${extent}`;
    const name = axisName(first + axis);
    if (name !== text) block.line(`let ${name} = ${text};`);
  });
}

/** `count` consecutive integers. */
export function range(count: number, first = 0): readonly number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}
