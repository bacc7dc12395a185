/**
 * How pieces of work are counted out to invocations, in workgroups of a size that the number of pieces suits.
 */
import type { Block } from '../emit/block.ts';
import { GROUP_ROW } from '../emit/module.ts';

/** Workgroups of one size. */
export interface Workgroups {
  readonly size: number;
  readonly workgroups: number;
}

/**
 * Workgroups in which each of so many pieces has an invocation: small ones where there are few pieces, so
 * that all cores get some.
 */
export function workgroupsFor(items: number): Workgroups {
  const size = Math.min(64, Math.max(4, 2 ** Math.ceil(Math.log2(items / 8))));
  return { size, workgroups: Math.ceil(items / size) };
}

/** Declares the number of the piece that an invocation has; one without a piece returns. */
export function declareWorkItem(
  block: Block,
  name: string,
  items: number,
  { size, workgroups }: Workgroups,
): void {
  block.line(`let ${name} = group * ${size} + lane;`);
  if (items % size !== 0 || workgroups > GROUP_ROW) block.open(`if (${name} >= ${items})`).line('return;');
}
