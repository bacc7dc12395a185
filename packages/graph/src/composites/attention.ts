/**
 * Scaled dot-product attention (Vaswani et al. 2017, section 3.2.1): softmax(q kᵀ·scale + mask) v. A row with every key masked
 * gives 0. A bool mask keeps where it is true; a float mask is added to the scores.
 */
import { broadcastShapes, DTypeError, equalShapes, formatShape, ShapeError } from '@firsthand/linalg';
import { sumTo } from '../derived.ts';
import { call } from '../node.ts';
import { add, iota, le, mul, sub, sum, transpose, where } from '../ops.ts';
import type { Attrs, Composite, Node, Spec } from '../types.ts';
import { matmul } from './matmul.ts';
import { softmax } from './softmax.ts';
import { describe, requireFloat, requireSameDType } from '../shapes.ts';

interface AttentionAttrs extends Attrs {
  readonly causal: boolean;
  readonly scale: number;
}

function inferAttention(q: Spec, k: Spec, v: Spec, mask: Spec | undefined): Spec {
  requireFloat('attention', q);
  requireSameDType('attention', q, k);
  requireSameDType('attention', q, v);
  if (q.shape.length < 2 || k.shape.length < 2 || v.shape.length < 2) {
    throw new ShapeError(`attention: q, k and v are (…, time, channels), got ${[q, k, v].map(describe).join(', ')}`);
  }
  if (q.shape.at(-1) !== k.shape.at(-1) || k.shape.at(-2) !== v.shape.at(-2)) {
    throw new ShapeError(`attention: q and k must agree in channels, k and v in time: ${[q, k, v].map(describe).join(', ')}`);
  }
  const batch = [q, k, v].map((each) => each.shape.slice(0, -2)).reduce((a, b) => broadcastShapes('attention', a, b));
  if (mask !== undefined) {
    const scores = [...batch, q.shape.at(-2)!, k.shape.at(-2)!];
    if (!equalShapes(broadcastShapes('attention mask', mask.shape, scores), scores)) {
      throw new ShapeError(`attention: mask ${describe(mask)} does not broadcast to the scores ${formatShape(scores)}`);
    }
    if (mask.dtype !== 'bool' && mask.dtype !== q.dtype) {
      throw new DTypeError(`attention: the mask must be bool or ${q.dtype}, got ${describe(mask)}`);
    }
  }
  return { shape: [...batch, q.shape.at(-2)!, v.shape.at(-1)!], dtype: q.dtype };
}

/** The attention weights: (…, queries, keys). */
function weights({ causal, scale }: AttentionAttrs, q: Node, k: Node, mask: Node | undefined): Node {
  let scores = mul(matmul(q, transpose(k)), scale);
  if (mask !== undefined) scores = mask.dtype === 'bool' ? where(mask, scores, -Infinity) : add(scores, mask);
  if (causal) {
    // Query i of T sees keys up to i + (keys − T): the last query sees all of them.
    const plane = scores.shape.slice(-2);
    const visible = le(iota(plane, 1), add(iota(plane, 0), plane[1]! - plane[0]!));
    scores = where(visible, scores, -Infinity);
  }
  return softmax(scores);
}

/** Attention as an operation; called through `attention`. */
export const attentionComposite: Composite<AttentionAttrs> = {
  name: 'attention',
  infer: (_, q, k, v, mask) => [inferAttention(q, k, v, mask)],
  body: (attrs, q, k, v, mask) => [matmul(weights(attrs, q, k, mask), v)],
  // o = P v, P = softmax(S): dv = Pᵀ g, dP = g vᵀ, dS = P·(dP − Σ dP·P), dq = dS k·scale, dk = dSᵀ q·scale. P is computed again.
  vjp([g], _outs, attrs, q, k, v, mask) {
    if (g === null || g === undefined) return [null, null, null, null];
    const p = weights(attrs, q, k, mask);
    const dp = matmul(g, transpose(v));
    const ds = mul(p, sub(dp, sum(mul(dp, p), { axis: -1, keepDims: true })));
    const scaled = mul(ds, attrs.scale);
    return [
      sumTo(matmul(scaled, k), q.shape),
      sumTo(matmul(transpose(scaled), q), k.shape),
      sumTo(matmul(transpose(p), g), v.shape),
      mask === undefined || mask.dtype === 'bool' ? null : sumTo(ds, mask.shape),
    ];
  },
};

/** q: (…, T, D), k: (…, S, D), v: (…, S, E), mask: broadcasts to (…, T, S). Result: (…, T, E). scale: 1/√D by default. */
export function attention(
  q: Node,
  k: Node,
  v: Node,
  { mask, causal = false, scale }: { readonly mask?: Node; readonly causal?: boolean; readonly scale?: number } = {},
): Node {
  const attrs = { causal, scale: scale ?? 1 / Math.sqrt(q.shape.at(-1) ?? 1) };
  return call(attentionComposite, attrs, ...(mask === undefined ? [q, k, v] : [q, k, v, mask]))[0]!;
}
