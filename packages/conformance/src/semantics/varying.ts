/**
 * Rule 20, numbers that vary between calls are values of a run, and no part of a key: a compiled function is
 * traced again for a number that it has not seen, and shares the program of the numbers before, unless the
 * number decides what is computed.
 */
import {
  checkpoint,
  compile,
  defineOp,
  full,
  grad,
  guard,
  Guarded,
  manualSeed,
  noGrad,
  ones,
  rand,
  StaleError,
  type Tensor,
  tensor,
} from '@firsthand/autograd';
import type { DType } from '@firsthand/graph';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { batch, counted, freshDevice, Momentum, Network } from './fixture.ts';
import type { CreateDevice } from './fixture.ts';

type Step = (x: Tensor, n: number) => Tensor;

const VALUES = [0.3, 0.7, -1.5, 0, 1, 2, -0, 0.3, 1e-3, 40, 0.7, Number.NaN, Infinity, 0.25];

/** Functions of a tensor and a number, with the programs that they may become for all of the values above. */
const FUNCTIONS: { readonly [what: string]: readonly [Step, number] } = {
  'a factor': [(x, n) => x.mul(n), 1],
  'a summand on the left': [(x, n) => x.neg().add(n), 1],
  'a divisor': [(x, n) => x.div(n), 1],
  'a number to divide': [(x, n) => full(x.shape, n).div(x), 1],
  bounds: [(x, n) => x.maximum(-1).minimum(n), 1],
  clamping: [(x, n) => x.clamp(-Math.abs(n), Math.abs(n)), 2],
  'a comparison': [(x, n) => x.where(x.gt(n), 0), 1],
  'a chosen value': [(x, n) => x.where(x.gt(0), n), 1],
  'a filled tensor': [(x, n) => x.add(full([1], n)), 1],
  'a number of the host as a tensor': [(x, n) => x.add(tensor(n)), 1],
  'a slope': [(x, n) => x.leakyRelu(n), 2],
  twice: [(x, n) => x.mul(n).add(n), 1],
  'what follows from it': [(x, n) => x.mul(n).add(x.square().mul(1 - n)), 2],
  'much that follows from it': [
    (x, n) =>
      [1 - n, n * n, n + 2, Math.exp(n), 3 * n].reduce((sum, each) => sum.mul(0.5).add(each), x.mul(n)),
    2,
  ],
  'several, of which some are equal at first': [(x, n) => x.mul(n).add(x.sub(0.3).mul(0.3)), 2],
  'a branch': [(x, n) => (n > 0.5 ? x.mul(n) : x.add(n)), 2],
  truth: [(x, n) => (n ? x.mul(n) : x.neg()), 2],
  identity: [(x, n) => (n === 0.7 ? x.neg() : x.mul(n)), 2],
  'a loss and its gradient': [
    (x, n) => {
      const w = ones([3], { requiresGrad: true });
      w.mul(x).square().sum().mul(n).backward();
      return w.grad!;
    },
    1,
  ],
  'another tensor of the same graph': [
    (x, n) => {
      const [a, b] = [x.mul(2), x.mul(3)];
      return n > 0.5 ? a : b;
    },
    2,
  ],
};

