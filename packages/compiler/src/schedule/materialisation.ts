/**
 * Materialisation: which values exist in memory, and which kernel stores them. A value that leaves its kernel
 * is materialised unless recomputing it from materialised values is cheaper (½x of a gelu whose x is saved;
 * the mask of a relu is saved as bool). A rearranged value that a matrix product or a caller reads is stored
 * in that arrangement.
 */
import { identity, type Node, type NodeOf } from '@firsthand/graph';
import { DTYPES, sizeOf } from '@firsthand/linalg';
import { identityCoordinates, isCheap, isElementwise, spaceOf } from './reads.ts';
import type { Group, GroupKind } from './groups.ts';
import { axisIndex, coefficientOf, isAffine } from '../ir/index-expression.ts';
import {
  isRearrangement,
  isWidening,
  movementsBelowWidening,
  movementsOf,
  pullThrough,
} from '../ir/coordinates.ts';
import { concatenationOf } from '../simplify/concatenate.ts';
import { isConcatenation, isMatmul } from '../simplify/inline.ts';
import type { Target } from '../ir/kernel.ts';
import type { Schedule } from './schedule.ts';

/** Operations that are computed again rather than stored, at most. */
const RECOMPUTED = 12;
/** A value this many times smaller than its reader costs nothing to store. */
const SMALL = 8;

/** Kernels that write their results as they are, and nothing else. */
const WHOLE: ReadonlySet<GroupKind> = /* @__PURE__ */ new Set(['scatter', 'sort', 'custom'] as const);

/** Who stores a value: the kernel of a group, or a kernel that does nothing else. */
export type StoredBy = Group | 'copy';

/**
 * The slot of a part in the array of its concatenation: `offset` elements from the beginning of the whole.
 */
export interface Slot {
  readonly whole: Node;
  readonly offset: number;
}

/** The values that exist in memory. */
export interface Materialisation {
  /**
   * Stored nodes (members of groups, movements on top of them, rematerialisable values) and what stores them.
   */
  readonly storedBy: ReadonlyMap<Node, StoredBy>;
  /** For each root the node whose storage is the output's. */
  readonly outputs: readonly Node[];
  /** Nodes stored in the arrays of concatenations. */
  readonly slots: ReadonlyMap<Node, Slot>;
  /** For each concatenation whose parts are such nodes, these nodes; what they hold together is the whole. */
  readonly parts: ReadonlyMap<Node, readonly Node[]>;
}

/**
 * Decides for a program's roots and schedule. Where the target has implicit matrices, an operand of a product
 * is not stored if it is nearly free to compute (a cast, a scale) or rearranges stored elements (gathered
 * rows). A right operand also stays implicit if it repeats elements (windows); a left one only if its rows
 * are contiguous.
 */
