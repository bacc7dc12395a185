/**
 * The check that the others rest on: `gradCheck` finds a wrong derivative, names the element, and passes a
 * right one.
 */
import { defineOp, DTypeError, gradCheck, tensor, where } from '@firsthand/autograd';
import type { Tensor } from '@firsthand/autograd';
import { expect, test } from 'vitest';

/** sin x, whose derivative claims to be `slope`. */
const claimed = (slope: (x: Tensor) => Tensor): ((x: Tensor) => Tensor) =>
  defineOp({
    name: 'claimed',
    body: (x: Tensor) => x.sin(),
    vjp: ([g], { inputs: [x] }) => [g.mul(slope(x))],
  });
const point = tensor([0.3, -0.7, 1.1], { dtype: 'float64' });

test('the right derivative passes, element by element', async () => {
  expect(
    await gradCheck(
      claimed((x) => x.cos()),
      [point],
    ),
  ).toMatchObject({ ok: true, checked: 3, mismatches: [] });
});

test.each([
  ['off by a hundred-thousandth and a little', (x: Tensor): Tensor => x.cos().mul(1.000_03), 3],
  ['of the wrong sign', (x: Tensor): Tensor => x.cos().neg(), 3],
  ['wrong in one element', (x: Tensor): Tensor => where(x.gt(1), 0, x.cos()), 1],
  ['NaN', (x: Tensor): Tensor => x.mul(NaN), 3],
] as const)('a derivative %s is found', async (_, slope, wrong) => {
  const report = await gradCheck(claimed(slope), [point]);
  expect(report.ok).toBe(false);
  expect(report.mismatches).toHaveLength(wrong);
  expect(report.mismatches.at(-1)).toMatchObject({ input: 0, element: 2 });
});

test('a gradient that is missing is found', async () => {
  const report = await gradCheck((x) => x.detach().sin(), [point]);
  expect(report.mismatches.map(({ analytic }) => analytic)).toEqual([0, 0, 0]);
});

test('which input is wrong', async () => {
  const wrong = claimed((x) => x);
  const report = await gradCheck((a, b) => a.cos().add(wrong(b)), [point, point]);
  expect(new Set(report.mismatches.map(({ input }) => input))).toEqual(new Set([1]));
});

test('inputs and results must be float64', async () => {
  await expect(gradCheck((x) => x, [tensor([1])])).rejects.toThrow(DTypeError);
  await expect(gradCheck((x) => x.cast('float32'), [point])).rejects.toThrow('it must stay in float64');
});
