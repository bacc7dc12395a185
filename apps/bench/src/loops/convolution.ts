/**
 * Convolution and max-pooling of images in plain loops, forward and backward. A convolution goes by input
 * channel and tap of the kernel, whose one weight then meets whole rows of the image: y[·] += w·x[· +
 * shift]. Images are (batch, channels, S, S).
 */
import type { Result, Variable } from './layers.ts';

const KERNEL = 3;
const PADDING = 1;

/** Those of an image, and how many there are of it. */
export interface ImageSizes {
  readonly batch: number;
  readonly channels: number;
  /** S */
  readonly size: number;
}

/**
 * A weight meets a row of the image: where it is, where the row starts in the input, and in the output, and
 * how long it is.
 */
type Visit = (weight: number, input: number, output: number, length: number) => void;

/** Visits every row in which a weight meets the image; what the padding would give is left out. */
function forEachMeeting({ batch, channels, size }: ImageSizes, outputs: number, visit: Visit): void {
  for (let n = 0; n < batch; n++) {
    for (let o = 0; o < outputs; o++) {
      for (let c = 0; c < channels; c++) {
        for (let i = 0; i < KERNEL; i++) {
          for (let j = 0; j < KERNEL; j++) {
            const weight = ((o * channels + c) * KERNEL + i) * KERNEL + j;
            const [down, right] = [i - PADDING, j - PADDING];
            const left = Math.max(0, -right);
            const length = size - Math.abs(right);
            for (let row = Math.max(0, -down); row < Math.min(size, size - down); row++) {
              const input = ((n * channels + c) * size + row + down) * size + left + right;
              visit(weight, input, ((n * outputs + o) * size + row) * size + left, length);
            }
          }
        }
      }
    }
  }
}

/**
 * 3×3 with padding 1. x: (batch, in, S, S), weight: (out, in, 3, 3), bias: (out). Result: (batch, out, S, S).
 */
export function convolution(x: Float32Array, sizes: ImageSizes, weight: Variable, bias: Variable): Result {
  const outputs = bias.value.length;
  const area = sizes.size ** 2;
  const y = new Float32Array(sizes.batch * outputs * area);
  for (let image = 0; image < sizes.batch * outputs; image++)
    y.fill(bias.value[image % outputs]!, image * area, (image + 1) * area);
  forEachMeeting(sizes, outputs, (at, input, output, length) => {
    const w = weight.value[at]!;
    for (let i = 0; i < length; i++) y[output + i]! += w * x[input + i]!;
  });
  const backward = (g: Float32Array): Float32Array => {
    const dx = new Float32Array(x.length);
    forEachMeeting(sizes, outputs, (at, input, output, length) => {
      const w = weight.value[at]!;
      let dw = 0;
      for (let i = 0; i < length; i++) {
        dx[input + i]! += w * g[output + i]!;
        dw += x[input + i]! * g[output + i]!;
      }
      weight.gradient[at]! += dw;
    });
    for (let i = 0; i < g.length; i++) bias.gradient[Math.floor(i / area) % outputs]! += g[i]!;
    return dx;
  };
  return { y, backward };
}

/**
 * The largest of each 2×2 window; the gradient goes to the first that is as large. x: (images, S, S), S even.
 * Result: (images, S/2, S/2).
 */
export function maxPool(x: Float32Array, size: number): Result {
  const half = size / 2;
  const y = new Float32Array(x.length / 4);
  const from = new Int32Array(y.length);
  for (let out = 0; out < y.length; out++) {
    const corner = 2 * Math.floor(out / half) * size + 2 * (out % half);
    let largest = corner;
    for (const at of [corner + 1, corner + size, corner + size + 1]) if (x[at]! > x[largest]!) largest = at;
    from[out] = largest;
    y[out] = x[largest]!;
  }
  const backward = (g: Float32Array): Float32Array => {
    const dx = new Float32Array(x.length);
    for (let out = 0; out < g.length; out++) dx[from[out]!] = g[out]!;
    return dx;
  };
  return { y, backward };
}
