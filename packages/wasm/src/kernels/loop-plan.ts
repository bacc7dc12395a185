/**
 * How a loop kernel is vectorised: along which axis, and how many vectors one loop body computes. Lanes along
 * the innermost column axis suit contiguous rows (softmax, layer norm, maps); lanes along a row axis compute
 * neighbouring rows at once (sums over the columns of a matrix).
 */
import { interleavedKind } from '../scalar/functions.ts';
import {
  bodiesOf,
  coefficientOf,
  scalarsIn,
  type Kernel,
  type LoopKernel,
  type Pass,
  type Scalar,
} from '@firsthand/compiler';
import { accessCost, costOfAll } from './cost.ts';
import { rootsOf, withRowCache } from './row-cache.ts';

/** The decisions for one kernel. */
export interface LoopPlan {
  /** With the row caches among its operands. */
  readonly kernel: LoopKernel;
  /** For each operand that is a row cache, its offset in the working memory, in bytes. */
  readonly cacheOffsets: readonly number[];
  readonly scratchBytes: number;
  /** Lanes of a register that are used: 2 in a kernel in which float64 occurs. */
  readonly width: 4 | 2;
  readonly laneAxis: number;
  /** Whether each lane is a row. */
  readonly lanesAreRows: boolean;
  /**
   * In a map whose accesses disagree on which axis is contiguous (a transposition), the axis of which a few
   * values run inside the lanes, so that a cache line loaded for the first of them is still cached for the
   * others.
   */
  readonly tileAxis: number | null;
  /** The vectors of one loop body for each pass; where lanes are rows, the same for all passes. */
  readonly vectors: readonly number[];
}

/** Vectors per body, while the body is shorter than this many instructions. */
const BODY = 40;
const MOST_VECTORS = 4;
/**
 * Vectors of a math function that are computed together: its constants are loaded once for all of them, and
 * there are registers for no more.
 */
const FUNCTION_VECTORS = 6;
/** The same for stores once per row, which are outside of the innermost loops but take time to compile. */
const ROW_BODY = 400;
/** Reductions per pass where each lane is a row. */
const MOST_REDUCTIONS = 3;
/** Combining the lanes of a register at the end of a row, in vector instructions. */
const ACROSS = 12;

/** The lanes that registers have in a kernel. */
export function widthOf(kernel: Kernel): 4 | 2 {
  const roots = bodiesOf(kernel).flatMap(({ values }) => values);
  return scalarsIn(roots).some(({ dtype }) => dtype === 'float64') ||
    kernel.operands.some(({ dtype }) => dtype === 'float64')
    ? 2
    : 4;
}

/** Strides from which neighbouring lanes do not share a cache line. */
const FAR = 32;
/** The shortest axis that is worth tiling. */
const LONG = 16;

/**
 * Plans the loops.
 * @param bound the number of leading axes that have a value already and are no loops
 */
export function planLoop(given: LoopKernel, bound = 0): LoopPlan {
  const width = widthOf(given);
  const { axis: laneAxis, lanesAreRows } = chooseLanes(given, width, bound);
  const { kernel, offsets, bytes } = lanesAreRows
    ? { kernel: splitPasses(given), offsets: [], bytes: 0 }
    : withRowCache(given);
  const extent = [...kernel.rows, ...kernel.columns][laneAxis]!;
  const inPasses = kernel.passes.map((pass) =>
    Math.min(vectorsOf(kernel, pass, lanesAreRows ? 2 : 1), Math.ceil(extent / width)),
  );
  const tileAxis = isMap(kernel) ? chooseTileAxis(kernel, laneAxis, bound) : null;
  if (lanesAreRows) {
    const rowCost = costOfAll(kernel.rowStores.map(({ value }) => value)) + kernel.rowStores.length;
    inPasses.push(Math.max(1, Math.floor(ROW_BODY / rowCost)));
  }
  const vectors = lanesAreRows
    ? inPasses.map(() => Math.min(...inPasses))
    : tileAxis === null
      ? inPasses
      : [1];
  return {
    kernel,
    cacheOffsets: offsets,
    scratchBytes: bytes,
    width,
    laneAxis,
    lanesAreRows,
    tileAxis,
    vectors,
  };
}

