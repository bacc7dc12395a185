/**
 * Programs of unusual shape: very many single numbers, arguments, results, kernels or axes, and more elements
 * than any device counts. Engines have limits on how much one function, shader or buffer may have; each is
 * met by splitting the work, or the program is refused by a typed error before anything runs.
 */
import { arange, cat, compile, ones, realize, tensor, zeros } from '@firsthand/autograd';
import type { Tensor } from '@firsthand/autograd';
import { FirsthandError } from '@firsthand/linalg';
import { SGD } from '@firsthand/optim';
import { describe, expect, test } from 'vitest';
import type { GetDevice } from './get-device.ts';

const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));
const sumOf = (list: readonly Tensor[]): Tensor => list.reduce((a, b) => a.add(b));

/** Programs of tens of thousands of nodes take a moment, more on a machine that does other things as well. */
const timeout = 120_000;

export function describeLimits(device: GetDevice): void {
  describe('very many', { timeout }, () => {
    test.each([1100, 10_000])('numbers: a sum of %i', async (count) => {
      expect(await sumOf(times(count, () => tensor(1))).item()).toBe(count);
    });

    test.each(['plain', 'compiled'])('steps: a running loss, read at the end, of %s ones', async (mode) => {
      const [steps, rate] = [1500, 1e-3];
      const w = tensor([1], { requiresGrad: true });
      const plain = (): Tensor => {
        const loss = w.square().sum();
        loss.backward();
        w.assign(w.detach().sub(w.grad!.mul(rate)));
        w.grad = null;
        return loss.detach();
      };
      const step = mode === 'plain' ? plain : compile(plain);
      let total = tensor(0);
      for (let index = 0; index < steps; index++) total = total.add(step());
      // Σ r²ⁱ with r = 1 − 2·rate
      const r2 = (1 - 2 * rate) ** 2;
      expect((await total.item()) / ((1 - r2 ** steps) / (1 - r2))).toBeCloseTo(1, 4);
    });

    test('parameters: a network of 3,000 single numbers', async () => {
      const parameters = times(3000, () => tensor(1, { requiresGrad: true }));
      const optimizer = new SGD(parameters, { lr: 0.1 });
      const step = compile(() => {
        const loss = sumOf(parameters.map((each) => each.square()));
        loss.backward();
        optimizer.step();
        optimizer.zeroGrad();
        return loss;
      });
      expect(await step().item()).toBe(3000);
      expect(await step().item()).toBeCloseTo(1920, 0);
      expect(await parameters[2999]!.item()).toBeCloseTo(0.64, 5);
    });

    test('arguments: 1,500 of a compiled function', async () => {
      const add = compile((...list: Tensor[]) => sumOf(list));
      for (const offset of [0, 1])
        expect(await add(...times(1500, (index) => tensor([index + offset]))).item()).toBe(
          1124250 + 1500 * offset,
        );
    });

    test('arrays: a sum of 60, and their concatenation', async () => {
      const list = times(60, (index) => tensor(new Float32Array(5000).fill(index)));
      expect(await sumOf(list).slice(0, 4998).toArray()).toEqual([1770, 1770]);
      expect(await cat(list).slice(0, 299_999).toArray()).toEqual([59]);
    });

    test('results: 400 at once', async () => {
      const [x, y] = [tensor(1), tensor([1, 2, 3])];
      const results = times(200, (index) => [x.add(index), y.mul(x.add(index)).sum()]).flat();
      await realize(...results);
      expect([await results.at(-2)!.item(), await results.at(-1)!.item()]).toEqual([200, 1200]);
    });

    test('operations: a chain of 20,000, and kernels that follow one another, 2,000', async () => {
      let x = tensor([1, 2]);
      for (let index = 0; index < 20_000; index++) x = x.add(1);
      expect(await x.toArray()).toEqual([20_001, 20_002]);
      let y = tensor([
        [1, 2],
        [3, 4],
      ]);
      const half = tensor([
        [0.5, 0.5],
        [0.5, 0.5],
      ]);
      for (let index = 0; index < 2000; index++) y = y.matmul(half);
      expect(await y.toArray()).toEqual([
        [1.5, 1.5],
        [3.5, 3.5],
      ]);
    });

    test('branches, and expensive functions in one sum', async () => {
      let x = tensor([1, 1000]);
      for (let index = 0; index < 500; index++) x = x.where(x.gt(index), x.add(1));
      expect(await x.toArray()).toEqual([500, 1000]);
      const y = zeros([7]);
      expect(
        await sumOf(
          times(400, (index) =>
            y
              .add(index / 1000)
              .sub(index / 1000)
              .exp(),
          ),
        ).toArray(),
      ).toEqual(new Array(7).fill(400));
    });

    test.each<[string, (x: Tensor) => Tensor, (x: number[]) => number[]]>([
      ['alone', (x) => x, (x) => x],
      ['with a sum between them', (x) => x.add(1), (x) => x.map((value) => value + 1)],
      ['with a flip between them', (x) => x.flip(0), (x) => x.toReversed()],
    ])('rearrangements, 60 that no loop follows: %s', async (_, between, betweenNumbers) => {
      let x = arange(24);
      let wanted = times(24, (index) => index);
      for (let index = 0; index < 60; index++) {
        x = between(x.reshape(6, 4).transpose().reshape(24));
        wanted = betweenNumbers(
          times(24, (position) => wanted[(position % 6) * 4 + Math.floor(position / 6)]!),
        );
      }
      expect(await x.toArray()).toEqual(wanted);
    });

    test('axes: 12, which no order merges', async () => {
      const axes = times(12, (axis) => axis);
      const x = arange(4096).reshape(...new Array<number>(12).fill(2));
      const mixed = x
        .flip([0, 3, 7])
        .permute(...axes.map((axis) => (5 * axis) % 12))
        .add(ones(axes.map((axis) => 1 + (axis % 2))));
      expect(await mixed.sum().item()).toBe((4096 * 4095) / 2 + 4096);
      expect(
        await mixed
          .sum({ axis: axes.filter((axis) => axis % 2 === 0) })
          .max()
          .item(),
      ).toBeGreaterThan(0);
    });
  });

  test('no elements at all', async () => {
    const none = zeros([0, 3]);
    const x = cat([none, ones([2, 3])])
      .sum()
      .add(none.sum())
      .add(none.matmul(zeros([3, 0])).sum());
    expect(await x.item()).toBe(6);
    expect(await none.softmax().add(1).toArray()).toEqual([]);
    expect(await zeros([3, 0]).sum({ axis: 1 }).toArray()).toEqual([0, 0, 0]);
  });

  describe('more elements than are counted', () => {
    const rows = (count = 65_536): Tensor => arange(count).reshape(count, 1);
    const columns = (count = 65_537): Tensor => arange(count).reshape(1, count);

    test.each<[string, () => Tensor]>([
      ['an array', () => rows().add(columns())],
      ['an intermediate', () => rows().add(columns()).softmax().slice(0, 0, 1)],
      [
        'an intermediate of 4 TiB',
        () =>
          rows(2 ** 20)
            .add(columns(2 ** 20))
            .cumsum(0)
            .slice(0, 2 ** 20 - 1),
      ],
      [
        'in another order',
        () => rows().add(columns()).reshape(65_537, 65_536).permute(1, 0).cumsum(0).slice(0, 0, 1),
      ],
    ])('%s', async (_, build) => {
      const before = tensor([1, 2, 3]).mul(2);
      await before.data();
      await expect(build().data()).rejects.toThrow(FirsthandError);
      expect(await before.add(1).toArray()).toEqual([3, 5, 7]);
      expect(device().memory().live).toBeLessThan(2 ** 30);
    });
  });
}
