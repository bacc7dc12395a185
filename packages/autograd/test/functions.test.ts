/** Methods as functions, and the functions that layers, losses and optimizers are made of. */
import { describe, expect, test } from 'vitest';

import * as autograd from '../src/index.ts';
import * as methods from '../src/methods.ts';
import {
  crossEntropy,
  DTypeError,
  grad,
  layerNorm,
  oneHot,
  OptionError,
  ShapeError,
  stopGradient,
  Tensor,
  tensor,
} from '../src/index.ts';

const a = tensor([
  [0.5, -1, 2],
  [1.5, 3, -0.25],
]);
const b = tensor([[1, 2, -3]]);
const index = tensor([[0, 1, 1]], { dtype: 'int32' });
const image = tensor([
  [
    [
      [1, 2, 3],
      [4, 5, 6],
      [7, 8, 9],
    ],
  ],
]);

/** What comes after the first operand, for functions that need more. */
const REST: { readonly [name: string]: readonly unknown[] } = {
  clamp: [-1, 1],
  matmul: [b.transpose()],
  conv1d: [tensor([[[1, -1]]])],
  conv2d: [
    tensor([
      [
        [
          [1, 0],
          [0, 1],
        ],
      ],
    ]),
  ],
  convTranspose2d: [tensor([[[[1, 2]]]])],
  maxPool2d: [2],
  avgPool2d: [2],
  permute: [1, 0],
  reshape: [3, 2],
  unsqueeze: [0],
  pad: [
    [
      [1, 0],
      [0, 1],
    ],
  ],
  roll: [1, 1],
  indexSelect: [1, index],
  gather: [0, index],
  scatterAdd: [0, index, b],
  cumsum: [1],
  cumprod: [1],
  expand: [[2, 2, 3]],
  select: [0, 1],
  narrow: [1, 0, 2],
  maskedFill: [tensor([[true, false, true]]), 9],
  logicalAnd: [tensor([[true, false, true]])],
  logicalOr: [tensor([[true, false, true]])],
};
const FIRST: { readonly [name: string]: Tensor } = {
  conv1d: tensor([[[1, 2, 3]]]),
  conv2d: image,
  convTranspose2d: image,
  maxPool2d: image,
  avgPool2d: image,
  logicalNot: a.gt(0),
  logicalAnd: a.gt(0),
  logicalOr: a.gt(0),
  any: a.gt(0),
  all: a.gt(0),
};
const TWO = new Set([
  'add',
  'sub',
  'mul',
  'div',
  'pow',
  'mod',
  'maximum',
  'minimum',
  'eq',
  'ne',
  'lt',
  'le',
  'gt',
  'ge',
]);

/** Functions with several results. */
const SEVERAL = ['split', 'chunk', 'unbind', 'sort', 'topk'];

test.each(Object.keys(methods).filter((name) => !SEVERAL.includes(name)))(
  '%s is the method, and public',
  async (name) => {
    const fn = (methods as unknown as { readonly [key: string]: (...args: readonly unknown[]) => Tensor })[
      name
    ]!;
    expect((autograd as unknown as { readonly [key: string]: unknown })[name]).toBe(fn);
    const first = FIRST[name] ?? a;
    const rest = REST[name] ?? (TWO.has(name) ? [b] : []);
    const method = name === 'variance' ? 'var' : name;
    const expected = (
      first as unknown as { readonly [key: string]: (...args: readonly unknown[]) => Tensor }
    )[method]!(...rest);
    const found = fn(first, ...rest);
    expect([found.dtype, found.shape, await found.toArray()]).toEqual([
      expected.dtype,
      expected.shape,
      await expected.toArray(),
    ]);
    expect(() => fn('1', ...rest)).toThrow(DTypeError);
    expect(() => fn('1', ...rest)).toThrow('the first operand is of type string');
    if (TWO.has(name)) {
      const swapped = fn(2, a);
      expect(await swapped.toArray()).toEqual(await fn(tensor(2), a).toArray());
      expect(() => fn(1, 2)).toThrow(
        'both operands are numbers; needs a tensor among them; make one with tensor(…)',
      );
    }
  },
);

test.each(SEVERAL)('%s is the method, with several results', async (name) => {
  const fn = (autograd as unknown as { readonly [key: string]: (...args: readonly unknown[]) => object })[
    name
  ]!;
  const rest = ['split', 'chunk', 'topk'].includes(name) ? [2] : [];
  const expected = (a as unknown as { readonly [key: string]: (...args: readonly unknown[]) => object })[
    name
  ]!(...rest);
  const values = (results: object): Promise<unknown> =>
    Promise.all(Object.values(results).map((each: Tensor) => each.toArray()));
  expect(await values(fn(a, ...rest))).toEqual(await values(expected));
  expect(() => fn('1', ...rest)).toThrow('the first operand is of type string');
});

