/**
 * Attention without its matrix of scores. A block of rows is held while blocks of columns stream by: each
 * step makes the block of scores between them, and folds it into what is kept of the rows, so that memory
 * grows with the rows and not with rows times columns. Milakov and Gimelshein, "Online normalizer calculation
 * for softmax", 2018; Rabe and Staats, "Self-attention does not need O(n²) memory", 2021; Dao and others,
 * "FlashAttention", 2022. The steps are written in the graph's primitives, and compiled like everything else.
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
 * What a step works on: (block, width) of each array of the rows and of the columns, and what is kept of the
 * rows.
 */
interface Blocks {
  readonly rows: readonly Node[];
  readonly columns: readonly Node[];
  readonly state: readonly Node[];
  /** The scores with −∞ where a column is hidden from a row. */
  hide(scores: Node): Node;
}

/** A composite as a stream. */
export interface Stream {
  /** The inputs that have a part for each row, and for each column, by number. */
  readonly rows: readonly number[];
  readonly columns: readonly number[];
  /** Whether rows are queries, and columns keys; or the other way about. */
  readonly rowsAreQueries: boolean;
  /** What is kept of each row: so many numbers, and what they begin as. */
  state(widths: readonly number[]): readonly { readonly width: number; readonly initial: number }[];
  step(attrs: AttentionAttrs, blocks: Blocks): readonly Node[];
  /** The outputs, once all columns have gone by. */
  finish(state: readonly Node[]): readonly Node[];
}

/** The shift that a softmax subtracts: the largest score, or 0 where that is not finite. */
const shiftOf = (largest: Node): Node => where(lt(unary('abs', largest), Infinity), largest, 0);

// q; k, v. With m the largest score so far, l = Σ e^(s − m) and O = Σ e^(s − m)·v; a larger m multiplies both
// by e^(old m − m).
const forward: Stream = {
  rows: [0],
  columns: [1, 2],
  rowsAreQueries: true,
  state: (widths) => [
    { width: 1, initial: -Infinity },
    { width: 1, initial: 0 },
    { width: widths[2]!, initial: 0 },
  ],
  step({ scale }, { rows: [q], columns: [k, v], state: [largest, total, result], hide }) {
    const scores = hide(mul(matmul(q!, transpose(k!)), scale));
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
  finish: ([largest, total, result]) => [
    div(result!, where(eq(total!, 0), 1, total!)),
    add(log(total!), shiftOf(largest!)),
  ],
};

/**
 * P and dS = P·(dP − Σ g·o) of a block; `side` turns a column of numbers, one per query, to where the queries
 * are.
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
const queryGradient: Stream = {
  rows: [0, 3, 4, 5],
  columns: [1, 2],
  rowsAreQueries: true,
  state: (widths) => [{ width: widths[0]!, initial: 0 }],
  step({ scale }, { rows: [q, g, logTotal, dot], columns: [k, v], state: [dq], hide }) {
    const scores = hide(mul(matmul(q!, transpose(k!)), scale));
    const { ds } = gradients(scores, matmul(g!, transpose(v!)), logTotal!, dot!, (perQuery) => perQuery);
    return [add(dq!, matmul(mul(ds, scale), k!))];
  },
  finish: (state) => state,
};

// k, v; q, g, log l, Σ g·o. dk = Σ dSᵀ q·scale, dv = Σ Pᵀ g.
const keyGradient: Stream = {
  rows: [1, 2],
  columns: [0, 3, 4, 5],
  rowsAreQueries: false,
  state: (widths) => [
    { width: widths[1]!, initial: 0 },
    { width: widths[2]!, initial: 0 },
  ],
  step({ scale }, { rows: [k, v], columns: [q, g, logTotal, dot], state: [dk, dv], hide }) {
    const scores = hide(mul(matmul(k!, transpose(q!)), scale));
    const { p, ds } = gradients(scores, matmul(v!, transpose(g!)), logTotal!, dot!, transpose);
    return [add(dk!, matmul(mul(ds, scale), q!)), add(dv!, matmul(p, g!))];
  },
  finish: (state) => state,
};

const STREAMS: ReadonlyMap<unknown, Stream> = /* @__PURE__ */ new Map<unknown, Stream>([
  [attentionComposite, forward],
  [attentionQueryGradientComposite, queryGradient],
  [attentionKeyGradientComposite, keyGradient],
]);

/**
 * Scores of one head beyond which they are never stored: the time that is saved by not computing them again
 * is little then, and memory is not.
 */
const LARGE = 2 ** 20;
/** Scores of all heads beyond which those of a head are not stored that are so many themselves. */
const MANY = 2 ** 24;
const LARGE_OF_MANY = 2 ** 18;

/**
 * Whether a call is computed as a stream: attention without a mask, of long sequences, every one with
 * queries, keys and values of its own.
 */
export function isStream(composite: Composite, _: Attrs, inputs: readonly Spec[]): boolean {
  const stream = STREAMS.get(composite);
  if (stream === undefined || inputs.length !== stream.rows.length + stream.columns.length) return false;
  const batch = inputs[0]!.shape.slice(0, -2);
  if (inputs[0]!.dtype === 'float16' || !inputs.every(({ shape }) => equalShapes(shape.slice(0, -2), batch)))
    return false;
  const [heads, scores] = [sizeOf(batch), inputs[0]!.shape.at(-2)! * inputs[1]!.shape.at(-2)!];
  return heads > 0 && (scores >= LARGE || (scores >= LARGE_OF_MANY && heads * scores >= MANY));
}

/** The stream of a kernel. @throws Error if it is another composite's */
export function streamOf({ composite }: CustomKernel): Stream {
  const stream = STREAMS.get(composite);
  if (stream === undefined) throw new Error(`${composite.name}: this target has no code of its own for it`);
  return stream;
}

/** The place of rows and columns from their first, and which of them see each other: key ≤ query + shift. */
export function hider(
  stream: Stream,
  shift: number,
  rowStart: Node,
  columnStart: Node,
): (scores: Node) => Node {
  return (scores) => {
    const [row, column] = [add(iota(scores.shape, 0), rowStart), add(iota(scores.shape, 1), columnStart)];
    const [query, key] = stream.rowsAreQueries ? [row, column] : [column, row];
    return where(le(key, add(query, shift)), scores, -Infinity);
  };
}
