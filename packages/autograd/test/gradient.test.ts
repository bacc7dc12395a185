/**
 * Every differentiable method of a tensor against central differences in float64; the conformance package
 * does so over many shapes.
 */
import { describe, expect, test } from 'vitest';

import {
  attention,
  cat,
  checkpoint,
  defaultGenerator,
  einsum,
  grad,
  gradCheck,
  manualSeed,
  sort,
  stack,
  type Tensor,
  tensor,
  topk,
  where,
} from '../src/index.ts';

manualSeed(7);
/** Normal numbers, float64. */
const normal = (...shape: number[]): Tensor => tensor(defaultGenerator().normal(shape, { dtype: 'float64' }));
/** Numbers in (0.5, 1.5), float64. */
const positive = (...shape: number[]): Tensor =>
  tensor(defaultGenerator().uniform(shape, { low: 0.5, high: 1.5, dtype: 'float64' }));

type Case = readonly [string, (...inputs: Tensor[]) => Tensor, readonly Tensor[]];
const index = tensor(
  [
    [2, 0],
    [1, 1],
  ],
  { dtype: 'int32' },
);
const cases: readonly Case[] = [
  ['add, broadcast', (a, b) => a.add(b), [normal(2, 3), normal(3)]],
  ['sub, number', (a) => a.sub(2).mul(a), [normal(2, 3)]],
  ['div, broadcast', (a, b) => a.div(b), [normal(2, 3), positive(2, 1)]],
  ['pow', (a, b) => a.pow(b), [positive(2, 3), normal(2, 3)]],
  ['mod', (a, b) => a.mod(b), [normal(4), positive(4)]],
  ['maximum, minimum', (a, b) => a.maximum(b).sub(a.minimum(b)), [normal(2, 3), normal(2, 3)]],
  ['exp, expm1', (a) => a.exp().add(a.expm1().square()), [normal(4)]],
  [
    'log, log1p, sqrt, rsqrt, reciprocal',
    (a) => a.log().add(a.log1p()).mul(a.sqrt()).add(a.rsqrt()).sub(a.reciprocal()),
    [positive(4)],
  ],
  [
    'sin, cos, tan, tanh, erf',
    (a) => a.sin().mul(a.cos()).add(a.tan()).add(a.tanh()).add(a.erf()),
    [positive(4)],
  ],
  [
    'sigmoid, relu, leakyRelu, elu',
    (a) => a.sigmoid().add(a.relu()).add(a.leakyRelu()).add(a.elu()),
    [normal(6)],
  ],
  ['gelu, silu, softplus', (a) => a.gelu().add(a.gelu('tanh')).add(a.silu()).add(a.softplus()), [normal(6)]],
  ['abs, clamp', (a) => a.abs().add(a.clamp(-0.5, 0.5)), [normal(6)]],
  ['where', (a, b) => where(a.gt(0), a.square(), b), [normal(2, 3), normal(3)]],
  ['matmul, batched', (a, b) => a.matmul(b), [normal(2, 1, 3, 4), normal(3, 4, 2)]],
  ['matmul, vectors', (a, b) => a.matmul(b), [normal(4), normal(4, 3)]],
  ['matmul with itself', (a) => a.matmul(a), [normal(3, 3)]],
  [
    'movement',
    (a) =>
      a
        .permute(2, 0, 1)
        .flip(1)
        .reshape(4, -1)
        .transpose(0, 1)
        .unsqueeze(0)
        .squeeze()
        .pad([
          [1, 0],
          [0, 2],
        ])
        .square(),
    [normal(2, 3, 4)],
  ],
  [
    'expand, slice, narrow, roll',
    (a) => a.expand(4, 3, 5).slice(2, 0, 5, 2).narrow(0, 1, 2).roll(1, 1).square(),
    [normal(3, 5)],
  ],
  ['tril, triu', (a) => a.tril(1).mul(a.triu(-1)), [normal(3, 4)]],
  [
    'gather, indexSelect',
    (a) => a.gather(1, index).sum().add(a.indexSelect(1, index).square().sum()),
    [normal(2, 3)],
  ],
  ['scatterAdd', (a, b) => a.scatterAdd(1, index, b).square(), [normal(2, 3), normal(2, 2)]],
  [
    'sum, mean, max, min',
    (a) =>
      a
        .sum({ axis: 0 })
        .add(a.mean({ axis: 0 }))
        .mul(a.max({ axis: 0 }))
        .add(a.min()),
    [normal(3, 4)],
  ],
  [
    'var, std, norm',
    (a) =>
      a
        .var({ axis: 1 })
        .add(a.std({ axis: 1, correction: 0 }))
        .add(a.norm({ axis: 1 })),
    [normal(3, 4)],
  ],
  [
    'prod with a zero',
    (a) => a.prod({ axis: 1 }),
    [
      tensor(
        [
          [1, 0, 3, 2],
          [2, 0, 0, 1],
          [1, 2, 3, 4],
        ],
        { dtype: 'float64' },
      ),
    ],
  ],
  ['prod over all', (a) => a.prod(), [normal(2, 3)]],
  ['cumsum', (a) => a.cumsum(1).square(), [normal(2, 4)]],
  [
    'logsumexp, softmax, logSoftmax',
    (a) =>
      a
        .logsumexp({ axis: [0, 2] })
        .sum()
        .add(a.softmax(1).square().sum())
        .add(a.logSoftmax(0).exp().square().sum()),
    [normal(2, 3, 2)],
  ],
  [
    'cat, stack',
    (a, b) =>
      cat([a, b, a], 1)
        .square()
        .sum()
        .add(stack([a, a], 1).exp().sum()),
    [normal(2, 3), normal(2, 1)],
  ],
  [
    'sort, topk',
    (a) =>
      sort(a, 1)
        .values.mul(tensor([1, 2, 3, 4], { dtype: 'float64' }))
        .sum()
        .add(topk(a, 2).values.square().sum()),
    [normal(3, 4)],
  ],
  ['einsum', (a, b) => einsum('bij,bjk->ki', a, b), [normal(2, 3, 4), normal(2, 4, 2)]],
  ['einsum, diagonal', (a) => einsum('ii->i', a), [normal(3, 3)]],
  [
    'attention',
    (q, k, v) => attention(q, k, v, { causal: true }),
    [normal(2, 3, 4), normal(2, 3, 4), normal(2, 3, 2)],
  ],
  ['checkpoint', (a) => checkpoint((t) => t.tanh().mul(t))(a), [normal(4)]],
];

