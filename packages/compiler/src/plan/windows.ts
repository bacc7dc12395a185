/**
 * Windows: an operand of which a kernel touches only a part becomes that part, and its indices count from
 * there. Kernels that do the same to different parts of an array are then equal, so that the steps of an
 * unrolled loop, each with its slice of a sequence, are planned and emitted once.
 */
import { boundsOf, scaleIndex, type Index } from '../ir/index-expression.ts';
import type {
  ImplicitMatrix,
  ContractKernel,
  Kernel,
  RowLoops,
  Scalar,
  Store,
  StoredMatrix,
} from '../ir/kernel.ts';
import { scalarRewriter } from '../ir/rewrite-scalar.ts';
import { scalarsIn } from '../ir/scalars.ts';

/** The part of an operand that a kernel touches, in elements. */
export interface Window {
  readonly first: number;
  readonly length: number;
}

/** A kernel over parts of arrays. */
export interface WindowedKernel {
  readonly kernel: Kernel;
  /** For each operand its part, or null where it is the whole array. */
  readonly windows: readonly (Window | null)[];
}

/**
 * The kernel over the parts that it touches.
 * @param units for each operand the number of elements of which the first of a part must be a multiple; 0
 *   where the operand must stay whole
 */
export function windowed(kernel: Kernel, units: readonly number[]): WindowedKernel {
  const whole = { kernel, windows: kernel.operands.map(() => null) };
  if (kernel.kind !== 'loop' && kernel.kind !== 'contract') return whole;
  const bounds = boundsOfOperands(kernel);
  const windows = kernel.operands.map(({ length }, operand): Window | null => {
    const [low, high] = bounds[operand]!;
    const unit = units[operand]!;
    if (unit === 0 || high < low || high - low + 1 === length) return null;
    const first = low - (low % unit);
    return { first, length: high + 1 - first };
  });
  if (windows.every((window) => window === null)) return whole;
  return { kernel: moved(kernel, windows), windows };
}

/**
 * For each operand the least and the largest element that is touched; where guards hide some, clipped to the
 * array.
 */
function boundsOfOperands(
  kernel: Extract<Kernel, { kind: 'loop' | 'contract' }>,
): readonly (readonly [number, number])[] {
  const bounds = kernel.operands.map((): [number, number] => [Infinity, -1]);
  const touch = (operand: number, index: Index, extents: readonly number[], reach = 0): void => {
    const [low, high] = boundsOf(index, extents);
    const bound = bounds[operand]!;
    bound[0] = Math.max(0, Math.min(bound[0], low + Math.min(reach, 0)));
    bound[1] = Math.min(kernel.operands[operand]!.length - 1, Math.max(bound[1], high + Math.max(reach, 0)));
  };
  const touchAll = (
    values: readonly Scalar[],
    stores: readonly Store[],
    extents: readonly number[],
  ): void => {
    for (const scalar of scalarsIn([...values, ...stores.map(({ value }) => value)])) {
      if (scalar.op === 'load') touch(scalar.operand, scalar.index, extents);
      if (scalar.op === 'gather')
        touch(scalar.operand, scalar.index, extents, Math.max(0, scalar.extent - 1) * scalar.stride);
    }
    for (const { operand, index } of stores) touch(operand, index, extents);
  };
  const touchRowLoops = (
    rows: readonly number[],
    { columns, passes, reductions, rowStores }: RowLoops,
  ): void => {
    for (const pass of passes) {
      const reduced = pass.reductions.map((number) => reductions[number]!.value);
      touchAll(reduced, pass.stores, [...rows, ...columns]);
    }
    touchAll([], rowStores, rows);
  };
  if (kernel.kind === 'loop') {
    touchRowLoops(kernel.rows, kernel);
    return bounds;
  }
  const { batch, m, n, k, stores, rowEpilogue } = kernel;
  for (const matrix of [kernel.a, kernel.b]) {
    if ('value' in matrix) touchAll([matrix.value], [], [...batch, ...matrix.inner, ...matrix.outer]);
    else touch(matrix.operand, matrix.index, [...batch, m, n, k]);
  }
  touchAll([], stores, [...batch, m, n]);
  if (rowEpilogue !== null) touchRowLoops([...batch, m], rowEpilogue);
  return bounds;
}

/** The kernel with every index counted from the first element of the operand's window. */
function moved(
  kernel: Extract<Kernel, { kind: 'loop' | 'contract' }>,
  windows: readonly (Window | null)[],
): Kernel {
  const shift = (index: Index, operand: number): Index =>
    scaleIndex(index, 1, -(windows[operand]?.first ?? 0));
  const rewrite = scalarRewriter((index, operand) => (operand === null ? index : shift(index, operand)));
  const store = ({ operand, index, value }: Store): Store => ({
    operand,
    index: shift(index, operand),
    value: rewrite(value),
  });
  const movedRowLoops = <T extends RowLoops>(of: T): T => ({
    ...of,
    reductions: of.reductions.map((reduction) => ({ ...reduction, value: rewrite(reduction.value) })),
    passes: of.passes.map(({ reductions, stores }) => ({ reductions, stores: stores.map(store) })),
    rowStores: of.rowStores.map(store),
  });
  const operands = kernel.operands.map((operand, number) => ({
    ...operand,
    length: windows[number]?.length ?? operand.length,
  }));
  if (kernel.kind === 'loop') return { ...movedRowLoops(kernel), operands };
  const matrix = (of: StoredMatrix | ImplicitMatrix): StoredMatrix | ImplicitMatrix =>
    'value' in of
      ? { ...of, value: rewrite(of.value) }
      : { operand: of.operand, index: shift(of.index, of.operand) };
  const { a, b, stores, rowEpilogue } = kernel;
  const result: ContractKernel = {
    ...kernel,
    operands,
    a: matrix(a),
    b: matrix(b),
    stores: stores.map(store),
    rowEpilogue: rowEpilogue === null ? null : movedRowLoops(rowEpilogue),
  };
  return result;
}
