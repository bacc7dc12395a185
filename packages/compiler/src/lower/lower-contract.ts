/**
 * The kernel of a matrix product: three loops in a fixed form, between batch axes and the expressions of the
 * stores, so that a bias, an activation or a residual is its last step. The matrices need not exist: then the
 * kernel says what their elements are, over loops of their own.
 */
import type { Node, NodeOf } from '@firsthand/graph';
import { Body, Operands } from './body.ts';
import { coalesce } from './coalesce.ts';
import {
  axisIndex,
  constantIndex,
  isAffine,
  substitute,
  type Index,
  type Splits,
} from '../ir/index-expression.ts';
import type { ImplicitMatrix, StoredMatrix } from '../ir/kernel.ts';
import {
  axesOfSpace,
  loopsOf,
  overLoops,
  storeOf,
  type LoweredKernel,
  type LoweringContext,
  type Stored,
} from './lower.ts';
import {
  flatten,
  isWidening,
  pull,
  unflatten,
  type Coordinates,
  type Guard,
  type Space,
} from '../ir/coordinates.ts';
import { indicesIn, scalarRewriter } from '../ir/rewrite-scalar.ts';
import type { Group } from '../schedule/groups.ts';

/** The loops over rows, columns and k, in the numbering of a product's axes. */
const MATRIX_AXES = 3;

/** A matrix of a product, with the nodes that are computed for it. */
interface Side {
  readonly matrix: StoredMatrix | ImplicitMatrix;
  readonly nodes: readonly Node[];
}

/** The coordinates of an operand's element at an index along m or n, and along k. */
type ElementAt = (batch: Coordinates, outer: Index, inner: Index) => Coordinates;

/** The kernel for the stored nodes of a group that begins with a matrix product. */
export function lowerContract(
  group: Group,
  nodes: readonly Stored[],
  context: LoweringContext,
): LoweredKernel {
  const output = group.members[0] as NodeOf<'output'>;
  const [left, right] = output.inputs[0]!.inputs as [Node, Node];
  const batchShape = output.shape.slice(0, -2);
  const [m, n, k] = [output.shape.at(-2)!, output.shape.at(-1)!, left.shape.at(-1)!];
  const matrix = [m, n].map((extent) => ({ extent, isReduced: false }));
  return overLoops(
    [...axesOfSpace(batchShape, []), ...matrix],
    // Rows and columns of the product stay whole.
    ({ rows }, axis) => axis < rows - 2,
    ({ extents, fullIndex }, splits) => {
      const first = extents.length - 2;
      const space: Space = { extents: [...extents, k], splits };
      const operands = new Operands();
      const body = new Body(
        { space, group, fullIndex: fullIndex, rowIndex: fullIndex },
        context.storedBy,
        null,
        operands,
      );
      const [row, column, inner] = [axisIndex(first), axisIndex(first + 1), axisIndex(first + 2)];
      const batch = batchCoordinates(batchShape, extents.slice(0, first), space);
      const sideOf = (operand: Node, at: ElementAt, outer: Index, extent: number): Side => {
        const stored = storedMatrix(operand, at(batch, outer, inner), space, context, operands);
        if (stored !== null) return { matrix: stored, nodes: [] };
        const sizes = { batchShape, batch: extents.slice(0, first), k, outer: extent };
        return computeFactor(operand, at, sizes, splits, context, operands);
      };
      const sides = [
        sideOf(left, (at, outer, along) => coordinatesIn(left, at, outer, along), row, m),
        sideOf(right, (at, outer, along) => coordinatesIn(right, at, along, outer), column, n),
      ] as const;
      const stores = nodes.map((node) => storeOf(node, body, 'full').store);

      // Batch axes merge with one another, and the last one with the rows where the right matrix is the same
      // for all and the left one is stored. The loops of computed matrices come after those of the product.
      const implicitExtents = sides.map(({ matrix }) =>
        'value' in matrix ? [...matrix.inner, ...matrix.outer] : [],
      );
      const before = [MATRIX_AXES, MATRIX_AXES + implicitExtents[0]!.length];
      const values = sides.map(({ matrix }, side) =>
        'value' in matrix ? scalarRewriter(shifted(first, before[side]!))(matrix.value) : null,
      );
      const storedIndices = sides.flatMap(({ matrix }) => ('value' in matrix ? [] : [matrix.index]));
      const indices = [
        ...storedIndices,
        ...indicesIn(
          values.filter((value) => value !== null),
          stores,
        ),
      ];
      const mergeable = 'value' in sides[0].matrix ? first - 1 : first;
      const merged = coalesce(
        [...extents, k, ...implicitExtents.flat()],
        extents.length,
        indices,
        (outer) => outer < mergeable,
      );
      const count = merged.rows - 2;
      const rewrite = scalarRewriter(merged.rewrite);
      const [a, b] = sides.map(({ matrix }, side): StoredMatrix | ImplicitMatrix => {
        if (!('value' in matrix)) return { ...matrix, index: merged.rewrite(matrix.index) };
        const inside = scalarRewriter(shifted(count + before[side]!, -before[side]!));
        return { ...matrix, value: inside(rewrite(values[side]!)) };
      }) as [StoredMatrix | ImplicitMatrix, StoredMatrix | ImplicitMatrix];
      return {
        kernel: {
          kind: 'contract',
          operands: operands.list,
          batch: merged.extents.slice(0, count),
          m: merged.extents[count]!,
          n,
          k,
          dtype: output.dtype,
          a,
          b,
          stores: stores.map((store) => ({
            ...store,
            index: merged.rewrite(store.index),
            value: rewrite(store.value),
          })),
          rowEpilogue: null,
        },
        operands: operands.nodes,
        nodes: [...sides.flatMap((side) => side.nodes), ...body.computed()],
      };
    },
  );
}

