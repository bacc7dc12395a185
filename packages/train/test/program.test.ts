// The program that the design promises, as it is written there but for its device and its data: compiled and
// plain it gives the same losses.
import { compile, getDefaultDevice, manualSeed, type Tensor, tensor } from '@firsthand/autograd';
import { runtimeOf } from '@firsthand/runtime';
import { Generator } from '@firsthand/linalg';
import { Linear, loss, Module } from '@firsthand/nn';
import { AdamW } from '@firsthand/optim';
import { expect, test } from 'vitest';

class MLP extends Module {
  fc1 = new Linear(784, 128);
  fc2 = new Linear(128, 10);
  forward(x: Tensor) {
    return this.fc2.forward(this.fc1.forward(x).relu());
  }
}

const random = new Generator(5);
const batches = [64, 64, 64, 64, 7].map((size) => ({
  images: random.uniform([size, 784]).data as Float32Array,
  labels: random.integers(0, 10, { shape: [size] }).data as Int32Array,
  size,
}));

async function train(compiled: boolean): Promise<{
  readonly losses: number[];
  readonly programs: number;
  readonly compilations: number;
  readonly recomputed: number;
}> {
  manualSeed(42);
  const model = new MLP();
  const optimizer = new AdamW(model.parameters(), { lr: 1e-3 });
  const plain = (x: Tensor, y: Tensor): Tensor => {
    const l = loss.crossEntropy(model.forward(x), y);
    l.backward();
    optimizer.step();
    optimizer.zeroGrad();
    return l;
  };
  const step = compiled ? compile(plain) : plain;
  const { counters } = runtimeOf(getDefaultDevice());
  const before = { ...counters };
  const losses: number[] = [];
  for (let epoch = 0; epoch < 2; epoch++) {
    for (const { images, labels, size } of batches) {
      losses.push(await step(tensor(images, { shape: [size, 784] }), tensor(labels)).item());
    }
  }
  return {
    losses,
    programs: counters.programs - before.programs,
    compilations: counters.compilations - before.compilations,
    recomputed: counters.recomputed - before.recomputed,
  };
}

test('runs eagerly and compiled with the same losses, one program per step, two compilations with the ragged last batch', async () => {
  const plain = await train(false);
  const compiled = await train(true);
  expect(compiled.losses).toEqual(plain.losses);
  expect(plain).toMatchObject({ programs: 10, compilations: 2, recomputed: 0 });
  expect(compiled).toMatchObject({ programs: 10, compilations: 2, recomputed: 0 });
  expect(plain.losses[0]).toBeGreaterThan(2.2);
  expect(plain.losses[0]).toBeLessThan(2.5);
  expect(plain.losses[5]).toBeLessThan(plain.losses[0]!); // the same batch, an epoch later
});
