/**
 * Blockwise (flash) attention, forward and backward: for a block of rows, blocks of columns are accumulated
 * into a running state, so that memory grows with rows, not with rows times columns. Milakov and Gimelshein,
 * "Online normalizer calculation for softmax", 2018; Rabe and Staats, "Self-attention does not need O(n²)
 * memory", 2021; Dao et al., "FlashAttention", 2022. Each step is written in the graph's primitives and
 * compiled like any program.
 */
import type { CustomKernel } from '@firsthand/compiler';
import {
  add,
  attentionComposite,
  attentionKeyGradientComposite,
  attentionQueryGradientComposite,
  div,
  eq,
  exp,
  iota,
  le,
  log,
  lt,
  matmul,
  max,
  maximum,
  mul,
  sub,
  sum,
  transpose,
  unary,
  where,
  type AttentionAttrs,
  type Attrs,
  type Composite,
  type Node,
  type Spec,
} from '@firsthand/graph';
import { equalShapes, sizeOf } from '@firsthand/linalg';

/**
 * The inputs of a step: (block, width) of each array by row and of each by column, and the state of the rows.
 */
interface Blocks {
  readonly rows: readonly Node[];
  readonly columns: readonly Node[];
  readonly state: readonly Node[];
  /** Applies the causal mask: −∞ where the row does not see the column. */
  mask(scores: Node): Node;
}

/** A composite as a blockwise algorithm. */
export interface BlockwiseAlgorithm {
  /** The inputs indexed by row, and those indexed by column, by number. */
  readonly rows: readonly number[];
  readonly columns: readonly number[];
  /** Whether rows are queries and columns keys; otherwise the reverse. */
  readonly rowsAreQueries: boolean;
  /** The state of each row: the width of each array, and its initial value. */
  state(widths: readonly number[]): readonly { readonly width: number; readonly initial: number }[];
  step(attrs: AttentionAttrs, blocks: Blocks): readonly Node[];
  /** The outputs, after the last block of columns. */
  outputs(state: readonly Node[]): readonly Node[];
}

/** The number that a softmax subtracts: the largest score, or 0 where that is not finite. */
const shiftOf = (largest: Node): Node => where(lt(unary('abs', largest), Infinity), largest, 0);

// q; k, v. With m the largest score so far, l = Σ e^(s − m) and O = Σ e^(s − m)·v; a larger m multiplies both
// by e^(old m − m).
const forward: BlockwiseAlgorithm = {
  rows: [0],
  columns: [1, 2],
  rowsAreQueries: true,
  state: (widths) => [
    { width: 1, initial: -Infinity },
    { width: 1, initial: 0 },
    { width: widths[2]!, initial: 0 },
  ],
  step({ scale }, { rows: [q], columns: [k, v], state: [largest, total, result], mask }) {
    const scores = mask(mul(matmul(q!, transpose(k!)), scale));
    const next = maximum(largest!, max(scores, { axis: -1, keepDims: true }));
    const shift = shiftOf(next);
    const powers = exp(sub(scores, shift));
    const decay = exp(sub(largest!, shift));
    return [
      next,
      add(mul(total!, decay), sum(powers, { axis: -1, keepDims: true })),
      add(mul(result!, decay), matmul(powers, v!)),
    ];
  },
  outputs: ([largest, total, result]) => [
    div(result!, where(eq(total!, 0), 1, total!)),
    add(log(total!), shiftOf(largest!)),
  ],
};

/**
 * P and dS = P·(dP − Σ g·o) of a block; `side` turns a column of numbers, one per query, into the queries'
 * axis.
 */
function gradients(
  scores: Node,
  dp: Node,
  logTotal: Node,
  dot: Node,
  side: (perQuery: Node) => Node,
): { readonly p: Node; readonly ds: Node } {
  const seesNothing = eq(side(logTotal), -Infinity);
  const p = where(seesNothing, 0, exp(sub(scores, where(seesNothing, 0, side(logTotal)))));
  return { p, ds: mul(p, sub(dp, side(dot))) };
}

