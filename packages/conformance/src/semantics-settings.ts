/**
 * Rule 20, the settings of an optimizer: whatever is set between steps, a weight decay, a momentum, a group more, compiled steps follow as plain
 * ones do; learning rates without tracing again.
 */
import { compile, type Tensor, tensor } from '@firsthand/autograd';
import { AdamW, SGD } from '@firsthand/optim';
import { describe, expect, test } from 'vitest';
import { counted, freshDevice } from './semantics-world.ts';
import type { CreateDevice } from './semantics-world.ts';

export function describeSettings(createDevice: CreateDevice): void {
  describe('rule 20: the settings of an optimizer are guarded', () => {
    const training = (compiled: boolean, make: (w: Tensor) => AdamW | SGD, change: (optimizer: AdamW | SGD, v: Tensor) => void) => {
      const w = tensor([1, 2], { requiresGrad: true });
      const v = tensor([3, 4], { requiresGrad: true });
      const optimizer = make(w);
      const plain = (): Tensor => {
        const loss = w.square().sum().add(v.sum());
        loss.backward();
        optimizer.step();
        optimizer.zeroGrad();
        v.grad = null;
        return loss;
      };
      const step = compiled ? compile(plain) : plain;
      return async (): Promise<unknown> => {
        for (let index = 0; index < 3; index++) await step().item();
        change(optimizer, v);
        for (let index = 0; index < 3; index++) await step().item();
        return [await w.toArray(), await v.toArray()];
      };
    };
    const rows: { readonly [what: string]: readonly [(w: Tensor) => AdamW | SGD, (optimizer: AdamW | SGD, v: Tensor) => void] } = {
      'weight decay': [(w) => new AdamW([w]), ({ groups }) => (groups[0]!.weightDecay = 0.5)],
      'weight decay from none': [(w) => new AdamW([w], { weightDecay: 0 }), ({ groups }) => (groups[0]!.weightDecay = 0.5)],
      betas: [(w) => new AdamW([w]), ({ groups }) => ((groups as AdamW['groups'])[0]!.betas = [0.5, 0.5])],
      'the learning rate': [(w) => new AdamW([w]), ({ groups }) => (groups[0]!.lr = 0.5)],
      momentum: [(w) => new SGD([w], { lr: 0.1, momentum: 0.9 }), ({ groups }) => ((groups as SGD['groups'])[0]!.momentum = 0.1)],
      'weight decay of SGD': [(w) => new SGD([w], { lr: 0.1 }), ({ groups }) => (groups[0]!.weightDecay = 0.5)],
      nesterov: [(w) => new SGD([w], { lr: 0.1, momentum: 0.9 }), ({ groups }) => ((groups as SGD['groups'])[0]!.nesterov = true)],
      'a group more': [
        (w) => new AdamW([w]),
        (optimizer, v) => (optimizer as AdamW).addGroup({ parameters: [v], lr: 0.1, weightDecay: 0.1 }),
      ],
    };
    test.each(Object.entries(rows))('%s', async (_, [make, change]) => {
      await freshDevice(createDevice);
      const plain = await training(false, make, change)();
      expect(await training(true, make, change)()).toEqual(plain);
      expect(plain).not.toEqual(await training(false, make, () => {})());
    });

    test('a schedule of learning rates compiles one program and traces once', async () => {
      const device = await freshDevice(createDevice);
      const w = tensor([1, 2], { requiresGrad: true });
      const optimizer = new AdamW([w]);
      let traces = 0;
      const step = compile(() => {
        traces++;
        w.square().sum().backward();
        optimizer.step();
        optimizer.zeroGrad();
      });
      const work = await counted(device, () => {
        for (let index = 0; index < 20; index++) {
          optimizer.follow((at) => 1 / (at + 1), index);
          step();
        }
      });
      expect(work.compilations).toBe(1);
      expect(traces).toBe(1);
    });

    test('settings that are out of range, or need state that is not there, are refused', async () => {
      await freshDevice(createDevice);
      const w = tensor([1, 2], { requiresGrad: true });
      const step = (optimizer: AdamW | SGD): void => {
        w.square().sum().backward();
        optimizer.step();
        optimizer.zeroGrad();
      };
      const adam = new AdamW([w]);
      adam.groups[0]!.weightDecay = -1;
      expect(() => step(adam)).toThrow(/weightDecay/);
      expect(() => compile(() => step(adam))()).toThrow(/weightDecay/);
      const sgd = new SGD([w], { lr: 0.1 });
      sgd.groups[0]!.momentum = 0.9;
      expect(() => step(sgd)).toThrow(/momentum, which exists from construction/);
      expect(() => adam.addGroup({ parameters: [w] })).toThrow(/twice/);
    });
  });
}
