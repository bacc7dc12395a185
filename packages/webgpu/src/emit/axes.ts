/** Loop variables from one running number, which is how invocations are counted. */
import { axisName } from '@firsthand/compiler';
import type { Block } from './block.ts';

/** Declares the loop variables `first`, `first + 1`, … at element `place` of a space in row-major order. */
export function declareAxes(block: Block, first: number, extents: readonly number[], place: string): void {
  let stride = extents.reduce((size, extent) => size * extent, 1);
  extents.forEach((extent, axis) => {
    stride /= extent;
    const whole = stride === 1 ? place : `${place} / ${stride}`;
    const text =
      axis === 0 || extent === 1 ? whole : stride === 1 ? `${place} % ${extent}` : `(${whole}) % ${extent}`;
    const name = axisName(first + axis);
    if (name !== text) block.line(`let ${name} = ${extent === 1 ? '0' : text};`);
  });
}

/** Numbers from 0 up. */
export function range(count: number, first = 0): readonly number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}
