/**
 * Long chains of movements, cut into pieces. A reshape that splits or merges axes writes each new coordinate
 * as a quotient and a remainder of the old ones, so that the place grows by a factor with every reshape whose
 * loops cannot be split. Values in the middle of a long chain are stored, where the next piece begins anew.
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
 * Nodes that are to be stored: those that see as many reshapes below them as there may be. Elementwise
 * operations may be computed anew by whoever reads them, and pass them on.
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
