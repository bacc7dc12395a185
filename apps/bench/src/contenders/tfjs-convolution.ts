/**
 * Convolution 3×3 with padding 1 in TensorFlow.js, with a gradient of its own: the WebAssembly backend has a fast convolution, and no kernel for the gradient
 * of a filter. That gradient is one product, of the patches of the image with the gradient of the result; that of the image is a convolution with the filter
 * turned around. Images are (batch, S, S, channels), filters (3, 3, channels, outputs).
 */
import type { Save, Tf, TfTensor } from './tfjs-interface.ts';

const PLACES = [0, 1, 2] as const;

export interface ConvolutionSizes {
  readonly batch: number;
  readonly channels: number;
  /** S */
  readonly size: number;
  readonly outputs: number;
}

/** From the gradient g of the result: (batch, S, S, outputs). */
function filterGradient(tf: Tf, x: TfTensor, g: TfTensor, { batch, channels, size, outputs }: ConvolutionSizes): TfTensor {
  const around = [1, 1] as const;
  const padded = tf.pad(x, [[0, 0], around, around, [0, 0]]);
  const shifted = PLACES.flatMap((i) => PLACES.map((j) => tf.slice(padded, [0, i, j, 0], [batch, size, size, channels])));
  const patches = tf.reshape(tf.concat(shifted, 3), [batch * size * size, 9 * channels]);
  const product = tf.matMul(tf.transpose(patches), tf.reshape(g, [batch * size * size, outputs]));
  return tf.reshape(product, [3, 3, channels, outputs]);
}

function imageGradient(tf: Tf, filter: TfTensor, g: TfTensor): TfTensor {
  const turned = tf.transpose(tf.reverse(filter, [0, 1]), [0, 1, 3, 2]);
  return tf.conv2d(g, turned, 1, 'same');
}

/** Both operands have gradients. */
export function convolve(tf: Tf, x: TfTensor, filter: TfTensor, sizes: ConvolutionSizes): TfTensor {
  const operation = (image: TfTensor, kernel: TfTensor, save: Save) => {
    save([image, kernel]);
    return {
      value: tf.conv2d(image, kernel, 1, 'same'),
      gradFunc: (g: TfTensor, saved: readonly TfTensor[]) => [imageGradient(tf, saved[1]!, g), filterGradient(tf, saved[0]!, g, sizes)],
    };
  };
  return tf.customGrad(operation)(x, filter);
}

/** The filter has a gradient; the images, which nobody trains, have none. */
export function convolveImages(tf: Tf, x: TfTensor, filter: TfTensor, sizes: ConvolutionSizes): TfTensor {
  const operation = (kernel: TfTensor, save: Save) => {
    save([x]);
    return {
      value: tf.conv2d(x, kernel, 1, 'same'),
      gradFunc: (g: TfTensor, saved: readonly TfTensor[]) => [filterGradient(tf, saved[0]!, g, sizes)],
    };
  };
  return tf.customGrad(operation)(filter);
}
