/**
 * Scaled dot-product attention (Vaswani et al. 2017, section 3.2.1): softmax(q kᵀ·scale + mask) v. A row with
 * every key masked gives 0. A bool mask keeps where it is true; a float mask is added to the scores.
 */
import { broadcastShapes, DTypeError, equalShapes, formatShape, ShapeError } from '@firsthand/linalg';
import { sumTo } from '../operations/derived.ts';
import { call } from '../ir/node.ts';
import { add, expand, iota, le, mul, sub, sum, transpose, where } from '../operations/ops.ts';
import type { Attrs, Composite, Node, Spec } from '../ir/types.ts';
import { matmul } from './matmul.ts';
import { logsumexp, softmax } from './softmax.ts';
import { describe, operandOf, requireFloat, requireSameDType } from '../ir/shapes.ts';

/** Whether later keys are hidden, and what scores are multiplied by. */
export interface AttentionAttrs extends Attrs {
  readonly causal: boolean;
  readonly scale: number;
}

function inferAttention(q: Spec, k: Spec, v: Spec, mask: Spec | undefined): Spec {
  requireFloat('attention', q);
  requireSameDType('attention', q, k);
  requireSameDType('attention', q, v);
  if (q.shape.length < 2 || k.shape.length < 2 || v.shape.length < 2) {
    throw new ShapeError({
      operation: 'attention',
      operands: [q, k, v].map(operandOf),
      expected: 'q, k and v as (…, time, channels)',
    });
  }
  if (q.shape.at(-1) !== k.shape.at(-1) || k.shape.at(-2) !== v.shape.at(-2)) {
    const expected = 'q and k that agree in channels, k and v that agree in time';
    throw new ShapeError({ operation: 'attention', operands: [q, k, v].map(operandOf), expected });
  }
  const batch = [q, k, v]
    .map((each) => each.shape.slice(0, -2))
    .reduce((a, b) => broadcastShapes('attention', a, b));
  if (mask !== undefined) {
    const scores = [...batch, q.shape.at(-2)!, k.shape.at(-2)!];
    if (!equalShapes(broadcastShapes('attention mask', mask.shape, scores), scores)) {
      const expected = `the scores ${formatShape(scores)}`;
      const problem = `mask ${describe(mask)} does not broadcast to ${expected}`;
      throw new ShapeError({ operation: 'attention', problem, operands: [operandOf(mask)], expected });
    }
    if (mask.dtype !== 'bool' && mask.dtype !== q.dtype) {
      throw new DTypeError({
        operation: 'attention',
        operands: [operandOf(mask)],
        expected: `a mask of bool or ${q.dtype}`,
      });
    }
  }
  return { shape: [...batch, q.shape.at(-2)!, v.shape.at(-1)!], dtype: q.dtype };
}

/** The scores that the softmax takes: (…, queries, keys). */
function scoresOf({ causal, scale }: AttentionAttrs, q: Node, k: Node, mask: Node | undefined): Node {
  let scores = mul(matmul(q, transpose(k)), scale);
  if (mask !== undefined) scores = mask.dtype === 'bool' ? where(mask, scores, -Infinity) : add(scores, mask);
  if (!causal) return scores;
  // Query i of T sees keys up to i + (keys − T): the last query sees all of them.
  const plane = scores.shape.slice(-2);
  const visible = le(iota(plane, 1), add(iota(plane, 0), plane[1]! - plane[0]!));
  return where(visible, scores, -Infinity);
}

/** The attention weights: (…, queries, keys). */
function weightsOf(attrs: AttentionAttrs, q: Node, k: Node, mask: Node | undefined): Node {
  return softmax(scoresOf(attrs, q, k, mask));
}

/** P and dS of the rule below. */
function scoreGradients(
  attrs: AttentionAttrs,
  q: Node,
  k: Node,
  v: Node,
  g: Node,
  mask?: Node,
): { readonly p: Node; readonly ds: Node } {
  const p = weightsOf(attrs, q, k, mask);
  const dp = matmul(g, transpose(v));
  return { p, ds: mul(p, sub(dp, sum(mul(dp, p), { axis: -1, keepDims: true }))) };
}

/**
 * Attention as an operation; called through `attention`. Its second output is the logarithm of each row's sum
 * of exponentials, (…, T, 1): with it a device computes the weights again, one by one, without their sum.
 */
