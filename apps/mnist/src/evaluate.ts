/**
 * How well the model reads digits that it has not seen: the probabilities that it gives, and how often each
 * digit was taken for which.
 */
import { compile, noGrad, tensor, type Tensor } from '@firsthand/autograd';
import { type Dataset, loadBatch } from '@firsthand/data';
import type { NDArray } from '@firsthand/linalg';
import type { Layer } from '@firsthand/nn';
import { CLASSES, likeliest } from './digits.ts';

export interface Evaluation {
  /** Share of the images that were read rightly. */
  readonly accuracy: number;
  /** (10 · 10): how often the digit of the row was read as that of the column. */
  readonly confusion: Int32Array;
  /** (count · 10), image by image. */
  readonly probabilities: Float32Array;
}

const BATCH = 500;

/**
 * A function that reads images, (n, 784), with the model as it is when it is called: the probabilities of the
 * digits, (n · 10), image by image.
 */
export function reader(model: Layer): (images: NDArray) => Promise<Float32Array> {
  const predict = compile((image: Tensor) => noGrad(() => model.forward(image).softmax()));
  return async (images) =>
    (await predict(tensor(images.contiguous().data, { shape: images.shape })).data()) as Float32Array;
}

/** Reads every image of the dataset. */
export async function evaluate(model: Layer, dataset: Dataset<'image' | 'label'>): Promise<Evaluation> {
  model.eval();
  const probabilitiesOf = reader(model);
  const probabilities = new Float32Array(dataset.length * CLASSES);
  const confusion = new Int32Array(CLASSES * CLASSES);
  let right = 0;
  for (let first = 0; first < dataset.length; first += BATCH) {
    const indices = Array.from({ length: Math.min(BATCH, dataset.length - first) }, (_, i) => first + i);
    const { image, label } = await loadBatch(dataset, indices);
    probabilities.set(await probabilitiesOf(image), first * CLASSES);
    for (const [i, index] of indices.entries()) {
      const written = label.get(i);
      const read = likeliest(probabilities.subarray(index * CLASSES, (index + 1) * CLASSES));
      confusion[written * CLASSES + read]!++;
      if (read === written) right++;
    }
  }
  model.train();
  return { accuracy: right / dataset.length, confusion, probabilities };
}
