/**
 * Lowering: composites are replaced by their bodies, down to primitives and to the composites that have a
 * kernel. This defines the semantics of composites.
 */
import { equalShapes, ShapeError } from '@firsthand/linalg';
import { rebuild, withGradient } from '../ir/node.ts';
import { describe } from '../ir/shapes.ts';
import { postOrder } from '../ir/traverse.ts';
import type { Composite, Node, NodeOf } from '../ir/types.ts';

const NONE: readonly Node[] = [];

/**
 * The nodes that give the same values as `roots`, without calls of composites for which `isKernel` is false.
 */
export function inlineComposites(
  roots: readonly Node[],
  isKernel: (composite: Composite) => boolean,
): readonly Node[] {
  return withGradient(false, () => lower(roots, new Map(), isKernel));
}

function lower(
  roots: readonly Node[],
  done: Map<Node, Node>,
  isKernel: (composite: Composite) => boolean,
): readonly Node[] {
  const bodies = new Map<Node, readonly Node[]>();
  const order = postOrder(roots, (node) => (done.has(node) ? NONE : node.inputs));
  for (const node of order) {
    if (done.has(node)) continue;
    const inputs = node.inputs.map((input) => done.get(input)!);
    if (node.op === 'call' && !isKernel(node.attrs.composite)) {
      const known = new Map(inputs.map((input) => [input, input]));
      bodies.set(node, lower(bodyOf(node, inputs), known, isKernel));
      done.set(node, node);
    } else if (node.op === 'output' && bodies.has(node.inputs[0]!)) {
      done.set(node, bodies.get(node.inputs[0]!)![node.attrs.index]!);
    } else {
      const same = inputs.every((input, index) => input === node.inputs[index]);
      done.set(node, same ? node : rebuild(node, inputs));
    }
  }
  return roots.map((root) => done.get(root)!);
}

/** @throws ShapeError if the body does not give what `infer` promised */
function bodyOf(
  { attrs: { composite, attrs, outputs } }: NodeOf<'call'>,
  inputs: readonly Node[],
): readonly Node[] {
  const body = composite.body(attrs, ...inputs);
  outputs.forEach((spec, index) => {
    const value = body[index];
    if (value === undefined || value.dtype !== spec.dtype || !equalShapes(value.shape, spec.shape)) {
      const given = value === undefined ? 'nothing' : describe(value);
      const problem = `output ${index} of the body is ${given}, infer promised ${describe(spec)}`;
      throw new ShapeError({ operation: composite.name, problem, expected: describe(spec) });
    }
  });
  return body;
}
