/**
 * Composites replaced by what they mean: each call becomes the nodes of its body, and the calls inside those
 * become theirs, until nothing is left but primitives, matrix products, which have a kernel of their own,
 * and concatenations, whose parts are stored where they belong. Chains may be of any length; the recursion
 * is as deep as composites are nested.
 */
import {
  concatenateComposite,
  describe,
  matmulComposite,
  type Node,
  type NodeOf,
  postOrder,
  reapply,
  withGradient,
} from '@firsthand/graph';
import { equalShapes, ShapeError } from '@firsthand/linalg';
import { replacedInputs } from './rewrite.ts';

const NONE: readonly Node[] = [];

/** Calls that a target computes by code of its own: they stay. */
export type IsCustom = (call: NodeOf<'call'>) => boolean;

/**
 * The same values without calls, but for `matmul`, `concatenate` and what `isOwn` names.
 * @param roots nodes of a closed program: its leaves are arguments
 * @returns one node for each root
 * @throws ShapeError if a composite's body does not give what its `infer` promised
 */
export function inline(roots: readonly Node[], isCustom: IsCustom = () => false): readonly Node[] {
  return withGradient(false, () => expandCalls(roots, new Map(), isCustom));
}

/** Whether a node is the call of a matrix product. */
export function isMatmul(node: Node): node is NodeOf<'call'> {
  return node.op === 'call' && node.attrs.composite === matmulComposite;
}

/** Whether a node is the call of a concatenation. */
export function isConcatenation(node: Node): node is NodeOf<'call'> {
  return node.op === 'call' && node.attrs.composite === concatenateComposite;
}

/** @param finished nodes with their replacements; the walk ends there */
function expandCalls(roots: readonly Node[], finished: Map<Node, Node>, isCustom: IsCustom): readonly Node[] {
  const bodies = new Map<Node, readonly Node[]>();
  for (const node of postOrder(roots, (each) => (finished.has(each) ? NONE : each.inputs))) {
    if (finished.has(node)) continue;
    const inputs = replacedInputs(node, finished);
    const body = node.op === 'output' ? bodies.get(node.inputs[0]!) : undefined;
    if (node.op === 'output' && body !== undefined) {
      finished.set(node, body[node.attrs.index]!);
    } else if (node.op === 'call' && !isMatmul(node) && !isConcatenation(node) && !isCustom(node)) {
      bodies.set(
        node,
        expandCalls(bodyOf(node, inputs), new Map(inputs.map((input) => [input, input])), isCustom),
      );
      finished.set(node, node);
    } else {
      finished.set(node, inputs === node.inputs ? node : reapply(node, inputs));
    }
  }
  return roots.map((root) => finished.get(root)!);
}

/** @throws ShapeError unless there is a value of the promised shape and dtype for each output */
function bodyOf(
  { attrs: { composite, attrs, outputs } }: NodeOf<'call'>,
  inputs: readonly Node[],
): readonly Node[] {
  const values = composite.body(attrs, ...inputs);
  outputs.forEach((promised, index) => {
    const value = values[index];
    if (value !== undefined && value.dtype === promised.dtype && equalShapes(value.shape, promised.shape))
      return;
    const given = value === undefined ? 'nothing' : describe(value);
    const problem = `output ${index} of the body is ${given}, infer promised ${describe(promised)}`;
    throw new ShapeError({ operation: composite.name, problem, expected: describe(promised) });
  });
  return values;
}
