/**
 * Reverse-mode differentiation on nodes (Linnainmaa 1970): walk from the root back to the targets, apply each
 * node's rule, add up what reaches a node on several paths. Nothing is computed here; the gradients are nodes
 * of the same graph.
 */
import type { ErrorFacts } from '@firsthand/linalg';
import {
  constant,
  describe,
  GradientError,
  operandOf,
  outputsOf,
  postOrder,
  withGradient,
} from '@firsthand/graph';
import type { Node, NodeOf } from '@firsthand/graph';
import { checkpointedClone } from './checkpoint-record.ts';
import { VJPS } from './rules.ts';
import { sumGradients } from './sum-gradients.ts';

const NONE: readonly Node[] = [];
const NO_NODES: ReadonlySet<Node> = /* @__PURE__ */ new Set();

/** The nodes to which a node's gradient flows: its inputs, or the recomputed copy of a checkpointed value. */
function sources(node: Node): readonly Node[] {
  const clone = checkpointedClone(node);
  return clone === null ? node.inputs : [clone];
}

export function differentiableSources(node: Node): readonly Node[] {
  if (!node.requiresGrad) return NONE;
  return node.op === 'leaf' ? (compiledFrom.get(node) ?? NONE) : sources(node);
}

/**
 * The arguments that a result of a compiled function depends on, if a transform is running the function that
 * called it: no gradient flows through the result, and a transform that needs one must not take it for a
 * constant. Elsewhere `backward` stops at the result itself, and arguments are not kept.
 */
const compiledFrom = /* @__PURE__ */ new WeakMap<Node, readonly Node[]>();
let transforms = 0;

/** Runs a function that is to be differentiated. */
export function transforming<T>(fn: () => T): T {
  transforms++;
  try {
    return fn();
  } finally {
    transforms--;
  }
}

/** Notes what the results of a compiled function depend on. */
export function noteCompiled(results: readonly Node[], args: readonly { readonly node: Node }[]): void {
  if (transforms === 0) return;
  const sources = args.flatMap(({ node }) => (node.requiresGrad ? [node] : []));
  if (sources.length > 0)
    for (const result of results) if (result.closed !== null) compiledFrom.set(result, sources);
}

/**
 * Whether a gradient of the roots reaches a node that is not in `known`: a leaf that requires one, or a copy
 * that another transform differentiates with respect to. Gradients flow on through known nodes to their
 * originals.
 */
export function hasOrigin(roots: readonly Node[], known: ReadonlySet<Node>): boolean {
  const seen = new Set<Node>(roots);
  const stack = roots.filter(({ requiresGrad }) => requiresGrad);
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    const next = differentiableSources(node).filter(({ requiresGrad }) => requiresGrad);
    if (next.length === 0 && !known.has(node)) return true;
    for (const source of next) {
      if (seen.has(source)) continue;
      seen.add(source);
      stack.push(source);
    }
  }
  return false;
}

/** The gradients that reach each node, by its position in the order: terms that are not added up yet. */
type Terms = (Node[] | null)[];

function accumulate(terms: Terms, position: number, gradient: Node | null | undefined): void {
  if (gradient === null || gradient === undefined) return;
  const list = terms[position] ?? null;
  if (list === null) terms[position] = [gradient];
  else list.push(gradient);
}

function sumOf(terms: readonly Node[] | null | undefined): Node | null {
  return terms === null || terms === undefined ? null : sumGradients(terms);
}

/** The nodes that a gradient may pass, from the root back to the targets. */
export interface GradientPaths {
  /** Inputs before the nodes that read them; the root is the last. */
  readonly order: readonly Node[];
  /** For each node, the positions of the nodes to which its gradient flows. */
  readonly sources: readonly (readonly number[])[];
  /** For each node, whether a target can be reached from it. */
  readonly leadsToTarget: readonly boolean[];
}

/** The paths from `root` to the targets; those in `boundary` end a path. */
export function gradientPaths(
  root: Node,
  isTarget: (node: Node) => boolean,
  boundary: ReadonlySet<Node> = NO_NODES,
): GradientPaths {
  const follow = (node: Node): readonly Node[] => (boundary.has(node) ? NONE : differentiableSources(node));
  const order = postOrder([root], follow);
  const sources = order.map((node) => follow(node).map(({ slot }) => slot));
  const leadsToTarget: boolean[] = [];
  order.forEach((node, position) => {
    leadsToTarget.push(isTarget(node) || sources[position]!.some((source) => leadsToTarget[source]!));
  });
  return { order, sources, leadsToTarget };
}

/**
 * The gradients of Σ seed·root with respect to the targets that root depends on. With `boundary`, targets end
 * the walk: nodes below them are not visited.
 * @throws GradientError where the path has been released by an earlier `backward`, or leaves a compiled
 *   function
 */
