// What the training loop costs: images per second of the network 784-128-10 with AdamW in batches of 64, by a
// bare compiled loop, by `fit` compiled with metrics, clipping and a schedule, and by `fit` eagerly; and the
// device's memory after each.
import { compile, getDefaultDevice, manualSeed, type Tensor, tensor } from '@firsthand/autograd';
import { ArrayDataset, DataLoader } from '@firsthand/data';
import { Generator } from '@firsthand/linalg';
import { Linear, loss, Module } from '@firsthand/nn';
import { AdamW, schedule } from '@firsthand/optim';
import { accuracy, fit } from '../src/index.ts';

class MLP extends Module {
  fc1: Linear = new Linear(784, 128);
  fc2: Linear = new Linear(128, 10);
  forward(x: Tensor): Tensor {
    return this.fc2.forward(this.fc1.forward(x).relu()); // (N, 784) → (N, 10)
  }
}

const examples = 64 * 150;
const random = new Generator(1);
const dataset = new ArrayDataset({
  image: random.uniform([examples, 784]),
  label: random.integers(0, 10, { shape: [examples] }),
});
const loader = (): DataLoader<'image' | 'label'> =>
  new DataLoader(dataset, { batchSize: 64, shuffle: new Generator(2) });

async function bare(): Promise<void> {
  const model = new MLP();
  const optimizer = new AdamW(model.parameters());
  const step = compile((x: Tensor, y: Tensor) => {
    const l = loss.crossEntropy(model.forward(x), y);
    l.backward();
    optimizer.step();
    optimizer.zeroGrad();
    return l;
  });
  let last: Tensor | null = null;
  for await (const { image, label } of loader()) {
    last = step(tensor(image.data, { shape: image.shape }), tensor(label.data, { shape: label.shape }));
  }
  await last?.item();
}

async function fitted(compiled: boolean): Promise<void> {
  const model = new MLP();
  await fit({
    model,
    loss: (net, { image, label }) => {
      const logits = net.forward(image);
      return { loss: loss.crossEntropy(logits, label), accuracy: accuracy(logits, label) };
    },
    optimizer: new AdamW(model.parameters()),
    data: loader(),
    epochs: 1,
    schedule: schedule.cosine({ steps: 150, warmup: 10 }),
    clip: 1,
    compile: compiled,
  });
}

const device = getDefaultDevice();
for (const [name, run] of [
  ['bare loop', bare],
  ['fit', () => fitted(true)],
  ['fit, not compiled', () => fitted(false)],
] as const) {
  let best = Infinity;
  for (let round = 0; round < 3; round++) {
    manualSeed(0);
    const start = performance.now();
    await run();
    best = Math.min(best, performance.now() - start);
  }
  const live = (device.memory().live / 2 ** 20).toFixed(1);
  console.log(
    `${name.padEnd(20)} ${Math.round((1000 * examples) / best)} images/s, ${(best / 150).toFixed(2)} ms per step, ${live} MiB on the device`,
  );
}
