/** One AdamW update as a function of tensors, and as one operation in the graph. */
import { grad, hostValue, tensor, type Tensor, zerosLike } from '@firsthand/autograd';
import { OptionError, ShapeError } from '@firsthand/linalg';
import { describe, expect, test } from 'vitest';

import { adamW } from '../src/index.ts';

describe('adamW', () => {
  test('is a function: new values, and nothing is updated', async () => {
    const w = tensor([3, -4]);
    const start = { mean: zerosLike(w), square: zerosLike(w), step: tensor(0) };
    let state = { parameter: w, ...start };
    for (let i = 0; i < 2; i++)
      state = adamW(state.parameter, state.parameter.mul(2), state, { lr: 0.5, weightDecay: 0 });
    // p₁ = (2.5, −3.5); m₂/(1 − β₁²) over √(v₂/(1 − β₂²)) is close to 1 as the gradients are close to equal
    const [p, q] = (await state.parameter.toArray()) as [number, number];
    const ratio = (g1: number, g2: number): number =>
      (0.09 * g1 + 0.1 * g2) / 0.19 / Math.sqrt((0.999 * g1 * g1 + g2 * g2) / 1.999);
    expect(p).toBeCloseTo(2.5 - 0.5 * ratio(6, 5), 5);
    expect(q).toBeCloseTo(-3.5 - 0.5 * ratio(-8, -7), 5);
    expect([await state.step.item(), await w.toArray(), await start.step.item()]).toEqual([2, [3, -4], 0]);
  });
  test('its learning rate may be a host value, and it is differentiable', async () => {
    const w = tensor([3, -4]);
    const start = { mean: zerosLike(w), square: zerosLike(w), step: tensor(0) };
    const setting = { lr: 0.5 };
    const { parameter } = adamW(w, w.mul(2), start, { lr: hostValue(() => setting.lr), weightDecay: 0.1 });
    expect(((await parameter.toArray()) as number[])[0]).toBeCloseTo(3 * 0.95 - 0.5, 5);
    const slope = grad((rate: Tensor) =>
      adamW(w, w.mul(2), start, { lr: rate, weightDecay: 0 }).parameter.sum(),
    )(tensor(0.5));
    expect(await slope.item()).toBeCloseTo(0, 5); // −1 and 1
  });
  test('errors', () => {
    const w = tensor([3, -4]);
    const start = { mean: zerosLike(w), square: zerosLike(w), step: tensor(0) };
    expect(() => adamW(w, tensor([1]), start)).toThrow(ShapeError);
    expect(() => adamW(w, w, { ...start, mean: 0 as never })).toThrow('adamW: the mean is of type number');
    expect(() => adamW(w, w, start, { epsilon: 1 } as never)).toThrow(OptionError);
  });
  test('is one call with four outputs', () => {
    const w = tensor([3, -4]);
    const start = { mean: zerosLike(w), square: zerosLike(w), step: tensor(0) };
    const { parameter, mean, square, step } = adamW(w, w, start);
    const outputs = [parameter, mean, square, step].map((value) => value.read());
    expect(outputs.map((node) => node.op)).toEqual(['output', 'output', 'output', 'output']);
    expect(new Set(outputs.map((node) => node.inputs[0])).size).toBe(1);
  });
  test('of a float16 parameter, moments stay float32 and the parameter alone is rounded', async () => {
    const w = tensor([3, -4], { dtype: 'float16' });
    const wide = zerosLike(w.cast('float32'));
    const next = adamW(w, w, { mean: wide, square: wide, step: tensor(0) }, { lr: 0.5, weightDecay: 0 });
    expect([next.parameter, next.mean, next.square, next.step].map(({ dtype }) => dtype)).toEqual([
      'float16',
      'float32',
      'float32',
      'float32',
    ]);
    expect(await next.parameter.toArray()).toEqual([2.5, -3.5]);
    // (1 − β₂)·9 would be 0.00900 in float16 too, but with an error of 2⁻¹⁷.
    expect(((await next.square.toArray()) as number[])[0]).toBeCloseTo(0.009, 8);
  });
});