/** An axis that is contiguous in accesses whose stride along the lanes is far. */
function chooseTileAxis(
  { rows, columns, passes }: LoopKernel,
  laneAxis: number,
  bound: number,
): number | null {
  const [{ stores }] = passes as [Pass];
  const loads = scalarsIn(stores.map(({ value }) => value)).flatMap((scalar) =>
    scalar.op === 'load' ? [scalar.index] : [],
  );
  const far = [...loads, ...stores.map(({ index }) => index)].filter(
    (index) => Math.abs(coefficientOf(index, laneAxis) ?? 0) >= FAR,
  );
  const axis = [...rows, ...columns].findIndex(
    (extent, each) =>
      each >= bound &&
      each !== laneAxis &&
      extent >= LONG &&
      far.some((index) => Math.abs(coefficientOf(index, each) ?? 0) === 1),
  );
  return axis < 0 ? null : axis;
}

/**
 * The kernel with a few reductions per pass, so that the accumulators of several vectors fit into registers.
 * A pass stores at its end.
 */
function splitPasses(kernel: LoopKernel): LoopKernel {
  const passes = kernel.passes.flatMap((pass) => {
    const parts = Math.max(1, Math.ceil(pass.reductions.length / MOST_REDUCTIONS));
    return Array.from({ length: parts }, (_, part): Pass => ({
      reductions: pass.reductions.slice(part * MOST_REDUCTIONS, (part + 1) * MOST_REDUCTIONS),
      stores: part === parts - 1 ? pass.stores : [],
    }));
  });
  return { ...kernel, passes };
}

/** Vectors of a loop body: enough to hide latencies, few enough to keep the code short. */
function vectorsOf(kernel: LoopKernel, pass: Pass, least: 1 | 2): number {
  const roots = rootsOf(kernel, pass);
  const scalars = scalarsIn(roots);
  // Random words come sixteen at a time.
  if (scalars.some(({ op }) => op === 'random')) return MOST_VECTORS;
  if (scalars.some((scalar) => interleavedKind(scalar) !== null)) return FUNCTION_VECTORS;
  const wanted = Math.floor(BODY / Math.max(1, costOfAll(roots) + pass.stores.length));
  return wanted >= MOST_VECTORS ? MOST_VECTORS : wanted >= 2 ? 2 : least;
}

/**
 * Whether a kernel computes each element of one index space independently: then its axes may run in any
 * order.
 */
export function isMap({ passes, rowStores, reductions }: LoopKernel): boolean {
  return passes.length === 1 && rowStores.length === 0 && reductions.length === 0;
}

/** Whether a kernel would be vectorised along rows. */
export function lanesAreRows(kernel: LoopKernel): boolean {
  return chooseLanes(kernel, widthOf(kernel), 0).lanesAreRows;
}

/** The cheapest axis to vectorise, by what is contiguous in memory. */
function chooseLanes(
  kernel: LoopKernel,
  width: number,
  bound: number,
): { readonly axis: number; readonly lanesAreRows: boolean } {
  const { rows, columns, passes } = kernel;
  const extents = [...rows, ...columns];
  const innermost = extents.length - 1;
  const count = columns.reduce((product, extent) => product * extent, 1);
  const inPasses = passes.flatMap((pass) => rootsOf(kernel, pass));
  const stores = passes.flatMap((pass) => pass.stores);
  const inRows = kernel.rowStores.map(({ value }): Scalar => value);
  // per element, in units of one lane
  const costOfAxis = (axis: number): number => {
    const perVector = accessCost(inPasses, stores, axis) + accessCost(inRows, kernel.rowStores, axis) / count;
    const across = axis < rows.length ? 0 : (kernel.reductions.length * ACROSS) / Math.ceil(count / width);
    return (perVector + across) / Math.min(width, extents[axis]!);
  };
  let best = innermost;
  for (let axis = innermost - 1; axis >= bound; axis--) {
    if (axis >= rows.length && !isMap(kernel)) continue;
    if (costOfAxis(axis) < 0.9 * costOfAxis(best)) best = axis;
  }
  return { axis: best, lanesAreRows: best < rows.length && !isMap(kernel) };
}
