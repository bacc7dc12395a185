/** Transforms against closed forms, nested and mixed. */
import { expect, test } from 'vitest';

import {
  checkpoint,
  createReference,
  grad,
  hessian,
  hvp,
  jacobian,
  jvp,
  tensor,
  type Tensor,
  updateStatistic,
  valueAndGrad,
  vjp,
  vmap,
} from '../src/index.ts';

const x = tensor([1, 2, 3], { dtype: 'float64' });
const cubes = (t: Tensor): Tensor => t.pow(3).sum();

test('grad, nested', async () => {
  expect(await grad(cubes)(x).toArray()).toEqual([3, 12, 27]);
  const second = grad((t) => grad(cubes)(t).sum());
  const third = grad((t) => second(t).sum());
  expect(await second(x).toArray()).toEqual([6, 12, 18]);
  expect(await third(x).toArray()).toEqual([6, 6, 6]);
});

test('valueAndGrad differentiates the first argument', async () => {
  const [value, gradient] = valueAndGrad((a, b) => a.mul(b).sum())(
    x,
    tensor([4, 5, 6], { dtype: 'float64' }),
  );
  expect(await value.item()).toBe(32);
  expect(await gradient.toArray()).toEqual([4, 5, 6]);
});

test('vjp and jvp are transposes: u·(Jv) = (uᵀJ)·v', async () => {
  const f = (t: Tensor): Tensor =>
    t.square().matmul(
      tensor(
        [
          [1, 2],
          [3, 4],
          [5, 6],
        ],
        { dtype: 'float64' },
      ),
    );
  const u = tensor([0.5, -1], { dtype: 'float64' });
  const v = tensor([1, -2, 3], { dtype: 'float64' });
  const [value, pull] = vjp(f, x);
  const [same, tangent] = jvp(f, [x], [v]);
  expect(await value.toArray()).toEqual(await same.toArray());
  const [row] = pull(u);
  expect(await row!.mul(v).sum().item()).toBeCloseTo(await tangent.mul(u).sum().item(), 12);
});

test('jvp adds what each argument contributes', async () => {
  const [, tangent] = jvp(
    (a, b) => a.mul(b),
    [tensor([2, 3]), tensor([5, 7])],
    [tensor([1, 10]), tensor([100, 1000])],
  );
  expect(await tangent.toArray()).toEqual([205, 3070]);
});

test('jacobian and hessian', async () => {
  expect(await jacobian((t) => t.mul(t.sum()))(x).toArray()).toEqual([
    [7, 1, 1],
    [2, 8, 2],
    [3, 3, 9],
  ]);
  expect(await hessian((t) => t.prod())(x).toArray()).toEqual([
    [0, 3, 2],
    [3, 0, 1],
    [2, 1, 0],
  ]);
  const both = jacobian((t) => ({ sum: t.sum(), double: t.slice(0, 0, 1).mul(2) }))(x);
  expect([await both.sum.toArray(), await both.double.toArray()]).toEqual([[1, 1, 1], [[2, 0, 0]]]);
  const v = tensor([1, 1, 1], { dtype: 'float64' });
  expect(await hvp((t) => t.prod(), x, v).toArray()).toEqual([5, 4, 3]);
});

test('what the function does not depend on has gradient 0', async () => {
  expect(await grad(() => tensor(1, { dtype: 'float64' }))(x).toArray()).toEqual([0, 0, 0]);
  expect(await jvp(() => tensor([1, 2]), [x], [x])[1].toArray()).toEqual([0, 0]);
});

test('vmap maps slices and stacks results', async () => {
  const rows = tensor([
    [1, 2],
    [3, 4],
  ]);
  expect(await vmap((row) => row.sum())(rows).toArray()).toEqual([3, 7]);
  expect(await vmap((a) => a.sum(), { axis: 1 })(rows).toArray()).toEqual([4, 6]);
  const squares = [
    [1, 9],
    [4, 16],
  ];
  expect(await vmap((a, b) => a.mul(b), { axis: 1 })(rows, rows).toArray()).toEqual(squares);
  expect(
    await vmap((a, b) => a.mul(b), { axis: 0, outAxis: 1 })(rows, rows)
      .transpose()
      .toArray(),
  ).toEqual([
    [1, 4],
    [9, 16],
  ]);
  expect(() => vmap((a) => a)(rows, tensor([1, 2, 3]))).toThrow('vmap: the arguments have 2, 3 slices');
});

test('a transform leaves parameters and running statistics alone', async () => {
  const w = tensor([2, 2, 2], { dtype: 'float64', requiresGrad: true });
  const seen = tensor(0, { dtype: 'float64' });
  const f = (t: Tensor): Tensor => {
    updateStatistic(seen, seen.add(1));
    return t.mul(w).sum();
  };
  expect(await grad(f)(x).toArray()).toEqual([2, 2, 2]);
  expect(w.grad).toBeNull();
  expect(await seen.item()).toBe(0);
  f(x);
  expect(await seen.item()).toBe(1);
});

test('checkpoint gives the same value and gradients, with captured parameters', async () => {
  const run = async (wrap: (f: (t: Tensor) => Tensor) => (t: Tensor) => Tensor): Promise<unknown> => {
    const w = tensor([0.5, -1, 2], { dtype: 'float64', requiresGrad: true });
    const input = tensor([1, 2, 3], { dtype: 'float64', requiresGrad: true });
    const value = wrap((t) => t.mul(w).tanh().softmax().mul(w))(input).sum();
    value.backward();
    return [await value.item(), await w.grad!.toArray(), await input.grad!.toArray()];
  };
  expect(await run((f) => checkpoint((t) => f(t)))).toEqual(await run((f) => f));
});

test('a constant gradient may be read where the tensors are not on the default device', async () => {
  const x = tensor([-1, 0, 2], { device: createReference() });
  const second = grad((y) => grad((z) => z.pow(2).sum())(y).sum());
  expect(await second(x).toArray()).toEqual([2, 2, 2]);
  const [value, gradient] = valueAndGrad((y: Tensor) => y.mul(0).add(1).sum().mul(y.detach().sum()))(x);
  expect([await gradient.toArray(), await value.item()]).toEqual([[0, 0, 0], 3]);
});
