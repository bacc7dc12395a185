/**
 * What nodes and kernels are called in reports and profiles: operations in the order of the graph, and the
 * sizes of the loops.
 */
import { type Node, SCAN_NAMES } from '@firsthand/graph';
import type { Kernel } from '../ir/kernel.ts';

/** Operations that a kernel's name lists before it says that there are more. */
const LISTED = 5;

/** The operation of a node in a word. */
export function describeNode(node: Node): string {
  if (node.op === 'unary' || node.op === 'binary' || node.op === 'reduce' || node.op === 'argReduce')
    return node.attrs.kind;
  if (node.op === 'prefixScan') return SCAN_NAMES[node.attrs.kind];
  if (node.op === 'scatter') return `scatter ${node.attrs.mode}`;
  if (node.op === 'cast') return `cast ${node.dtype}`;
  if (node.op === 'output') return describeNode(node.inputs[0]!);
  if (node.op === 'call') return node.attrs.composite.name;
  return node.op;
}

function sizesOf(kernel: Kernel): readonly number[] {
  if (kernel.kind === 'contract') return [...kernel.batch, kernel.m, kernel.k, kernel.n];
  if (kernel.kind === 'loop') return [...kernel.rows, ...kernel.columns];
  if (kernel.kind === 'scatter') return kernel.extents;
  if (kernel.kind === 'custom') return kernel.outputs[0]?.shape ?? [];
  return [...kernel.rows, kernel.count];
}

/** `matmul + add + where 64×784×128`: the operations of a kernel, and the extents of its loops. */
export function describeKernel(kernel: Kernel, nodes: readonly Node[]): string {
  const names = [...new Set(nodes.map(describeNode))];
  const listed = names.length === 0 ? ['copy'] : names.slice(0, LISTED);
  const more = names.length > LISTED ? ' + …' : '';
  return `${listed.join(' + ')}${more} ${sizesOf(kernel).join('×') || '1'}`;
}
