/**
 * Graph traversals without recursion: a chain of 100,000 nodes is an ordinary graph. Visited nodes carry the
 * traversal's number (`stamp`) instead of being collected in a set, so traversals must not interleave.
 */
import type { Node, Op } from './types.ts';

let stamp = 0;

/** A number that no node carries yet. */
export function nextStamp(): number {
  return ++stamp;
}

/** The inputs that a traversal follows: `inputs` itself by default. */
export type Follow = (node: Node) => readonly Node[];

const NONE: readonly Node[] = [];

/** Follows the graph down to stored values: what a program would have to compute. */
export function unstored(node: Node): readonly Node[] {
  return node.stored === null ? node.inputs : NONE;
}

/**
 * Nodes reachable from `roots` in post-order: inputs before the nodes that read them. `slot` of each is its
 * index in the list.
 */
export function postOrder(roots: readonly Node[], follow: Follow): Node[] {
  const mark = nextStamp();
  const order: Node[] = [];
  const path: Node[] = [];
  const lists: (readonly Node[])[] = [];
  const cursors: number[] = [];
  for (const root of roots) {
    if (root.stamp === mark) continue;
    root.stamp = mark;
    path.push(root);
    lists.push(follow(root));
    cursors.push(0);
    while (path.length > 0) {
      const top = path.length - 1;
      const list = lists[top]!;
      const cursor = cursors[top]!;
      if (cursor < list.length) {
        cursors[top] = cursor + 1;
        const next = list[cursor]!;
        if (next.stamp === mark) continue;
        next.stamp = mark;
        path.push(next);
        lists.push(follow(next));
        cursors.push(0);
      } else {
        const done = path.pop()!;
        lists.pop();
        cursors.pop();
        done.slot = order.length;
        order.push(done);
      }
    }
  }
  return order;
}

/**
 * Calls `visit` once for each node reachable from `root`, in no stated order; it returns the inputs to go on
 * with.
 */
export function walk(root: Node, visit: Follow): void {
  const stack: Node[] = [root];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const inputs = visit(next);
    for (let index = inputs.length - 1; index >= 0; index--) stack.push(inputs[index]!);
  }
}

const ELEMENTWISE: ReadonlySet<Op> = /* @__PURE__ */ new Set([
  'movement',
  'unary',
  'binary',
  'cast',
  'where',
]);

/**
 * True for a node that costs less to recompute than to store: constants, indices, random numbers, and
 * elementwise functions of these alone. `rematerialisable` has the inputs for which it is true.
 */
export function isRematerialisable(node: Node, rematerialisable: ReadonlySet<Node>): boolean {
  if (node.op === 'const' || node.op === 'iota' || node.op === 'random') return true;
  if (node.op === 'leaf') return node.attrs.role === 'host';
  return (
    ELEMENTWISE.has(node.op) &&
    node.inputs.length > 0 &&
    node.inputs.every((input) => rematerialisable.has(input))
  );
}