export function decideMaterialisation(
  roots: readonly Node[],
  schedule: Schedule,
  target: Target,
): Materialisation {
  const { implicitMatrices = false, widensColumns = false, storesHalvesAsFloats = false } = target;
  const storedBy = new Map<Node, StoredBy>();
  const { groups, edges, order } = schedule;
  const gathered = implicitMatrices ? gatheredMatrices(roots, schedule) : new Set<Node>();

  const storeMember = (node: Node): void => {
    storedBy.set(node, groups.of(node)!);
  };
  /** Stores exactly this node: through the kernel of what it rearranges, or by a copy. */
  const materialize = (node: Node): void => {
    if (storedBy.has(node)) return;
    const { chain, base } = movementsOf(node);
    const group = groups.of(base);
    const canStore = group !== null && chain.every(isRearrangement) && !WHOLE.has(group.kind);
    storedBy.set(node, canStore ? group : 'copy');
    if (!canStore && group !== null) storeMember(base);
  };
  const provide = (
    operand: Node,
    isDirect: (chain: readonly NodeOf<'movement'>[]) => boolean,
    below = movementsOf,
  ): void => {
    const { chain, base } = below(operand);
    const isStored = base.op === 'leaf' || groups.of(base) !== null;
    if (!isStored || !isDirect(chain)) materialize(operand);
    else if (base.op !== 'leaf') storeMember(base);
  };
  const belowMatrix = storesHalvesAsFloats ? movementsBelowWidening : movementsOf;
  const provideMatrices = ([left, right]: readonly [Node, Node]): void => {
    const isComputed = (base: Node): boolean => schedule.isRematerialisable(base) || gathered.has(base);
    const { base } = movementsOf(left);
    const suits = (widensColumns && isWidening(base)) || isAlongRows(left);
    if (!(implicitMatrices && isComputed(base) && suits))
      provide(left, (chain) => isMatrix(left, chain), belowMatrix);
    if (implicitMatrices && isComputed(movementsOf(right).base)) return;
    provide(
      right,
      (chain) => isMatrix(right, chain) || (implicitMatrices && isRepeating(right, chain)),
      belowMatrix,
    );
  };

  for (const node of order) {
    if (node.op === 'gather') {
      provide(node.inputs[0]!, (chain) => isGatherable(node, chain));
    } else if (node.op === 'call') {
      const { inputs } = node;
      if (isMatmul(node)) provideMatrices(inputs as [Node, Node]);
      else if (isConcatenation(node)) continue;
      else for (const operand of inputs) provide(operand, (chain) => chain.every(isReshape));
    }
  }
  const outputs = chooseOutputs(roots, schedule, storedBy, storeMember, materialize);
  const { slots, parts } = assignSlots(schedule, storedBy, outputs, target);

  // Values that another kernel reads: expensive ones are stored, cheap ones where their operands are not.
  const wanted = new Set<Node>();
  for (const [node, list] of edges) {
    const reader = groups.of(node);
    if (reader?.kind === 'concatenation') continue;
    for (const { base } of list) {
      const group = groups.of(base);
      if (group !== null && group !== reader) wanted.add(base);
    }
  }
  for (const node of gathered) wanted.delete(node);
  for (const node of wanted) if (!isElementwise(node) || !isCheap(node)) storeMember(node);
  for (const node of sharedBehind(wanted, schedule, storedBy)) storeMember(node);
  for (const node of order) {
    if (!wanted.has(node) || storedBy.has(node)) continue;
    const small = canRecompute(node, schedule, storedBy);
    if (small === null) storeMember(node);
    else for (const each of small) storeMember(each);
  }
  return { storedBy: storedBy, outputs, slots, parts };
}

/**
 * Assigns slots to the parts of concatenations. A contiguous part is computed into its slot, so that the
 * concatenation costs nothing. Other parts are written into the whole by the kernels that compute them; a
 * part that is in memory already, or in no kernel, is copied.
 */
function assignSlots(
  { groups, edges, order }: Schedule,
  storedBy: Map<Node, StoredBy>,
  outputs: readonly Node[],
  { elementBytes, partAlignment = 1 }: Pick<Target, 'elementBytes' | 'partAlignment'>,
): Pick<Materialisation, 'slots' | 'parts'> {
  const slots = new Map<Node, Slot>();
  const parts = new Map<Node, readonly Node[]>();
  const concatenations = order.filter(
    (node) => node.op === 'output' && groups.of(node)?.kind === 'concatenation',
  );
  if (concatenations.length === 0) return { slots, parts };
  const claimed = new Set(outputs);
  const isRead = new Set<Node>();
  for (const list of edges.values()) for (const { base } of list) isRead.add(base);
  for (const node of concatenations) {
    const { axis, parts: operands } = concatenationOf(node)!;
    const bytes = elementBytes?.(node.dtype) ?? DTYPES[node.dtype].bytes;
    const isWanted = isRead.has(node) || storedBy.has(node) || claimed.has(node);
    const isContiguous =
      sizeOf(node.shape.slice(0, axis)) === 1 &&
      operands.every((part) => (sizeOf(part.shape) * bytes) % partAlignment === 0);
    let offset = 0;
    const placed = operands.map((part) => {
      const { chain, base } = movementsOf(part);
      const group = groups.of(base);
      const slot = { whole: node, offset };
      offset += sizeOf(part.shape);
      if (
        isWanted &&
        isContiguous &&
        group !== null &&
        chain.every(isReshape) &&
        !slots.has(base) &&
        !claimed.has(base)
      ) {
        slots.set(base, slot);
        storedBy.set(base, group);
        return base;
      }
      const canStore = chain.every(isRearrangement) && (joinsInto(base, groups) || storesPart(part, groups));
      if (!canStore && group !== null) storedBy.set(base, group);
      if (!isContiguous) return part;
      const copy = identity(part);
      slots.set(copy, slot);
      storedBy.set(copy, canStore ? group! : 'copy');
      return copy;
    });
    if (isContiguous) parts.set(node, placed);
  }
  return { slots, parts };
}

