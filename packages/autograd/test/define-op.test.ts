/**
 * Operations of one's own: what they are called with, what they give, their derivatives, and what is refused.
 */
import { outputsOf, postOrder } from '@firsthand/graph';
import { describe, expect, test } from 'vitest';

import {
  compile,
  defineOp,
  DTypeError,
  grad,
  hessian,
  jvp,
  rand,
  ShapeError,
  type Tensor,
  tensor,
  vmap,
} from '../src/index.ts';

const x = tensor([0.5, -1], { dtype: 'float64' });
const y = tensor([2, 3], { dtype: 'float64' });
const swish = (a: Tensor, b: Tensor): Tensor => a.mul(a.sigmoid()).mul(b);

describe('values and derivatives', () => {
  test('an operation is one node, and means its body', async () => {
    const op = defineOp({ name: 'swiglu', body: swish });
    const out = op(x, y);
    expect(await out.toArray()).toEqual(await swish(x, y).toArray());
    const { node } = op(x, y);
    expect(node.op === 'output' && node.inputs[0]!.op === 'call' && node.inputs[0].attrs.composite.name).toBe(
      'swiglu',
    );
    expect([op.composite.name, out.dtype, out.shape]).toEqual(['swiglu', 'float64', [2]]);
  });

  test('it is differentiated through its body, or by its rule, to any order', async () => {
    const bump = (t: Tensor, { width }: { readonly width: number }): Tensor => t.square().mul(-width).exp();
    const plain = defineOp({ name: 'plain', body: bump });
    const ruled = defineOp({
      name: 'ruled',
      body: bump,
      vjp: ([g], { inputs: [t], outputs: [out], attrs }) => [
        g
          .mul(out)
          .mul(t)
          .mul(-2 * attrs.width),
      ],
    });
    const first = [0.5, -1].map((each) => -6 * each * Math.exp(-3 * each * each));
    const second = [0.5, -1].map((each) => (36 * each * each - 6) * Math.exp(-3 * each * each));
    for (const op of [plain, ruled]) {
      const slope = await grad((t) => op(t, { width: 3 }).sum())(x).toArray();
      (slope as number[]).forEach((each, index) => expect(each).toBeCloseTo(first[index]!, 12));
      const bend = (await hessian((t) => op(t, { width: 3 }).sum())(x).toArray()) as number[][];
      bend.forEach((row, index) => expect(row[index]).toBeCloseTo(second[index]!, 12));
      const [, tangent] = jvp((t) => op(t, { width: 3 }), [x], [y]);
      expect(await tangent.sum().item()).toBeCloseTo(first[0]! * 2 + first[1]! * 3, 12);
    }
  });

  test('several results, of which some have a gradient, and inputs without one', async () => {
    const seen: (boolean | null)[][] = [];
    const op = defineOp({
      name: 'split',
      body: (a: Tensor, index: Tensor): [Tensor, Tensor] => [a.mul(2), a.add(index.cast('float64'))],
      vjp: ([g, h], { inputs: [a], outputs }) => {
        seen.push([g !== null, h !== null, outputs.length === 2]);
        return [
          [g?.mul(2), h].flatMap((each) => each ?? []).reduce((sum, each) => sum.add(each), a.mul(0)),
          null,
        ];
      },
    });
    const index = tensor([1, 2], { dtype: 'int32' });
    const [doubled, moved] = op(x, index);
    expect([await doubled.toArray(), await moved.toArray()]).toEqual([
      [1, -2],
      [1.5, 1],
    ]);
    expect(await grad((a) => op(a, index)[0].sum())(x).toArray()).toEqual([2, 2]);
    expect(await grad((a) => op(a, index)[0].add(op(a, index)[1]).sum())(x).toArray()).toEqual([3, 3]);
    const both = (a: Tensor): Tensor =>
      op(a, index)
        .reduce((sum, each) => sum.add(each))
        .sum();
    expect(await grad(both)(x).toArray()).toEqual([3, 3]);
    expect(seen).toEqual([
      [true, false, true],
      [false, true, true],
      [true, false, true],
      [true, true, true],
    ]);
  });

  test('in compile, vmap and with attributes left out', async () => {
    const op = defineOp({
      name: 'power',
      body: (a: Tensor, { order = 2 }: { readonly order?: number } = {}) => a.pow(order),
    });
    expect(await op(x).toArray()).toEqual([0.25, 1]);
    expect(await op(x, {}).toArray()).toEqual([0.25, 1]);
    expect(await vmap((each) => op(each, { order: 3 }))(x).toArray()).toEqual([0.125, -1]);
    const step = compile((a: Tensor) => grad((t) => op(t).sum())(a));
    expect(await step(x).toArray()).toEqual([1, -2]);
    expect(await step(y).toArray()).toEqual([4, 6]);
  });

  test('the body runs once for each shape to tell the results apart, not at each call', () => {
    let runs = 0;
    const op = defineOp({
      name: 'counted',
      body: (a: Tensor) => {
        runs++;
        return a.mul(2);
      },
    });
    for (let i = 0; i < 3; i++) op(x);
    op(tensor([1, 2, 3]));
    expect(runs).toBe(2);
    const call = op(x).node.inputs[0]!;
    expect(postOrder([call], (node) => node.inputs).map(({ op: name }) => name)).toEqual(['leaf', 'call']);
    expect(call.op === 'call' && outputsOf(call).length).toBe(1);
  });
});

