/**
 * Rule 3, plain loops: a number that is another in each turn becomes an argument of one program, which gives
 * the bits of a program that holds the number.
 */
import { full, manualSeed, rand, type Tensor, tensor } from '@firsthand/autograd';
import { describe, expect, test } from 'vitest';
import { counted, freshDevice } from './semantics-world.ts';
import type { CreateDevice } from './semantics-world.ts';

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
