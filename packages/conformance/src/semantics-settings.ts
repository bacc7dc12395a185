/**
 * Rule 20, the settings of an optimizer: whatever is set between steps, a weight decay, a momentum, a group
 * more, compiled steps follow as plain ones do; learning rates without tracing again.
 */
import { compile, type Tensor, tensor } from '@firsthand/autograd';
import { AdamW, SGD } from '@firsthand/optim';
import { describe, expect, test } from 'vitest';
import { counted, freshDevice } from './semantics-world.ts';
import type { CreateDevice } from './semantics-world.ts';

export function describeSettings(createDevice: CreateDevice): void {
  describe('rule 20: the settings of an optimizer are guarded', () => {
    const training = (
      compiled: boolean,
      make: (w: Tensor) => AdamW | SGD,
      change: (optimizer: AdamW | SGD, v: Tensor) => void,
    ) => {
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
    const rows: {
      readonly [what: string]: readonly [
        (w: Tensor) => AdamW | SGD,
        (optimizer: AdamW | SGD, v: Tensor) => void,
      ];
    } = {
      'weight decay': [(w) => new AdamW([w]), ({ groups }) => (groups[0]!.weightDecay = 0.5)],
      'weight decay from none': [
        (w) => new AdamW([w], { weightDecay: 0 }),
        ({ groups }) => (groups[0]!.weightDecay = 0.5),
      ],
      betas: [(w) => new AdamW([w]), ({ groups }) => ((groups as AdamW['groups'])[0]!.betas = [0.5, 0.5])],
      'the learning rate': [(w) => new AdamW([w]), ({ groups }) => (groups[0]!.lr = 0.5)],
      momentum: [
        (w) => new SGD([w], { lr: 0.1, momentum: 0.9 }),
        ({ groups }) => ((groups as SGD['groups'])[0]!.momentum = 0.1),
      ],
      'weight decay of SGD': [
        (w) => new SGD([w], { lr: 0.1 }),
        ({ groups }) => (groups[0]!.weightDecay = 0.5),
      ],
      nesterov: [
        (w) => new SGD([w], { lr: 0.1, momentum: 0.9 }),
        ({ groups }) => ((groups as SGD['groups'])[0]!.nesterov = true),
      ],
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

    const SCHEDULES: {
      readonly [what: string]: readonly [
        (w: Tensor) => AdamW | SGD,
        (optimizer: AdamW | SGD, step: number) => void,
      ];
    } = {
      'weight decay': [
        (w) => new AdamW([w], { lr: 0.1 }),
        ({ groups }, step) => (groups[0]!.weightDecay = step / 40),
      ],
      'all of AdamW’s': [
        (w) => new AdamW([w], { lr: 0.1 }),
        (optimizer, step) =>
          Object.assign(optimizer.groups[0]!, {
            betas: [step / 30, 1 - (step + 1) / 40],
            eps: 1 / (step + 1),
            weightDecay: step / 20,
          }),
      ],
      'weight decay of SGD': [
        (w) => new SGD([w], { lr: 0.1 }),
        ({ groups }, step) => (groups[0]!.weightDecay = (step + 1) / 40),
      ],
      'the momentum of SGD': [
        (w) => new SGD([w], { lr: 0.1, momentum: 0.9 }),
        (optimizer, step) => ((optimizer as SGD).groups[0]!.momentum = 0.5 + step / 60),
      ],
    };
    test.each(Object.entries(SCHEDULES))(
      'a schedule of %s compiles three programs at most, and gives what new optimizers give',
      async (_, [make, set]) => {
        const run = async (compiled: boolean): Promise<unknown> => {
          const device = await freshDevice(createDevice);
          const w = tensor([1, 2], { requiresGrad: true });
          const optimizer = make(w);
          const plain = (): void => {
            w.square().sum().backward();
            optimizer.step();
            optimizer.zeroGrad();
          };
          const step = compiled ? compile(plain) : plain;
          const values: unknown[] = [];
          const work = await counted(device, async () => {
            for (let index = 0; index < 20; index++) {
              set(optimizer, index);
              step();
              values.push(await w.toArray());
            }
          });
          expect(work.compilations).toBeLessThanOrEqual(3);
          return values;
        };
        const eager = await run(false);
        expect(await run(true)).toEqual(eager);
        // Each step with a number written into the program, from the same state.
        await freshDevice(createDevice);
        const w = tensor([1, 2], { requiresGrad: true });
        let optimizer = make(w);
        const values: unknown[] = [];
        for (let index = 0; index < 20; index++) {
          const state = optimizer.stateDict();
          const fresh = make(w);
          set(fresh, index);
          optimizer = again(w, fresh.groups[0]!);
          optimizer.loadStateDict(state);
          w.square().sum().backward();
          optimizer.step();
          optimizer.zeroGrad();
          values.push(await w.toArray());
        }
        expect(values).toEqual(eager);
      },
    );

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

/** An optimizer that is made with the settings of a group. */
function again(w: Tensor, group: AdamW['groups'][number] | SGD['groups'][number]): AdamW | SGD {
  if (!('betas' in group)) {
    const { lr, momentum, dampening, nesterov, weightDecay } = group;
    return new SGD([w], { lr, momentum, dampening, nesterov, weightDecay });
  }
  const { lr, betas, eps, weightDecay } = group;
  return new AdamW([w], { lr, betas, eps, weightDecay });
}
