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
  isFree,
  operandOf,
  outputsOf,
  postOrder,
  walk,
  withGradient,
} from '@firsthand/graph';
import type { Node, NodeOf, Saved } from '@firsthand/graph';
import { checkpointedClone } from './checkpoint-record.ts';
import { VJPS } from './rules.ts';
import { total } from './total.ts';

const NONE: readonly Node[] = [];

/** Where gradients flow on from a node: to its inputs, or to the recomputed copy of a checkpointed value. */
function sources(node: Node): readonly Node[] {
  const clone = checkpointedClone(node);
  return clone === null ? node.inputs : [clone];
}

function differentiableSources(node: Node): readonly Node[] {
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
 * Whether a gradient of the roots reaches something else than `known` nodes: a leaf that requires one, or a
 * copy that another transform differentiates with respect to. Gradients go on through known nodes to what
 * they are copies of.
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

/** What reaches each node, by its place: terms to be added up once all of them are there. */
type Terms = (Node[] | null)[];

function accumulate(terms: Terms, place: number, gradient: Node | null | undefined): void {
  if (gradient === null || gradient === undefined) return;
  const list = terms[place] ?? null;
  if (list === null) terms[place] = [gradient];
  else list.push(gradient);
}

function totalOf(terms: readonly Node[] | null | undefined): Node | null {
  return terms === null || terms === undefined ? null : total(terms);
}

/**
 * The gradients of Σ seed·root with respect to the targets that root depends on. `boundary` targets end the
 * walk: what lies below them is not visited.
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
  const order = postOrder([root], (node) =>
    boundary && wanted.has(node) ? NONE : differentiableSources(node),
  );
  const places = order.map((node) =>
    boundary && wanted.has(node) ? [] : differentiableSources(node).map((source) => source.slot),
  );
  const leadsToTarget = order.map(() => false);
  order.forEach((node, place) => {
    leadsToTarget[place] = wanted.has(node) || places[place]!.some((source) => leadsToTarget[source]!);
  });
  const terms: Terms = order.map(() => null);
  const ofOutputs = new Map<number, Terms>();
  terms[order.length - 1] = [seed];
  const result = new Map<Node, Node>();
  for (let place = order.length - 1; place >= 0; place--) {
    const node = order[place]!;
    const outputs = ofOutputs.get(place);
    if (!leadsToTarget[place] || (terms[place] === null && outputs === undefined)) continue;
    const g = totalOf(terms[place]);
    if (wanted.has(node) && g !== null) result.set(node, g);
    const inputs = places[place]!;
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
          ? callRule(outputs.map(totalOf), node)
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
function callRule(gs: readonly (Node | null)[], call: NodeOf<'call'>): readonly (Node | null)[] {
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
    targets.forEach((target, place) => accumulate(terms, place, gradients.get(target)));
  });
  // An operand that occurs twice has one gradient, which is counted at its first place.
  return call.inputs.map((input, index) =>
    call.inputs.indexOf(input) === index ? totalOf(terms[targets.indexOf(input)]) : null,
  );
}

/**
 * What a gradient of `root` would pass through: why it cannot, if a node on its way is closed, and the owned
 * leaves that it reaches.
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
    leaves: order.filter((node) => node.owner !== null && node.requiresGrad),
  };
}

/**
 * The owned nodes that a gradient of `root` reaches: leaves of variables as they were when it was computed.
 */
export function ownedSources(root: Node): readonly Node[] {
  return reach(root).leaves;
}

/** Whether a node only moves its operand, or widens it: nothing is lost, and its own value is larger. */
function isExact({ op, dtype, inputs }: Node): boolean {
  return op === 'movement' || (op === 'cast' && dtype === 'float32' && inputs[0]?.dtype === 'float16');
}

/**
 * The values that must be kept so that the derivative of `root` needs no second forward pass: what its
 * gradient graph reads of the forward graph. Movements are replaced by what they move, and float16 numbers as
 * float32 by themselves; constants, random numbers and what follows from those alone are cheaper to compute
 * again.
 */
function savedSet(root: Node): readonly Node[] {
  const { closed, leaves } = reach(root);
  // Nobody can differentiate through a consumed root: there is nothing to keep.
  if (closed !== null || leaves.length === 0) return NONE;
  const gradients = gradient(root, constant(1, root.shape, root.dtype), leaves);
  // A checkpoint's copy is no forward value: it is there to be computed again.
  const forwardOrder = postOrder([root], (node) => node.inputs);
  const forward = new Set(forwardOrder);
  const free = new Set<Node>();
  for (const node of forwardOrder) if (isFree(node, free)) free.add(node);
  // Another output of a forward call (a row's mean, say) is a forward value too.
  const isForward = (node: Node): boolean =>
    forward.has(node) || (node.op === 'output' && forward.has(node.inputs[0]!));
  const reads = postOrder([...gradients.values()], (node) => (isForward(node) ? NONE : node.inputs));
  return storedFor(reads.filter((node) => isForward(node) && node.op !== 'call')).filter(
    (node) => !free.has(node),
  );
}

/** What is stored so that these values are at hand: what a movement moves. */
function storedFor(values: readonly Node[]): readonly Node[] {
  const stored = new Set<Node>();
  for (const value of values) {
    walk(value, (node) => {
      if (isExact(node) && node.cell === null) return node.inputs;
      if (node.op !== 'leaf') stored.add(node);
      return NONE;
    });
  }
  return [...stored];
}

/** Why no gradient flows through a value that `backward` has passed. */
export const CONSUMED: ErrorFacts = {
  operation: 'backward',
  problem: 'this graph has been differentiated already and was released',
  expected: 'a graph',
  remedy: 'call the first backward with { retainGraph: true }, or build the value again',
};

/**
 * The gradients of the variables that `backward` accumulates: owned nodes that require one, reachable from
 * `root`.
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

/**
 * Values of which somebody has asked a function that has no derivative: the logits under an argmax, a loss
 * behind detach(). Of more, nothing is kept.
 */
const MOST_SOURCES = 4;

/**
 * What keeps the forward pass from being computed twice (rule 13), when a value is asked for that is
 * differentiable, or a function without a derivative of values that are: these and what their derivatives
 * read are kept, until somebody differentiates what was made of them, or drops it.
 */
export function savedSetsOf(asked: Node): readonly Saved[] {
  if (asked.requiresGrad) {
    if (asked.closed !== null || asked.op === 'leaf') return [];
    return [{ root: asked, nodes: withGradient(false, () => savedSet(asked)) }];
  }
  const order = postOrder([asked], (node) =>
    node.requiresGrad || node.op === 'leaf' || node.cell !== null ? NONE : node.inputs,
  );
  const sources = order.filter((node) => node.requiresGrad && node.op !== 'leaf' && node.cell === null);
  // What reads many is a gradient, or a computation of its own; what has been differentiated already is read
  // for its value only.
  const isDone = (node: Node): boolean => node.closed !== null || (node.differentiated && node.op !== 'leaf');
  if (sources.length > MOST_SOURCES || postOrder(sources, differentiableSources).some(isDone)) return [];
  return withGradient(false, () =>
    sources.flatMap((root) => {
      const nodes = savedSet(root);
      return nodes.length === 0 && ownedSources(root).length === 0
        ? []
        : [{ root, nodes: [...new Set([...storedFor([root]), ...nodes])] }];
    }),
  );
}

/** The nodes that a derivative of `root` passes through. */
export function differentiatedNodes(root: Node): readonly Node[] {
  return postOrder([root], differentiableSources);
}