test('a method that is usual as a function is one', () => {
  const named = Object.getOwnPropertyNames(Tensor.prototype);
  const wanted = [
    'exp',
    'matmul',
    'softmax',
    'sum',
    'mean',
    'argmax',
    'reshape',
    'relu',
    'gelu',
    'conv2d',
    'where',
    'maximum',
  ];
  for (const name of wanted) expect(autograd).toHaveProperty(name);
  expect(named).toContain('matmul');
});

describe('layerNorm', () => {
  test('scale and shift are optional', async () => {
    const x = tensor(
      [
        [1, 3],
        [10, 30],
      ],
      { dtype: 'float64' },
    );
    const [weight, bias] = [tensor([1, 2], { dtype: 'float64' }), tensor([0, 5], { dtype: 'float64' })];
    const plain = [
      [-1, 1],
      [-1, 1],
    ];
    expect(await layerNorm(x, 2, { eps: 0 }).toArray()).toEqual(plain);
    expect(await layerNorm(x, [2], { weight: null, eps: 0 }).toArray()).toEqual(plain);
    expect(await layerNorm(x, [2], { weight, bias, eps: 0 }).toArray()).toEqual([
      [-1, 7],
      [-1, 7],
    ]);
    expect(await layerNorm(x, x.shape, { eps: 0 }).mean().item()).toBeCloseTo(0, 12);
    expect(await layerNorm(x, 2).square().mean().item()).toBeCloseTo(1, 4);
  });
  test('errors', () => {
    expect(() => layerNorm(a, 2)).toThrow(ShapeError);
    expect(() => layerNorm(a, 3, { weight: tensor([1, 2]) })).toThrow(
      'layerNorm: the weight is [2]; needs the normalised shape [3]',
    );
    expect(() => layerNorm(a, 3, { epsilon: 1 } as never)).toThrow(OptionError);
    expect(() => layerNorm(index, 3)).toThrow(DTypeError);
  });
});

describe('crossEntropy', () => {
  test('one loss for each row, and its gradient', async () => {
    const logits = tensor(
      [
        [0, Math.log(3)],
        [0, 0],
      ],
      { dtype: 'float64' },
    );
    const labels = tensor([0, 1], { dtype: 'int32' });
    const losses = (await crossEntropy(logits, labels).toArray()) as number[];
    [Math.log(4), Math.log(2)].forEach((each, row) => expect(losses[row]).toBeCloseTo(each, 12));
    const slope = (await grad((x: Tensor) => crossEntropy(x, labels).sum())(logits).toArray()) as number[][];
    [
      [-0.75, 0.75],
      [0.5, -0.5],
    ].forEach((row, i) => row.forEach((each, j) => expect(slope[i]![j]).toBeCloseTo(each, 12)));
  });
  test('a label that is no class', () => {
    expect(() => crossEntropy(a, tensor([0, 3], { dtype: 'int32' }))).toThrow(
      'crossEntropy: label 3 at position 1 is not a class from 0 to 2',
    );
    expect(() => crossEntropy(a, tensor([0, 1]))).toThrow(DTypeError);
  });
});

describe('oneHot and stopGradient', () => {
  test('oneHot', async () => {
    const labels = tensor([[2], [0]], { dtype: 'int32' });
    expect(await oneHot(labels, 3).toArray()).toEqual([[[0, 0, 1]], [[1, 0, 0]]]);
    expect([oneHot(labels, 3).dtype, oneHot(labels, 3, { dtype: 'bool' }).dtype]).toEqual([
      'float32',
      'bool',
    ]);
    expect(
      await oneHot(tensor([-1, 3], { dtype: 'int32' }), 3)
        .sum()
        .item(),
    ).toBe(0);
    expect(() => oneHot(tensor([1]), 3)).toThrow(DTypeError);
    expect(() => oneHot(labels, 0)).toThrow('oneHot: classes is 0; needs a whole number, 1 or more');
  });
  test('stopGradient', async () => {
    expect(await grad((x: Tensor) => x.mul(stopGradient(x)).sum())(tensor([3])).item()).toBe(3);
    expect(() => stopGradient(3 as never)).toThrow(DTypeError);
  });
});
