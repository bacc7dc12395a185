/**
 * Analysis: the constants that may become arguments of a program without changing a bit of its results. A
 * constant operand of elementwise arithmetic may: the same instructions read it from memory. A constant that
 * constant folding combines by more than IEEE 754's exact operations may not, nor one that decides which code
 * is generated.
 */
import type { ConstantNode, Node } from '@firsthand/graph';
import { BINARY_TRAITS, UNARY_TRAITS } from '@firsthand/linalg';

/** Whether a node's result has the same bits while compiling and in a run. */
function isExact(node: Node): boolean {
  if (node.op === 'unary') return UNARY_TRAITS[node.attrs.kind].isReproducible;
  if (node.op === 'binary') return BINARY_TRAITS[node.attrs.kind].isReproducible;
  return node.op === 'where' || node.op === 'cast';
}

/**
 * The constants among `order` that may become arguments.
 * @param order nodes in post-order, down to stored values
 */
export function exactConstants(order: readonly Node[]): ReadonlySet<ConstantNode> {
  const exact = new Set<ConstantNode>();
  /** Values known at compile time, with the constants that they depend on. */
  const known = new Map<Node, readonly ConstantNode[]>();
  for (const node of order) {
    if (node.stored !== null) continue;
    if (node.op === 'const') {
      known.set(node, [node]);
      exact.add(node);
      continue;
    }
    if (node.inputs.length === 0) continue;
    const origins = new Set(node.inputs.flatMap((input) => known.get(input) ?? []));
    const isKnown = node.inputs.every((input) => known.has(input));
    if (node.op === 'movement' || node.op === 'leaf' || isExact(node)) {
      if (isKnown) known.set(node, [...origins]);
      continue;
    }
    if (isKnown) known.set(node, []);
    if (!isKnown && node.op === 'binary' && node.attrs.kind !== 'pow') continue;
    for (const origin of origins) exact.delete(origin);
  }
  return exact;
}
