/**
 * Convolution 3×3 with padding 1 in TensorFlow.js, with a gradient of its own: the WebAssembly backend has a
 * fast convolution, a slow kernel for the gradient of images, and none for that of filters. Both gradients
 * are convolutions too. Images are (batch, S, S, channels), filters (3, 3, channels, outputs).
 */
import type { Save, Tf, TfTensor } from './tfjs-interface.ts';

/**
 * The padded images, with batch and channels exchanged, convolved with the gradient of the result, g: (batch,
 * S, S, outputs).
 */
function filterGradient(tf: Tf, x: TfTensor, g: TfTensor): TfTensor {
  const around = [1, 1] as const;
  // (channels, S + 2, S + 2, batch)
  const images = tf.transpose(tf.pad(x, [[0, 0], around, around, [0, 0]]), [3, 1, 2, 0]);
  const filter = tf.transpose(g, [1, 2, 0, 3]); // (S, S, batch, outputs)
  return tf.transpose(tf.conv2d(images, filter, 1, 'valid'), [1, 2, 0, 3]); // from (channels, 3, 3, outputs)
}

/** g convolved with the filter turned around. */
function imageGradient(tf: Tf, filter: TfTensor, g: TfTensor): TfTensor {
  const turned = tf.transpose(tf.reverse(filter, [0, 1]), [0, 1, 3, 2]);
  return tf.conv2d(g, turned, 1, 'same');
}

/** Both operands have gradients. */
export function convolve(tf: Tf, x: TfTensor, filter: TfTensor): TfTensor {
  const operation = (image: TfTensor, kernel: TfTensor, save: Save) => {
    save([image, kernel]);
    return {
      value: tf.conv2d(image, kernel, 1, 'same'),
      gradFunc: (g: TfTensor, saved: readonly TfTensor[]) => [
        imageGradient(tf, saved[1]!, g),
        filterGradient(tf, saved[0]!, g),
      ],
    };
  };
  return tf.customGrad(operation)(x, filter);
}

/** The filter has a gradient; the images, which nobody trains, have none. */
export function convolveImages(tf: Tf, x: TfTensor, filter: TfTensor): TfTensor {
  const operation = (kernel: TfTensor, save: Save) => {
    save([x]);
    return {
      value: tf.conv2d(x, kernel, 1, 'same'),
      gradFunc: (g: TfTensor, saved: readonly TfTensor[]) => [filterGradient(tf, saved[0]!, g)],
    };
  };
  return tf.customGrad(operation)(filter);
}
