/**
 * Movement operations as rewrites of coordinates. `pull` maps coordinates in the result to coordinates in the
 * operand, with guards where padding has none; `push` maps the other way, for movements that only rearrange.
 */
import type { Movement, Node, NodeOf, Shape } from '@firsthand/graph';
import {
  addIndices,
  constantIndex,
  quotient,
  remainder,
  scaleIndex,
  type Index,
  type Splits,
} from './index-expression.ts';

/** One expression per axis of an array. */
export type Coordinates = readonly Index[];

/** low ≤ index < high: where a padded array shows its operand. */
export interface Guard {
  readonly index: Index;
  readonly high: number;
}

/** The loops that the expressions run over, and the splits of them that would simplify something. */
export interface Space {
  readonly extents: readonly number[];
  readonly splits: Splits;
}

/** The row-major index of coordinates. */
export function flatten(coordinates: Coordinates, shape: Shape): Index {
  const parts: Index[] = [];
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    parts.push(scaleIndex(coordinates[axis]!, stride));
    stride *= shape[axis]!;
  }
  return addIndices(...parts);
}

/** The coordinates of a row-major index. */
export function unflatten(index: Index, shape: Shape, { extents, splits }: Space): Coordinates {
  const coordinates: Index[] = new Array<Index>(shape.length);
  let rest = index;
  // The outermost axis that is longer than 1 needs no remainder: it takes what is left.
  const first = shape.findIndex((extent) => extent !== 1);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const extent = shape[axis]!;
    if (extent === 1) {
      coordinates[axis] = constantIndex(0);
    } else if (axis === first) {
      coordinates[axis] = rest;
    } else {
      coordinates[axis] = remainder(rest, extent, extents, splits);
      rest = quotient(rest, extent, extents, splits);
    }
  }
  return coordinates;
}

/** Whether two shapes differ in axes of size 1 alone; then coordinates carry over one by one. */
function carry(coordinates: Coordinates, from: Shape, to: Shape): Coordinates | null {
  const longer = coordinates.filter((_, axis) => from[axis] !== 1);
  const lengths = from.filter((extent) => extent !== 1);
  const wanted = to.filter((extent) => extent !== 1);
  if (lengths.length !== wanted.length || lengths.some((extent, axis) => extent !== wanted[axis]))
    return null;
  let next = 0;
  return to.map((extent) => (extent === 1 ? constantIndex(0) : longer[next++]!));
}

function reshapeCoordinates(coordinates: Coordinates, from: Shape, to: Shape, space: Space): Coordinates {
  return carry(coordinates, from, to) ?? unflatten(flatten(coordinates, from), to, space);
}

type Pull<K extends Movement['kind']> = (
  movement: Extract<Movement, { kind: K }>,
  at: Coordinates,
  from: Shape,
  to: Shape,
  space: Space,
  guards: Guard[],
) => Coordinates;

/** From coordinates `at` in the result (shape `to`) to coordinates in the operand (shape `from`). */
const PULL: { readonly [K in Movement['kind']]: Pull<K> } = {
  reshape: (_, at, from, to, space) => reshapeCoordinates(at, to, from, space),
  permute: ({ axes }, at) => {
    const coordinates: Index[] = new Array<Index>(axes.length);
    axes.forEach((axis, position) => {
      coordinates[axis] = at[position]!;
    });
    return coordinates;
  },
  expand: (_, at, from) => at.map((index, axis) => (from[axis] === 1 ? constantIndex(0) : index)),
  pad: ({ before, after }, at, from, _, __, guards) =>
    at.map((index, axis) => {
      const moved = scaleIndex(index, 1, -before[axis]!);
      if (before[axis]! > 0 || after[axis]! > 0) guards.push({ index: moved, high: from[axis]! });
      return moved;
    }),
  shrink: ({ begin }, at) => at.map((index, axis) => scaleIndex(index, 1, begin[axis])),
  flip: ({ axes }, at, from) =>
    at.map((index, axis) => (axes.includes(axis) ? scaleIndex(index, -1, from[axis]! - 1) : index)),
  barrier: (_, at) => at,
};

/**
 * The coordinates in the operand of a movement for coordinates in its result. Where an appended guard does
 * not hold, the result is 0.
 */
export function pull(node: NodeOf<'movement'>, at: Coordinates, space: Space, guards: Guard[]): Coordinates {
  const rule = PULL[node.attrs.kind] as Pull<Movement['kind']>;
  return rule(node.attrs, at, node.inputs[0]!.shape, node.shape, space, guards);
}

/** Whether a movement is a rearrangement: every element of the operand shows exactly once. */
export function isRearrangement({ attrs }: NodeOf<'movement'>): boolean {
  return (
    attrs.kind === 'reshape' || attrs.kind === 'permute' || attrs.kind === 'flip' || attrs.kind === 'barrier'
  );
}

/** The coordinates in the result of a rearrangement for coordinates in its operand. */
export function push(
  { attrs, inputs, shape }: NodeOf<'movement'>,
  at: Coordinates,
  space: Space,
): Coordinates {
  const from = inputs[0]!.shape;
  if (attrs.kind === 'reshape') return reshapeCoordinates(at, from, shape, space);
  if (attrs.kind === 'permute') return attrs.axes.map((axis) => at[axis]!);
  if (attrs.kind === 'flip')
    return at.map((index, axis) =>
      attrs.axes.includes(axis) ? scaleIndex(index, -1, from[axis]! - 1) : index,
    );
  return at;
}

/** The movements on top of a node, outermost first, and the node below them. */
export function movementsOf(node: Node): {
  readonly chain: readonly NodeOf<'movement'>[];
  readonly base: Node;
} {
  const chain: NodeOf<'movement'>[] = [];
  let base = node;
  while (base.op === 'movement') {
    chain.push(base);
    base = base.inputs[0]!;
  }
  return { chain, base };
}

/** Whether a node widens float16 to float32, which changes no number. */
export function isWidening({ op, dtype, inputs }: Node): boolean {
  return op === 'cast' && dtype === 'float32' && inputs[0]!.dtype === 'float16';
}

/**
 * As `movementsOf`, through casts from float16 to float32 too: no work where float16 is stored as float32.
 */
export function movementsBelowWidening(node: Node): {
  readonly chain: readonly NodeOf<'movement'>[];
  readonly base: Node;
} {
  const { chain, base } = movementsOf(node);
  if (!isWidening(base)) return { chain, base };
  const below = movementsOf(base.inputs[0]!);
  return { chain: [...chain, ...below.chain], base: below.base };
}

/**
 * From coordinates in the result of movements (outermost first) to coordinates in the array below them,
 * `operand` being the outermost.
 */
export function pullThrough(
  operand: Node,
  chain: readonly NodeOf<'movement'>[],
  at: Coordinates,
  space: Space,
): { readonly index: Index; readonly isGuarded: boolean } {
  const guards: Guard[] = [];
  let coordinates = at;
  for (const movement of chain) coordinates = pull(movement, coordinates, space, guards);
  return {
    index: flatten(coordinates, chain.at(-1)?.inputs[0]!.shape ?? operand.shape),
    isGuarded: guards.length > 0,
  };
}