// q, g, log l, Σ g·o; k, v. dq = Σ dS k·scale.
const queryGradient: BlockwiseAlgorithm = {
  rows: [0, 3, 4, 5],
  columns: [1, 2],
  rowsAreQueries: true,
  state: (widths) => [{ width: widths[0]!, initial: 0 }],
  step({ scale }, { rows: [q, g, logTotal, dot], columns: [k, v], state: [dq], mask }) {
    const scores = mask(mul(matmul(q!, transpose(k!)), scale));
    const { ds } = gradients(scores, matmul(g!, transpose(v!)), logTotal!, dot!, (perQuery) => perQuery);
    return [add(dq!, matmul(mul(ds, scale), k!))];
  },
  outputs: (state) => state,
};

// k, v; q, g, log l, Σ g·o. dk = Σ dSᵀ q·scale, dv = Σ Pᵀ g.
const keyGradient: BlockwiseAlgorithm = {
  rows: [1, 2],
  columns: [0, 3, 4, 5],
  rowsAreQueries: false,
  state: (widths) => [
    { width: widths[1]!, initial: 0 },
    { width: widths[2]!, initial: 0 },
  ],
  step({ scale }, { rows: [k, v], columns: [q, g, logTotal, dot], state: [dk, dv], mask }) {
    const scores = mask(mul(matmul(k!, transpose(q!)), scale));
    const { p, ds } = gradients(scores, matmul(v!, transpose(g!)), logTotal!, dot!, transpose);
    return [add(dk!, matmul(mul(ds, scale), q!)), add(dv!, matmul(p, g!))];
  },
  outputs: (state) => state,
};

const ALGORITHMS: ReadonlyMap<unknown, BlockwiseAlgorithm> = /* @__PURE__ */ new Map<
  unknown,
  BlockwiseAlgorithm
>([
  [attentionComposite, forward],
  [attentionQueryGradientComposite, queryGradient],
  [attentionKeyGradientComposite, keyGradient],
]);

/**
 * Scores of one head from which they are never materialised: recomputing them costs little then, storing them
 * much memory.
 */
const LARGE = 2 ** 20;
/** From this many scores of all heads, heads of `LARGE_OF_MANY` scores are not materialised either. */
const MANY = 2 ** 24;
const LARGE_OF_MANY = 2 ** 18;

/**
 * Whether a call is computed blockwise: attention without a mask, of long sequences, each with queries, keys
 * and values of its own.
 */
export function hasBlockwiseKernel(composite: Composite, _: Attrs, inputs: readonly Spec[]): boolean {
  const algorithm = ALGORITHMS.get(composite);
  if (algorithm === undefined || inputs.length !== algorithm.rows.length + algorithm.columns.length)
    return false;
  const batch = inputs[0]!.shape.slice(0, -2);
  if (inputs[0]!.dtype === 'float16' || !inputs.every(({ shape }) => equalShapes(shape.slice(0, -2), batch)))
    return false;
  const [heads, scores] = [sizeOf(batch), inputs[0]!.shape.at(-2)! * inputs[1]!.shape.at(-2)!];
  return heads > 0 && (scores >= LARGE || (scores >= LARGE_OF_MANY && heads * scores >= MANY));
}

/**
 * The algorithm of a kernel. @throws Error for other composites
 * @throws Error if it is another composite's
 */
export function algorithmOf({ composite }: CustomKernel): BlockwiseAlgorithm {
  const algorithm = ALGORITHMS.get(composite);
  if (algorithm === undefined)
    throw new Error(`${composite.name}: this target has no code of its own for it`);
  return algorithm;
}

/** The causal mask of a block, given its first row and column: key ≤ query + diagonalOffset. */
export function causalMask(
  algorithm: BlockwiseAlgorithm,
  shift: number,
  rowStart: Node,
  columnStart: Node,
): (scores: Node) => Node {
  return (scores) => {
    const [row, column] = [add(iota(scores.shape, 0), rowStart), add(iota(scores.shape, 1), columnStart)];
    const [query, key] = algorithm.rowsAreQueries ? [row, column] : [column, row];
    return where(le(key, add(query, shift)), scores, -Infinity);
  };
}