describe('first derivatives', () => {
  test.each(cases)('%s', async (_, f, inputs) => {
    const report = await gradCheck(f, inputs);
    expect(report.mismatches).toEqual([]);
    expect(report.checked).toBeGreaterThan(0);
  });
});

describe('second derivatives', () => {
  const smooth = cases.filter(
    ([name]) => !/mod|relu|clamp|sort|maximum|mean, max|movement|einsum, d/.test(name),
  );
  test.each(smooth)('%s', async (_, f, inputs) => {
    const [first, ...rest] = inputs;
    const derivative = (x: Tensor): Tensor =>
      grad((each) =>
        f(each, ...rest)
          .tanh()
          .sum(),
      )(x);
    const report = await gradCheck((x) => derivative(x), [first!], { eps: 1e-5, rtol: 1e-5, atol: 1e-6 });
    expect(report.mismatches).toEqual([]);
  });
});

test('gradCheck finds a wrong gradient, and demands float64', async () => {
  const wrong = (x: Tensor): Tensor => x.mul(x.detach());
  const report = await gradCheck((x) => wrong(x), [normal(3)]);
  expect(report).toMatchObject({ ok: false, checked: 3 });
  expect(report.mismatches).toHaveLength(3);
  await expect(gradCheck((x) => x, [tensor([1])])).rejects.toThrow(
    "gradCheck: needs float64 inputs, got float32; use cast('float64')",
  );
});
