/**
 * The reads of a node, through movements and rematerialised values: for each operand the node that is read,
 * and how its indices relate to those of the reader.
 */
import { isFloat, type Node, type NodeOf, type Op } from '@firsthand/graph';
import { BINARY_TRAITS, sizeOf, UNARY_TRAITS } from '@firsthand/linalg';
import { axisIndex, constantIndex, equalIndex, type Index } from '../ir/index-expression.ts';
import {
  flatten,
  movementsOf,
  pullThrough,
  unflatten,
  type Coordinates,
  type Space,
} from '../ir/coordinates.ts';

/** A read of `base` by some node. */
export interface Edge {
  /** What is read, through the movements. */
  readonly operand: Node;
  readonly base: Node;
  /** Whether element i of the base is read at element i of the reader. */
  readonly isSame: boolean;
  /**
   * The element of the base that is read, over the axes of the reader's space; null where padding hides some.
   */
  readonly index: Index | null;
}

/** A space of its own, with one loop per axis. */
export function spaceOf(extents: readonly number[]): Space {
  return { extents, splits: new Map() };
}

/** The loop variables themselves; 0 along axes of extent 1. */
export function identityCoordinates(extents: readonly number[]): Coordinates {
  return extents.map((extent, axis) => (extent === 1 ? constantIndex(0) : axisIndex(axis)));
}

/** The read of `operand` by a node over the same indices. */
export function edgeTo(operand: Node): Edge {
  const { chain, base } = movementsOf(operand);
  if (chain.length === 0) return { operand, base, isSame: true, index: null };
  const extents = operand.shape;
  const { index, isGuarded } = pullThrough(operand, chain, identityCoordinates(extents), spaceOf(extents));
  if (isGuarded) return { operand, base, isSame: false, index: null };
  const isSame =
    sizeOf(base.shape) === sizeOf(extents) &&
    equalIndex(index, flatten(identityCoordinates(extents), extents));
  return { operand, base, isSame, index: index };
}

/**
 * The row of the space that each index of a reader of shape `shape` belongs to. The space has as many
 * elements as the reader.
 */
export function rowIndexOf(
  shape: readonly number[],
  space: readonly number[],
  reduced: readonly number[],
): Index {
  const full = flatten(identityCoordinates(shape), shape);
  const at = unflatten(full, space, spaceOf(shape));
  const parallelAxes = space.map((_, axis) => axis).filter((axis) => !reduced.includes(axis));
  return flatten(
    parallelAxes.map((axis) => at[axis]!),
    parallelAxes.map((axis) => space[axis]!),
  );
}

/** Cost from which an operation is stored rather than computed again: that of a function of the library. */
const EXPENSIVE = 20;

/** Operations that work element by element. */
const ELEMENTWISE: ReadonlySet<Op> = /* @__PURE__ */ new Set(['unary', 'binary', 'where', 'cast']);

/** Whether a node is elementwise: each element from the elements of its operands at the same index. */
export function isElementwise(node: Node): node is NodeOf<'unary' | 'binary' | 'where' | 'cast'> {
  return ELEMENTWISE.has(node.op);
}

/** Whether computing an element costs less than storing it and loading it again. */
export function isCheap(node: Node): boolean {
  if (node.op === 'unary') return UNARY_TRAITS[node.attrs.kind].cost < EXPENSIVE;
  if (node.op === 'binary') {
    // No processor divides vectors of integers.
    const isDivision = node.attrs.kind === 'div' && !isFloat(node.dtype);
    return BINARY_TRAITS[node.attrs.kind].cost < EXPENSIVE && !isDivision;
  }
  return node.op === 'where' || node.op === 'cast';
}
