/**
 * Rule 26: failures. The device under test is wrapped in the queue that fails on demand: a failed run poisons
 * the variables that it should have written, and those of queued runs that read them, until they are assigned
 * from healthy values.
 */
import { engine } from '#engine';
import { compile, DeviceError, noGrad, realize, tensor } from '@firsthand/autograd';
import type { Tensor } from '@firsthand/autograd';
import { runtimeOf } from '@firsthand/runtime';
import { describe, expect, test } from 'vitest';
import { createQueued } from '../queued-device.ts';
import type { QueuedDevice } from '../queued-device.ts';
import { batch, counted, freshDevice, Momentum, Network, trainingStep } from './fixture.ts';
import type { CreateDevice } from './fixture.ts';

export function describeFailure(createDevice: CreateDevice): void {
  const queued = async (): Promise<QueuedDevice> => {
    const device = createQueued(await createDevice());
    await freshDevice(() => device);
    return device;
  };

  describe('rule 26: failures', () => {
    test('a failure before anything is enqueued changes nothing', async () => {
      const device = await queued();
      const w = tensor([1]);
      const step = compile((x: Tensor) => {
        w.assign(w.add(x));
        return w.mul(2);
      });
      const prepare = device.prepare.bind(device);
      device.prepare = () => {
        throw new DeviceError('out of memory');
      };
      expect(() => step(tensor([1]))).toThrow('out of memory');
      device.prepare = prepare;
      expect(await w.item()).toBe(1);
      expect(await step(tensor([1])).item()).toBe(4);
      expect(await w.item()).toBe(2);
    });

    test('a failed run poisons its variables, and says so to those who ask for them', async () => {
      const device = await queued();
      const w = tensor([1], { name: 'w' });
      const other = tensor([5]);
      w.assign(w.add(1));
      device.failNext(new DeviceError('the device was lost'));
      await expect(w.data()).rejects.toThrow('the device was lost');
      await expect(w.data()).rejects.toThrow('the device was lost');
      await expect(w.add(1).data()).rejects.toThrow('the device was lost');
      expect(await other.add(1).item()).toBe(6);
    });

    test('queued programs that read a poisoned variable are poisoned too, others are not', async () => {
      const device = await queued();
      const [a, b, c] = [tensor([1]), tensor([10]), tensor([100])];
      device.hold();
      device.failNext(new DeviceError('no memory'));
      a.assign(a.add(1));
      runtimeOf(device).flush();
      b.assign(b.add(a));
      c.assign(c.add(1));
      const sum = b.add(a);
      const reads = Promise.allSettled([b.item(), c.item(), sum.item(), a.item()]);
      expect(device.probe.inFlight).toBeGreaterThanOrEqual(3);
      device.resume();
      const [ofB, ofC, ofSum, ofA] = await reads;
      for (const each of [ofA, ofB, ofSum])
        expect(each).toMatchObject({ status: 'rejected', reason: { message: 'no memory' } });
      expect(ofC).toMatchObject({ status: 'fulfilled', value: 101 });
    });

    test('a variable assigned from healthy values is healthy again', async () => {
      const device = await queued();
      const w = tensor([1]);
      const healthy = tensor([3]);
      w.assign(w.add(1));
      device.failNext(new DeviceError('lost'));
      await expect(w.data()).rejects.toThrow('lost');
      w.assign(w.add(1));
      await expect(w.data()).rejects.toThrow('lost');
      w.assign(healthy.mul(2));
      w.assign(w.add(1));
      expect(await w.item()).toBe(7);
    });

    test.each(['run', 'compilation'] as const)(
      'a failed %s in training: everything it writes, and the way back',
      async (what) => {
        const device = await queued();
        const network = new Network();
        const optimizer = new Momentum(network.parameters);
        const state = [...network.parameters, ...optimizer.moments];
        await trainingStep(network, optimizer, batch(3, 1)).item();
        const saved = await Promise.all(state.map((each) => each.data()));
        if (what === 'run') device.failNext(new DeviceError('lost'));
        else device.failNextCompile(new DeviceError('lost'));
        const loss = trainingStep(network, optimizer, batch(what === 'run' ? 3 : 4, 2));
        const later = trainingStep(network, optimizer, batch(3, 3));
        for (const each of [loss, later, ...state]) await expect(each.data()).rejects.toThrow('lost');
        noGrad(() =>
          state.forEach((each, index) => each.assign(tensor(saved[index]!, { shape: each.shape }))),
        );
        const again = await trainingStep(network, optimizer, batch(3, 2)).item();
        expect(again).toBeGreaterThan(0);
        expect(device.probe.violations).toEqual([]);

        const fresh = await queued();
        const twin = new Network();
        const twinOptimizer = new Momentum(twin.parameters);
        await trainingStep(twin, twinOptimizer, batch(3, 1)).item();
        expect(await trainingStep(twin, twinOptimizer, batch(3, 2)).item()).toBe(again);
        expect(fresh.probe.violations).toEqual([]);
      },
    );

    test('a compiled step that failed leaves its state poisoned; the next call refuses and changes nothing', async () => {
      const device = await queued();
      const w = tensor([1], { name: 'w' });
      const count = tensor([0], { name: 'count' });
      const step = compile((x: Tensor) => {
        w.assign(w.add(x));
        return w.mul(2);
      });
      const counting = compile(() => {
        count.assign(count.add(1));
      });
      const one = tensor([1]);
      await step(one).item();
      device.failNext(new DeviceError('lost'));
      const failed = step(one);
      counting();
      await expect(failed.item()).rejects.toThrow('lost');
      const work = await counted(device, () => expect(() => step(one)).toThrow('lost'));
      expect(work.programs).toBe(0);
      counting();
      expect(await count.item()).toBe(2);
      w.assign(tensor([10]));
      expect(await step(one).item()).toBe(22);
    });

    test('a poisoned gradient goes when it is dropped', async () => {
      const device = await queued();
      const w = tensor([3], { requiresGrad: true });
      device.failNext(new DeviceError('lost'));
      w.mul(w).sum().backward();
      await expect(w.grad!.data()).rejects.toThrow('lost');
      w.mul(w).sum().backward();
      await expect(w.grad!.data()).rejects.toThrow('lost');
      w.grad = null;
      w.mul(w).sum().backward();
      expect(await w.grad!.item()).toBe(6);
    });

    test('a failure that nobody asks about is nobody’s unhandled rejection', async () => {
      const device = await queued();
      const w = tensor([1]);
      const seen = await engine.unhandledRejections(async () => {
        w.assign(w.add(1));
        device.failNext(new DeviceError('lost'));
        runtimeOf(device).flush();
        await device.idle();
        await new Promise((resolve) => setTimeout(resolve, 0));
      });
      expect(seen).toEqual([]);
      await expect(realize(w)).rejects.toThrow('lost');
    });
  });
}
