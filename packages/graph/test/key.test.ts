/**
 * A program's key says its structure, all of it and nothing else: equal keys must mean the same code on other
 * arguments.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';

import {
  add,
  call,
  closeProgram,
  type Composite,
  cumprod,
  cumsum,
  hostLeaf,
  keyOf,
  matmul,
  mul,
  neg,
  type Node,
  reshape,
  softmax,
  sum,
} from '../src/index.ts';
import { device, stored } from './support.ts';

const keyText = (...roots: Node[]): string => {
  const { key, constants } = keyOf({ effects: [], roots });
  return [...key, ...constants.map(({ attrs }) => (Object.is(attrs.value, -0) ? '-0' : attrs.value))].join(
    ' ',
  );
};
const x = stored([1, 2, 3, 4], [2, 2]);
const y = stored([5, 6, 7, 8], [2, 2]);

test('the same structure on other leaves has the same key', () => {
  expect(keyText(add(x, mul(y, 2)))).toBe(keyText(add(y, mul(stored([0, 0, 0, 0], [2, 2]), 2))));
});

test.each([
  ['another operation', () => add(x, y), () => mul(x, y)],
  ['another constant', () => mul(x, 2), () => mul(x, 3)],
  ['NaN and infinity', () => mul(x, Number.NaN), () => mul(x, Infinity)],
  ['0 and −0', () => mul(x, 0), () => mul(x, -0)],
  ['another sharing of leaves', () => add(x, x), () => add(x, y)],
  ['another sharing of work', () => add(neg(x), neg(x)), () => mul(neg(x), 1)],
  ['another scan', () => cumsum(x, 0), () => cumprod(x, 0)],
  ['another axis', () => softmax(x, 0), () => softmax(x, 1)],
  ['another shape', () => reshape(x, [4]), () => reshape(x, [1, 4])],
  [
    'other reduced axes',
    () => sum(x, { axis: 0, keepDims: true }),
    () => sum(x, { axis: [0, 1], keepDims: true }),
  ],
])('%s has another key', (_, first, second) => {
  expect(keyText(first())).not.toBe(keyText(second()));
});

test('one node twice and two equal nodes have different keys', () => {
  const shared = neg(x);
  expect(keyText(add(shared, shared))).not.toBe(keyText(add(neg(x), neg(x))));
});

test('a composite is told apart by itself and by every attribute, infinities included', () => {
  const create = (): Composite<{ readonly bound: number }> => ({
    name: 'bounded',
    infer: (_, a) => [a],
    body: (_, a) => [neg(a)],
  });
  const [first, second] = [create(), create()];
  const key = (composite: Composite<{ readonly bound: number }>, bound: number): string =>
    keyText(call(composite, { bound }, x)[0]!);
  expect(key(first, 1)).toBe(key(first, 1));
  expect(key(first, Infinity)).not.toBe(key(first, Number.NaN));
  expect(key(first, 1)).not.toBe(key(second, 1));
});

test('a host value is no part of the key, and effects are', () => {
  const rate = (value: number): Node =>
    mul(
      x,
      reshape(
        hostLeaf(() => value, 'float32', device),
        [],
      ),
    );
  expect(keyText(rate(1))).toBe(keyText(rate(2)));
  const value = neg(x);
  const root = keyOf({ effects: [], roots: [value] }).key.slice();
  const effect = keyOf({ effects: [{ node: value, into: null }], roots: [] }).key.slice();
  const inPlace = keyOf({ effects: [{ node: value, into: x }], roots: [] }).key.slice();
  expect(new Set([root, effect, inPlace].map((key) => key.join(' '))).size).toBe(3);
});

test('random chains: the key is equal exactly when the chains are', () => {
  const chain = fc.array(fc.constantFrom('neg', 'add', 'mul', 'softmax') satisfies fc.Arbitrary<string>, {
    maxLength: 12,
  });
  const steps: Record<string, (node: Node) => Node> = {
    neg,
    add: (node) => add(node, y),
    mul: (node) => mul(node, 2),
    softmax: (node) => softmax(node),
  };
  const build = (names: readonly string[]): Node => names.reduce<Node>((node, name) => steps[name]!(node), x);
  fc.assert(
    fc.property(chain, chain, (a, b) => {
      expect(keyText(build(a)) === keyText(build(b))).toBe(a.join() === b.join());
    }),
  );
});

test('a closed program holds no cell and no node of the graph that it was made from', () => {
  const graph = matmul(x, neg(y));
  const request = { effects: [], roots: [graph] };
  const program = closeProgram(request, keyOf(request));
  expect(program.args).toHaveLength(2);
  const seen: Node[] = [...program.roots];
  for (const node of seen) {
    expect([x, y, graph]).not.toContain(node);
    expect(node.stored).toBeNull();
    seen.push(...node.inputs);
  }
});
