/**
 * Rule 13: the forward pass is not computed twice; what it keeps for the backward pass, and when that is
 * released.
 */
import { checkpoint, GradientError, noGrad, rand, realize, tensor } from '@firsthand/autograd';
import type { Tensor } from '@firsthand/autograd';
import { describe, expect, test } from 'vitest';
import { batch, collect, counted, freshDevice, Momentum, Network } from './fixture.ts';
import type { CreateDevice } from './fixture.ts';

export function describeSaved(createDevice: CreateDevice): void {
  describe('rule 13: the forward pass is not computed twice', () => {
    test('not when a loss is read before backward', async () => {
      const device = await freshDevice(createDevice);
      const network = new Network();
      const optimizer = new Momentum(network.parameters);
      const step = async (seed: number): Promise<void> => {
        const loss = network.loss(batch(5, seed));
        await loss.item();
        loss.backward();
        optimizer.step();
        optimizer.zeroGrad();
        await network.w1.data();
      };
      expect(await counted(device, () => step(1))).toEqual({ compilations: 2, programs: 2, recomputed: 0 });
      expect(await counted(device, () => step(2))).toEqual({ compilations: 0, programs: 2, recomputed: 0 });
    });

    test('not through composites, reductions and indexing', async () => {
      const device = await freshDevice(createDevice);
      const w = tensor(
        [
          [1, 2, 3],
          [3, 1, 2],
        ],
        { requiresGrad: true },
      );
      const index = tensor([[0], [2]], { dtype: 'int32' });
      const loss = w
        .softmax()
        .log()
        .gather(1, index)
        .max({ axis: 0 })
        .prod()
        .add(w.logsumexp({ axis: 1 }).std());
      const work = await counted(device, async () => {
        await loss.sum().item();
        await loss.sum().item();
      });
      expect(work.recomputed).toBe(0);
      const total = loss.sum();
      const after = await counted(device, async () => {
        await total.item();
        total.backward();
        await w.grad!.data();
      });
      expect(after.recomputed).toBe(0);
    });

    const FUNCTIONS: { readonly [what: string]: (logits: Tensor, loss: Tensor) => Tensor } = {
      argmax: (logits) => logits.argmax({ axis: 1 }),
      'an accuracy': (logits) =>
        logits
          .argmax({ axis: 1 })
          .eq(tensor([0, 1, 2, 0, 1], { dtype: 'int32' }))
          .cast('float32')
          .mean(),
      'a comparison': (logits) => logits.gt(0).any(),
      'a detached value': (logits) => logits.detach(),
      'a detached loss': (_, loss) => loss.detach(),
      'a value without gradients': (logits) => noGrad(() => logits.softmax().max()),
      'of several values': (logits, loss) => noGrad(() => logits.max().add(loss)),
    };
    test.each(Object.entries(FUNCTIONS))(
      'not when a function without a derivative is read before backward: %s',
      async (_, f) => {
        const run = async (reads: boolean): Promise<unknown> => {
          const device = await freshDevice(createDevice);
          const network = new Network();
          const optimizer = new Momentum(network.parameters);
          const step = async (seed: number): Promise<void> => {
            const { x, y } = batch(5, seed);
            const logits = network.forward(x);
            const loss = logits.sub(y).square().mean();
            if (reads) await f(logits, loss).data();
            loss.backward();
            optimizer.step();
            optimizer.zeroGrad();
            await network.w1.data();
            expect(Number.isFinite(await loss.item())).toBe(true);
          };
          const work = await counted(device, async () => {
            for (let seed = 1; seed < 4; seed++) await step(seed);
          });
          expect(work.recomputed).toBe(0);
          if (reads) expect(work).toMatchObject({ compilations: 2, programs: 6 });
          return network.values();
        };
        expect(await run(true)).toEqual(await run(false));
      },
    );

    test('what is kept for a function without a derivative goes with backward, or with the value', async () => {
      const device = await freshDevice(createDevice);
      const x = tensor(new Float32Array(1024).fill(0.5), { requiresGrad: true });
      const start = device.memory().live;
      const forward = async (): Promise<Tensor> => {
        const hidden = x.tanh().exp();
        expect(await hidden.gt(100).any().item()).toBe(0);
        return hidden;
      };
      const hidden = await forward();
      expect(device.memory().live - start).toBeGreaterThanOrEqual(4096);
      hidden.sum().backward();
      await x.grad!.data();
      x.grad = null;
      expect((await collect(device)) - start).toBeLessThan(4096);
      for (let iteration = 0; iteration < 50; iteration++) await forward();
      expect((await collect(device)) - start).toBeLessThan(8 * 4096);
    });

    test('what is read of many values keeps nothing, nor does what is recorded nowhere', async () => {
      const device = await freshDevice(createDevice);
      const w = tensor(new Float32Array(64).fill(0.1), { requiresGrad: true });
      const start = device.memory().live;
      const parts = Array.from({ length: 8 }, (_, k) => w.mul(k + 1).exp());
      await parts.reduce((sum, part) => sum.add(part.gt(0).cast('float32').sum()), tensor(0)).item();
      await noGrad(() => w.tanh().exp().gt(0).any()).item();
      expect((await collect(device)) - start).toBeLessThan(256);
    });

    test("backward's run releases what was kept; what was asked for stays", async () => {
      const device = await freshDevice(createDevice);
      const x = tensor(new Float32Array(1024).fill(0.5), { requiresGrad: true });
      const hidden = x.tanh();
      const loss = hidden.exp().sum();
      const start = device.memory().live;
      await loss.item();
      expect(device.memory().live - start).toBeGreaterThanOrEqual(4096);
      expect((await hidden.data())[0]).toBeCloseTo(Math.tanh(0.5));
      loss.backward();
      await x.grad!.data();
      // The loss, the gradient, and the value that was read.
      expect(device.memory().live - start).toBeLessThanOrEqual(4 + 2 * 4096);
      for (let step = 0; step < 2; step++) {
        noGrad(() => x.assign(x.mul(0)));
        await x.data();
      }
      expect((await hidden.data())[0]).toBeCloseTo(Math.tanh(0.5));
    });

    test('neither movements nor random numbers are kept, nor anything under noGrad', async () => {
      const device = await freshDevice(createDevice);
      const x = tensor(new Float32Array(1024).fill(0.5), { requiresGrad: true });
      const mask = rand([1024]).gt(0.5).cast('float32');
      const loss = x.reshape(32, 32).transpose().flatten().mul(mask).sum();
      const { live } = device.memory();
      await loss.item();
      expect(device.memory().live - live).toBe(4);
    });

    test('a value after a consumed root can still be read', async () => {
      await freshDevice(createDevice);
      const w = tensor([3], { requiresGrad: true });
      const loss = w.mul(w).sum();
      loss.backward();
      expect(await loss.mul(2).item()).toBe(18);
      expect(await loss.add(1).item()).toBe(10);
      expect(() => loss.add(1).backward()).toThrow(GradientError);
    });

    test('two roots over one trunk', async () => {
      const device = await freshDevice(createDevice);
      const w = tensor([0.5, 0.25], { requiresGrad: true });
      const trunk = w.tanh();
      const [first, second] = [trunk.exp().sum(), trunk.square().sum()];
      const work = await counted(device, async () => {
        await realize(first, second);
        first.backward();
        await w.grad!.data();
        second.backward();
        await w.grad!.data();
      });
      expect(work.recomputed).toBe(0);
      const [t0, t1] = [Math.tanh(0.5), Math.tanh(0.25)];
      const expected = [t0, t1].map((t) => (Math.exp(t) + 2 * t) * (1 - t * t));
      (await w.grad!.data()).forEach((value, index) => expect(value).toBeCloseTo(expected[index]!, 5));
    });

    test('checkpoint recomputes, with the same random numbers', async () => {
      const device = await freshDevice(createDevice);
      const w = tensor(new Float32Array(1024).fill(0.5), { requiresGrad: true });
      const block = (x: Tensor): Tensor =>
        x
          .mul(rand([1024]).gt(0.5).cast('float32').mul(2))
          .tanh()
          .exp()
          .tanh()
          .exp();
      const loss = checkpoint(block)(w).sum();
      const start = device.memory().live;
      await loss.item();
      expect(device.memory().live - start).toBe(4);
      const work = await counted(device, async () => {
        loss.backward();
        await w.grad!.data();
      });
      expect(work.programs).toBe(1);
      const g = await w.grad!.data();
      const f = (x: number): number => Math.exp(Math.tanh(Math.exp(Math.tanh(x))));
      const slope = (f(1 + 1e-5) - f(1 - 1e-5)) / 2e-5;
      const active = [...g].filter((value) => value !== 0);
      expect(active.length).toBeGreaterThan(400);
      for (const value of active) expect(value).toBeCloseTo(2 * slope, 2);
      // The gradient flows exactly where the forward pass let the value through.
      const through = await loss.item();
      expect(active.length * f(1) + (1024 - active.length) * f(0)).toBeCloseTo(through, 0);
    });
  });
}
