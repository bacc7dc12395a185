// Whole trainings on the GPU device beside the reference: the losses of fifty steps of a perceptron and of a
// GPT, from the same start on the same batches.
import {
  attention,
  compile,
  manualSeed,
  setDefaultDevice,
  split,
  tensor,
  type Device,
  type Tensor,
} from '@firsthand/autograd';
import { createReference, getDefaultDevice } from '@firsthand/runtime';
import { Embedding, LayerNorm, Linear, loss, Module } from '@firsthand/nn';
import { AdamW } from '@firsthand/optim';
import { createWebGPU } from '@firsthand/webgpu';
import { afterAll, expect, test } from 'vitest';

const STEPS = 50;
const outer = getDefaultDevice();
afterAll(() => setDefaultDevice(outer));

class Perceptron extends Module {
  readonly hidden: Linear = new Linear(20, 32);
  readonly head: Linear = new Linear(32, 10);
  forward(x: Tensor): Tensor {
    return this.head.forward(this.hidden.forward(x).relu());
  }
}

const [B, T, C, H, V] = [4, 16, 32, 4, 12];

/** One block of a GPT, with an embedding before and a head after. */
class SmallGPT extends Module {
  readonly tokens: Embedding = new Embedding(V, C);
  readonly positions: Embedding = new Embedding(T, C);
  readonly norm1: LayerNorm = new LayerNorm(C);
  readonly qkv: Linear = new Linear(C, 3 * C);
  readonly projection: Linear = new Linear(C, C);
  readonly norm2: LayerNorm = new LayerNorm(C);
  readonly expand: Linear = new Linear(C, 4 * C);
  readonly contract: Linear = new Linear(4 * C, C);
  readonly head: Linear = new Linear(C, V, { bias: false });

  forward(ids: Tensor): Tensor {
    const places = tensor(Int32Array.from({ length: T }, (_, place) => place));
    const x = this.tokens.forward(ids).add(this.positions.forward(places)); // (B, T, C)
    const [q, k, v] = split(this.qkv.forward(this.norm1.forward(x)), [C, C, C], -1).map(
      (part) => part.reshape(B, T, H, C / H).permute(0, 2, 1, 3), // (B, H, T, C/H)
    ) as [Tensor, Tensor, Tensor];
    const mixed = attention(q, k, v, { causal: true }).permute(0, 2, 1, 3).reshape(B, T, C); // (B, T, C)
    const y = x.add(this.projection.forward(mixed)); // (B, T, C)
    // (B, T, C)
    const z = y.add(this.contract.forward(this.expand.forward(this.norm2.forward(y)).gelu('tanh')));
    return this.head.forward(z).reshape(B * T, V); // (B·T, V)
  }
}

const integers = (count: number, bound: number, seed: number): Int32Array =>
  Int32Array.from({ length: count }, (_, place) => (place * place * 7 + place * seed + 3 * seed) % bound);

interface Training {
  readonly create: () => Module & { forward(x: Tensor): Tensor };
  readonly batch: (step: number) => readonly [x: Tensor, labels: Tensor];
}

const TRAININGS: { readonly [name: string]: Training } = {
  'a perceptron': {
    create: () => new Perceptron(),
    batch: (step) => [
      tensor(
        Float32Array.from({ length: 8 * 20 }, (_, place) => Math.sin(place * (step + 1))),
        { shape: [8, 20] },
      ),
      tensor(integers(8, 10, step)),
    ],
  },
  'a GPT': {
    create: () => new SmallGPT(),
    batch: (step) => [
      tensor(integers(B * T, V, step % 5), { shape: [B, T] }),
      tensor(integers(B * T, V, (step % 5) + 1)),
    ],
  },
};

async function losses({ create, batch }: Training, device: Device): Promise<number[]> {
  setDefaultDevice(device);
  manualSeed(5);
  const model = create();
  const optimizer = new AdamW(model.parameters(), { lr: 1e-3 });
  const step = compile((x: Tensor, labels: Tensor) => {
    const value = loss.crossEntropy(model.forward(x), labels);
    value.backward();
    optimizer.step();
    optimizer.zeroGrad();
    return value;
  });
  const curve: number[] = [];
  for (let index = 0; index < STEPS; index++) curve.push(await step(...batch(index)).item());
  return curve;
}

test.each(Object.entries(TRAININGS))('%s', async (_, training) => {
  const expected = await losses(training, createReference());
  const actual = await losses(training, await createWebGPU());
  const furthest = actual.reduce(
    (most, value, step) => Math.max(most, Math.abs(value / expected[step]! - 1)),
    0,
  );
  expect(furthest, 'the largest relative distance').toBeLessThan(1e-4);
  expect(expected.at(-1)! < expected[0]!).toBe(true);
});
