/**
 * Rules 5 to 8: what an effect is, which pending effects and values become one program, and when they are
 * enqueued without anybody asking: a loop that never awaits runs one program per step, and a batch in pieces
 * keeps gradients, not forward passes.
 */
import { noGrad, realize, stateVariable, tensor, updateStatistic } from '@firsthand/autograd';
import type { Tensor } from '@firsthand/autograd';
import { effectGroup, runtimeOf } from '@firsthand/runtime';
import { array } from '@firsthand/linalg';
import { describe, expect, test } from 'vitest';
import { createQueued } from '../queued-device.ts';
import { batch, counted, freshDevice, Momentum, Network, trainingStep } from './fixture.ts';
import type { CreateDevice } from './fixture.ts';

export function describeEffects(createDevice: CreateDevice): void {
  describe('rule 5: effects happen in program order', () => {
    test('a read sees every earlier effect and no later one', async () => {
      await freshDevice(createDevice);
      const w = tensor([1]);
      for (let step = 0; step < 5; step++) {
        const early = w.mul(10);
        w.assign(w.add(1));
        const late = w.mul(10);
        await realize(late, early);
        expect([await early.item(), await late.item()]).toEqual([10 * (step + 1), 10 * (step + 2)]);
      }
    });

    test('updates, statistics and gradients mix in order', async () => {
      await freshDevice(createDevice);
      const w = tensor([2], { requiresGrad: true, name: 'w' });
      const statistic = tensor([0], { name: 'statistic' });
      w.mul(3).sum().backward();
      updateStatistic(statistic, statistic.add(w.detach()));
      noGrad(() => w.assign(w.sub(w.grad!)));
      w.mul(w).sum().backward();
      updateStatistic(statistic, statistic.add(w.detach()));
      expect(await w.grad!.toArray()).toEqual([3 + 2 * -1]);
      expect(await statistic.toArray()).toEqual([2 - 1]);
      expect(await w.toArray()).toEqual([-1]);
    });

    test('a swap of two variables reads both before it writes either', async () => {
      await freshDevice(createDevice);
      const [a, b] = [tensor([1]), tensor([2])];
      effectGroup(() => {
        const [x, y] = [a.add(0), b.add(0)];
        a.assign(y);
        b.assign(x);
      });
      expect([await a.item(), await b.item()]).toEqual([2, 1]);
    });

    test('a value of optimizer state that was read before its update is used after it', async () => {
      await freshDevice(createDevice);
      const [first, second] = ['first', 'second'].map((name) => stateVariable(array([1, 2]), { name }));
      const early = first!.mul(10);
      first!.assign(first!.add(1));
      second!.assign(early);
      // This update starts the one before it, which overwrites what `early` reads.
      first!.assign(first!.add(1));
      expect(await second!.toArray()).toEqual([10, 20]);
      expect(await first!.toArray()).toEqual([3, 4]);
    });

    test('statistics, losses and updates in a loop that never awaits', async () => {
      await freshDevice(createDevice);
      const statistic = tensor([0], { name: 'statistic' });
      const w = tensor([1], { requiresGrad: true, name: 'w' });
      const losses = Array.from({ length: 40 }, () => {
        const shifted = w.mul(2).add(statistic);
        updateStatistic(statistic, statistic.add(1));
        const loss = shifted.sum();
        loss.backward();
        noGrad(() => w.assign(w.add(w.grad!)));
        w.grad = null;
        return loss;
      });
      expect(await Promise.all(losses.map((loss) => loss.item()))).toEqual(
        losses.map((_, step) => 2 * (1 + 2 * step) + step),
      );
    });

    test('an exception leaves the effects before it', async () => {
      await freshDevice(createDevice);
      const w = tensor([1]);
      const failing = (): void =>
        effectGroup(() => {
          w.assign(w.add(1));
          throw new Error('inside');
        });
      expect(failing).toThrow('inside');
      expect(await w.item()).toBe(2);
    });

    test('the effects of one step are never separated', async () => {
      const device = await freshDevice(createDevice);
      const network = new Network();
      const optimizer = new Momentum(network.parameters);
      const work = await counted(device, async () => {
        const loss = network.loss(batch(3, 1));
        loss.backward();
        optimizer.step();
        await network.w2.data();
      });
      expect(work).toMatchObject({ programs: 1 });
      const after = await counted(device, async () => {
        await realize(network.w1, ...optimizer.moments, network.w1.grad!, network.w2.grad!);
      });
      expect(after).toMatchObject({ programs: 0 });
    });

    test('independent effects of one group are one program', async () => {
      const device = await freshDevice(createDevice);
      const [a, b] = [tensor([1]), tensor([2])];
      const work = await counted(device, async () => {
        effectGroup(() => {
          a.assign(a.mul(3));
          b.assign(b.mul(5));
        });
        expect(await a.item()).toBe(3);
        expect(await b.item()).toBe(10);
      });
      expect(work.programs).toBe(1);
    });
  });

  describe('rule 6: what shares work is one program', () => {
    test('a training step is one program, its loss included', async () => {
      const device = await freshDevice(createDevice);
      const network = new Network();
      const optimizer = new Momentum(network.parameters);
      const work = await counted(device, () => trainingStep(network, optimizer, batch(3, 1)).item());
      expect(work).toEqual({ compilations: 1, programs: 1, recomputed: 0 });
    });

    test('independent effects run as programs of their own, in order', async () => {
      const device = await freshDevice(createDevice);
      const [a, b] = [tensor([1]), tensor([2])];
      const work = await counted(device, async () => {
        a.assign(a.mul(3));
        b.assign(b.mul(3));
        await realize(a, b);
      });
      expect(work).toMatchObject({ compilations: 1, programs: 2 });
    });

    test('what only reads an updated variable runs after it, under its own key', async () => {
      const device = await freshDevice(createDevice);
      const network = new Network();
      const optimizer = new Momentum(network.parameters);
      const probe = batch(4, 9).x;
      const step = async (): Promise<void> => {
        trainingStep(network, optimizer, batch(3, 1));
        await noGrad(() => network.forward(probe).sum()).item();
      };
      expect(await counted(device, step)).toEqual({ compilations: 2, programs: 2, recomputed: 0 });
      expect(await counted(device, () => noGrad(() => network.forward(probe).sum()).item())).toMatchObject({
        compilations: 0,
        programs: 1,
      });
      expect(await counted(device, step)).toEqual({ compilations: 0, programs: 2, recomputed: 0 });
    });

    test("the next step's running statistics are not pulled into this step", async () => {
      const device = await freshDevice(createDevice);
      const network = new Network();
      const optimizer = new Momentum(network.parameters);
      const mean = tensor(new Float32Array(3), { name: 'mean' });
      const step = (seed: number): Tensor => {
        const { x, y } = batch(3, seed);
        const output = network.forward(x);
        updateStatistic(
          mean,
          noGrad(() => mean.mul(0.9).add(output.mean({ axis: 0 }).mul(0.1))),
        );
        const loss = output.sub(y).square().mean();
        loss.backward();
        optimizer.step();
        optimizer.zeroGrad();
        return loss;
      };
      step(1);
      // Every later backward enqueues the step before it, and nothing of its own.
      const work = await counted(device, () => {
        for (let seed = 2; seed < 8; seed++) step(seed);
      });
      expect(work).toEqual({ compilations: 1, programs: 6, recomputed: 0 });
    });

    test('a failed effect leaves the queue, and is reported to those who ask for its variable', async () => {
      const device = createQueued(await createDevice());
      const { assign, other, broken } = await freshDevice(() => device).then(() => ({
        assign: tensor([1]),
        other: tensor([1]),
        broken: new Error('cannot be prepared'),
      }));
      const prepare = device.prepare.bind(device);
      let fail = true;
      Object.assign(device, {
        prepare: (program: Parameters<typeof prepare>[0]) => {
          if (fail && program.effects.length > 0) throw broken;
          return prepare(program);
        },
      });
      assign.assign(assign.add(1));
      expect(await other.add(1).item()).toBe(2);
      fail = false;
      expect(await other.add(2).item()).toBe(3);
      await expect(assign.data()).rejects.toThrow('cannot be prepared');
      assign.assign(tensor([7]));
      expect(await assign.item()).toBe(7);
    });
  });

  describe('rule 7: when effects are enqueued without waiting', () => {
    test('a loop that never awaits runs one program per step, in bounded memory', async () => {
      const device = await freshDevice(createDevice);
      const network = new Network();
      const optimizer = new Momentum(network.parameters);
      const data = batch(3, 1);
      trainingStep(network, optimizer, data);
      trainingStep(network, optimizer, data);
      const work = await counted(device, () => {
        for (let step = 0; step < 50; step++) trainingStep(network, optimizer, data);
      });
      expect(work).toEqual({ compilations: 0, programs: 50, recomputed: 0 });
    });

    test('a loop that logs every tenth step runs one program per step', async () => {
      const device = await freshDevice(createDevice);
      const network = new Network();
      const optimizer = new Momentum(network.parameters);
      const losses: number[] = [];
      const work = await counted(device, async () => {
        for (let step = 0; step < 100; step++) {
          const loss = trainingStep(network, optimizer, batch(3, 1));
          if (step % 10 === 9) losses.push(await loss.item());
        }
      });
      expect(work).toEqual({ compilations: 1, programs: 100, recomputed: 0 });
      expect(losses.at(-1)).toBeLessThan(losses[0]!);
    });

    test('eight micro-batches keep gradients, not eight forward passes', async () => {
      const peak = async (chunks: number): Promise<number> => {
        const device = await freshDevice(createDevice);
        const wide = tensor(new Float32Array(4 * 64).fill(0.01), { shape: [4, 64], requiresGrad: true });
        const data = Array.from({ length: 8 }, (_, seed) => batch(256, seed).x);
        const before = device.memory().live;
        const work = await counted(device, async () => {
          for (const x of data.slice(0, chunks)) x.matmul(wide).tanh().exp().sum().backward();
          await wide.grad!.data();
        });
        expect(work).toMatchObject({ programs: chunks, recomputed: 0 });
        return device.memory().peak - before;
      };
      const [one, eight] = [await peak(1), await peak(8)];
      // One hidden value is 256 · 64 · 4 = 64 KiB; a gradient is 1 KiB.
      expect(one).toBeGreaterThan(64 * 1024);
      expect(eight - one).toBeLessThan(32 * 1024);
    });

    test('a variable with 16 pending updates starts everything', async () => {
      const device = await freshDevice(createDevice);
      const statistic = tensor([0]);
      const statistics = (count: number) => (): void => {
        for (let step = 0; step < count; step++) updateStatistic(statistic, statistic.add(1));
      };
      expect(await counted(device, statistics(15))).toMatchObject({ programs: 0 });
      expect(await counted(device, statistics(1))).toMatchObject({ programs: 1 });
      expect(await statistic.item()).toBe(16);
    });

    test('running statistics alone start nothing', async () => {
      const device = await freshDevice(createDevice);
      const statistic = tensor([0]);
      const w = tensor([1], { requiresGrad: true });
      const work = await counted(device, () => {
        updateStatistic(statistic, statistic.add(1));
        w.mul(statistic.add(1)).sum().backward();
      });
      expect(work.programs).toBe(0);
      expect(await w.grad!.item()).toBe(2);
    });
  });

  describe('rule 8: first in, first out, and bounded', () => {
    test('an await waits while too many runs are under way', async () => {
      const device = createQueued(await createDevice());
      await freshDevice(() => device);
      const w = tensor([0]);
      const other = await realized(tensor([5]));
      for (let step = 0; step < 40; step++) {
        w.assign(w.add(1));
        runtimeOf(device).flush();
      }
      expect(device.probe.inFlight).toBe(40);
      // A value that is there already is not waited for: only the bound is.
      await realize(other);
      expect(device.probe.inFlight).toBeLessThanOrEqual(8);
      expect(await w.item()).toBe(40);
    });

    test('runs, reads and frees happen in the order in which they were asked for', async () => {
      const device = createQueued(await createDevice());
      await freshDevice(() => device);
      const w = tensor([0]);
      const reads: Promise<number>[] = [];
      for (let step = 0; step < 20; step++) {
        w.assign(w.add(1));
        reads.push(w.item());
      }
      expect(await Promise.all(reads)).toEqual(Array.from({ length: 20 }, (_, step) => step + 1));
      const runs = device.probe.log.flatMap((job) => (job.kind === 'run' ? [job.run] : []));
      expect(runs).toEqual(runs.toSorted((a, b) => a - b));
      expect(device.probe.violations).toEqual([]);
    });
  });
}

async function realized(value: Tensor): Promise<Tensor> {
  await realize(value);
  return value;
}
