/**
 * The kernels of matrix products, running sums, scattering and sorting. Each is one loop nest of a fixed form; what goes in and comes out of it is expressed as
 * elsewhere, so that a bias, an activation or a residual is the last step of a matrix product.
 */
import { constant, type Node, type NodeOf } from '@firsthand/graph';
import { rowMajorStrides } from '@firsthand/linalg';
import { Body } from './body.ts';
import { coalesce } from './coalesce.ts';
import type { Group, GroupKind } from '../schedule/groups.ts';
import { axisIndex, constantIndex, type Index } from '../index-expression.ts';
import type { ContractKernel, Kernel, OwnKernel, Scalar, ScanKernel, ScatterKernel, SortKernel } from '../kernel.ts';
import {
  axesOfSpace,
  loopsOf,
  lowerCopy,
  lowerLoop,
  overLoops,
  storeOf,
  type Loops,
  type LoweredKernel,
  type LoweringContext,
} from './lower.ts';
import { flatten, pull, unflatten as unflattenShape, type Coordinates, type Space } from '../movement.ts';
import { indicesIn, scalarRewriter } from './rewrite-scalar.ts';

type Lower = (group: Group, nodes: readonly Node[], context: LoweringContext) => readonly LoweredKernel[];

/** How each kind of group becomes kernels. */
export const LOWER: { readonly [K in GroupKind]: Lower } = {
  loop: (group, nodes, context) => [lowerLoop(group, nodes, context)],
  contract: lowerContract,
  scan: lowerScan,
  scatter: lowerScatter,
  sort: lowerSort,
  own: lowerOwn,
};

/** Where a matrix product reads an operand: through movements, from what is stored. */
function operandPlace(
  operand: Node,
  at: Coordinates,
  space: Space,
  context: LoweringContext,
): { readonly node: Node; readonly index: Index } {
  let [node, place] = [operand, at];
  while (node.op === 'movement' && !context.owners.has(node)) {
    place = pull(node, place, space, []);
    node = node.inputs[0]!;
  }
  return { node, index: flatten(place, node.shape) };
}

function lowerContract(group: Group, nodes: readonly Node[], context: LoweringContext): readonly LoweredKernel[] {
  const output = group.members[0] as NodeOf<'output'>;
  const [left, right] = output.inputs[0]!.inputs as [Node, Node];
  const { shape } = output;
  const batchShape = shape.slice(0, -2);
  const batchAxes = axesOfSpace(batchShape, []);
  const [m, n, k] = [shape.at(-2)!, shape.at(-1)!, left.shape.at(-1)!];
  const matrix = [
    { extent: m, isFolded: false },
    { extent: n, isFolded: false },
  ];
  const lowered = overLoops(
    [...batchAxes, ...matrix],
    // Rows and columns of the product stay whole.
    ({ rows }, axis) => axis < rows - 2,
    (loops, splits) => {
      const { extents, fullPlace } = loops;
      const batchCount = extents.length - 2;
      const space: Space = { extents: [...extents, k], splits };
      const body = new Body({ space, group, fullPlace, rowPlace: fullPlace }, context.owners, null);
      const at = (operand: Node, row: Index, column: Index): Coordinates => {
        const missing = batchShape.length - (operand.shape.length - 2);
        const batch = unflattenBatch(batchShape, extents.slice(0, batchCount), space);
        return [
          ...operand.shape.slice(0, -2).map((extent, axis) => (extent === 1 ? constantIndex(0) : batch[axis + missing]!)),
          row,
          column,
        ];
      };
      const inner = axisIndex(extents.length);
      const a = operandPlace(left, at(left, axisIndex(batchCount), inner), space, context);
      const b = operandPlace(right, at(right, inner, axisIndex(batchCount + 1)), space, context);
      const operands = { a: body.operand(a.node, 'read'), b: body.operand(b.node, 'read') };
      const stores = nodes.map((node) => storeOf(node, body, 'full').store);
      const indices = [a.index, b.index, ...indicesIn([], stores)];
      // Batch axes merge with one another, and the last one with the rows where the right matrix is the same for all: m is batchCount.
      const merged = coalesce([...extents, k], extents.length, indices, (outer) => outer < batchCount);
      const rewrite = scalarRewriter(merged.rewrite);
      const counts = merged.extents.length - 3;
      const kernel: ContractKernel = {
        kind: 'contract',
        operands: body.operands,
        batch: merged.extents.slice(0, counts),
        m: merged.extents[counts]!,
        n,
        k,
        dtype: output.dtype,
        a: { operand: operands.a, index: merged.rewrite(a.index) },
        b: { operand: operands.b, index: merged.rewrite(b.index) },
        stores: stores.map((store) => ({ ...store, index: merged.rewrite(store.index), value: rewrite(store.value) })),
      };
      return { kernel, operands: body.operandNodes, nodes: body.computed() };
    },
  );
  return [lowered];
}

/** The coordinates of the batch axes; those of extent 1 have no loop. */
function unflattenBatch(shape: readonly number[], loops: readonly number[], space: Space): Coordinates {
  const { fullPlace } = loopsOf(loops.map((extent) => ({ extent, isFolded: false })));
  return unflattenShape(fullPlace, shape, space);
}

/**
 * Loops over the lines of `node` along an axis, which stays one loop whatever its extent, and what the elements of the node's operand are over them.
 * @param express makes the kernel of a body, over the loops as they are; `value` is the element of the operand
 */
