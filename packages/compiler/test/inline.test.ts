/**
 * Inlined composites compute what the reference device computes for the calls, to the bit; nothing but matrix
 * products is left of them.
 */
import {
  add,
  attention,
  call,
  type Composite,
  crossEntropy,
  layerNorm,
  type Leaf,
  logSoftmax,
  logsumexp,
  matmul,
  matmulComposite,
  mul,
  neg,
  type Node,
  postOrder,
  reshape,
  softmax,
} from '@firsthand/graph';
import { adamWComposite } from '@firsthand/optim';
import { sizeOf } from '@firsthand/linalg';
import { describe, expect, test } from 'vitest';
import { inline } from '../src/simplify/inline.ts';
import {
  allSimplified,
  argument,
  type Data,
  elements,
  evaluate,
  SPECIAL,
  textOf,
} from './simplify-support.ts';

const leaf = (name: string, ...shape: number[]): Leaf => argument(name, shape);
const x = leaf('x', 2, 3, 5);
const [q, k, v] = [leaf('q', 2, 2, 4, 3), leaf('k', 2, 2, 6, 3), leaf('v', 2, 2, 6, 5)];
const mask = argument('mask', [4, 6], 'bool');
const added = leaf('added', 4, 6);
const labels = argument('labels', [2, 3], 'int32');
const [weight, bias] = [leaf('weight', 5), leaf('bias', 5)];
const [gradient, mean, square] = [leaf('gradient', 2, 3, 5), leaf('mean', 2, 3, 5), leaf('square', 2, 3, 5)];
const [step, rate] = [leaf('step'), leaf('rate')];
const settings = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01 };

const normal = layerNorm(x, weight, bias, 0.5);
const statistics = postOrder([normal], ({ inputs }) => inputs).find(({ op }) => op === 'call')!;
const composites: readonly (readonly [string, readonly Node[]])[] = [
  ['softmax', [softmax(x), softmax(x, 0)]],
  ['logSoftmax', [logSoftmax(x, 1)]],
  ['logsumexp', [logsumexp(x, [0, 2], true)]],
  [
    'attention',
    [
      attention(q, k, v),
      attention(q, k, v, { causal: true, scale: 2 }),
      attention(q, k, v, { mask }),
      attention(q, k, v, { mask: added }),
    ],
  ],
  ['crossEntropy', [crossEntropy(x, labels)]],
  ['layerNorm', [normal]],
  ['adamW', call(adamWComposite, settings, x, gradient, mean, square, step, rate)],
  ['matmul', [matmul(q, reshape(k, [2, 2, 3, 6])), matmul(x, weight)]],
  ['a composite of composites', [neg(attention(softmax(q), k, v)), statistics.inputs[0]!]],
];

/** Ordinary values, or special ones. */
function dataOf(roots: readonly Node[], isSpecial: boolean): Data {
  const leaves = postOrder(roots, ({ inputs }) => inputs).filter((each): each is Leaf => each.op === 'leaf');
  return new Map(
    leaves.map((each, place) => {
      const count = sizeOf(each.shape);
      const ordinary = Array.from({ length: count }, (_, index) =>
        each.dtype === 'float32' ? Math.abs(Math.sin(index + 7 * place)) : index % 5,
      );
      return [
        each,
        elements(isSpecial && each !== labels ? SPECIAL.slice(place) : ordinary, count, each.dtype),
      ];
    }),
  );
}

describe.each(composites)('%s', (_, roots) => {
  const inlined = inline(roots);

  test('leaves primitives and matrix products', () => {
    const calls = postOrder(inlined, ({ inputs }) => inputs).flatMap((node) =>
      node.op === 'call' ? [node.attrs.composite] : [],
    );
    expect(calls.every((composite) => composite === matmulComposite)).toBe(true);
    expect(inlined.map(({ shape, dtype }) => [shape, dtype])).toEqual(
      roots.map(({ shape, dtype }) => [shape, dtype]),
    );
  });

  test.each([false, true])('keeps every bit, special values: %s', (isSpecial) => {
    const data = dataOf(roots, isSpecial);
    expect(evaluate(inlined, data)).toEqual(evaluate(roots, data));
  });

  test('keeps its value when it is simplified', () => {
    const data = dataOf(roots, false);
    const [expected, actual] = [evaluate(roots, data), evaluate(allSimplified(inlined), data)];
    expected.forEach((values, root) => {
      values.forEach((value, place) =>
        expect(Math.abs(actual[root]![place]! - value)).toBeLessThanOrEqual(
          1e-6 * Math.max(1, Math.abs(value)),
        ),
      );
    });
  });
});

test('cross-entropy picks the logit before it normalises the row', () => {
  const [loss] = allSimplified(inline([crossEntropy(leaf('x', 3, 5), argument('labels', [3], 'int32'))]));
  expect(textOf(loss!)).toMatch(
    /^reshape\[3\]\(neg\(sub\(sub\(gather@1\(x, reshape\[3, 1\]\(labels\)\), where\(/,
  );
});

/** (a + b, a·b), the second by way of another composite. */
const product: Composite = { name: 'product', infer: (_, a) => [a], body: (_, a, b) => [mul(a, b)] };
const both: Composite = {
  name: 'both',
  infer: (_, a) => [a, a],
  body: (_, a, b) => [add(a, b), call(product, {}, a, b)[0]!],
};

test('calls within calls, with several outputs, of values that are calls', () => {
  const [a, b] = [leaf('a', 2), leaf('b', 2)];
  const [sum, times] = call(both, {}, a, b);
  const [second] = call(both, {}, sum!, times!);
  expect(inline([second!, times!]).map(textOf)).toEqual(['add(add(a, b), mul(a, b))', 'mul(a, b)']);
});

test('a composite that gives back its operand', () => {
  const same: Composite = { name: 'same', infer: (_, a) => [a], body: (_, a) => [a] };
  const a = leaf('a', 2);
  expect(inline([call(same, {}, neg(a))[0]!]).map(textOf)).toEqual(['neg(a)']);
});

test.each<readonly [string, Composite['body']]>([
  ['float32 [4, 1]', (_, a) => [reshape(a, [4, 1])]],
  ['nothing', () => []],
])('a body that gives %s where infer promised a matrix is named', (given, body) => {
  const broken: Composite = { name: 'broken', infer: (_, a) => [a], body };
  expect(() => inline([call(broken, {}, leaf('a', 2, 2))[0]!])).toThrow(
    `broken: output 0 of the body is ${given}, infer promised float32 [2, 2]`,
  );
});

test('a chain of 100,000 nodes, calls and their outputs', () => {
  let value: Node = leaf('a', 2);
  for (let index = 0; index < 50_000; index++) value = call(product, {}, value, value)[0]!;
  expect(postOrder(inline([value]), ({ inputs }) => inputs)).toHaveLength(50_001);
});