export function describeVarying(createDevice: CreateDevice): void {
  describe('rule 20: numbers that vary between calls are values of a run', () => {
    test.each(Object.entries(FUNCTIONS))('%s', async (_, [f, programs]) => {
      const device = await freshDevice(createDevice);
      const x = tensor([1, -2, 0.5]);
      let traces = 0;
      const compiled = compile((input: Tensor, n: number) => {
        traces++;
        return f(input, n);
      });
      const results: unknown[] = [];
      const work = await counted(device, async () => {
        for (const n of VALUES) results.push(await compiled(x, n).toArray());
      });
      expect(work.compilations).toBeLessThanOrEqual(programs);
      expect(traces).toBe(new Set(VALUES.map((n) => (Object.is(n, -0) ? '-0' : n))).size);
      for (const [index, n] of VALUES.entries())
        expect([n, results[index]]).toEqual([n, await f(x, n).toArray()]);
    });

    test('a thousand numbers are one program, and their plans are not kept', async () => {
      const device = await freshDevice(createDevice);
      const network = new Network();
      const optimizer = new Momentum(network.parameters);
      const step = compile((data: ReturnType<typeof batch>, weight: number) => {
        const loss = network.loss(data);
        loss.mul(weight).backward();
        optimizer.step();
        optimizer.zeroGrad();
        return loss;
      });
      const data = batch(5, 1);
      const work = await counted(device, async () => {
        for (let index = 0; index < 1000; index++) step(data, index / 1000);
        await network.values();
      });
      expect(work).toEqual({ compilations: 1, programs: 1000, recomputed: 0 });
      expect(step.reports()).toHaveLength(1);
    });

    test('what decides shapes, axes or exponents is a program for each value', async () => {
      const device = await freshDevice(createDevice);
      const x = tensor([
        [1, 2, 3],
        [4, 5, 6],
      ]);
      const functions: readonly Step[] = [
        (each, n) => each.slice(1, 0, n + 1),
        (each, n) => each.sum({ axis: n % 2 }),
        (each, n) => each.pow(n),
        (each, n) => each.reshape(n === 1 ? 3 : 2, -1),
      ];
      for (const f of functions) {
        const compiled = compile(f);
        const seen = new Set<number>();
        for (const n of [0, 1, 2, 1, 0, 2]) {
          const work = await counted(device, async () =>
            expect(await compiled(x, n).toArray()).toEqual(await f(x, n).toArray()),
          );
          if (seen.has(n)) expect(work.compilations).toBe(0);
          seen.add(n);
        }
      }
    });

    test('numbers in lists and objects, and what is returned of them', async () => {
      const device = await freshDevice(createDevice);
      const f = compile(
        (x: Tensor, { weights, scale }: { readonly weights: readonly number[]; readonly scale: number }) => ({
          value: weights.reduce((sum, weight) => sum.add(x.mul(weight)), x.mul(scale)),
          total: weights.reduce((a, b) => a + b, scale),
          label: `scale ${scale}`,
        }),
      );
      const x = tensor([2]);
      const work = await counted(device, async () => {
        for (let index = 1; index < 20; index++) {
          const weights = [index / 8, index / 16];
          const result = f(x, { weights, scale: index });
          const total = index / 8 + index / 16 + index;
          expect(await result.value.item()).toBe(2 * total);
          expect(result).toMatchObject({ total, label: `scale ${index}` });
        }
      });
      expect(work.compilations).toBe(1);
    });

    test.each(['float32', 'float64', 'float16', 'int32', 'uint32'] satisfies DType[])(
      'numbers for %s',
      async (dtype) => {
        const device = await freshDevice(createDevice);
        if (!device.supports(dtype)) return;
        const x = tensor([1, 2, 3], { dtype });
        const f = compile((input: Tensor, n: number) => input.mul(n).add(n).maximum(n));
        const values =
          dtype === 'uint32'
            ? [3, 7, 2 ** 31 + 5]
            : dtype === 'int32'
              ? [3, -7, 2 ** 30 + 1]
              : [3, -0.1, 1 / 3, 70];
        const work = await counted(device, async () => {
          for (const n of values)
            expect(await f(x, n).toArray()).toEqual(await createAndRun(createDevice, dtype, n));
        });
        expect(work.compilations).toBe(1);
      },
    );

    test('numbers in fields and behind guards', async () => {
      const device = await freshDevice(createDevice);
      class Scaled extends Guarded {
        scale = 1;
        readonly settings = { shift: 0 };
        forward(x: Tensor): Tensor {
          return x.mul(this.scale).add(guard(this.settings, 'shift'));
        }
      }
      const model = new Scaled();
      const f = compile((x: Tensor) => model.forward(x));
      const work = await counted(device, async () => {
        for (let index = 0; index < 30; index++) {
          model.scale = index;
          model.settings.shift = index / 4;
          expect(await f(tensor([2])).item()).toBe(2 * index + index / 4);
        }
      });
      expect(work.compilations).toBeLessThanOrEqual(2);
    });

    test('state, random numbers and gradients go on as in the plain function', async () => {
      const run = async (compiled: boolean): Promise<unknown> => {
        await freshDevice(createDevice);
        manualSeed(4);
        const network = new Network();
        const optimizer = new Momentum(network.parameters);
        const plain = (data: ReturnType<typeof batch>, weight: number, last: boolean): Tensor => {
          const drop = rand([5, 4]).ge(weight / 4);
          const loss = network.loss({ x: data.x.where(drop, 0), y: data.y });
          loss.mul(weight).backward();
          if (last) {
            optimizer.step();
            optimizer.zeroGrad();
          }
          return loss;
        };
        const step = compiled ? compile(plain) : plain;
        const losses: number[] = [];
        for (let index = 0; index < 12; index++)
          losses.push(
            await step(batch(5, index), [0.25, 0.5, 1, 0.75, 0.1][index % 5]!, index % 3 === 2).item(),
          );
        return [losses, await network.values()];
      };
      const [plain, compiled] = [await run(false), await run(true)];
      expect(compiled).toEqual(plain);
    });

    test('what a trace notes on nodes is not left for the next trace', async () => {
      await freshDevice(createDevice);
      const w = tensor([1, 2], { requiresGrad: true });
      const f = (x: Tensor, n: number): readonly (Tensor | null)[] => {
        const h = w.mul(x);
        if (n % 2 === 1) h.retainGrad();
        const y = h.square().sum();
        y.mul(n).backward(undefined, { retainGraph: n % 3 === 0 });
        if (n % 3 === 0) y.backward();
        const inner = checkpoint((t) => t.mul(n).tanh())(w).sum();
        inner.backward();
        const slope = grad((t) => t.pow(2).mul(n).sum())(x);
        const gradient = w.grad;
        w.grad = null;
        return [h.grad, gradient, slope, noGrad(() => w.mul(n)).requiresGrad ? null : y.detach()];
      };
      const compiled = compile(f);
      const x = tensor([3, 4]);
      const values = async (results: readonly (Tensor | null)[]): Promise<unknown> =>
        Promise.all(results.map(async (each) => (each === null ? null : each.detach().toArray())));
      for (const n of [1, 2, 3, 4, 5, 6, 3, 2, 9, 8, 7])
        expect([n, await values(compiled(x, n))]).toEqual([n, await values(f(x, n))]);
    });

    test('a derivative of one’s own is asked anew for each number', async () => {
      await freshDevice(createDevice);
      let slope = 0;
      const scaled = defineOp({
        name: 'scaled',
        body: (x: Tensor) => x.mul(1),
        vjp: ([g]) => [g.mul(slope)],
      });
      const w = tensor([1, 2], { requiresGrad: true });
      const f = compile((n: number) => {
        slope = n;
        scaled(w).sum().backward();
        const gradient = w.grad!;
        w.grad = null;
        return gradient;
      });
      for (const n of [2, 3, 2, 5]) expect(await f(n).toArray()).toEqual([n, n]);
    });

    test('a plan that has been traced earlier keeps its numbers and its data', async () => {
      await freshDevice(createDevice);
      const w = tensor([1], { name: 'w' });
      const f = compile((n: number) => {
        w.assign(w.mul(n).add(tensor([n])));
        return w.mul(n);
      });
      const plain = (state: number, n: number): number => state * n + n;
      let state = 1;
      const snapshots: Tensor[] = [];
      for (const n of [2, 3, 4, 2, 3, 2, 4]) {
        // A second owner of the storage asks for another program, one that does not write over it.
        if (n === 2 && snapshots.length < 2) snapshots.push(w.detach());
        const result = f(n);
        state = plain(state, n);
        expect([await w.item(), await result.item()]).toEqual([state, state * n]);
      }
      expect(await snapshots[0]!.item()).toBe(1);
    });

    test('a table that was made of a number keeps it, and hidden state is refused', async () => {
      await freshDevice(createDevice);
      class Cached extends Guarded {
        table: Tensor | null = null;
        last: Tensor | null = null;
        forward(x: Tensor, n: number): Tensor {
          const table = full([2], n).mul(2);
          this.table ??= table;
          this.last = x.mul(n);
          return x.mul(table);
        }
      }
      const model = new Cached();
      const f = compile((x: Tensor, n: number) => model.forward(x, n));
      for (const n of [3, 5, 7]) expect(await f(tensor([1, 1]), n).toArray()).toEqual([2 * n, 2 * n]);
      expect(await model.table!.toArray()).toEqual([6, 6]);
      await expect(model.last!.data()).rejects.toThrow(StaleError);
    });

    test('a trace that throws leaves nothing behind', async () => {
      await freshDevice(createDevice);
      const w = tensor([2], { requiresGrad: true });
      const f = compile((x: Tensor, n: number) => {
        const y = w.mul(x).mul(n).sum();
        y.backward();
        if (n === 3) throw new Error('three');
        w.assign(w.detach().sub(w.grad!));
        w.grad = null;
        return y;
      });
      const x = tensor([1]);
      expect(await f(x, 1).item()).toBe(2);
      expect(() => f(x, 3)).toThrow('three');
      expect([await w.item(), w.grad]).toEqual([1, null]);
      expect(await f(x, 2).item()).toBe(2);
      expect(() => f(x, 3)).toThrow('three');
      expect(await w.item()).toBe(-1);
    });

    test('random functions of random numbers', async () => {
      await freshDevice(createDevice);
      const instruction = fc.record({
        kind: fc.constantFrom(
          'mul',
          'add',
          'where',
          'branch',
          'full',
          'round',
          'square',
          'derived',
          'relu',
          'backward',
          'pow',
          'random',
          'assign',
          'field',
        ),
        other: fc.constantFrom(0, 1, 0.5, 0.3, -2),
      });
      const numbers = fc.array(fc.constantFrom(0, 1, 0.3, -2, 0.5, 5, -0), { minLength: 3, maxLength: 8 });
      await fc.assert(
        fc.asyncProperty(
          fc.array(instruction, { minLength: 1, maxLength: 6 }),
          numbers,
          async (instructions, values) => {
            const run = async (isCompiled: boolean): Promise<unknown> => {
              manualSeed(1);
              const w = tensor([1, -1], { requiresGrad: true, name: 'w' });
              const box = new (class extends Guarded {
                value = 1;
              })();
              const f = (x: Tensor, n: number): Tensor =>
                instructions.reduce((y, each) => INSTRUCTIONS[each.kind]!(y, n, each.other, w, box), x);
              const g = isCompiled ? compile(f) : f;
              const results: unknown[] = [];
              for (const [index, n] of values.entries()) {
                box.value = (index % 3) / 2;
                results.push(
                  await g(tensor([0.5, 2]), n)
                    .detach()
                    .toArray(),
                  await w.toArray(),
                  (await w.grad?.toArray()) ?? null,
                );
              }
              return results;
            };
            expect(await run(true)).toEqual(await run(false));
          },
        ),
        { numRuns: 60, seed: 20 },
      );
    });
  });
}