export const attentionComposite: Composite<AttentionAttrs> = {
  name: 'attention',
  infer(_, q, k, v, mask) {
    const result = inferAttention(q, k, v, mask);
    return [result, { shape: [...result.shape.slice(0, -1), 1], dtype: q.dtype }];
  },
  body(attrs, q, k, v, mask) {
    const scores = scoresOf(attrs, q, k, mask);
    const result = matmul(softmax(scores), v);
    const batched = [...result.shape.slice(0, -1), scores.shape.at(-1)!];
    return [result, logsumexp(expand(scores, batched), [batched.length - 1], true)];
  },
  // o = P v, P = softmax(S): dv = Pᵀ g, dP = g vᵀ, dS = P·(dP − Σ dP·P), dq = dS k·scale, dk = dSᵀ q·scale. P
  // is computed again; and Σ dP·P = Σ g·o.
  vjp([g], [o, logTotal], attrs, q, k, v, mask) {
    if (g === null || g === undefined) return [null, null, null, null];
    if (mask === undefined) {
      const dot = sum(mul(g, o!), { axis: -1, keepDims: true });
      const [dq] = call(attentionQueryGradientComposite, attrs, q, k, v, g, logTotal!, dot);
      const [dk, dv] = call(attentionKeyGradientComposite, attrs, q, k, v, g, logTotal!, dot);
      return [dq!, dk!, dv!];
    }
    const { p, ds } = scoreGradients(attrs, q, k, v, g, mask);
    return [
      queryGradient(attrs, ds, q, k),
      keyGradient(attrs, ds, q, k),
      valueGradient(p, g, v),
      mask.dtype === 'bool' ? null : sumTo(ds, mask.shape),
    ];
  },
  residuals([result], [o, logTotal], _attrs, q, k, v, mask) {
    if (result !== true) return [null, null, null, null];
    if (mask === undefined) {
      const all = [q, k, v, o!, logTotal!];
      return [all, all, all];
    }
    const weights = [q, k, mask];
    return [[...weights, v], [...weights, v], weights, mask.dtype === 'bool' ? null : [...weights, v]];
  },
};

const queryGradient = ({ scale }: AttentionAttrs, ds: Node, q: Node, k: Node): Node =>
  sumTo(matmul(mul(ds, scale), k), q.shape);
const keyGradient = ({ scale }: AttentionAttrs, ds: Node, q: Node, k: Node): Node =>
  sumTo(matmul(transpose(mul(ds, scale)), q), k.shape);
const valueGradient = (p: Node, g: Node, v: Node): Node => sumTo(matmul(transpose(p), g), v.shape);

const specOf = ({ shape, dtype }: Spec): Spec => ({ shape, dtype });

/**
 * dq of attention without a mask, from q, k, v, the result's gradient g, and for each row the second output
 * of attention and Σ g·o, (…, T, 1): the last two are for devices which compute the weights again one by one;
 * the definition here needs neither.
 */
export const attentionQueryGradientComposite: Composite<AttentionAttrs> = {
  name: 'attentionQueryGradient',
  infer: (_, q) => [specOf(q)],
  body: (attrs, q, k, v, g) => [queryGradient(attrs, scoreGradients(attrs, q, k, v, g).ds, q, k)],
};

/** dk and dv of attention without a mask, from what `attentionQueryGradientComposite` takes. */
export const attentionKeyGradientComposite: Composite<AttentionAttrs> = {
  name: 'attentionKeyGradient',
  infer: (_, _q, k, v) => [specOf(k), specOf(v)],
  body(attrs, q, k, v, g) {
    const { p, ds } = scoreGradients(attrs, q, k, v, g);
    return [keyGradient(attrs, ds, q, k), valueGradient(p, g, v)];
  },
};

/**
 * q: (…, T, D), k: (…, S, D), v: (…, S, E), mask: broadcasts to (…, T, S). Result: (…, T, E). scale: 1/√D by
 * default.
 */
export function attention(
  q: Node,
  k: Node,
  v: Node,
  {
    mask,
    causal = false,
    scale,
  }: { readonly mask?: Node; readonly causal?: boolean; readonly scale?: number } = {},
): Node {
  const attrs = { causal, scale: scale ?? 1 / Math.sqrt(q.shape.at(-1) ?? 1) };
  return call(attentionComposite, attrs, ...(mask === undefined ? [q, k, v] : [q, k, v, mask]))[0]!;
}
