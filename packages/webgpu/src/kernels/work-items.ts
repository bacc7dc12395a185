/**
 * Work items: numbered units of work, one per invocation, in workgroups of a size that suits their number.
 */
import type { Block } from '../emit/block.ts';
import { GROUP_ROW } from '../emit/module.ts';

/** Workgroups of one size. */
export interface Workgroups {
  readonly size: number;
  readonly workgroups: number;
}

/**
 * Workgroups with an invocation for each work item: small ones where items are few, so that all cores get
 * some.
 */
export function workgroupsFor(items: number): Workgroups {
  const size = Math.min(64, Math.max(4, 2 ** Math.ceil(Math.log2(items / 8))));
  return { size, workgroups: Math.ceil(items / size) };
}

/** Declares the number of the invocation's work item; surplus invocations return. */
export function declareWorkItem(
  block: Block,
  name: string,
  items: number,
  { size, workgroups }: Workgroups,
): void {
  block.line(`let ${name} = group * ${size} + lane;`);
  if (items % size !== 0 || workgroups > GROUP_ROW) block.open(`if (${name} >= ${items})`).line('return;');
}
