// The digits as they are published, and as the network gets them.
import { loadBatch } from '@firsthand/data';
import { mean, std } from '@firsthand/linalg';
import { expect, test } from 'vitest';
import { loadDigits } from '../src/digit-files.ts';
import { PIXELS } from '../src/digits.ts';
import { firstDigits, toDataset } from '../src/mnist.ts';

const [train, tests] = await Promise.all([loadDigits('train'), loadDigits('test')]);

test('there are 60,000 to learn from and 10,000 to be tested on', () => {
  expect([train.count, train.pixels.length, tests.count, tests.pixels.length]).toEqual([
    60_000,
    60_000 * PIXELS,
    10_000,
    10_000 * PIXELS,
  ]);
  expect([...train.labels.subarray(0, 5), ...tests.labels.subarray(0, 5)]).toEqual([
    5, 0, 4, 1, 9, 7, 2, 1, 0, 4,
  ]);
});

test('the first few are the same images and labels', () => {
  const few = firstDigits(train, 3);
  expect([few.count, few.pixels.length, few.labels.length]).toEqual([3, 3 * PIXELS, 3]);
  expect(Buffer.compare(few.pixels, train.pixels.subarray(0, 3 * PIXELS))).toBe(0);
  expect(firstDigits(few, 100).count).toBe(3);
});

test('the network gets pixels of mean 0 and deviation 1, and labels as integers', async () => {
  const { image, label } = await loadBatch(
    toDataset(train),
    Array.from({ length: 6000 }, (_, i) => 10 * i),
  );
  expect([image.dtype, image.shape, label.dtype, label.shape]).toEqual([
    'float32',
    [6000, PIXELS],
    'int32',
    [6000],
  ]);
  expect(mean(image).get()).toBeCloseTo(0, 1);
  expect(std(image).get()).toBeCloseTo(1, 1);
});
