/**
 * Rules 22 to 25: random numbers are a pure function of key and counter, a saved state resumes bit for bit,
 * the same program gives the same bits, and a dtype that a device lacks is said at the call.
 */
import {
  defaultGenerator,
  DTypeError,
  manualSeed,
  noGrad,
  rand,
  randint,
  randn,
  Tensor,
  tensor,
  zeros,
} from '@firsthand/autograd';
import { hostLeaf, random } from '@firsthand/graph';
import type { DType } from '@firsthand/graph';
import type { Device } from '@firsthand/runtime';
import type { GeneratorState } from '@firsthand/linalg';
import { describe, expect, test } from 'vitest';
import { batch, freshDevice, Momentum, Network, sample } from './fixture.ts';
import type { CreateDevice } from './fixture.ts';

/** The words of Philox4x32-10 for a key and a counter, and the uniforms made of the same words. */
async function words(
  device: Device,
  key: readonly [number, number],
  counter: readonly [number, number],
  count: number,
): Promise<readonly number[][]> {
  const draw = (dtype: 'uint32' | 'float32'): Tensor => {
    const [keyLeaf, counterLeaf] = [key, counter].map((value) => hostLeaf(() => value, 'uint32', device));
    return new Tensor(random(keyLeaf!, counterLeaf!, [count], dtype));
  };
  return [[...(await draw('uint32').data())], [...(await draw('float32').data())]];
}

/** A device without one dtype. */
function without(missing: DType, inner: Device): Device {
  return {
    name: inner.name,
    supports: (dtype) => dtype !== missing && inner.supports(dtype),
    prepare: (program) => inner.prepare(program),
    upload: (data, dtype) => inner.upload(data, dtype),
    read: (storage) => inner.read(storage),
    memory: () => inner.memory(),
    dispose: () => inner.dispose(),
  };
}

export function describeNumbers(createDevice: CreateDevice): void {
  describe('rule 22: random numbers are a function of key and counter', () => {
    test('the words are those of Philox4x32-10', async () => {
      const device = await freshDevice(createDevice);
      // Random123's known-answer vectors, with the upper half of the counter zero.
      expect((await words(device, [0, 0], [0, 0], 4))[0]).toEqual([
        0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8,
      ]);
      const [run] = await words(device, [1, 2], [3, 0], 12);
      expect((await words(device, [1, 2], [4, 0], 8))[0]).toEqual(run!.slice(4));
    });

    test('uniforms are the upper 24 bits of the words', async () => {
      const device = await freshDevice(createDevice);
      const [bits, uniforms] = await words(device, [7, 8], [9, 1], 64);
      expect(uniforms).toEqual(bits!.map((word) => (word >>> 8) / 2 ** 24));
    });

    test('the seed decides, whatever ran before', async () => {
      await freshDevice(createDevice);
      const draw = async (): Promise<unknown> => {
        manualSeed(42);
        return [await rand([5]).toArray(), await randn([5]).toArray(), await randint(0, 10, [5]).toArray()];
      };
      const first = await draw();
      await rand([3]).data();
      expect(await draw()).toEqual(first);
    });

    test('dropout stores no mask', async () => {
      const device = await freshDevice(createDevice);
      const x = tensor(new Float32Array(1024).fill(1), { requiresGrad: true });
      const loss = x
        .mul(2)
        .where(rand([1024]).ge(0.5), 0)
        .sum();
      const { live } = device.memory();
      const retainedFraction = (await loss.item()) / 2;
      expect(device.memory().live - live).toBe(4);
      loss.backward();
      const gradient = await x.grad!.data();
      expect(Array.from(gradient).reduce((sum, each) => sum + each, 0) / 2).toBe(retainedFraction);
      expect(retainedFraction).toBeGreaterThan(400);
      expect(retainedFraction).toBeLessThan(624);
    });
  });

  describe('rule 23: the state of the generator is a key and a counter', () => {
    test('resuming from it continues bit for bit', async () => {
      await freshDevice(createDevice);
      const train = async (
        network: Network,
        optimizer: Momentum,
        steps: readonly number[],
      ): Promise<void> => {
        for (const step of steps) {
          const { x, y } = batch(5, step);
          const dropped = x.mul(2).where(rand(x.shape).ge(0.5), 0);
          network.forward(dropped).sub(y).square().mean().backward();
          optimizer.step();
          optimizer.zeroGrad();
        }
        await network.values();
      };
      manualSeed(3);
      const network = new Network();
      const optimizer = new Momentum(network.parameters);
      await train(network, optimizer, [1, 2, 3]);
      const saved = JSON.stringify(defaultGenerator().state);
      const values = await Promise.all(
        [...network.parameters, ...optimizer.moments].map((each) => each.data()),
      );
      await train(network, optimizer, [4, 5, 6]);

      manualSeed(99);
      const resumed = new Network();
      const resumedOptimizer = new Momentum(resumed.parameters);
      noGrad(() => {
        [...resumed.parameters, ...resumedOptimizer.moments].forEach((each, index) =>
          each.assign(tensor(values[index]!, { shape: each.shape })),
        );
      });
      defaultGenerator().state = JSON.parse(saved) as GeneratorState;
      await train(resumed, resumedOptimizer, [4, 5, 6]);
      expect(await resumed.values()).toEqual(await network.values());
    });
  });

  describe('rule 24: the same program gives the same bits', () => {
    test('on the same device, again', async () => {
      const compute = async (): Promise<unknown> => {
        await freshDevice(createDevice);
        const a = tensor(sample(70, 90, 1), { shape: [70, 90] });
        const b = tensor(sample(90, 50, 2), { shape: [90, 50] });
        const product = a.matmul(b);
        return [
          await product.softmax().sum({ axis: 0 }).toArray(),
          await product.exp().sum().item(),
          await product.std().item(),
        ];
      };
      expect(await compute()).toEqual(await compute());
    });
  });

  describe('rule 25: dtypes that a device lacks', () => {
    test('float64 is a DTypeError where there is none, at the call', async () => {
      const device = await freshDevice(async () => without('float64', await createDevice()));
      expect(() => tensor([1], { dtype: 'float64' })).toThrow(DTypeError);
      expect(() => zeros([2], { dtype: 'float64' })).toThrow(DTypeError);
      expect(() => tensor([1]).cast('float64')).toThrow(new RegExp(`${device.name}.*float64`));
      expect(await tensor([1]).add(1).item()).toBe(2);
    });

    test('float16 is storage, with float32 arithmetic', async () => {
      await freshDevice(createDevice);
      const x = tensor([1, 2049, 300], { dtype: 'float16' });
      expect(await x.toArray()).toEqual([1, 2048, 300]);
      expect(await x.data()).toBeInstanceOf(Uint16Array);
      expect(await x.mul(x).toArray()).toEqual([1, Infinity, Infinity]);
      // 2048 + 1 + 300 in float32, rounded once.
      expect(await x.sum().item()).toBe(2348);
    });
  });
}