type Instruction = (
  y: Tensor,
  n: number,
  other: number,
  w: Tensor,
  box: { readonly value: number },
) => Tensor;
const INSTRUCTIONS: { readonly [kind: string]: Instruction } = {
  mul: (y, n) => y.mul(n),
  add: (y, n, other) => y.add(n * other),
  where: (y, n, other) => y.where(y.gt(n), other),
  branch: (y, n, other) => (n > other ? y.mul(n) : y.sub(other)),
  full: (y, n) => y.add(full([2], n).mul(2)),
  round: (y) => y.mul(2).round(),
  square: (y) => y.square(),
  derived: (y, n) => y.mul(1 - n).add(Math.abs(n)),
  relu: (y) => y.relu(),
  backward: (y, n, other, w) => {
    w.mul(y.detach()).square().sum().mul(n).backward();
    return y.add(other);
  },
  pow: (y, n, other) => y.abs().pow(n > other ? 2 : 3),
  random: (y, n) => y.add(rand([2]).mul(n)),
  assign: (y, n, _, w) => {
    noGrad(() => w.assign(w.mul(0.5).add(n)));
    return y;
  },
  field: (y, n, _, __, box) => y.mul(box.value).add(n),
};

/** The same on a device of its own, with the number as a constant. */
async function createAndRun(createDevice: CreateDevice, dtype: DType, n: number): Promise<unknown> {
  const device = await createDevice();
  const result = tensor([1, 2, 3], { dtype, device }).mul(n).add(n).maximum(n);
  const values = await result.toArray();
  device.dispose();
  return values;
}
