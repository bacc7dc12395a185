/**
 * Examples of the methods that slide windows: with numbers for both axes and without, with a bias, and the
 * gradient of a bias.
 */
import type { Tensor } from '@firsthand/autograd';
import { toTensor } from '../compare.ts';
import type { Dense } from '../oracle/dense.ts';
import { reshape, sum, zip } from '../oracle/dense.ts';
import { samples } from '../oracle/samples.ts';
import { convolution, largestOf, pool, transposedConvolution } from '../oracle/windows.ts';
import type { Geometry } from '../oracle/windows.ts';
import { example } from './method-example.ts';
import type { Example } from './method-example.ts';

type SpatialMethod = 'conv1d' | 'conv2d' | 'convTranspose2d' | 'maxPool2d' | 'avgPool2d';

const sequence = samples([2, 2, 5], -2, 2);
const image = samples([2, 2, 4, 3], -2, 2);
const wide = samples([1, 2, 4, 6], -2, 2);

const plain = (axes: number): Geometry => {
  const all = (value: number): number[] => Array.from({ length: axes }, () => value);
  return { stride: all(1), padding: all(0), dilation: all(1) };
};
/** The oracle's array where x is, in its dtype. */
const like = (x: Tensor, value: Dense): Tensor => toTensor(value, x.dtype, { device: x.device });
const plusBias = (y: Dense, bias: Dense): Dense =>
  zip(y, reshape(bias, [bias.shape[0]!, ...y.shape.slice(2).map(() => 1)]), (a, b) => a + b);
const meanOf = (values: readonly (number | null)[]): number =>
  sum(values.map((value) => value ?? 0)) / values.length;
const meanInside = (values: readonly (number | null)[]): number => {
  const inside = values.filter((value) => value !== null);
  return sum(inside) / inside.length;
};

const bias = samples([3], -1, 1, 3);
const taps = samples([3, 2, 2], -1, 1, 2);
const kernel = samples([3, 2, 2, 2], -1, 1, 2);
const spreading = samples([2, 3, 2, 2], -1, 1, 2);
const each = samples([2, 1, 2, 2], -1, 1, 2);

export const SPATIAL_METHODS: { readonly [K in SpatialMethod]: readonly Example[] } = {
  conv1d: [
    example(
      '',
      (x) => x.conv1d(like(x, taps)),
      (x) => convolution(x, taps, 1, plain(1)),
      sequence,
    ),
    example(
      'stride, padding, bias',
      (x) => x.conv1d(like(x, taps), like(x, bias), { stride: 2, padding: 1 }),
      (x) => plusBias(convolution(x, taps, 1, { stride: [2], padding: [1], dilation: [1] }), bias),
      sequence,
    ),
  ],
  conv2d: [
    example(
      '',
      (x) => x.conv2d(like(x, kernel)),
      (x) => convolution(x, kernel, 1, plain(2)),
      image,
    ),
    example(
      'numbers for both axes, bias',
      (x) => x.conv2d(like(x, kernel), like(x, bias), { stride: 2, padding: 1, dilation: 2 }),
      (x) => plusBias(convolution(x, kernel, 1, { stride: [2, 2], padding: [1, 1], dilation: [2, 2] }), bias),
      image,
    ),
    example(
      'a number for each axis, groups',
      (x) => x.conv2d(like(x, each), null, { stride: [1, 2], padding: [0, 1], groups: 2 }),
      (x) => convolution(x, each, 2, { stride: [1, 2], padding: [0, 1], dilation: [1, 1] }),
      image,
    ),
    example(
      'of a bias',
      (b) => like(b, image).conv2d(like(b, kernel), b),
      (b) => plusBias(convolution(image, kernel, 1, plain(2)), b),
      bias,
    ),
    example(
      'of an operand that is its own weight',
      (x) => x.conv2d(x, null, { padding: 1 }),
      (x) => convolution(x, x, 1, { ...plain(2), padding: [1, 1] }),
      samples([2, 2, 2, 2], -1, 1),
    ),
  ],
  convTranspose2d: [
    example(
      '',
      (x) => x.convTranspose2d(like(x, spreading)),
      (x) => transposedConvolution(x, spreading, 1, plain(2), [0, 0]),
      image,
    ),
    example(
      'stride, padding, outputPadding, bias',
      (x) =>
        x.convTranspose2d(like(x, spreading), like(x, bias), {
          stride: 2,
          padding: 1,
          outputPadding: [1, 0],
        }),
      (x) =>
        plusBias(
          transposedConvolution(
            x,
            spreading,
            1,
            { stride: [2, 2], padding: [1, 1], dilation: [1, 1] },
            [1, 0],
          ),
          bias,
        ),
      image,
    ),
    example(
      'more outputPadding than stride, groups',
      (x) =>
        x.convTranspose2d(like(x, each), null, {
          stride: [1, 2],
          padding: [1, 2],
          dilation: 3,
          outputPadding: 2,
          groups: 2,
        }),
      (x) => transposedConvolution(x, each, 2, { stride: [1, 2], padding: [1, 2], dilation: [3, 3] }, [2, 2]),
      image,
    ),
  ],
  maxPool2d: [
    example(
      'side by side',
      (x) => x.maxPool2d(2),
      (x) => pool(x, [2, 2], { ...plain(2), stride: [2, 2] }, largestOf),
      wide,
    ),
    example(
      'overlapping',
      (x) => x.maxPool2d([2, 3], { stride: 1, padding: [1, 0], dilation: [1, 2] }),
      (x) => pool(x, [2, 3], { stride: [1, 1], padding: [1, 0], dilation: [1, 2] }, largestOf),
      wide,
    ),
  ],
  avgPool2d: [
    example(
      'side by side',
      (x) => x.avgPool2d([2, 3]),
      (x) => pool(x, [2, 3], { ...plain(2), stride: [2, 3] }, meanOf),
      wide,
    ),
    example(
      'zeros around that count',
      (x) => x.avgPool2d(3, { stride: [1, 2], padding: 1 }),
      (x) => pool(x, [3, 3], { stride: [1, 2], padding: [1, 1], dilation: [1, 1] }, meanOf),
      wide,
    ),
    example(
      'zeros around that do not count',
      (x) => x.avgPool2d(2, { padding: 1, countIncludePad: false }),
      (x) => pool(x, [2, 2], { ...plain(2), stride: [2, 2], padding: [1, 1] }, meanInside),
      wide,
    ),
  ],
};
