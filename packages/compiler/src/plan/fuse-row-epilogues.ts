/**
 * Row epilogues: a row-wise kernel (softmax of scores, a norm, a loss) that reads a matrix product becomes
 * the last step of the product, run after each row while that is in the cache. So the statistics of a row are
 * part of the product, as a bias is.
 */
import type { Node } from '@firsthand/graph';
import { sizeOf } from '@firsthand/linalg';
import {
  addIndices,
  axisIndex,
  equalIndex,
  coefficientOf,
  isAffine,
  scaleIndex,
  substitute,
  type Index,
} from '../ir/index-expression.ts';
import type {
  ContractKernel,
  LoopKernel,
  Operand,
  RowLoops,
  Scalar,
  Store,
  KernelPlan,
} from '../ir/kernel.ts';
import type { KernelTable } from './kernel-table.ts';
import { listAt } from '../support/lists.ts';
import { flatten, unflatten } from '../ir/coordinates.ts';
import { scalarsIn } from '../ir/scalars.ts';
import type { LoweredKernel, Unit } from '../lower/lower.ts';
import { scalarRewriter } from '../ir/rewrite-scalar.ts';

/**
 * The units, with row-wise kernels fused into the matrix products before them where the target's plan says
 * so.
 */
export function fuseRowEpilogues(units: readonly Unit[], table: KernelTable<KernelPlan>): readonly Unit[] {
  const left = new Set(units);
  const writers = new Map<Node, Unit[]>();
  const readers = new Map<Node, Unit[]>();
  for (const unit of units) {
    for (const node of unit.writes) listAt(writers, node).push(unit);
    for (const node of unit.reads) listAt(readers, node).push(unit);
  }
  for (const product of units) {
    const [lowered] = product.kernels;
    if (lowered?.kernel.kind !== 'contract') continue;
    // Who reads a concatenation reads more than this product's part of it.
    const readWhole = product.writes.filter(
      (node) => !lowered.operands.includes(node) || writers.get(node)!.length > 1,
    );
    for (const rows of new Set(product.writes.flatMap((node) => readers.get(node) ?? []))) {
      if (rows.reads.some((node) => readWhole.includes(node))) continue;
      const kernel = left.has(rows) && rows.kernels.length === 1 ? fused(lowered, rows.kernels[0]!) : null;
      if (kernel === null || needsOther(rows, product, writers)) continue;
      if (table.entry(kernel.kernel).plan.fusesRowEpilogue !== true) continue;
      const reads = [...new Set([...product.reads, ...rows.reads])].filter(
        (node) => !product.writes.includes(node),
      );
      const joined: Unit = {
        kernels: [kernel],
        reads,
        writes: [...new Set([...product.writes, ...rows.writes])],
        boundary: product.boundary,
      };
      left.delete(product);
      left.delete(rows);
      left.add(joined);
      for (const node of joined.writes) {
        writers.set(
          node,
          writers.get(node)!.map((writer) => (writer === product || writer === rows ? joined : writer)),
        );
      }
      break;
    }
  }
  return [...left];
}

/** Whether a unit reads what another but `product` computes from what `product` gives. */
function needsOther(unit: Unit, product: Unit, writers: ReadonlyMap<Node, readonly Unit[]>): boolean {
  const writersOf = ({ reads }: Unit): readonly Unit[] => reads.flatMap((node) => writers.get(node) ?? []);
  const pending = writersOf(unit).filter((writer) => writer !== product);
  const seen = new Set(pending);
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next === product) return true;
    for (const writer of writersOf(next)) {
      if (seen.has(writer)) continue;
      seen.add(writer);
      pending.push(writer);
    }
  }
  return false;
}

interface FusedProduct extends LoweredKernel {
  readonly kernel: ContractKernel;
}

/** A product with a loop kernel as its last step; null where that kernel does not work on its rows. */
function fused(
  product: LoweredKernel,
  { kernel: loop, operands, nodes }: LoweredKernel,
): FusedProduct | null {
  const kernel = product.kernel as ContractKernel;
  if (loop.kind !== 'loop' || loop.reductions.length === 0 || kernel.rowEpilogue !== null) return null;
  const axes = axesOfLoop(kernel, loop);
  if (axes === null) return null;

  const joined = [...new Set([...product.operands, ...operands])];
  const list = joined.map((node): Operand => {
    const both = [
      kernel.operands[product.operands.indexOf(node)],
      loop.operands[operands.indexOf(node)],
    ].filter((each) => each !== undefined);
    return both.every(({ access }) => access === both[0]!.access)
      ? both[0]!
      : { ...both[0]!, access: 'update' };
  });
  const renumbered = (operand: number): number => joined.indexOf(operands[operand]!);
  const index = (of: Index): Index => substitute(of, (axis) => axes[axis]!);
  const rewrite = scalarRewriter(index, renumbered);
  const moved = (store: Store): Store => ({
    operand: renumbered(store.operand),
    index: index(store.index),
    value: rewrite(store.value),
  });
  const rowEpilogue: RowLoops = {
    columns: loop.columns,
    reductions: loop.reductions.map((reduction) => ({ ...reduction, value: rewrite(reduction.value) })),
    passes: loop.passes.map(({ reductions, stores }) => ({ reductions, stores: stores.map(moved) })),
    rowStores: loop.rowStores.map(moved),
  };
  if (!staysInRow(kernel, rowEpilogue)) return null;
  return {
    kernel: { ...kernel, operands: list, rowEpilogue: rowEpilogue },
    operands: joined,
    nodes: [...new Set([...product.nodes, ...nodes])],
  };
}

/**
 * The axes of a row-wise kernel as indices over the axes of the product, then its own columns; null where its
 * rows are others.
 */
function axesOfLoop({ batch, m, n }: ContractKernel, { rows, columns }: LoopKernel): readonly Index[] | null {
  const extents = [...batch, m];
  if (sizeOf(rows) !== sizeOf(extents) || sizeOf(columns) !== n) return null;
  const rowIndex = flatten(
    extents.map((_, axis) => axisIndex(axis)),
    extents,
  );
  const outer = unflatten(rowIndex, rows, { extents, splits: new Map() });
  return outer.every(isAffine)
    ? [...outer, ...columns.map((_, column) => axisIndex(extents.length + column))]
    : null;
}

/**
 * Whether every load of the product's results stays in the row: at its own column, or gathered within the
 * row.
 */
function staysInRow(
  { batch, n, stores }: ContractKernel,
  { columns, reductions, passes, rowStores }: RowLoops,
): boolean {
  const first = batch.length + 1;
  const column = flatten(
    columns.map((_, axis) => axisIndex(first + axis)),
    columns,
  );
  const given = new Map(stores.map(({ operand, index }) => [operand, index]));
  const isOfRow = (scalar: Scalar): boolean => {
    if (scalar.op !== 'load' && scalar.op !== 'gather') return true;
    const index = given.get(scalar.operand);
    if (index === undefined) return true;
    const stride = coefficientOf(index, first);
    if (stride === null) return false;
    if (scalar.op === 'load')
      return equalIndex(
        scalar.index,
        substitute(index, (axis) => (axis === first ? column : axisIndex(axis))),
      );
    return (
      scalar.stride === stride &&
      scalar.extent <= n &&
      equalIndex(addIndices(scalar.index, scaleIndex(axisIndex(first), stride)), index)
    );
  };
  const values = [...reductions, ...passes.flatMap((pass) => pass.stores), ...rowStores].map(
    ({ value }) => value,
  );
  return scalarsIn(values).every(isOfRow);
}
