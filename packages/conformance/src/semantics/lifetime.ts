/**
 * Rules 9 to 11: the values that a program saves, values that are requested too late, updates that overwrite
 * storage, and what `noGrad` and the functional transforms do not record.
 */
import {
  grad,
  gradCheck,
  jvp,
  noGrad,
  realize,
  stateVariable,
  StaleError,
  tensor,
  updateStatistic,
  vjp,
  vmap,
} from '@firsthand/autograd';
import type { Tensor } from '@firsthand/autograd';
import { array, DTypeError } from '@firsthand/linalg';
import { describe, expect, test, vi } from 'vitest';
import { batch, counted, freshDevice, Momentum, Network, trainingStep } from './fixture.ts';
import type { CreateDevice } from './fixture.ts';

export function describeLifetime(createDevice: CreateDevice): void {
  describe('rule 9: what a program keeps', () => {
    test('its effects, the root of backward, and what was asked for', async () => {
      const device = await freshDevice(createDevice);
      const network = new Network();
      const optimizer = new Momentum(network.parameters);
      const { x, y } = batch(4, 1);
      const output = network.forward(x);
      const loss = output.sub(y).square().mean();
      loss.backward();
      optimizer.step();
      await network.w1.data();
      expect(await counted(device, () => loss.item())).toMatchObject({ programs: 0 });
    });

    test('another value is computed again, counted, and warned of once', async () => {
      const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
      try {
        const device = await freshDevice(createDevice);
        const network = new Network();
        const output = network.forward(batch(4, 1).x);
        const loss = output.square().mean();
        loss.backward();
        await loss.item();
        const work = await counted(device, () => output.data());
        expect(work).toMatchObject({ programs: 1 });
        expect(work.recomputed).toBeGreaterThanOrEqual(2);
        expect(warn).toHaveBeenCalledTimes(1);
        expect(warn.mock.lastCall?.[0]).toMatch(
          /^firsthand: for matmul \(float32 \[4, 3\]\) and tanh \(float32 \[4, 8\]\), matmul \(float32 \[4, 3\]\) and 2 operations before it were computed a second time: .* await realize\(a, b\)\.$/,
        );
        await network.forward(batch(4, 1).x).exp().sum().data();
        expect(await counted(device, () => output.data())).toEqual({
          compilations: 0,
          programs: 0,
          recomputed: 0,
        });
        expect(warn).toHaveBeenCalledTimes(1);
      } finally {
        warn.mockRestore();
      }
    });

    test('asking for values together computes nothing twice', async () => {
      const device = await freshDevice(createDevice);
      const network = new Network();
      const output = network.forward(batch(4, 1).x);
      const loss = output.square().mean();
      loss.backward();
      const work = await counted(device, async () => {
        await realize(loss, output);
        await output.data();
      });
      expect(work).toMatchObject({ programs: 1, recomputed: 0 });
    });

    test('a value whose inputs have moved on throws and names the variable', async () => {
      await freshDevice(createDevice);
      const w = tensor([1, 2], { name: 'fc1.weight' });
      const early = w.mul(2);
      for (let step = 0; step < 2; step++) {
        w.assign(w.add(1));
        await w.data();
      }
      await expect(early.data()).rejects.toThrow(StaleError);
      await expect(early.data()).rejects.toThrow(/"fc1\.weight"/);
      expect(await w.toArray()).toEqual([3, 4]);
    });
  });

  describe('rule 10: storage is overwritten when nobody else can see it', () => {
    test('a parameter keeps one previous generation', async () => {
      await freshDevice(createDevice);
      const network = new Network();
      const optimizer = new Momentum(network.parameters);
      const { x, y } = batch(4, 1);
      const before = await noGrad(() => network.forward(x)).data();
      const output = network.forward(x);
      const loss = output.sub(y).square().mean();
      loss.backward();
      optimizer.step();
      optimizer.zeroGrad();
      await loss.item();
      expect(await output.data()).toEqual(before);
    });

    test('live memory is two generations of parameters and one of optimizer state', async () => {
      const device = await freshDevice(createDevice);
      const start = device.memory().live;
      const w = tensor(new Float32Array(1024), { requiresGrad: true, name: 'w' });
      const optimizer = new Momentum([w]);
      for (let step = 0; step < 6; step++) {
        const loss = w.add(1).square().sum();
        loss.backward();
        optimizer.step();
        optimizer.zeroGrad();
        await loss.item();
      }
      // The losses, one number each, are the collector's.
      expect(device.memory().live - start - 3 * 4096).toBeLessThanOrEqual(6 * 4);
    });

    test('optimizer state is overwritten in place', async () => {
      const device = await freshDevice(createDevice);
      const state = stateVariable(array([1, 2]), { name: 'moment' });
      const early = state.mul(2);
      const { live } = device.memory();
      state.assign(state.add(1));
      expect(await state.toArray()).toEqual([2, 3]);
      expect(device.memory().live).toBe(live);
      await expect(early.data()).rejects.toThrow(/"moment"/);
    });

    test('a second handle forces an update out of place', async () => {
      await freshDevice(createDevice);
      const state = stateVariable(array([1, 2]), { name: 'moment' });
      const detached = state.detach();
      const w = tensor([5, 6], { name: 'w' });
      const snapshot = w.detach();
      for (let step = 0; step < 4; step++) {
        state.assign(state.add(1));
        w.assign(w.add(1));
        await realize(state, w);
      }
      expect(await detached.toArray()).toEqual([1, 2]);
      expect(await snapshot.toArray()).toEqual([5, 6]);
      expect(await state.toArray()).toEqual([5, 6]);
    });

    test('a snapshot of a variable whose update is pending is one too', async () => {
      const device = await freshDevice(createDevice);
      const w = tensor([0], { requiresGrad: true, name: 'w' });
      const state = stateVariable(array([0]), { name: 'moment' });
      const snapshots: Tensor[] = [];
      const work = await counted(device, async () => {
        for (let step = 1; step <= 5; step++) {
          noGrad(() => w.assign(w.add(1)));
          state.assign(state.add(w.detach()));
          snapshots.push(w.detach(), state.detach());
        }
        await realize(w, state);
      });
      expect(work.recomputed).toBe(0);
      const before = await counted(device, async () => {
        expect(await Promise.all(snapshots.map((each) => each.item()))).toEqual([
          1, 1, 2, 3, 3, 6, 4, 10, 5, 15,
        ]);
      });
      expect(before.programs).toBe(0);
      w.detach().dispose();
      expect(await w.item()).toBe(5);
    });

    test('the choice is part of the key', async () => {
      const device = await freshDevice(createDevice);
      const state = stateVariable(array([1, 2]));
      const update = async (): Promise<void> => {
        state.assign(state.add(1));
        await state.data();
      };
      expect(await counted(device, update)).toMatchObject({ compilations: 1 });
      const detached = state.detach();
      expect(await counted(device, update)).toMatchObject({ compilations: 1 });
      expect(await counted(device, update)).toMatchObject({ compilations: 0 });
      expect(await detached.toArray()).toEqual([2, 3]);
    });

    test('a reader built before the update runs with it or before it', async () => {
      await freshDevice(createDevice);
      const state = stateVariable(array([1, 2]), { name: 'moment' });
      const reader = state.mul(10);
      state.assign(state.add(1));
      expect(await reader.toArray()).toEqual([10, 20]);
      expect(await state.toArray()).toEqual([2, 3]);
    });

    test('an average of the weights reads them before or after the step, as written', async () => {
      await freshDevice(createDevice);
      const w = tensor([8], { requiresGrad: true, name: 'w' });
      const average = tensor([0], { name: 'average' });
      const averages: number[] = [];
      for (let step = 0; step < 4; step++) {
        const share = noGrad(() => w.mul(0.5));
        w.mul(2).sum().backward();
        noGrad(() => w.assign(w.sub(w.grad!)));
        w.grad = null;
        noGrad(() => average.assign(average.mul(0.5).add(share)));
      }
      averages.push(await average.item());
      // w = 8, 6, 4, 2: a ← a/2 + w/2
      expect(averages).toEqual([((8 / 2 / 2 + 6 / 2) / 2 + 4 / 2) / 2 + 2 / 2]);
    });
  });

  describe('rule 11: what leaves no trace', () => {
    test('noGrad records no gradient, and restores the mode after an error', async () => {
      await freshDevice(createDevice);
      const w = tensor([1], { requiresGrad: true });
      expect(noGrad(() => w.mul(2)).requiresGrad).toBe(false);
      expect(() =>
        noGrad(() => {
          throw new Error('inside');
        }),
      ).toThrow('inside');
      expect(w.mul(2).requiresGrad).toBe(true);
      expect(() => noGrad(async () => w.mul(2))).toThrow(TypeError);
    });

    test('running statistics stay as they are in transforms and in gradCheck', async () => {
      const device = await freshDevice(createDevice);
      // gradCheck needs float64; elsewhere it says so.
      const dtype = device.supports('float64') ? 'float64' : 'float32';
      const statistic = tensor([0], { dtype });
      const f = (x: Tensor): Tensor => {
        updateStatistic(statistic, statistic.add(1));
        return x.mul(x).sum();
      };
      const x = tensor([3], { dtype });
      expect(await grad(f)(x).item()).toBe(6);
      expect(await vjp(f, x)[0].item()).toBe(9);
      expect(await jvp(f, [x], [x])[1].item()).toBe(18);
      expect(await vmap(f)(x.reshape(1, 1)).toArray()).toEqual([9]);
      if (dtype === 'float64') expect(await gradCheck(f, [x])).toMatchObject({ ok: true });
      else await expect(gradCheck(f, [x])).rejects.toThrow(DTypeError);
      expect(await statistic.item()).toBe(0);
      await f(x).item();
      expect(await statistic.item()).toBe(1);
    });

    test('training without gradients costs one program and keeps nothing', async () => {
      const device = await freshDevice(createDevice);
      const network = new Network();
      const data = batch(4, 1);
      const work = await counted(device, () => noGrad(() => network.loss(data)).item());
      expect(work).toEqual({ compilations: 1, programs: 1, recomputed: 0 });
      await trainingStep(network, new Momentum(network.parameters), data).item();
    });
  });
}