/**
 * Whether a concatenation that is a part of another gives it its parts. One of a single part is there to be
 * stored.
 */
export function joinsInto(node: Node, groups: Schedule['groups']): boolean {
  return groups.of(node)?.kind === 'concatenation' && concatenationOf(node)!.parts.length > 1;
}

/** Whether the kernel that computes a part can store it where it belongs. */
export function storesPart(part: Node, groups: Schedule['groups']): boolean {
  const { chain, base } = movementsOf(part);
  const group = groups.of(base);
  return (
    group !== null && group.kind !== 'concatenation' && !WHOLE.has(group.kind) && chain.every(isRearrangement)
  );
}

/**
 * Expensive values on which several wanted cheap ones hang (1 + t and 1 − t² of a tanh): these are stored
 * once, and the cheap ones computed anew.
 */
function sharedBehind(
  wanted: ReadonlySet<Node>,
  schedule: Schedule,
  storedBy: ReadonlyMap<Node, StoredBy>,
): readonly Node[] {
  const dependents = new Map<Node, number>();
  for (const node of wanted) {
    if (storedBy.has(node)) continue;
    const expensive = new Set<Node>();
    if (canRecompute(node, schedule, storedBy, expensive) === null || expensive.size !== 1) continue;
    for (const each of expensive) dependents.set(each, (dependents.get(each) ?? 0) + 1);
  }
  return [...dependents].flatMap(([node, count]) => (count > 1 ? [node] : []));
}

/**
 * Whether a cheap value can be recomputed from values in memory: the small values to store for it, else null.
 * @param expensive takes the expensive values that would have to be in memory too; by default there must be
 *   none
 */
function canRecompute(
  node: Node,
  { groups, isRematerialisable }: Schedule,
  storedBy: ReadonlyMap<Node, StoredBy>,
  expensive: Set<Node> | null = null,
): readonly Node[] | null {
  const small: Node[] = [];
  const pending = [node];
  const seen = new Set<Node>();
  const large = new Set<Node>();
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    if (seen.size > RECOMPUTED) return null;
    for (const input of next.inputs) {
      const { chain, base } = movementsOf(input);
      if (isRematerialisable(base)) continue;
      if (base.op === 'leaf' || storedBy.has(base) || chain.some((movement) => storedBy.has(movement))) {
        if (sizeOf(base.shape) * SMALL > sizeOf(node.shape)) large.add(base);
      } else if (isElementwise(base) && isCheap(base)) {
        pending.push(base);
      } else if (isElementwise(base) && expensive !== null) {
        expensive.add(base);
        large.add(base);
      } else if (sizeOf(base.shape) * SMALL <= sizeOf(node.shape) && groups.of(base) !== null) {
        small.push(base);
      } else {
        return null;
      }
    }
  }
  return large.size <= 2 ? small : null;
}

