/**
 * Which pending effects run together: shared work joins them, mere reading orders them, groups are never cut.
 */
import { expect, test } from 'vitest';

import { closePrefix, components } from '../src/components.ts';
import { type EffectKind, Handle, type PendingEffect } from '../src/handle.ts';
import { add, leaf, mul, neg, type Node } from '@firsthand/graph';
import { device, stored } from './support.ts';

let sequence = 0;
function effect(
  handle: Handle,
  value: Node,
  options: { kind?: EffectKind; group?: number } = {},
): PendingEffect {
  sequence++;
  const target = leaf(
    { role: 'stored', name: null, shape: value.shape, dtype: value.dtype, host: null, sample: null },
    device,
    {
      pending: value,
    },
  );
  const pending: PendingEffect = {
    sequence,
    group: options.group ?? 1000 + sequence,
    kind: options.kind ?? 'update',
    handle,
    target,
    value,
    previous: handle.node,
    keep: true,
    saved: [],
    sharers: [],
    enqueued: null,
  };
  handle.node = target;
  return pending;
}
const variable = (): Handle => new Handle(stored([1, 2], [2]));
const shape = (list: ReturnType<typeof components>): [number, number][] =>
  list.map(({ effects, requested: asked }) => [effects.length, asked.length]);

test('independent effects are programs of their own, in order', () => {
  const [a, b] = [variable(), variable()];
  const first = effect(a, neg(a.node));
  const second = effect(b, neg(b.node));
  expect(components([first, second], []).map(({ effects }) => effects)).toEqual([[first], [second]]);
});

test('a shared unrealised node joins effects and asked values; a shared leaf does not', () => {
  const [a, b] = [variable(), variable()];
  const x = stored([1, 1], [2]);
  const trunk = neg(x);
  expect(shape(components([effect(a, add(trunk, 1)), effect(b, mul(trunk, 2))], [neg(trunk)]))).toEqual([
    [2, 1],
  ]);
  expect(shape(components([], [add(x, 1), mul(x, 2)]))).toEqual([
    [0, 1],
    [0, 1],
  ]);
});

test('a group is one program, whatever it shares', () => {
  const [a, b] = [variable(), variable()];
  expect(
    shape(components([effect(a, neg(a.node), { group: 7 }), effect(b, neg(b.node), { group: 7 })], [])),
  ).toEqual([[2, 0]]);
});

test('a value that reads an updated variable runs after the update, apart from it', () => {
  const a = variable();
  const update = effect(a, neg(a.node));
  const list = components([update], [add(a.node, 1)]);
  expect(shape(list)).toEqual([
    [1, 0],
    [0, 1],
  ]);
});

test('a value that reads the old storage joins the update that replaces it', () => {
  const a = variable();
  const old = add(a.node, 1);
  expect(shape(components([effect(a, neg(a.node))], [old]))).toEqual([[1, 1]]);
});

test('a gradient and the update that uses it are one program', () => {
  const [a, g] = [variable(), variable()];
  const gradient = effect(g, neg(stored([1, 1], [2])), { kind: 'grad' });
  expect(shape(components([gradient, effect(a, add(a.node, g.node))], []))).toEqual([[2, 0]]);
});

test('components that read each other’s variables become one', () => {
  const [a, b] = [variable(), variable()];
  const x = stored([1, 1], [2]);
  const trunk = neg(x);
  // a ← trunk; b ← reads a; c ← reads b and shares the trunk: neither part can run first.
  const first = effect(a, add(trunk, 1));
  const second = effect(b, mul(a.node, 2));
  const third = effect(variable(), add(trunk, b.node));
  expect(shape(components([first, second, third], []))).toEqual([[3, 0]]);
});

test('what only reads from such components stays apart, and runs after them', () => {
  const [a, b] = [variable(), variable()];
  const [trunk, other] = [neg(stored([1, 1], [2])), neg(stored([2, 2], [2]))];
  const reader = effect(variable(), add(other, 1));
  const first = effect(a, add(trunk, 1));
  const second = effect(b, mul(a.node, 2));
  const third = effect(variable(), add(trunk, b.node));
  const last = effect(variable(), add(other, b.node)); // one component with `reader`
  const list = components([reader, first, second, third, last], []);
  expect(list.map(({ effects }) => effects)).toEqual([
    [first, second, third],
    [reader, last],
  ]);
});

test('the prefix grows to effects that share its work, and stops before the next step’s statistics', () => {
  const [w, mean] = [variable(), variable()];
  const x = stored([1, 1], [2]);
  const step = (): PendingEffect[] => {
    const activation = mul(w.node, x);
    const statistic = effect(mean, add(activation, mean.node), { kind: 'stat' });
    return [statistic, effect(w, neg(activation), { group: sequence + 5000 })];
  };
  const queue = [...step(), ...step()];
  // What must run is the first step's statistic; its update shares the activation, the second step shares
  // nothing but variables.
  expect(closePrefix(queue, 1)).toBe(2);
  expect(closePrefix(queue, 3)).toBe(4);
  expect(closePrefix(queue, 4)).toBe(4);
});