function overLines(
  node: NodeOf<'prefixScan'> | NodeOf<'sort'>,
  group: Group | null,
  context: LoweringContext,
  express: (body: Body, loops: Loops, value: Scalar) => Kernel,
): LoweredKernel {
  const { axis } = node.attrs;
  const axes = node.shape.flatMap((extent, each) => (extent === 1 && each !== axis ? [] : [{ extent, isFolded: each === axis }]));
  return overLoops(
    axes,
    ({ rows }, split) => split < rows,
    (loops, splits) => {
      const { extents, fullPlace, rowPlace } = loops;
      const space: Space = { extents, splits };
      const body = new Body({ space, group, fullPlace, rowPlace }, context.owners, null);
      const value = body.at(node.inputs[0]!, unflattenShape(fullPlace, node.shape, space));
      const kernel = express(body, loops, value);
      return { kernel, operands: body.operandNodes, nodes: body.computed() };
    },
  );
}

function lowerScan(group: Group, nodes: readonly Node[], context: LoweringContext): readonly LoweredKernel[] {
  const node = group.members[0] as NodeOf<'prefixScan'>;
  const lowered = overLines(node, group, context, (body, { extents, rows }, value): ScanKernel => {
    const stores = nodes.map((stored) => storeOf(stored, body, 'full').store);
    const merged = coalesce(extents, rows, indicesIn([value], stores));
    const rewrite = scalarRewriter(merged.rewrite);
    return {
      kind: 'scan',
      operands: body.operands,
      rows: merged.extents.slice(0, merged.rows),
      count: node.shape[node.attrs.axis]!,
      dtype: node.dtype,
      value: rewrite(value),
      stores: stores.map((store) => ({ ...store, index: merged.rewrite(store.index), value: rewrite(store.value) })),
    };
  });
  return [lowered];
}

function lowerScatter(group: Group, _: readonly Node[], context: LoweringContext): readonly LoweredKernel[] {
  const node = group.members[0] as NodeOf<'scatter'>;
  const [base, positions, source] = node.inputs as [Node, Node, Node];
  const { axis, mode } = node.attrs;
  const start = lowerCopy(node, base, context);
  if (positions.shape.some((extent) => extent === 0)) return [start];
  const scatter = overLoops(
    axesOfSpace(positions.shape, []),
    () => true,
    (loops, splits) => {
      const { extents, fullPlace, rowPlace } = loops;
      const space: Space = { extents, splits };
      const body = new Body({ space, group: null, fullPlace, rowPlace }, context.owners, null);
      const at = unflattenShape(fullPlace, positions.shape, space);
      const target = body.operand(node, 'update');
      const position = body.at(positions, at);
      const value = body.at(source, at);
      const index = flatten(
        at.map((each, position_) => (position_ === axis ? constantIndex(0) : each)),
        node.shape,
      );
      const merged = coalesce(extents, extents.length, [index, ...indicesIn([position, value], [])]);
      const rewrite = scalarRewriter(merged.rewrite);
      const kernel: ScatterKernel = {
        kind: 'scatter',
        operands: body.operands,
        extents: merged.extents,
        mode,
        target,
        index: merged.rewrite(index),
        position: rewrite(position),
        stride: rowMajorStrides(node.shape)[axis]!,
        extent: node.shape[axis]!,
        value: rewrite(value),
      };
      return { kernel, operands: body.operandNodes, nodes: body.computed() };
    },
  );
  return [start, scatter];
}

function lowerSort(group: Group, _: readonly Node[], context: LoweringContext): readonly LoweredKernel[] {
  const node = group.members[0] as NodeOf<'sort'>;
  const lowered = overLines(node, null, context, (body, { extents, rows, fullPlace }, value): SortKernel => {
    const target = body.operand(node, 'write');
    const merged = coalesce(extents, rows, [fullPlace, ...indicesIn([value], [])]);
    return {
      kind: 'sort',
      operands: body.operands,
      rows: merged.extents.slice(0, merged.rows),
      count: node.shape[node.attrs.axis]!,
      descending: node.attrs.descending,
      value: scalarRewriter(merged.rewrite)(value),
      target: { operand: target, index: merged.rewrite(fullPlace) },
    };
  });
  return [lowered];
}

/** A composite that the target computes itself: it reads and writes whole arrays, also those outputs that nobody reads. */
function lowerOwn(group: Group, _: readonly Node[], context: LoweringContext): readonly LoweredKernel[] {
  const called = group.members[0]!.inputs[0] as NodeOf<'call'>;
  const { composite, attrs, outputs } = called.attrs;
  const space: Space = { extents: [], splits: new Map() };
  const body = new Body({ space, group, fullPlace: constantIndex(0), rowPlace: constantIndex(0) }, context.owners, null);
  const inputs = called.inputs.map((operand) => {
    let node = operand;
    while (node.op === 'movement' && !context.owners.has(node)) node = node.inputs[0]!;
    return { operand: body.operand(node, 'read'), shape: operand.shape };
  });
  const results = outputs.map(({ shape, dtype }, index) => {
    const member = group.members.find((each) => each.op === 'output' && each.attrs.index === index);
    // What nobody reads needs a place nevertheless.
    return { operand: body.operand(member ?? constant(0, shape, dtype), 'write'), shape };
  });
  const kernel: OwnKernel = { kind: 'own', operands: body.operands, composite, attrs, inputs, outputs: results };
  return [{ kernel, operands: body.operandNodes, nodes: group.members }];
}
