/**
 * The edges of rules 18 and 19: a trace that throws leaves no state behind, values may not be read inside of
 * one, the state of a compiled function, and no tensor loses its gradient silently.
 */
import {
  checkpoint,
  compile,
  DeviceError,
  GradientError,
  hvp,
  manualSeed,
  OptionError,
  rand,
  randn,
  realize,
  StaleError,
  tensor,
} from '@firsthand/autograd';
import type { Tensor } from '@firsthand/autograd';
import { array, type NDArray } from '@firsthand/linalg';
import { describe, expect, test } from 'vitest';
import { batch, counted, freshDevice, Momentum, Network, trainingStep } from './fixture.ts';
import type { CreateDevice } from './fixture.ts';

export function describeTrace(createDevice: CreateDevice): void {
  describe('rule 18: the stated differences', () => {
    test('an exception in the trace restores every handle and gradient', async () => {
      const device = await freshDevice(createDevice);
      const network = new Network();
      const optimizer = new Momentum(network.parameters);
      trainingStep(network, optimizer, batch(2, 1));
      network.loss(batch(2, 2)).backward();
      const before = [await network.values(), await network.w1.grad!.toArray()];
      const failing = compile((data: ReturnType<typeof batch>) => {
        trainingStep(network, optimizer, data);
        throw new Error('inside');
      });
      const work = await counted(device, () => expect(() => failing(batch(2, 3))).toThrow('inside'));
      expect(work.programs).toBe(0);
      expect([await network.values(), await network.w1.grad!.toArray()]).toEqual(before);
      // Plain calls go on as if nothing had been.
      await trainingStep(network, optimizer, batch(2, 4)).item();
      expect(await network.values()).not.toEqual(before[0]);
    });

    test('tracing enqueues nothing: a gradient that is pending outside waits for the call', async () => {
      const device = await freshDevice(createDevice);
      const w = tensor([2], { requiresGrad: true });
      w.mul(3).sum().backward();
      let fails = true;
      const accumulate = compile(() => {
        w.mul(5).sum().backward();
        if (fails) throw new Error('inside');
      });
      expect(await counted(device, () => expect(() => accumulate()).toThrow('inside'))).toMatchObject({
        programs: 0,
      });
      fails = false;
      accumulate();
      expect(await w.grad!.item()).toBe(8);
    });

    test('values do not exist inside', async () => {
      await freshDevice(createDevice);
      const x = tensor([1]);
      for (const ask of [(t: Tensor) => t.data(), (t: Tensor) => t.item(), (t: Tensor) => realize(t)]) {
        let requested: Promise<unknown> = Promise.resolve();
        compile((t: Tensor) => {
          requested = ask(t.add(1));
          return t.add(2);
        })(x);
        await expect(requested).rejects.toThrow(DeviceError);
      }
      expect(() => compile((t: Tensor) => t.dataSync())(x)).toThrow(DeviceError);
      expect(() => compile(async (t: Tensor) => t.add(1))(x)).toThrow(/asynchronous/);
      // The function's own promise, which rejects too, is nobody's unhandled rejection.
      expect(() => compile(async (t: Tensor) => t.item())(x)).toThrow(/asynchronous/);
      expect(await x.item()).toBe(1);
    });

    test('a handle that escapes throws when it is used', async () => {
      await freshDevice(createDevice);
      let escaped: Tensor | null = null;
      const f = compile((x: Tensor) => {
        escaped = x.add(1);
        return escaped.mul(2);
      });
      expect(await f(tensor([1])).item()).toBe(4);
      await expect(escaped!.data()).rejects.toThrow(StaleError);
      expect(() => escaped!.add(1)).toThrow(/inside compile/);
    });

    test('no gradient flows into an argument, or into the past of a captured value', async () => {
      await freshDevice(createDevice);
      const w = tensor([2], { requiresGrad: true, name: 'w' });
      const history = w.mul(3);
      expect(() =>
        compile((x: Tensor) => x.mul(2).sum().backward())(tensor([1], { requiresGrad: true })),
      ).toThrow(GradientError);
      expect(() => compile(() => history.mul(2).sum().backward())()).toThrow(GradientError);
      compile(() => history.detach().mul(w).sum().backward())();
      expect(await w.grad!.item()).toBe(6);
    });

    test('a result differentiated outside throws, and is never silently without gradient', async () => {
      await freshDevice(createDevice);
      const w = tensor([2], { requiresGrad: true });
      const f = compile((x: Tensor) => x.mul(w));
      const y = f(tensor([1]));
      expect(y.requiresGrad).toBe(true);
      expect(() => y.sum().backward()).toThrow(GradientError);
      expect(() => y.mul(w).sum().backward()).toThrow(/compiled/);
      y.detach().mul(w).sum().backward();
      expect(await w.grad!.item()).toBe(2);
    });

    test('JavaScript side effects happen while tracing, once', async () => {
      await freshDevice(createDevice);
      const seen: string[] = [];
      const f = compile((x: Tensor) => {
        seen.push('traced');
        return x.add(1);
      });
      for (let call = 0; call < 3; call++) f(tensor([call]));
      expect(seen).toEqual(['traced']);
    });

    test('data that would be frozen into the program is refused', async () => {
      await freshDevice(createDevice);
      const f = compile((data: Float32Array) => tensor(data).sum());
      expect(() => f(new Float32Array([1, 2]))).toThrow(/Float32Array/);
      const ofArray = compile((data: NDArray) => tensor(data).sum());
      expect(() => ofArray(array([1, 2]))).toThrow(OptionError);
      expect(() => ofArray(array([1, 2]))).toThrow(
        'compile: an argument is an NDArray, whose elements would be frozen into the program; pass tensor(data)',
      );
      expect(() =>
        compile((both: { readonly list: readonly NDArray[] }) => both)({ list: [array([1])] }),
      ).toThrow(/NDArray/);
    });

    test('what is no function, or gives its values later, is refused', async () => {
      await freshDevice(createDevice);
      expect(() => compile(tensor([1]) as unknown as () => void)).toThrow(
        'compile: what is to be compiled is a Tensor; needs a function',
      );
      expect(() => compile(async () => tensor([1]))()).toThrow(/compile: the function is asynchronous/);
      expect(() => compile(function* () {})()).toThrow(/compile: the function is a generator/);
      expect(() => compile(async function* () {})()).toThrow(/compile: the function is a generator/);
      expect(() => compile(() => {}, { verify: 0.5 })).toThrow(/verify is 0.5; needs a whole number/);
      expect(() => compile(() => {}, { maxBytes: '1' as unknown as number })).toThrow(OptionError);
      for (const f of [() => undefined, async () => tensor([1]), () => 3]) {
        expect(() => checkpoint(f as unknown as () => Tensor)()).toThrow(
          /^checkpoint: the function (returned (undefined|3)|is asynchronous)/,
        );
      }
    });

    test('a value made inside may be given another, as outside', async () => {
      await freshDevice(createDevice);
      const f = (x: Tensor): Tensor => {
        const sum = x.add(1);
        sum.assign(sum.mul(10));
        return sum.add(x);
      };
      expect(await f(tensor([2])).item()).toBe(32);
      const compiled = compile(f);
      for (const value of [2, 3])
        expect(await compiled(tensor([value])).item()).toBe((value + 1) * 10 + value);
    });

    test('an argument cannot be rebound', async () => {
      await freshDevice(createDevice);
      const f = compile((x: Tensor) => {
        x.assign(x.add(1));
      });
      expect(() => f(tensor([1]))).toThrow(DeviceError);
    });

    test('a variable that is rebound inside cannot be an argument too', async () => {
      await freshDevice(createDevice);
      const w = tensor([1], { name: 'w' });
      const f = compile((x: Tensor) => {
        w.assign(w.add(1));
        return x.mul(2);
      });
      expect(() => f(w)).toThrow(/"w"/);
      expect(await f(tensor([5])).item()).toBe(10);
      expect(() => f(w)).toThrow(/"w"/);
      expect(await w.item()).toBe(2);
      const v = tensor([1], { requiresGrad: true, name: 'v' });
      const accumulate = compile((gradient: Tensor) => {
        v.mul(3).sum().backward();
        return gradient.mul(1);
      });
      v.mul(2).sum().backward();
      expect(() => accumulate(v.grad!)).toThrow(/"v.grad"/);
      expect(await v.grad!.item()).toBe(2);
    });
  });

  describe('rule 18: results', () => {
    test('arguments and variables come back as themselves, in any structure', async () => {
      await freshDevice(createDevice);
      const w = tensor([1]);
      const f = compile((x: Tensor) => {
        w.assign(w.add(x));
        const twice = x.mul(2);
        return { x, w, list: [twice, twice, 3, 'text', null], nested: { sum: twice.add(w) } };
      });
      const x = tensor([10]);
      for (const [sum, expected] of [
        [31, 11],
        [41, 21],
      ] as const) {
        const result = f(x);
        expect(result.x).toBe(x);
        expect(result.w).toBe(w);
        expect(result.list[0]).toBe(result.list[1]);
        expect(result.list.slice(2)).toEqual([3, 'text', null]);
        expect(await result.nested.sum.item()).toBe(sum);
        expect(await w.item()).toBe(expected);
        expect(await (result.list[0] as Tensor).item()).toBe(20);
      }
    });

    test('results of one call survive the next', async () => {
      await freshDevice(createDevice);
      const w = tensor([1, 1]);
      const f = compile(() => {
        w.assign(w.mul(2));
        return [w.detach(), w.add(0), w.reshape(1, 2)];
      });
      const [first, second] = [f(), f()];
      for (const each of first)
        expect((await each.toArray()) as unknown[]).toEqual(each.ndim === 2 ? [[2, 2]] : [2, 2]);
      for (const each of second)
        expect((await each.toArray()) as unknown[]).toEqual(each.ndim === 2 ? [[4, 4]] : [4, 4]);
    });

    test('an argument that shares the storage of a variable keeps its value', async () => {
      await freshDevice(createDevice);
      const w = tensor([1, 2], { name: 'w' });
      const alias = w.detach();
      const f = compile((x: Tensor) => {
        w.assign(w.add(1));
        return x.mul(2);
      });
      for (let call = 0; call < 2; call++) expect(await f(alias).toArray()).toEqual([2, 4]);
      expect(await w.toArray()).toEqual([3, 4]);
    });

    test('transforms, checkpoints, kept gradients and fresh leaves inside', async () => {
      await freshDevice(createDevice);
      const w = tensor([1, 2], { requiresGrad: true });
      const f = (x: Tensor): readonly Tensor[] => {
        const curvature = hvp((t) => t.pow(3).sum(), x, x);
        const loss = checkpoint((t) =>
          t
            .mul(rand([2]))
            .tanh()
            .exp(),
        )(w).sum();
        loss.backward();
        const noise = randn([2], { requiresGrad: true });
        noise.square().sum().backward();
        const gradient = w.grad!.add(noise.grad!);
        w.grad = null;
        return [curvature, loss, gradient];
      };
      const run = async (g: typeof f): Promise<unknown> => {
        manualSeed(1);
        const values: unknown[] = [];
        for (const start of [2, 3]) {
          const results = g(tensor([start, 1]));
          await realize(...results);
          for (const result of results) values.push(await result.toArray());
        }
        return values;
      };
      expect(await run(compile(f))).toEqual(await run(f));
    });

    test('a compiled function inside a compiled function is part of it', async () => {
      const device = await freshDevice(createDevice);
      const w = tensor([3], { requiresGrad: true });
      const inner = compile((x: Tensor) => x.mul(w).sum());
      const outer = compile((x: Tensor) => {
        const loss = inner(x);
        loss.backward();
        w.assign(w.detach().sub(w.grad!));
        w.grad = null;
        return loss;
      });
      const work = await counted(device, async () => {
        expect(await outer(tensor([1])).item()).toBe(3);
        expect(await outer(tensor([1])).item()).toBe(2);
      });
      expect(work).toMatchObject({ compilations: 1, programs: 2 });
      expect(await inner(tensor([5])).item()).toBe(5);
    });
  });

  describe('rule 19: the state of a compiled function', () => {
    test('is read from the handles at each call', async () => {
      const device = await freshDevice(createDevice);
      const w = tensor([1], { name: 'w' });
      const f = compile((x: Tensor) => x.mul(w));
      const x = tensor([10]);
      expect(await f(x).item()).toBe(10);
      w.assign(tensor([2]));
      expect(await f(x).item()).toBe(20);
      w.assign(w.mul(5));
      const work = await counted(device, async () => expect(await f(x).item()).toBe(100));
      expect(work).toMatchObject({ programs: 2 });
    });

    test('includes gradients, as the path from their parameter', async () => {
      const device = await freshDevice(createDevice);
      const w = tensor([2], { requiresGrad: true });
      let traces = 0;
      const accumulate = compile((x: Tensor) => {
        traces++;
        w.mul(x).sum().backward();
      });
      const x = tensor([1]);
      for (let call = 0; call < 3; call++) accumulate(x);
      expect(await w.grad!.item()).toBe(3);
      expect(traces).toBe(2);
      w.grad = tensor([10]);
      accumulate(x);
      expect(await w.grad.item()).toBe(11);
      w.grad = null;
      accumulate(x);
      expect(await w.grad!.item()).toBe(1);
      expect(traces).toBe(2);
      w.mul(5).sum().backward();
      expect(await w.grad!.item()).toBe(6);
      expect(device.memory().live).toBeLessThan(200);
    });

    test('is overwritten in place when nobody else can see it', async () => {
      const device = await freshDevice(createDevice);
      const w = tensor(new Float32Array(1024), { name: 'w' });
      const step = compile(() => {
        w.assign(w.add(1));
      });
      step();
      const { live } = device.memory();
      for (let call = 0; call < 5; call++) step();
      await w.data();
      expect(device.memory().live).toBe(live);
      const snapshot = w.detach();
      step();
      step();
      expect((await snapshot.data())[0]).toBe(6);
      expect((await w.data())[0]).toBe(8);
    });

    test('is shared by plain and compiled steps in any order', async () => {
      const losses = async (compiledAt: (step: number) => boolean): Promise<readonly number[]> => {
        await freshDevice(createDevice);
        const network = new Network();
        const optimizer = new Momentum(network.parameters);
        const plain = (data: ReturnType<typeof batch>): Tensor => trainingStep(network, optimizer, data);
        const compiled = compile(plain);
        const results: Tensor[] = [];
        for (let step = 0; step < 8; step++)
          results.push((compiledAt(step) ? compiled : plain)(batch(3, step)));
        return Promise.all(results.map((each) => each.item()));
      };
      const expected = await losses(() => false);
      expect(await losses((step) => step % 2 === 0)).toEqual(expected);
      expect(await losses((step) => step > 3)).toEqual(expected);
    });
  });
}
