/**
 * Rules 12 and 14 to 17: gradients are nodes of the same graph; how they
 * accumulate; and what they are where a function has no derivative.
 */
import { grad, GradientError, realize, tensor } from '@firsthand/autograd';
import type { Tensor } from '@firsthand/autograd';
import { describe, expect, test } from 'vitest';
import { batch, counted, freshDevice, Momentum, Network, trainingStep } from './fixture.ts';
import type { CreateDevice } from './fixture.ts';

export function describeGradients(createDevice: CreateDevice): void {
  describe('rule 12: gradients are nodes', () => {
    test('derivatives of any order exist', async () => {
      await freshDevice(createDevice);
      const first = grad((x) => x.pow(4).sum());
      const second = grad((x) => first(x).sum());
      const third = grad((x) => second(x).sum());
      const x = tensor([2]);
      expect([await first(x).item(), await second(x).item(), await third(x).item()]).toEqual([32, 48, 48]);
    });

    test('a gradient may be used before anything has run', async () => {
      const device = await freshDevice(createDevice);
      const w = tensor([3], { requiresGrad: true });
      w.mul(w).sum().backward();
      const work = await counted(device, async () => expect(await w.grad!.mul(2).item()).toBe(12));
      expect(work.programs).toBe(1);
    });
  });

  describe('rule 14: a graph is differentiated once, unless it is retained', () => {
    test.each([false, true])('a second backward throws, read in between: %s', async (read) => {
      await freshDevice(createDevice);
      const w = tensor([3], { requiresGrad: true });
      const loss = w.mul(w).sum();
      loss.backward();
      if (read) await realize(loss, w.grad!);
      expect(() => loss.backward()).toThrow(GradientError);
      expect(() => loss.backward()).toThrow(/retainGraph/);
      expect(await w.grad!.item()).toBe(6);
    });

    test.each([false, true])('retainGraph allows it, read in between: %s', async (read) => {
      const device = await freshDevice(createDevice);
      const w = tensor([3], { requiresGrad: true });
      const work = await counted(device, async () => {
        const loss = w.tanh().exp().sum();
        loss.backward(undefined, { retainGraph: true });
        if (read) await realize(loss, w.grad!);
        loss.backward();
        await w.grad!.item();
        expect(() => loss.backward()).toThrow(GradientError);
      });
      const t = Math.tanh(3);
      expect(await w.grad!.item()).toBeCloseTo(2 * Math.exp(t) * (1 - t * t), 5);
      expect(work.recomputed).toBe(0);
    });

    test('what does not require a gradient says so', async () => {
      await freshDevice(createDevice);
      expect(() => tensor([1]).sum().backward()).toThrow(GradientError);
      expect(() => tensor([1, 2], { requiresGrad: true }).backward()).toThrow(/seed/);
    });
  });

  describe('rule 15: gradients add up, until they are dropped', () => {
    test('backward adds; null drops', async () => {
      await freshDevice(createDevice);
      const w = tensor([3], { requiresGrad: true });
      w.mul(w).sum().backward();
      w.mul(5).sum().backward();
      expect(await w.grad!.item()).toBe(11);
      w.grad = null;
      expect(w.grad).toBeNull();
      w.mul(7).sum().backward();
      expect(await w.grad!.item()).toBe(7);
    });

    test('gradients used and dropped in one step never become buffers', async () => {
      const measure = async (dropped: boolean): Promise<number> => {
        const device = await freshDevice(createDevice);
        const network = new Network();
        const optimizer = new Momentum(network.parameters);
        // Kept, so that the collector has no part in what is counted.
        const retained: Tensor[] = [];
        for (let step = 0; step < 3; step++) {
          const { x, y } = batch(2, 1);
          const loss = network.loss({ x, y });
          retained.push(x, y, loss);
          loss.backward();
          optimizer.step();
          if (dropped) optimizer.zeroGrad();
          await loss.item();
        }
        const { live } = device.memory();
        expect(retained).toHaveLength(9);
        return live;
      };
      const gradients = 4 * (4 * 8 + 8 * 3);
      expect((await measure(false)) - (await measure(true))).toBe(gradients);
    });

    test('replaced gradients (clipping) never become buffers either, and stay in the step', async () => {
      const run = async (clip: (w: Tensor) => void): Promise<void> => {
        const device = await freshDevice(createDevice);
        const w = tensor(new Float32Array(256).fill(1), { requiresGrad: true, name: 'w' });
        const optimizer = new Momentum([w]);
        const step = (): Tensor => {
          const loss = w.mul(w).sum();
          loss.backward();
          clip(w);
          optimizer.step();
          optimizer.zeroGrad();
          return loss;
        };
        await step().item();
        await step().item();
        const { live } = device.memory();
        const work = await counted(device, () => step().item());
        expect(work).toEqual({ compilations: 0, programs: 1, recomputed: 0 });
        expect(device.memory().live - live).toBeLessThanOrEqual(4);
      };
      await run((w) => {
        w.grad = w.grad!.mul(0.5);
      });
      await run((w) => {
        w.grad!.assign(w.grad!.mul(0.5));
      });
    });

    test('a clipped gradient that is not dropped is stored with the step', async () => {
      const device = await freshDevice(createDevice);
      const w = tensor([3], { requiresGrad: true });
      const optimizer = new Momentum([w]);
      const work = await counted(device, async () => {
        w.tanh().mul(w).sum().backward();
        w.grad = w.grad!.mul(0).add(0.25);
        optimizer.step();
        await w.data();
        expect(await w.grad.item()).toBe(0.25);
        w.mul(2).sum().backward();
        expect(await w.grad.item()).toBe(2.25);
      });
      expect(work).toMatchObject({ programs: 2, recomputed: 0 });
    });

    test('a computed value has a gradient when it is asked for', async () => {
      await freshDevice(createDevice);
      const w = tensor([1, 2], { requiresGrad: true });
      const doubled = w.mul(2);
      doubled.retainGrad();
      doubled.mul(doubled).sum().backward();
      expect(await doubled.grad!.toArray()).toEqual([4, 8]);
      expect(await w.grad!.toArray()).toEqual([8, 16]);
    });

    test('a gradient handle follows later accumulation, a detached one does not', async () => {
      await freshDevice(createDevice);
      const w = tensor([1, 2], { requiresGrad: true });
      w.mul(3).sum().backward();
      const retained = w.grad!;
      await retained.data();
      const snapshot = retained.detach();
      for (let pass = 0; pass < 2; pass++) {
        w.mul(3).sum().backward();
        await retained.data();
      }
      expect(w.grad).toBe(retained);
      expect(await retained.toArray()).toEqual([9, 9]);
      expect(await snapshot.toArray()).toEqual([3, 3]);
    });

    test('a gradient that somebody kept is still there after the step', async () => {
      await freshDevice(createDevice);
      const w = tensor([3], { requiresGrad: true });
      w.mul(w).sum().backward();
      const retained = w.grad!;
      await retained.data();
      w.grad = null;
      expect(await retained.item()).toBe(6);
    });
  });

  describe('rule 16: values let go of what made them', () => {
    test('a variable and a consumed root drop their inputs', async () => {
      await freshDevice(createDevice);
      const network = new Network();
      const loss = trainingStep(network, new Momentum(network.parameters), batch(2, 1));
      await loss.item();
      expect(loss.node.inputs).toEqual([]);
      expect(network.w1.node.inputs).toEqual([]);
    });
  });

  describe('rule 17: ties and edges', () => {
    const slopes = async (f: (x: Tensor) => Tensor, at: readonly number[]): Promise<unknown> => {
      const x = tensor([...at], { requiresGrad: true });
      f(x).sum().backward();
      return x.grad!.toArray();
    };
    test('they are what PyTorch gives', async () => {
      await freshDevice(createDevice);
      expect(await slopes((x) => x.relu(), [0, -1, 2])).toEqual([0, 0, 1]);
      expect(await slopes((x) => x.abs(), [0, -1, 2])).toEqual([0, -1, 1]);
      expect(await slopes((x) => x.sqrt(), [0, 4])).toEqual([Infinity, 0.25]);
      expect(await slopes((x) => x.clamp(-1, 1), [-1, 1, 0, 3])).toEqual([1, 1, 1, 0]);
      expect(await slopes((x) => x.max(), [2, 5, 5])).toEqual([0, 0.5, 0.5]);
      expect(await slopes((x) => x.maximum(tensor([5, 5, 5])), [2, 5, 7])).toEqual([0, 0.5, 1]);
      expect(await slopes((x) => x.leakyRelu(0.1).mul(10), [0, 2])).toEqual([1, 10]);
      expect(await slopes((x) => x.norm(), [0, 0])).toEqual([0, 0]);
      expect(await slopes((x) => x.prod(), [0, 2, 3])).toEqual([6, 0, 0]);
      expect(await slopes((x) => x.elu(0.5), [0, 2])).toEqual([0.5, 1]);
      expect(
        await slopes(
          grad((x) => x.elu(0.5).sum()),
          [0, 2],
        ),
      ).toEqual([0, 0]);
      expect(await slopes((x) => tensor([0, 0, 2]).pow(x), [0, 3, 0])).toEqual([0, 0, Math.fround(Math.LN2)]);
    });
    test('a piecewise constant function has the gradient 0', async () => {
      await freshDevice(createDevice);
      expect(await slopes((x) => x.round(), [0.5, 2])).toEqual([0, 0]);
      expect(await slopes((x) => x.sign().mul(3), [0, 2])).toEqual([0, 0]);
      expect(await slopes((x) => x.floor().add(x), [0, 2])).toEqual([1, 1]);
      expect(await slopes((x) => x.gt(1).cast('float32').add(x.mul(2)), [0, 2])).toEqual([2, 2]);
    });
  });
}
