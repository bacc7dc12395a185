/** Cases of attention and its gradients: what is hidden, queries that see nothing, broadcast batches. */
import type { Attrs } from '@firsthand/autograd';
import {
  attentionComposite,
  attentionKeyGradientComposite,
  attentionQueryGradientComposite,
} from '@firsthand/graph';
import {
  along,
  at,
  broadcast,
  dense,
  fold,
  logSumExp,
  map,
  matmul,
  permute,
  softmaxOf,
  sum,
  zip,
} from '../oracle/dense.ts';
import type { Dense } from '../oracle/dense.ts';
import { erase, float } from './composite-case.ts';
import type { CompositeCase, CompositeExample, Operand } from './composite-case.ts';

const mask = (shape: readonly number[]): Operand => ({
  value: dense(shape, (index) => ((sum(index) + 1) % 3 === 0 ? 0 : 1)),
  dtype: 'bool',
});

const transpose = (x: Dense): Dense =>
  permute(
    x,
    x.shape.map((_, axis) => (axis < x.shape.length - 2 ? axis : 2 * x.shape.length - 3 - axis)),
  );

function scores({ causal, scale }: Attrs, q: Dense, k: Dense, given?: Dense): Dense {
  const products = map(matmul(q, transpose(k)), (product) => product * (scale as number));
  const [queries, keys] = products.shape.slice(-2) as [number, number];
  return dense(products.shape, (index) => {
    const [query, key] = index.slice(-2) as [number, number];
    const hidden =
      (causal === true && key > query + keys - queries) ||
      (given !== undefined && at(broadcast(given, products.shape), index) === 0);
    return hidden ? -Infinity : at(products, index);
  });
}

/** The result, and log Σ exp of each row of scores. */
function attention(attrs: Attrs, q: Dense, k: Dense, v: Dense, given?: Dense): readonly Dense[] {
  const rows = scores(attrs, q, k, given);
  const last = rows.shape.length - 1;
  const result = matmul(along(rows, last, softmaxOf), v);
  const logTotals = fold(rows, [last], true, logSumExp);
  return [result, broadcast(logTotals, [...result.shape.slice(0, -1), 1])];
}

/** dq, dk and dv: dS = P·(dP − Σ dP·P) with dP = g vᵀ. */
function attentionGradients(
  attrs: Attrs,
  q: Dense,
  k: Dense,
  v: Dense,
  g: Dense,
): readonly [Dense, Dense, Dense] {
  const rows = scores(attrs, q, k);
  const last = rows.shape.length - 1;
  const p = along(rows, last, softmaxOf);
  const dp = matmul(g, transpose(v));
  const ds = zip(
    p,
    zip(
      dp,
      fold(
        zip(dp, p, (a, b) => a * b),
        [last],
        true,
        sum,
      ),
      (a, b) => a - b,
    ),
    (a, b) => a * b * (attrs['scale'] as number),
  );
  return [matmul(ds, k), matmul(transpose(ds), q), matmul(transpose(p), g)];
}

/** What the gradients of attention take, with what they are told of the forward computation. */
function attentionGradientExample(attrs: Attrs, q: Operand, k: Operand, v: Operand): CompositeExample {
  const [result, logTotals] = attention(attrs, q.value, k.value, v.value) as [Dense, Dense];
  const g = float(result.shape, 5);
  const dot = fold(
    zip(g.value, result, (a, b) => a * b),
    [result.shape.length - 1],
    true,
    sum,
  );
  return {
    attrs,
    operands: [q, k, v, g, { value: logTotals, dtype: 'float' }, { value: dot, dtype: 'float' }],
  };
}

const attentionGradientExamples: readonly CompositeExample[] = [
  attentionGradientExample({ causal: false, scale: 0.5 }, float([3, 2]), float([4, 2], 2), float([4, 3], 3)),
  attentionGradientExample(
    { causal: true, scale: 1 },
    float([2, 3, 2]),
    float([2, 3, 2], 2),
    float([2, 3, 2], 3),
  ),
];

/** The three of them. */
export const ATTENTION_COMPOSITES: {
  readonly [K in 'attention' | 'attentionQueryGradient' | 'attentionKeyGradient']: CompositeCase;
} = {
  attention: {
    composite: erase(attentionComposite),
    outputs: 1,
    examples: [
      { attrs: { causal: false, scale: 0.5 }, operands: [float([3, 2]), float([4, 2], 2), float([4, 3], 3)] },
      { attrs: { causal: true, scale: 1 }, operands: [float([3, 2]), float([3, 2], 2), float([3, 2], 3)] },
      { attrs: { causal: true, scale: 0.7 }, operands: [float([2, 2]), float([4, 2], 2), float([4, 1], 3)] },
      {
        attrs: { causal: false, scale: 1 },
        operands: [float([2, 2, 2]), float([3, 2], 2), float([1, 3, 2], 3), mask([2, 3])],
      },
      // Queries 0 and 1 of 4 see no key at all.
      { attrs: { causal: true, scale: 1 }, operands: [float([4, 2]), float([2, 2], 2), float([2, 2], 3)] },
    ],
    define: attention,
  },
  attentionQueryGradient: {
    composite: erase(attentionQueryGradientComposite),
    outputs: 1,
    examples: attentionGradientExamples,
    define: (attrs, q, k, v, g) => [attentionGradients(attrs, q, k, v, g)[0]],
  },
  attentionKeyGradient: {
    composite: erase(attentionKeyGradientComposite),
    outputs: 2,
    examples: attentionGradientExamples,
    define: (attrs, q, k, v, g) => attentionGradients(attrs, q, k, v, g).slice(1),
  },
};