export function gradient(
  root: Node,
  seed: Node,
  targets: readonly Node[],
  boundary = false,
): Map<Node, Node> {
  const wanted = new Set(targets);
  const { order, sources, leadsToTarget } = gradientPaths(
    root,
    (node) => wanted.has(node),
    boundary ? wanted : NO_NODES,
  );
  const terms: Terms = order.map(() => null);
  const ofOutputs = new Map<number, Terms>();
  terms[order.length - 1] = [seed];
  const result = new Map<Node, Node>();
  for (let position = order.length - 1; position >= 0; position--) {
    const node = order[position]!;
    const outputs = ofOutputs.get(position);
    if (!leadsToTarget[position] || (terms[position] === null && outputs === undefined)) continue;
    const g = sumOf(terms[position]);
    if (wanted.has(node) && g !== null) result.set(node, g);
    const inputs = sources[position]!;
    if (inputs.length === 0) continue;
    if (node.closed !== null) throw new GradientError(node.closed);
    if (node.op === 'output' && g !== null) {
      const call = inputs[0]!;
      const list = ofOutputs.get(call) ?? outputsOf(node.inputs[0] as NodeOf<'call'>).map(() => null);
      accumulate(list, node.attrs.index, g);
      ofOutputs.set(call, list);
    } else {
      const rule =
        outputs !== undefined && node.op === 'call'
          ? callRule(outputs.map(sumOf), node)
          : g === null
            ? []
            : primitiveRule(g, node);
      inputs.forEach((source, index) => {
        if (leadsToTarget[source]) accumulate(terms, source, rule[index]);
      });
    }
  }
  return result;
}

function primitiveRule(g: Node, node: Node): readonly (Node | null)[] {
  if (node.op === 'leaf' || node.op === 'call' || node.op === 'output') return [];
  return (VJPS[node.op] as (g: Node, out: Node) => readonly (Node | null)[])(g, node);
}

/** A composite's own rule, or the derivative of its body. */
export function callRule(gs: readonly (Node | null)[], call: NodeOf<'call'>): readonly (Node | null)[] {
  const { composite, attrs } = call.attrs;
  if (composite.vjp !== undefined) return composite.vjp(gs, outputsOf(call), attrs, ...call.inputs);
  const targets = [...new Set(call.inputs)].filter((input) => input.requiresGrad);
  const terms: Terms = targets.map(() => null);
  // The body is differentiated at once, whatever the mode in which the gradient's own nodes are built.
  const body = withGradient(true, () => composite.body(attrs, ...call.inputs));
  body.forEach((value, index) => {
    const g = gs[index] ?? null;
    if (g === null || !value.requiresGrad) return;
    const gradients = gradient(value, g, targets, true);
    targets.forEach((target, index) => accumulate(terms, index, gradients.get(target)));
  });
  // An operand that occurs twice has one gradient, which is counted where it occurs first.
  return call.inputs.map((input, index) =>
    call.inputs.indexOf(input) === index ? sumOf(terms[targets.indexOf(input)]) : null,
  );
}

/**
 * The nodes that a gradient of `root` passes, the leaves of variables that it reaches, and the reason why a
 * node on its way is closed, or null.
 */
function reach(root: Node): {
  readonly order: readonly Node[];
  readonly closed: ErrorFacts | null;
  readonly leaves: readonly Node[];
} {
  const order = postOrder([root], differentiableSources);
  return {
    order,
    closed: order.find((node) => node.closed !== null)?.closed ?? null,
    leaves: order.filter((node) => node.variable !== null && node.requiresGrad),
  };
}

/** The leaves that a gradient of `root` reaches: the values of variables when it was computed. */
export function variableLeaves(root: Node): readonly Node[] {
  return reach(root).leaves;
}

/** Why no gradient flows through a value that `backward` has passed. */
export const CONSUMED: ErrorFacts = {
  operation: 'backward',
  problem: 'this graph has been differentiated already and was released',
  expected: 'a graph',
  remedy: 'call the first backward with { retainGraph: true }, or build the value again',
};

/**
 * The gradients that `backward` accumulates: of the variables' leaves that require one and that `root`
 * depends on.
 * @throws GradientError if there are none, or if a path to one has been released or leaves a compiled
 *   function
 */
export function gradientsOfLeaves(root: Node, seed: Node): ReadonlyMap<Node, Node> {
  const { order, closed, leaves } = reach(root);
  if (closed !== null) throw new GradientError(closed);
  if (leaves.length === 0) {
    throw new GradientError({
      operation: 'backward',
      problem: `${describe(root)} does not depend on a tensor that requires a gradient`,
      operands: [operandOf(root)],
      expected: 'a tensor that requires a gradient',
      remedy: 'set requiresGrad: true on one',
    });
  }
  for (const node of order) node.differentiated = true;
  const gradients = withGradient(false, () => gradient(root, seed, leaves));
  // A leaf that is reached through piecewise constant functions alone (round, sign) has the gradient 0.
  for (const leaf of leaves)
    if (!gradients.has(leaf)) gradients.set(leaf, constant(0, leaf.shape, leaf.dtype));
  return gradients;
}

/** The nodes that a derivative of `root` passes through. */
export function differentiatedNodes(root: Node): readonly Node[] {
  return postOrder([root], differentiableSources);
}