/** The coordinates of the batch axes; those of extent 1 have no loop. */
function batchCoordinates(shape: readonly number[], loops: readonly number[], space: Space): Coordinates {
  const { fullIndex } = loopsOf(loops.map((extent) => ({ extent, isReduced: false })));
  return unflatten(fullIndex, shape, space);
}

/**
 * The coordinates of an element of an operand, whose batch axes are the last of the product's, or of extent
 * 1.
 */
function coordinatesIn({ shape }: Node, batch: Coordinates, row: Index, column: Index): Coordinates {
  const missing = batch.length - (shape.length - 2);
  return [
    ...shape.slice(0, -2).map((extent, axis) => (extent === 1 ? constantIndex(0) : batch[axis + missing]!)),
    row,
    column,
  ];
}

/** A matrix in memory, read through movements; null for one that is not materialised. */
function storedMatrix(
  operand: Node,
  at: Coordinates,
  space: Space,
  { storedBy, storesHalvesAsFloats }: LoweringContext,
  operands: Operands,
): StoredMatrix | null {
  let [node, coordinates] = [operand, at];
  const guards: Guard[] = [];
  while (!storedBy.has(node) && (node.op === 'movement' || (storesHalvesAsFloats && isWidening(node)))) {
    if (node.op === 'movement') coordinates = pull(node, coordinates, space, guards);
    node = node.inputs[0]!;
  }
  const index = flatten(coordinates, node.shape);
  const isStored = node.op === 'leaf' || storedBy.has(node);
  return isStored && guards.length === 0 && isAffine(index)
    ? { operand: operands.number(node, 'read'), index }
    : null;
}

/**
 * An implicit operand. Where its expression divides a batch axis, it requests a split of the product's loop.
 */
function computeFactor(
  operand: Node,
  elementAt: ElementAt,
  {
    batchShape,
    batch,
    k,
    outer,
  }: {
    readonly batchShape: readonly number[];
    readonly batch: readonly number[];
    readonly k: number;
    readonly outer: number;
  },
  splits: Splits,
  { storedBy }: LoweringContext,
  operands: Operands,
): Side {
  const first = batch.length;
  return overLoops(
    [...batch, k, outer].map((extent) => ({ extent, isReduced: false })),
    (_, axis) => axis >= first,
    ({ extents, fullIndex }, implicitSplits) => {
      const space: Space = { extents, splits: implicitSplits };
      let cut = first + 1;
      for (let rows = extents[first]!; rows < k; cut++) rows *= extents[cut]!;
      const coordinates = (from: number, to: number): Index =>
        flatten(
          extents.slice(from, to).map((_, axis) => axisIndex(from + axis)),
          extents.slice(from, to),
        );
      const body = new Body(
        { space, group: null, fullIndex: fullIndex, rowIndex: fullIndex },
        storedBy,
        null,
        operands,
      );
      const value = body.at(
        operand,
        elementAt(
          batchCoordinates(batchShape, batch, space),
          coordinates(cut, extents.length),
          coordinates(first, cut),
        ),
      );
      for (const [axis, extent] of implicitSplits) if (axis < first) splits.set(axis, extent);
      return {
        matrix: { value, inner: extents.slice(first, cut), outer: extents.slice(cut) },
        nodes: body.computed(),
      };
    },
  );
}

/** Axes from `first` on, renumbered. */
function shifted(first: number, by: number): (index: Index) => Index {
  return (index) => substitute(index, (axis) => axisIndex(axis < first ? axis : axis + by));
}
