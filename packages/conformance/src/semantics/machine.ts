/**
 * Rules 27 to 30: memory is freed in the queue and steady loops stay flat, deep graphs are ordinary graphs,
 * and JavaScript's own operators and console do not compute behind one's back. Rule 28 needs a process of its
 * own and stands with the tests.
 */
import { engine } from '#engine';
import { checkpoint, compile, realize, tensor } from '@firsthand/autograd';
import type { Tensor } from '@firsthand/autograd';
import { describe, expect, test } from 'vitest';
import { createQueued } from '../queued-device.ts';
import { batch, collect, counted, freshDevice, Momentum, Network, trainingStep } from './fixture.ts';
import type { CreateDevice } from './fixture.ts';

/** @param steps how many steps the loop of tiny steps takes */
export function describeMachine(createDevice: CreateDevice, steps: number): void {
  describe('rule 27: memory', () => {
    test('a storage is freed in the queue, after the programs that read it', async () => {
      const device = createQueued(await createDevice());
      await freshDevice(() => device);
      const x = tensor(new Float32Array(256));
      const w = tensor(new Float32Array(256), { name: 'w' });
      await realize(x, w);
      device.hold();
      const reads: Promise<unknown>[] = [];
      for (let step = 0; step < 4; step++) {
        w.assign(w.add(x));
        reads.push(w.data());
      }
      const unused = tensor(new Float32Array(256));
      unused.dispose();
      device.resume();
      await Promise.all(reads);
      await device.idle();
      expect(device.probe.violations).toEqual([]);
      const kinds = device.probe.log.map(({ kind }) => kind);
      expect(kinds.filter((kind) => kind === 'free').length).toBeGreaterThanOrEqual(3);
      expect(kinds.indexOf('free')).toBeGreaterThan(kinds.indexOf('run'));
    });

    test('dropped handles give their memory back', async () => {
      const device = await freshDevice(createDevice);
      const network = new Network();
      const optimizer = new Momentum(network.parameters);
      const use = async (): Promise<void> => {
        for (let step = 0; step < 5; step++) {
          const { x, y } = batch(40, step);
          const output = network.forward(x);
          const loss = output.sub(y).square().mean();
          await realize(loss, output);
          loss.backward();
          optimizer.step();
          optimizer.zeroGrad();
          await loss.item();
        }
        network.loss(batch(40, 9)).backward();
        optimizer.zeroGrad();
        await network.values();
      };
      await use();
      const live = await collect(device);
      for (let round = 0; round < 5; round++) await use();
      expect(await collect(device)).toBeLessThanOrEqual(live);
    });

    test.each(['plain', 'compiled'] as const)('%s loops with an await in each step are flat', async (how) => {
      const device = await freshDevice(createDevice);
      const w = tensor(new Float32Array(16), { requiresGrad: true, name: 'w' });
      const optimizer = new Momentum([w], 1e-3);
      const data = new Float32Array(256 * 1024);
      const plain = (x: Tensor): Tensor => {
        const loss = x.slice(0, 0, 16).sub(w).square().sum();
        loss.backward();
        optimizer.step();
        optimizer.zeroGrad();
        return loss;
      };
      const step = how === 'plain' ? plain : compile(plain);
      let highest = 0;
      // Each batch is 1 MiB: 800 MiB in all. The collector marks in threads of its own, while the loop goes
      // on: on a busy machine it falls behind by 100 MiB and more.
      for (let index = 0; index < 800; index++) {
        await step(tensor(data)).item();
        highest = Math.max(highest, device.memory().live);
      }
      expect(highest).toBeLessThan(320 * 2 ** 20);
    });

    test('tiny steps are flat', async () => {
      const device = await freshDevice(createDevice);
      const network = new Network();
      const step = compile((data: ReturnType<typeof batch>) => trainingStep(network, optimizer, data));
      const optimizer = new Momentum(network.parameters, 1e-3);
      const data = batch(2, 1);
      let last = step(data);
      await last.item();
      const live = await collect(device);
      const heap = engine.heapUsed();
      for (let index = 0; index < steps; index++) {
        last = step(data);
        if (index % 100 === 99) await last.item();
        if (index % 10_000 === 9999) await collect(device);
      }
      expect(await collect(device)).toBeLessThanOrEqual(live);
      expect(engine.heapUsed() - heap).toBeLessThan(16 * 2 ** 20);
    });
  });

  // A device that compiles needs some 10 s for a program of this size, and more where several tests share a
  // core.
  describe('rule 29: deep graphs are ordinary graphs', { timeout: 120_000 }, () => {
    const DEPTH = 100_000;
    test('a chain of 100,000 nodes builds, differentiates and runs', async () => {
      await freshDevice(createDevice);
      const w = tensor([1], { requiresGrad: true });
      let y: Tensor = w.mul(1);
      for (let index = 0; index < DEPTH; index++) y = y.add(w);
      y.sum().backward();
      expect(await w.grad!.item()).toBe(DEPTH + 1);
      expect(await y.item()).toBe(DEPTH + 1);
    });

    test('saved, checkpointed and compiled', async () => {
      await freshDevice(createDevice);
      const w = tensor([1], { requiresGrad: true });
      const deep = (x: Tensor): Tensor => {
        let y = x;
        for (let index = 0; index < DEPTH / 30; index++) y = y.mul(w).tanh().add(w);
        return y.sum();
      };
      const saved = deep(w);
      const value = await saved.item();
      saved.backward();
      const gradient = await w.grad!.item();
      w.grad = null;
      checkpoint(deep)(w).backward();
      expect(await w.grad!.item()).toBeCloseTo(gradient, 4);
      w.grad = null;
      const compiled = compile(() => {
        const loss = deep(w);
        loss.backward();
        return loss;
      });
      expect(await compiled().item()).toBe(value);
      expect(await w.grad!.item()).toBe(gradient);
    });

    test('a long chain of updates that nobody asks about', async () => {
      await freshDevice(createDevice);
      const w = tensor([0]);
      for (let index = 0; index < 5000; index++) w.assign(w.add(1));
      expect(await w.item()).toBe(5000);
    });
  });

  describe('rule 30: JavaScript does not compute behind one’s back', () => {
    test('operators throw, with a hint', async () => {
      await freshDevice(createDevice);
      // What untyped JavaScript may try.
      const untyped = (value: Tensor): number => value as unknown as number;
      const [a, b] = [untyped(tensor([1])), untyped(tensor([2]))];
      expect(() => a + b).toThrow(/add/);
      expect(() => a * 2).toThrow(TypeError);
      expect(() => a < b).toThrow(TypeError);
    });

    test('printing shows shape, dtype and device, values when they are at hand, and never computes', async () => {
      const device = await freshDevice(createDevice);
      const stored = tensor([[1.5, 2.5]], { name: 'weights' });
      const lazy = stored.mul(2);
      const work = await counted(device, () => {
        for (const each of [stored, lazy])
          expect(engine.print(each)).toMatch(new RegExp(`float32 \\[1, 2\\] on ${device.name}`));
        expect(engine.print(stored)).toContain('weights');
        expect(engine.print([lazy])).toContain('not computed');
        if (device.readSync !== undefined) expect(engine.print(stored)).toContain('1.5');
      });
      expect(work).toEqual({ compilations: 0, programs: 0, recomputed: 0 });
      await lazy.data();
      if (device.readSync !== undefined) expect(engine.print(lazy)).toMatch(/3.*5/);
    });
  });
}
