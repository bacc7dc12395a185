import { runtimeOf } from '@firsthand/graph';
import { expect, test } from 'vitest';
import { compile, grad, gradCheck, hessian, jvp, manualSeed, randn, tensor, checkpoint, getDefaultDevice, einsum, sort, cat } from '../src/index.ts';

test('backward', async () => {
  const x = tensor([[1, 2], [3, 4]], { requiresGrad: true });
  x.mul(x).sum().backward();
  expect(await x.grad!.toArray()).toEqual([[2, 4], [6, 8]]);
});
test('matmul softmax', async () => {
  const a = tensor([[1, 2], [3, 4]]);
  expect(await a.matmul(a).toArray()).toEqual([[7, 10], [15, 22]]);
  console.log(await a.softmax().toArray(), await a.logSoftmax().toArray(), await a.std().item());
  console.log(a, await randn([4]).toArray());
  console.log(await cat([a, a], 1).toArray(), await sort(a, 1, true).values.toArray(), await a.slice(1, 0, 2, 2).toArray());
});
test('gradcheck', async () => {
  manualSeed(3);
  const a = randn([3, 4], { dtype: 'float64' });
  const b = randn([4, 2], { dtype: 'float64' });
  const report = await gradCheck((x, y) => x.matmul(y).tanh().softmax().log(), [a, b]);
  expect(report).toMatchObject({ ok: true });
  const r2 = await gradCheck((x) => grad((z) => z.tanh().prod())(x), [a]);
  expect(r2).toMatchObject({ ok: true });
  const r3 = await gradCheck((x) => checkpoint((t) => t.tanh().mul(t))(x), [a]);
  expect(r3).toMatchObject({ ok: true });
  const h = hessian((x) => x.pow(3).sum())(tensor([1, 2]));
  console.log(await h.toArray());
  const [, t] = jvp((x) => x.square(), [tensor([3])], [tensor([2])]);
  expect(await t.item()).toBe(12);
});
test('training eager and compiled', async () => {
  const device = getDefaultDevice();
  const { counters } = runtimeOf(device);
  const run = async (compiled: boolean) => {
    const before = { ...counters };
    const w = tensor([1, 2], { requiresGrad: true, name: 'w' });
    const f = (x) => {
      const loss = w.mul(x).square().sum();
      loss.backward();
      w.assign(w.sub(w.grad!.mul(0.1)));
      w.grad = null;
      return loss;
    };
    const step = compiled ? compile(f) : f;
    const losses = [];
    for (let i = 0; i < 10; i++) losses.push(step(tensor([1, 0.5])));
    const out = [];
    for (const l of losses) out.push(await l.item());
    console.log(counters.programs - before.programs, counters.compilations - before.compilations, device.memory());
    return out;
  };
  expect(await run(false)).toEqual(await run(true));
});
test('long chain', async () => {
  const x = tensor([1], { requiresGrad: true });
  let y = x.mul(1);
  for (let i = 0; i < 100_000; i++) y = y.add(0.001);
  const l = y.sum();
  console.time('b');
  l.backward();
  console.log(await x.grad!.item(), await l.item());
  console.timeEnd('b');
});
test('item before backward', async () => {
  const { counters } = runtimeOf(getDefaultDevice());
  const x = tensor([1, 2, 3], { requiresGrad: true });
  const l = x.tanh().exp().sum();
  await l.item();
  const b = { ...counters };
  l.backward();
  console.log(await x.grad!.toArray());
  expect(counters.recomputed).toBe(b.recomputed);
  expect(() => l.backward()).toThrow(/released/);
});
