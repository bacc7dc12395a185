/**
 * Rules 1 to 4: nodes are immutable and checked when they are built, tensors are handles, leaves are no part
 * of a program's key, and a composite means what its body means. Of rule 3, plain loops too: a number that
 * varies between iterations becomes an argument of one program.
 */
import {
  arange,
  compile,
  defineOp,
  DeviceError,
  DTypeError,
  full,
  grad,
  gradients,
  hostValue,
  jvp,
  manualSeed,
  ones,
  rand,
  randn,
  realize,
  setDefaultDevice,
  ShapeError,
  StaleError,
  tensor,
  vjp,
  zeros,
} from '@firsthand/autograd';
import type { Tensor } from '@firsthand/autograd';
import { createReference } from '@firsthand/runtime';
import { describe, expect, test } from 'vitest';
import { batch, counted, freshDevice, Momentum, Network, trainingStep } from './fixture.ts';
import type { CreateDevice } from './fixture.ts';

export function describeValues(createDevice: CreateDevice): void {
  describe('rule 1: a node computes nothing and checks everything', () => {
    test('building, differentiating and printing run no program', async () => {
      const device = await freshDevice(createDevice);
      const work = await counted(device, () => {
        const network = new Network();
        const loss = network.loss(batch(5, 1));
        loss.backward();
        new Momentum(network.parameters).step();
        expect(`${loss.toString()}`).toContain('not computed');
      });
      expect(work).toEqual({ compilations: 0, programs: 0, recomputed: 0 });
    });

    test('errors come at the call', async () => {
      await freshDevice(createDevice);
      const a = tensor([[1, 2, 3]]);
      expect(() => a.matmul(tensor([[1, 2]]))).toThrow(ShapeError);
      expect(() => a.add(tensor([[1, 2]]))).toThrow(ShapeError);
      expect(() => a.add(tensor([1, 2, 3], { dtype: 'int32' }))).toThrow(DTypeError);
      expect(() => tensor([1], { dtype: 'int32', requiresGrad: true })).toThrow(DTypeError);
    });

    test('devices do not mix', async () => {
      await freshDevice(createDevice);
      const here = tensor([1, 2], { name: 'here' });
      const there = tensor([1, 2], { device: createReference(), name: 'there' });
      expect(() => here.add(there)).toThrow(DeviceError);
      expect(() => here.assign(there)).toThrow(DeviceError);
      expect(() => here.add(there)).toThrow(/there/);
      const moved = await there.to(here.device);
      expect(await here.add(moved).toArray()).toEqual([2, 4]);
    });

    test('a derivative that is a constant is on the device of its tensor; a constant that was computed stays where it was', async () => {
      const device = await freshDevice(createDevice);
      const other = createReference();
      const [a, b] = [
        tensor([2, 3], { device: other, requiresGrad: true }),
        tensor([5, 7], { device: other, requiresGrad: true }),
      ];
      const derivatives: readonly (readonly [string, () => Tensor])[] = [
        ['gradients', () => gradients(a.add(b).sum(), a)],
        ['gradients of what is not read', () => gradients(b.sum(), a)],
        ['grad', () => grad((x: Tensor) => x.sum())(a)],
        ['vjp', () => vjp((x: Tensor) => x.sum(), a)[1](ones([], { device: other }))[0]!],
        ['jvp', () => jvp((x: Tensor) => x.detach(), [a], [ones([2], { device: other })])[1]],
      ];
      for (const [what, derive] of derivatives) {
        const found = derive();
        expect(found.device, what).toBe(other);
        await found.data();
        expect(await found.sub(found).add(a).toArray(), what).toEqual([2, 3]);
      }
      // Both gradients hold the same 1: reading one leaves the other what it was.
      const [first, second] = gradients(b.mod(a).sum(), [b, a]);
      expect(await first.toArray()).toEqual([1, 1]);
      expect(await second.toArray()).toEqual([-2, -2]);

      const constant = ones([2]);
      const doubled = constant.mul(2);
      expect(await constant.add(a.detach()).toArray()).toEqual([3, 4]);
      await constant.data();
      setDefaultDevice(other);
      expect([constant.device, doubled.device]).toEqual([device, other]);
      expect(await constant.toArray()).toEqual([1, 1]);
      expect(await doubled.add(a.detach()).toArray()).toEqual([4, 5]);
      expect(() => constant.add(a)).toThrow(DeviceError);
    });

    test('to(device) of a tensor that is there gives the tensor, pending or not, and computes nothing; elsewhere a copy', async () => {
      const device = await freshDevice(createDevice);
      const other = createReference();
      const w = tensor([1, 2], { requiresGrad: true, name: 'w' });
      const sum = w.add(1);
      const work = await counted(device, async () => {
        expect(await w.to(device)).toBe(w);
        expect(await sum.to(device)).toBe(sum);
      });
      expect(work.programs).toBe(0);
      const copy = await w.to(other);
      expect(copy).not.toBe(w);
      expect([copy.device, copy.name, copy.requiresGrad]).toEqual([other, 'w', true]);
      sum.sum().backward();
      expect([await w.grad!.toArray(), copy.grad]).toEqual([[1, 1], null]);
    });

    test('a model lives on a device that is not the default one', async () => {
      const device = await freshDevice(createDevice);
      await freshDevice(() => createReference());
      const w = tensor([1, 2], { device, requiresGrad: true });
      w.sum().backward();
      w.assign(w.sub(w.grad!));
      expect(await w.toArray()).toEqual([0, 1]);
      let traces = 0;
      const accumulate = compile(() => {
        traces++;
        w.sum().backward();
      });
      for (let call = 0; call < 3; call++) accumulate();
      expect(await w.grad!.toArray()).toEqual([4, 4]);
      expect(traces).toBe(1);
    });
  });

  describe('rule 2: a tensor is a handle', () => {
    test('readers keep the node that they read', async () => {
      await freshDevice(createDevice);
      const w = tensor([1, 2]);
      const doubled = w.mul(2);
      w.assign(w.add(10));
      const after = w.mul(2);
      expect(await doubled.toArray()).toEqual([2, 4]);
      expect(await after.toArray()).toEqual([22, 24]);
    });

    test('a constant may become a variable, a variable may be frozen while its update is pending', async () => {
      await freshDevice(createDevice);
      const total = zeros([]);
      for (let step = 1; step < 4; step++) total.assign(total.add(tensor([step, 1]).sum()));
      expect(await total.item()).toBe(9);
      const w = tensor([1], { requiresGrad: true, name: 'w' });
      for (let step = 0; step < 4; step++) {
        w.assign(w.detach().add(1));
        w.requiresGrad = step % 2 !== 0;
        w.assign(w.detach().add(1));
      }
      w.mul(2).sum().backward();
      expect([await w.item(), await w.grad!.item()]).toEqual([9, 2]);
    });

    test('data goes in and comes out as copies', async () => {
      await freshDevice(createDevice);
      const source = new Float32Array([1, 2]);
      const t = tensor(source);
      source[0] = 99;
      const first = await t.data();
      first[1] = 99;
      expect(await t.toArray()).toEqual([1, 2]);
      expect([...first]).toEqual([1, 99]);
    });

    test('a disposed handle throws; its storage outlives its readers', async () => {
      await freshDevice(createDevice);
      const t = tensor([1, 2], { name: 't' });
      const reader = t.add(1);
      t.dispose();
      expect(() => t.add(1)).toThrow(StaleError);
      expect(() => t.add(1)).toThrow(/disposed/);
      await expect(t.data()).rejects.toThrow(StaleError);
      expect(await reader.toArray()).toEqual([2, 3]);
    });

    test('disposing frees what nobody reads, uploaded or computed', async () => {
      const device = await freshDevice(createDevice);
      const x = tensor(new Float32Array(1024));
      const before = device.memory().live;
      const uploaded = tensor(new Float32Array(1024));
      uploaded.dispose();
      const computed = x.add(1);
      const same = computed.reshape(1024);
      await realize(computed);
      expect(device.memory().live).toBe(before + 4096);
      computed.dispose();
      expect((await same.data())[0]).toBe(1);
      const unshared = x.add(2);
      await realize(unshared);
      unshared.dispose();
      await x.data();
      expect(device.memory().live).toBe(before + 4096);
    });
  });

  describe('rule 3: leaves are no part of a key', () => {
    test('a training loop compiles once, over a ragged last batch twice', async () => {
      const device = await freshDevice(createDevice);
      const network = new Network();
      const optimizer = new Momentum(network.parameters);
      const train = async (rows: number, seed: number): Promise<void> => {
        optimizer.rate = 0.1 / seed;
        await trainingStep(network, optimizer, batch(rows, seed)).item();
      };
      expect(
        await counted(device, async () => {
          for (let step = 1; step <= 5; step++) await train(6, step);
        }),
      ).toEqual({ compilations: 1, programs: 5, recomputed: 0 });
      expect(await counted(device, () => train(2, 6))).toMatchObject({ compilations: 1, programs: 1 });
      expect(
        await counted(device, async () => {
          await train(6, 7);
          await train(2, 8);
        }),
      ).toMatchObject({ compilations: 0, programs: 2 });
    });

    test('a host leaf is sampled when its node is built', async () => {
      const device = await freshDevice(createDevice);
      const setting = { value: 2 };
      const x = tensor([1, 2]);
      const host = (): Tensor => hostValue(() => setting.value, { device });
      const first = x.mul(host());
      setting.value = 3;
      const second = x.mul(host());
      setting.value = 4;
      const work = await counted(device, async () => {
        expect(await first.toArray()).toEqual([2, 4]);
        expect(await second.toArray()).toEqual([3, 6]);
      });
      expect(work).toMatchObject({ compilations: 1, programs: 2 });
    });

    test('random numbers share a program', async () => {
      const device = await freshDevice(createDevice);
      const work = await counted(device, async () => {
        const [a, b] = [await randn([8]).data(), await randn([8]).data()];
        expect([...a]).not.toEqual([...b]);
      });
      expect(work).toMatchObject({ compilations: 1, programs: 2 });
    });

    test('what is asked for, and in which order, is part of the key', async () => {
      const device = await freshDevice(createDevice);
      const ask = async (
        choose: (sum: Tensor, product: Tensor) => readonly Tensor[],
      ): Promise<readonly number[]> => {
        const sum = tensor([1]).add(1);
        const requested = choose(sum, sum.mul(10));
        await realize(...requested);
        return Promise.all(requested.map((each) => each.item()));
      };
      const work = await counted(device, async () => {
        expect(await ask((_, product) => [product])).toEqual([20]);
        expect(await ask((sum, product) => [sum, product])).toEqual([2, 20]);
        expect(await ask((sum, product) => [product, sum])).toEqual([20, 2]);
      });
      expect(work).toMatchObject({ compilations: 3, programs: 3 });
    });

    test('a constant, a shape and an attribute are part of the key', async () => {
      const device = await freshDevice(createDevice);
      const x = tensor([1, 2, 3, 4]);
      const work = await counted(device, async () => {
        expect(await x.add(1).toArray()).toEqual([2, 3, 4, 5]);
        expect(await x.add(2).toArray()).toEqual([3, 4, 5, 6]);
        expect(await x.slice(0, 0, 2).toArray()).toEqual([1, 2]);
        expect(await x.slice(0, 2, 4).toArray()).toEqual([3, 4]);
        expect(await x.slice(0, 1, 4).toArray()).toEqual([2, 3, 4]);
        expect(await x.add(x).toArray()).toEqual([2, 4, 6, 8]);
        expect(await x.add(arange(4)).toArray()).toEqual([1, 3, 5, 7]);
      });
      expect(work).toMatchObject({ compilations: 7, programs: 7 });
    });
  });

  describe('rule 4: a composite means its body', () => {
    const scaledSum = (a: Tensor, b: Tensor, { factor }: { readonly factor: number }): [Tensor, Tensor] => [
      a.add(b).mul(factor),
      a.mul(b),
    ];

    test('several outputs, attributes in the key, derivative of the body', async () => {
      const device = await freshDevice(createDevice);
      const op = defineOp({ name: 'scaledSum', body: scaledSum });
      const a = tensor([1, 2], { requiresGrad: true });
      const b = tensor([3, 4], { requiresGrad: true });
      const [sum, product] = op(a, b, { factor: 2 });
      sum.add(product).sum().backward();
      expect(await sum.toArray()).toEqual([8, 12]);
      expect(await a.grad!.toArray()).toEqual([5, 6]);
      expect(await b.grad!.toArray()).toEqual([3, 4]);
      const work = await counted(device, async () => {
        expect(await op(a.detach(), b.detach(), { factor: 3 })[0].toArray()).toEqual([12, 18]);
        expect(await op(a.detach(), b.detach(), { factor: 4 })[0].toArray()).toEqual([16, 24]);
      });
      expect(work.compilations).toBe(2);
    });
  });
}

