/**
 * Constants that vary: which of them a program may take from each run instead of holding them, with the same
 * bits. A number that meets arrays element by element may: the same instructions read it from memory. One
 * from which compiling makes other constants by more than IEEE 754's own operations may not, nor one that
 * decides which code is made.
 */
import type { BinaryKind, ConstantNode, Node, UnaryKind } from '@firsthand/graph';

/**
 * Operations whose results are the same bits while compiling and in a run. A device may divide less exactly,
 * in the last place.
 */
const EXACT: ReadonlySet<BinaryKind | UnaryKind> = /* @__PURE__ */ new Set([
  'add',
  'sub',
  'mul',
  'div',
  'maximum',
  'minimum',
  'eq',
  'ne',
  'lt',
  'le',
  'gt',
  'ge',
  'neg',
  'abs',
] as const);

function isExact(node: Node): boolean {
  return (
    node.op === 'where' ||
    node.op === 'cast' ||
    ((node.op === 'binary' || node.op === 'unary') && EXACT.has(node.attrs.kind))
  );
}

/**
 * The constants among `order`, a post-order, that runs may be given without changing a bit.
 * @param order nodes, inputs before the nodes that read them, down to stored values
 */
export function exactConstants(order: readonly Node[]): ReadonlySet<ConstantNode> {
  const exact = new Set<ConstantNode>();
  /** What is known before the program runs, with the constants that it depends on. */
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
