/**
 * The saved tensors: values of the forward pass that a program stores beside the value that was requested, so
 * that a later derivative computes nothing of the forward pass again (rule 13). They are the residuals of the
 * derivative rules on the way from the root to the variables; no gradient is built to find them.
 */
import { constant, isRematerialisable, outputsOf, postOrder, walk, withGradient } from '@firsthand/graph';
import type { Node, NodeOf, Residuals } from '@firsthand/graph';
import type { SavedSet } from '@firsthand/runtime';
import {
  callRule,
  differentiableSources,
  type GradientPaths,
  gradientPaths,
  variableLeaves,
} from './gradient.ts';
import { RESIDUALS } from './rules.ts';

const NONE: readonly Node[] = [];

/** Whether a node only moves its operand, or widens it: nothing is lost, and its own value is larger. */
function isExact({ op, dtype, inputs }: Node): boolean {
  return op === 'movement' || (op === 'cast' && dtype === 'float32' && inputs[0]?.dtype === 'float16');
}

/** The values to store so that all of `values` are at hand: of a movement, its operand. */
function storedFor(values: Iterable<Node>): readonly Node[] {
  const stored = new Set<Node>();
  for (const value of values) {
    walk(value, (node) => {
      if (isExact(node) && node.stored === null) return node.inputs;
      if (node.op !== 'leaf') stored.add(node);
      return NONE;
    });
  }
  return [...stored];
}

/**
 * The residuals of a composite: those that it names; else its derivative is built for the outputs that have
 * received a gradient, and the walk over its nodes ends at the values of the forward pass.
 */
function callResiduals(received: readonly boolean[], call: NodeOf<'call'>): Residuals {
  const { composite, attrs } = call.attrs;
  const outs = outputsOf(call);
  if (composite.residuals !== undefined) return composite.residuals(received, outs, attrs, ...call.inputs);
  const gs = outs.map(({ shape, dtype }, index) => (received[index] ? constant(1, shape, dtype) : null));
  return callRule(gs, call).map((gradient) => (gradient === null ? null : [gradient]));
}

function primitiveResiduals(node: Node): Residuals {
  if (node.op === 'leaf' || node.op === 'call' || node.op === 'output') return [];
  return (RESIDUALS[node.op] as (out: Node) => Residuals)(node);
}

/** The residuals of all rules that a gradient of the root applies, by walking back as the gradient does. */
function residualsOnPaths({ order, sources, leadsToTarget }: GradientPaths): readonly Node[] {
  const reads: Node[] = [];
  const isReached = order.map(() => false);
  const ofOutputs = new Map<number, boolean[]>();
  isReached[order.length - 1] = true;
  for (let position = order.length - 1; position >= 0; position--) {
    const node = order[position]!;
    const inputs = sources[position]!;
    if (!isReached[position] || !leadsToTarget[position] || inputs.length === 0) continue;
    if (node.op === 'output') {
      const call = inputs[0]!;
      const received = ofOutputs.get(call) ?? outputsOf(node.inputs[0] as NodeOf<'call'>).map(() => false);
      received[node.attrs.index] = true;
      ofOutputs.set(call, received);
      isReached[call] = true;
      continue;
    }
    const residuals =
      node.op === 'call' ? callResiduals(ofOutputs.get(position)!, node) : primitiveResiduals(node);
    inputs.forEach((source, index) => {
      const values = residuals[index] ?? null;
      if (values === null || !leadsToTarget[source]) return;
      isReached[source] = true;
      reads.push(...values);
    });
  }
  return reads;
}

/**
 * The values to store so that the derivative of `root` needs no second forward pass. Movements are replaced
 * by their operands, and widened float16 values by the float16 ones; constants, random numbers and
 * elementwise functions of those alone are cheaper to compute again.
 */
function savedSet(root: Node): readonly Node[] {
  const paths = gradientPaths(root, ({ variable, requiresGrad }) => variable !== null && requiresGrad);
  // Nobody can differentiate through a consumed root: there is nothing to save.
  if (!paths.leadsToTarget.at(-1) || paths.order.some(({ closed }) => closed !== null)) return NONE;
  const reads = residualsOnPaths(paths);
  // A checkpoint's copy is no forward value: it is there to be computed again.
  const order = postOrder([root], (node) => node.inputs);
  const isVisited = (node: Node): boolean => order[node.slot] === node;
  // Another output of a forward call (a row's mean, say) is a forward value too.
  const isForward = (node: Node): boolean =>
    isVisited(node) || (node.op === 'output' && isVisited(node.inputs[0]!));
  const forward = new Set<Node>();
  const others = new Set<Node>();
  for (const value of reads) {
    walk(value, (node) => {
      if (isForward(node)) forward.add(node);
      else if (!others.has(node)) {
        others.add(node);
        return node.inputs;
      }
      return NONE;
    });
  }
  const free = new Set<Node>();
  for (const node of order) if (isRematerialisable(node, free)) free.add(node);
  return storedFor(forward).filter((node) => !free.has(node));
}

/**
 * The most differentiable values for which a function without a derivative of them (the logits under an
 * argmax, a loss behind detach()) saves tensors.
 */
const MOST_SOURCES = 4;

/**
 * What to save with a requested value: the saved set of a differentiable value; and of differentiable values
 * to which a function without a derivative was applied, these values and their saved sets.
 */
export function savedSetsOf(requested: Node): readonly SavedSet[] {
  if (requested.requiresGrad) {
    if (requested.closed !== null || requested.op === 'leaf') return [];
    return [{ root: requested, nodes: withGradient(false, () => savedSet(requested)) }];
  }
  const order = postOrder([requested], (node) =>
    node.requiresGrad || node.op === 'leaf' || node.stored !== null ? NONE : node.inputs,
  );
  const sources = order.filter((node) => node.requiresGrad && node.op !== 'leaf' && node.stored === null);
  if (sources.length === 0) return [];
  // A function of many is a gradient, or a computation of its own; a value that has been differentiated
  // already is read for itself.
  const isDone = (node: Node): boolean => node.closed !== null || (node.differentiated && node.op !== 'leaf');
  if (sources.length > MOST_SOURCES || postOrder(sources, differentiableSources).some(isDone)) return [];
  return withGradient(false, () =>
    sources.flatMap((root) => {
      const nodes = savedSet(root);
      return nodes.length === 0 && variableLeaves(root).length === 0
        ? []
        : [{ root, nodes: [...new Set([...storedFor([root]), ...nodes])] }];
    }),
  );
}