/** The storages of the outputs: each root has one of its own. */
function chooseOutputs(
  roots: readonly Node[],
  { groups }: Schedule,
  storedBy: ReadonlyMap<Node, StoredBy>,
  storeMember: (node: Node) => void,
  materialize: (node: Node) => void,
): readonly Node[] {
  const claimed = new Set<Node>();
  return roots.map((root) => {
    const { chain, base } = movementsOf(root);
    if (groups.of(base) !== null && chain.every(isReshape)) {
      if (!claimed.has(base)) {
        claimed.add(base);
        if (!storedBy.has(base)) storeMember(base);
        return base;
      }
    }
    // A root that occurs twice, or an argument: a copy.
    const copy = claimed.has(root) || root.op === 'leaf' || groups.of(root) !== null ? identity(root) : root;
    claimed.add(copy);
    materialize(copy);
    return copy;
  });
}

/** Whether a movement leaves the elements where they are. */
function isReshape({ attrs }: NodeOf<'movement'>): boolean {
  return attrs.kind === 'reshape' || attrs.kind === 'barrier';
}

/** Whether a matrix product can read an operand through these movements: one stride for each axis. */
function isMatrix(operand: Node, chain: readonly NodeOf<'movement'>[]): boolean {
  const { index, isGuarded } = pullThrough(
    operand,
    chain,
    identityCoordinates(operand.shape),
    spaceOf(operand.shape),
  );
  return !isGuarded && isAffine(index);
}

/** Gathers that nothing reads but matrix products, which pick the elements up themselves. */
function gatheredMatrices(roots: readonly Node[], { groups, edges }: Schedule): ReadonlySet<Node> {
  const isGathered = (node: Node): boolean => {
    if (node.op !== 'gather' || groups.of(node)?.members.length !== 1) return false;
    const positions = movementsOf(node.inputs[1]!).base;
    return positions.op === 'leaf' || groups.of(positions) !== null;
  };
  const gathered = new Set<Node>();
  const others = new Set<Node>(roots.map((root) => movementsOf(root).base));
  for (const [node, list] of edges) {
    const isProduct = node.op === 'output' && isMatmul(node.inputs[0]!);
    list.forEach(({ base, operand }, number) => {
      const isMatrixOfProduct = isProduct && isGathered(base) && (number === 1 || isAlongRows(operand));
      (isMatrixOfProduct ? gathered : others).add(base);
    });
  }
  return new Set([...gathered].filter((node) => !others.has(node)));
}

/**
 * Whether elements contiguous along the last axis are contiguous in memory: in an array of its shape, or in
 * one whose rows are gathered.
 */
function isAlongRows(operand: Node): boolean {
  const { chain, base } = movementsOf(operand);
  const { index, isGuarded } = pullThrough(
    operand,
    chain,
    identityCoordinates(operand.shape),
    spaceOf(operand.shape),
  );
  if (isGuarded || coefficientOf(index, operand.shape.length - 1) !== 1) return false;
  return base.op !== 'gather' || (base.attrs.axis < base.shape.length - 1 && isAlongRows(base.inputs[0]!));
}

/**
 * Whether movements show elements more than once: where that makes no matrix, the elements are better picked
 * up where they are needed than stored again.
 */
function isRepeating(operand: Node, chain: readonly NodeOf<'movement'>[]): boolean {
  return chain.length > 0 && sizeOf(operand.shape) > sizeOf(chain.at(-1)!.inputs[0]!.shape);
}

/**
 * Whether elements can be picked through these movements: the picked axis has one stride, and nothing is
 * padded.
 */
function isGatherable(
  { attrs, inputs, shape }: NodeOf<'gather'>,
  chain: readonly NodeOf<'movement'>[],
): boolean {
  const source = inputs[0]!;
  const gathered = shape.length;
  const at = identityCoordinates(shape).map((index, axis) =>
    axis === attrs.axis ? axisIndex(gathered) : index,
  );
  const { index, isGuarded } = pullThrough(source, chain, at, spaceOf([...shape, source.shape[attrs.axis]!]));
  return !isGuarded && coefficientOf(index, gathered) !== null;
}
