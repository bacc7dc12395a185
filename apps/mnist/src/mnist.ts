/**
 * The MNIST digits (LeCun, Cortes and Burges 1998): 60,000 images of 28 × 28 bytes to learn from and 10,000
 * to be tested on, each part in two files of the idx format. Where the files come from is not said here: Node
 * reads them from a disk, a page from its server.
 */
import { ArrayDataset, type Dataset, mapDataset, readIdx } from '@firsthand/data';
import { NDArray } from '@firsthand/linalg';
import { type Digits, PIXELS } from './digits.ts';

/**
 * The digits in two files of one part.
 * @throws FormatError if a file is not as the format says
 */
export function parseDigits(images: Uint8Array, labels: Uint8Array): Digits {
  const [pixels, digits] = [readIdx(images).data as Uint8Array, readIdx(labels).data as Uint8Array];
  return { count: digits.length, pixels, labels: digits };
}

/** The first `count` digits; all of them if there are fewer. */
export function firstDigits({ count, pixels, labels }: Digits, limit: number): Digits {
  return {
    count: Math.min(count, limit),
    pixels: pixels.subarray(0, limit * PIXELS),
    labels: labels.subarray(0, limit),
  };
}

/**
 * Mean and standard deviation of the training images' pixels, as bytes. Inputs around 0 of size 1 are what
 * layers are initialised for.
 */
const MEAN = 33.32;
const DEVIATION = 78.57;

/** What each of the 256 bytes becomes: one look-up for a pixel, and no arithmetic. */
const SHADES = Float32Array.from({ length: 256 }, (_, byte) => (byte - MEAN) / DEVIATION);

function standardize(image: NDArray): NDArray {
  const bytes = image.contiguous().data;
  const shades = new Float32Array(bytes.length);
  for (let pixel = 0; pixel < bytes.length; pixel++) shades[pixel] = SHADES[bytes[pixel]!]!;
  return NDArray.packed(shades, image.shape, 'float32');
}

/** image: float32 (784), standardised; label: int32 (). */
export function toDataset({ count, pixels, labels }: Digits): Dataset<'image' | 'label'> {
  const bytes = new ArrayDataset({
    image: { dtype: 'uint8', shape: [count, PIXELS], data: pixels },
    label: { dtype: 'uint8', shape: [count], data: labels },
  });
  return mapDataset(bytes, ({ image, label }) => ({ image: standardize(image), label }));
}
