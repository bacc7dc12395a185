/**
 * What a kernel costs, read off its text: operations, elements loaded and stored, and memory touched. An
 * expression counts as often as the loops around it change it: what depends on the row alone is computed once
 * per row, as compiled code does.
 */
import { DTYPES, sizeOf } from '@firsthand/linalg';
import { dependsOn, type Index } from '../ir/index-expression.ts';
import type { Kernel, Scalar, ScalarOp } from '../ir/kernel.ts';
import { bodiesOf, inputsOf, scalarsIn, type ScalarOf } from '../ir/scalars.ts';

/** The cost of one run of a kernel. */
export interface Traffic {
  /**
   * One for each operation on each element, and two for each product of a contraction. Copies and index
   * arithmetic are free.
   */
  readonly flops: number;
  /** Elements that are read, as often as they are. */
  readonly loads: number;
  /** Elements that are written. */
  readonly stores: number;
  /** Bytes that are read, and bytes that are written: each element of an operand at most once. */
  readonly bytes: number;
}

/** Counts the work of one run. */
export function trafficOf(kernel: Kernel): Traffic {
  const rows =
    kernel.kind === 'loop' ? kernel.rows.length : kernel.kind === 'contract' ? kernel.batch.length + 1 : 0;
  const reads = new Map<number, number>();
  const writes = new Map<number, number>();
  let [flops, loads, stores] = [0, 0, 0];
  const read = (operand: number, times: number, iterations: number): void => {
    loads += times;
    reads.set(operand, (reads.get(operand) ?? 0) + iterations);
  };
  for (const { extents, values, accumulations, targets } of bodiesOf(kernel)) {
    const iterations = sizeOf(extents);
    const depths = new Map<Scalar, number>();
    for (const scalar of scalarsIn(values)) {
      const added = (DEPTH[scalar.op] as (scalar: Scalar, axes: number, rows: number) => number)(
        scalar,
        extents.length,
        rows,
      );
      const depth = inputsOf(scalar).reduce((most, input) => Math.max(most, depths.get(input)!), added);
      depths.set(scalar, depth);
      const times = sizeOf(extents.slice(0, depth));
      if (computes(scalar)) flops += times;
      if (scalar.op === 'load') read(scalar.operand, times, iterationsOf(scalar.index, extents));
      if (scalar.op === 'gather') read(scalar.operand, times, times);
    }
    flops += accumulations * iterations;
    stores += targets.length * iterations;
    for (const operand of targets) {
      writes.set(operand, (writes.get(operand) ?? 0) + iterations);
      if (kernel.kind === 'scatter' && kernel.mode === 'add') read(operand, iterations, iterations);
    }
  }
  const bytesOf = (touched: ReadonlyMap<number, number>): number =>
    kernel.operands.reduce(
      (sum, { dtype, length }, operand) =>
        sum + Math.min(length, touched.get(operand) ?? 0) * DTYPES[dtype].bytes,
      0,
    );
  return { flops, loads, stores, bytes: bytesOf(reads) + bytesOf(writes) };
}

/**
 * How many of the loops change an operation's value by themselves, counted from the outermost to the
 * innermost that does.
 */
type Depth<K extends ScalarOp> = (scalar: ScalarOf<K>, axes: number, rows: number) => number;
const never = (): number => 0;
const ofIndex = ({ index }: { readonly index: Index }, axes: number): number => {
  let depth = axes;
  while (depth > 0 && !dependsOn(index, depth - 1)) depth--;
  return depth;
};
const DEPTH: { readonly [K in ScalarOp]: Depth<K> } = {
  const: never,
  load: ofIndex,
  index: ofIndex,
  inside: ofIndex,
  gather: ofIndex,
  random: ofIndex,
  unary: never,
  binary: never,
  where: never,
  cast: never,
  reduced: (_, _axes, rows) => rows,
  total: (_, axes) => axes,
};

/** Whether an expression is an operation on elements: all are, but for those that only move them. */
function computes(scalar: Scalar): boolean {
  if (scalar.op === 'where') return scalar.condition.op !== 'inside';
  return inputsOf(scalar).length > 0;
}

/** Upper bound of the distinct values of an index. */
function iterationsOf(index: Index, extents: readonly number[]): number {
  return extents.reduce(
    (iterations, extent, axis) => (dependsOn(index, axis) ? iterations * extent : iterations),
    1,
  );
}