export function describeLoops(createDevice: CreateDevice): void {
  describe('rule 3: plain loops with varying numbers share programs', () => {
    const rows: { readonly [what: string]: (n: number, x: Tensor) => Tensor } = {
      'a learning rate': (n, each) => each.sub(each.mul(0.1 / (n + 1))),
      'a weight of the loss': (n, each) => {
        const w = tensor([1, 2, 3], { requiresGrad: true });
        w.mul(each).square().sum().mul(n).backward();
        return w.grad!;
      },
      'a mean over a varying count': (n, each) => each.sum().div(n),
      'a bound': (n, each) => each.clamp(-n, n),
      'a probability': (n, each) => each.where(rand([3]).ge(n / 50), 0).mul(1 / (1 - n / 50)),
      'class weights': (n, each) =>
        each
          .mul(n)
          .add(each.mul(n / 2))
          .add(each.mul(n / 3)),
      'a filled tensor': (n) => full([3], n),
      'whole numbers': (n, each) =>
        each
          .cast('int32')
          .mul(n)
          .add(n + 1),
    };
    test.each(Object.entries(rows))('%s', async (_, f) => {
      const device = await freshDevice(createDevice);
      const results: unknown[] = [];
      manualSeed(2);
      const x = tensor([1, -2, 3]);
      const work = await counted(device, async () => {
        for (let n = 1; n <= 40; n++) results.push(await f(n, x).toArray());
      });
      expect(work.compilations).toBeLessThanOrEqual(3);
      // The bits are those of a program that holds the number.
      for (const n of [5, 40]) {
        await freshDevice(createDevice);
        manualSeed(2);
        for (let before = 1; before < n; before++) f(before, tensor([1, -2, 3]));
        expect([n, await f(n, tensor([1, -2, 3])).toArray()]).toEqual([n, results[n - 1]]);
      }
    });

    test('what is computed of numbers alone, to the last place', async () => {
      const device = await freshDevice(createDevice);
      const work = await counted(device, async () => {
        for (let n = 1; n <= 40; n++) {
          const value = await full([3], n / 10)
            .exp()
            .sum()
            .item();
          expect(Math.abs(value / (3 * Math.exp(n / 10)) - 1)).toBeLessThan(5e-7);
        }
      });
      expect(work.compilations).toBeLessThanOrEqual(8);
    });
  });
}
