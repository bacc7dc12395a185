/**
 * Cuts long chains of movements. A reshape that splits or merges axes writes each new coordinate as a
 * quotient and a remainder of the old ones, so that the index expression multiplies with every reshape whose
 * loops cannot be split. A value in the middle of a long chain is stored, and the next piece begins there.
 */
import {
  callNode,
  concatenateComposite,
  postOrder,
  reapply,
  withGradient,
  type Node,
} from '@firsthand/graph';
import { sizeOf } from '@firsthand/linalg';
import { replacedInputs } from '../simplify/rewrite.ts';
import { isElementwise } from './reads.ts';

/**
 * Reshapes one above the other in the index of an element, from which on the value is stored. Convolutions
 * with their gradients have 9, which split loops and stay. Of others, 10 make a shader that a driver compiles
 * in a second, 12 one that it compiles in a minute.
 */
const MOST_RESHAPES = 10;

/** Whether a reshape splits or merges axes, instead of adding or dropping axes of extent 1. */
function regroups(node: Node): boolean {
  if (node.op !== 'movement' || node.attrs.kind !== 'reshape') return false;
  const extents = ({ shape }: Node): string => shape.filter((extent) => extent !== 1).join();
  return extents(node) !== extents(node.inputs[0]!);
}

/**
 * The nodes to store: those with too many reshapes below them. Elementwise operations may be rematerialised
 * by their readers, and pass the count on.
 */
function cutsOf(order: readonly Node[]): ReadonlySet<Node> {
  const cuts = new Set<Node>();
  const reshapes = new Map<Node, number>();
  for (const node of order) {
    if (node.op !== 'movement' && !isElementwise(node)) continue;
    const below =
      Math.max(...node.inputs.map((input) => reshapes.get(input) ?? 0)) + (regroups(node) ? 1 : 0);
    const isCut = below >= MOST_RESHAPES && sizeOf(node.shape) > 0;
    if (isCut) cuts.add(node);
    reshapes.set(node, isCut ? 0 : below);
  }
  return cuts;
}

/**
 * The same graph with the values stored that cut long chains of movements: as concatenations of one part,
 * since these are stored always.
 */
export function cutMovements(roots: readonly Node[]): readonly Node[] {
  const order = postOrder(roots, ({ inputs }) => inputs);
  const cuts = cutsOf(order);
  if (cuts.size === 0) return roots;
  return withGradient(false, () => {
    const finished = new Map<Node, Node>();
    for (const node of order) {
      const inputs = replacedInputs(node, finished);
      const same = inputs === node.inputs ? node : reapply(node, inputs);
      finished.set(node, cuts.has(node) ? callNode(concatenateComposite, { axis: 0 }, same)[0]! : same);
    }
    return roots.map((root) => finished.get(root)!);
  });
}
