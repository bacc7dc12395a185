/**
 * How each kind of group becomes kernels; and those of running sums, scattering and sorting: loop nests of a
 * fixed form, whose operands and results are expressed as elsewhere.
 */
import { constant, type Node, type NodeOf } from '@firsthand/graph';
import { rowMajorStrides } from '@firsthand/linalg';
import { Body } from './body.ts';
import { coalesce } from './coalesce.ts';
import { lowerContract } from './lower-contract.ts';
import type { Group, GroupKind } from '../schedule/groups.ts';
import { constantIndex } from '../ir/index-expression.ts';
import type { Kernel, CustomKernel, Scalar, ScanKernel, ScatterKernel, SortKernel } from '../ir/kernel.ts';
import {
  axesOfSpace,
  lowerCopy,
  lowerLoop,
  overLoops,
  storeOf,
  type Loops,
  type LoweredKernel,
  type LoweringContext,
  type Stored,
} from './lower.ts';
import { flatten, unflatten, type Space } from '../ir/coordinates.ts';
import { indicesIn, scalarRewriter } from '../ir/rewrite-scalar.ts';

type Lower = (group: Group, nodes: readonly Stored[], context: LoweringContext) => readonly LoweredKernel[];

/** How each kind of group becomes kernels; concatenations have none. */
export const LOWER: { readonly [K in Exclude<GroupKind, 'concatenation'>]: Lower } = {
  loop: (group, nodes, context) => [lowerLoop(group, nodes, context)],
  contract: (group, nodes, context) => [lowerContract(group, nodes, context)],
  scan: lowerScan,
  scatter: lowerScatter,
  sort: lowerSort,
  custom: lowerCustom,
};

/**
 * Loops over the lines of `node` along an axis, which stays one loop whatever its extent, and what the
 * elements of the node's operand are over them.
 * @param express makes the kernel of a body, over the loops as they are; `values` are the elements of the
 *   operands
 */
function overLines(
  node: NodeOf<'prefixScan'> | NodeOf<'sort'>,
  group: Group | null,
  context: LoweringContext,
  express: (body: Body, loops: Loops, values: readonly Scalar[]) => Kernel,
): LoweredKernel {
  const { axis } = node.attrs;
  const axes = node.shape.flatMap((extent, each) =>
    extent === 1 && each !== axis ? [] : [{ extent, isReduced: each === axis }],
  );
  return overLoops(
    axes,
    ({ rows }, split) => split < rows,
    (loops, splits) => {
      const { extents, fullIndex, rowIndex } = loops;
      const space: Space = { extents, splits };
      const body = new Body(
        { space, group, fullIndex: fullIndex, rowIndex: rowIndex },
        context.storedBy,
        null,
      );
      const coordinates = unflatten(fullIndex, node.shape, space);
      const values = node.inputs.map((input) => body.at(input, coordinates));
      const kernel = express(body, loops, values);
      return { kernel, operands: body.operands.nodes, nodes: body.computed() };
    },
  );
}

function lowerScan(
  group: Group,
  nodes: readonly Stored[],
  context: LoweringContext,
): readonly LoweredKernel[] {
  const node = group.members[0] as NodeOf<'prefixScan'>;
  const lowered = overLines(node, group, context, (body, { extents, rows }, values): ScanKernel => {
    const stores = nodes.map((stored) => storeOf(stored, body, 'full').store);
    const merged = coalesce(extents, rows, indicesIn(values, stores));
    const rewrite = scalarRewriter(merged.rewrite);
    // The inputs of the linear recurrence are its factors, then its terms.
    const [first, second] = values.map(rewrite) as [Scalar, Scalar?];
    return {
      kind: 'scan',
      scan: node.attrs.kind,
      operands: body.operands.list,
      rows: merged.extents.slice(0, merged.rows),
      count: node.shape[node.attrs.axis]!,
      dtype: node.dtype,
      value: second ?? first,
      coefficient: second === undefined ? null : first,
      stores: stores.map((store) => ({
        ...store,
        index: merged.rewrite(store.index),
        value: rewrite(store.value),
      })),
    };
  });
  return [lowered];
}

function lowerScatter(
  group: Group,
  _: readonly Stored[],
  context: LoweringContext,
): readonly LoweredKernel[] {
  const node = group.members[0] as NodeOf<'scatter'>;
  const [base, positions, source] = node.inputs as [Node, Node, Node];
  const { axis, mode } = node.attrs;
  const start = lowerCopy(node, context, base);
  if (positions.shape.some((extent) => extent === 0)) return [start];
  const scatter = overLoops(
    axesOfSpace(positions.shape, []),
    () => true,
    (loops, splits) => {
      const { extents, fullIndex, rowIndex } = loops;
      const space: Space = { extents, splits };
      const body = new Body(
        { space, group: null, fullIndex: fullIndex, rowIndex: rowIndex },
        context.storedBy,
        null,
      );
      const at = unflatten(fullIndex, positions.shape, space);
      const target = body.operands.number(node, 'update');
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
        operands: body.operands.list,
        extents: merged.extents,
        mode,
        target,
        index: merged.rewrite(index),
        position: rewrite(position),
        stride: rowMajorStrides(node.shape)[axis]!,
        extent: node.shape[axis]!,
        value: rewrite(value),
      };
      return { kernel, operands: body.operands.nodes, nodes: body.computed() };
    },
  );
  return [start, scatter];
}

function lowerSort(group: Group, _: readonly Stored[], context: LoweringContext): readonly LoweredKernel[] {
  const node = group.members[0] as NodeOf<'sort'>;
  const lowered = overLines(node, null, context, (body, { extents, rows, fullIndex }, values): SortKernel => {
    const target = body.operands.number(node, 'write');
    const merged = coalesce(extents, rows, [fullIndex, ...indicesIn(values, [])]);
    return {
      kind: 'sort',
      operands: body.operands.list,
      rows: merged.extents.slice(0, merged.rows),
      count: node.shape[node.attrs.axis]!,
      descending: node.attrs.descending,
      value: scalarRewriter(merged.rewrite)(values[0]!),
      target: { operand: target, index: merged.rewrite(fullIndex) },
    };
  });
  return [lowered];
}

/**
 * A composite that the target computes itself: it reads and writes whole arrays, also those outputs that
 * nobody reads.
 */
function lowerCustom(group: Group, _: readonly Stored[], context: LoweringContext): readonly LoweredKernel[] {
  const called = group.members[0]!.inputs[0] as NodeOf<'call'>;
  const { composite, attrs, outputs } = called.attrs;
  const space: Space = { extents: [], splits: new Map() };
  const body = new Body(
    { space, group, fullIndex: constantIndex(0), rowIndex: constantIndex(0) },
    context.storedBy,
    null,
  );
  const inputs = called.inputs.map((operand) => {
    let node = operand;
    while (node.op === 'movement' && !context.storedBy.has(node)) node = node.inputs[0]!;
    return { operand: body.operands.number(node, 'read'), shape: operand.shape };
  });
  const results = outputs.map(({ shape, dtype }, index) => {
    const member = group.members.find((each) => each.op === 'output' && each.attrs.index === index);
    // An output that nobody reads is an operand nevertheless.
    return { operand: body.operands.number(member ?? constant(0, shape, dtype), 'write'), shape };
  });
  const kernel: CustomKernel = {
    kind: 'custom',
    operands: body.operands.list,
    composite,
    attrs,
    inputs,
    outputs: results,
  };
  return [{ kernel, operands: body.operands.nodes, nodes: group.members }];
}