describe('refused', () => {
  const captured = tensor([1, 2], { name: 'captured' });
  const bodies: readonly [string, (a: Tensor) => unknown, typeof DTypeError, string][] = [
    [
      'gives nothing',
      () => undefined,
      DTypeError,
      'op: the body gave undefined; needs a tensor, or an array of tensors',
    ],
    ['gives a number', () => 3, DTypeError, 'the body gave 3'],
    ['gives a list with a number', (a) => [a, 3], DTypeError, 'the body gave 3'],
    ['is asynchronous', async (a) => Promise.resolve(a), DTypeError, 'op: the function is asynchronous'],
    [
      'uses a captured tensor',
      (a) => a.add(captured),
      DTypeError,
      'op: the body depends on "captured" that is none of its arguments; pass it',
    ],
    [
      'uses random numbers',
      (a) => a.add(rand([2])),
      DTypeError,
      'the body depends on a tensor that is none of its arguments',
    ],
    ['does not fit', (a) => a.reshape(3), ShapeError, 'reshape'],
  ];
  test.each(bodies)('a body that %s', (_, body, error, message) => {
    const op = defineOp({ name: 'op', body: body as (a: Tensor) => Tensor });
    expect(() => op(tensor([1, 2]))).toThrow(error);
    expect(() => op(tensor([1, 2]))).toThrow(message);
  });

  test('operands and attributes of other kinds', () => {
    const op = defineOp({
      name: 'op',
      body: (a: Tensor, { by }: { readonly by: unknown }) => a.mul(Number(by)),
    });
    const call =
      (...args: readonly unknown[]): (() => unknown) =>
      () =>
        (op as unknown as (...all: readonly unknown[]) => unknown)(...args);
    expect(call(1, tensor(1))).toThrow('op: operand 0 is of type number');
    expect(call(tensor(1), 2)).toThrow(
      'op: the last argument is 2; needs a tensor, or an object of attributes',
    );
    expect(call(tensor(1), { by: new Date() })).toThrow('op: by is');
    expect(call(tensor(1), { by: { deep: 1 } })).toThrow(
      'op: by is an object; needs attributes that are numbers',
    );
    expect(call(tensor(1), { by: [1, 2] })).not.toThrow();
  });

  test('a derivative of another length or shape', () => {
    const rule = (vjp: unknown): (() => unknown) => {
      const op = defineOp({ name: 'op', body: (a: Tensor, b: Tensor) => a.mul(b), vjp: vjp as never });
      return () => grad((a) => op(a, tensor(2, { dtype: 'float64' })).sum())(x);
    };
    expect(rule(([g]: [Tensor]) => [g])).toThrow(
      'op: vjp gave 1 gradients; needs an array with a gradient, or null, for each of 2 inputs',
    );
    expect(rule(() => 3)).toThrow('vjp gave 3');
    expect(rule(([g]: [Tensor]) => [g, g])).toThrow(
      'op: vjp gave input 1, float64 [], the gradient float64 [2]; sum over the axes',
    );
    expect(rule(([g]: [Tensor]) => [g, 3])).toThrow('op: vjp');
    expect(rule(([g]: [Tensor]) => [g, null])).not.toThrow();
  });
});
