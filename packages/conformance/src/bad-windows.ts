/** Convolution and pooling, wrongly called: ranks, channels, groups, sizes, settings and dtypes. */
import { DTypeError, ShapeError } from '@firsthand/autograd';
import { floats, halves, whole } from './bad-call.ts';
import type { BadCall } from './bad-call.ts';

export const WINDOWS: readonly BadCall[] = [
  {
    title: 'conv2d of an image without a batch',
    call: () => floats(3, 4, 4).conv2d(floats(2, 3, 2, 2)),
    error: ShapeError,
    says: ['conv2d', 'float32 [3, 4, 4]', 'float32 [2, 3, 2, 2]', '(N, C, H, W)', 'unsqueeze(0)'],
  },
  {
    title: 'conv1d of an image',
    call: () => floats(1, 3, 4, 4).conv1d(floats(2, 3, 2)),
    error: ShapeError,
    says: ['conv1d', '[1, 3, 4, 4]', '(N, C, L)'],
  },
  {
    title: 'conv2d of other channels',
    call: () => floats(1, 4, 4, 4).conv2d(floats(2, 3, 2, 2)),
    error: ShapeError,
    says: ['conv2d: channels differ', '[1, 4, 4, 4]', '[2, 3, 2, 2]', '4 ≠ 3'],
  },
  {
    title: 'conv2d with groups that do not divide its inputs',
    call: () => floats(1, 3, 4, 4).conv2d(floats(2, 1, 2, 2), null, { groups: 2 }),
    error: ShapeError,
    says: ['conv2d', '2 groups', '3 input channels', '[1, 3, 4, 4]', 'divisor'],
  },
  {
    title: 'conv2d with groups that do not divide its outputs',
    call: () => floats(1, 4, 4, 4).conv2d(floats(3, 2, 2, 2), null, { groups: 2 }),
    error: ShapeError,
    says: ['conv2d', '2 groups', '3 output channels', '[3, 2, 2, 2]', 'divisor'],
  },
  {
    title: 'conv2d in no groups',
    call: () => floats(1, 4, 4, 4).conv2d(floats(4, 4, 2, 2), null, { groups: 0 }),
    error: ShapeError,
    says: ['conv2d', 'groups', '0'],
  },
  {
    title: 'conv2d with a kernel that is too large',
    call: () => floats(1, 1, 9, 4).conv2d(floats(1, 1, 3, 3), null, { padding: [0, 1], dilation: [1, 3] }),
    error: ShapeError,
    says: ['conv2d', '[1, 1, 9, 4]', 'axis 1', '3 taps at dilation 3 span 7 of 6 elements', 'padding'],
  },
  {
    title: 'conv2d with an empty kernel',
    call: () => floats(1, 1, 4, 4).conv2d(floats(1, 1, 0, 3)),
    error: ShapeError,
    says: ['conv2d', 'empty', '[1, 1, 0, 3]'],
  },
  {
    title: 'conv2d without a stride',
    call: () => floats(1, 1, 4, 4).conv2d(floats(1, 1, 2, 2), null, { stride: 0 }),
    error: ShapeError,
    says: ['conv2d: stride', 'at least 1', 'got 0'],
  },
  {
    title: 'conv1d at half a tap',
    call: () => floats(1, 1, 4).conv1d(floats(1, 1, 2), null, { dilation: 0.5 }),
    error: ShapeError,
    says: ['conv1d: dilation', 'whole number', 'got 0.5'],
  },
  {
    title: 'conv2d with negative padding',
    call: () => floats(1, 1, 4, 4).conv2d(floats(1, 1, 2, 2), null, { padding: [1, -1] }),
    error: ShapeError,
    says: ['conv2d: padding', 'at least 0', 'got 1, -1'],
  },
  {
    title: 'conv2d with a bias of another size',
    call: () => floats(1, 1, 4, 4).conv2d(floats(2, 1, 2, 2), floats(3)),
    error: ShapeError,
    says: ['conv2d: bias', '[2]', '[3]'],
  },
  {
    title: 'convTranspose2d of other channels',
    call: () => floats(1, 4, 4, 4).convTranspose2d(floats(2, 4, 2, 2)),
    error: ShapeError,
    says: ['convTranspose2d: channels differ', '[1, 4, 4, 4]', '[2, 4, 2, 2]', '4 ≠ 2'],
  },
  {
    title: 'convTranspose2d with groups that do not divide',
    call: () => floats(1, 3, 4, 4).convTranspose2d(floats(3, 1, 2, 2), null, { groups: 2 }),
    error: ShapeError,
    says: ['convTranspose2d', '2 groups', '3 input channels', '[1, 3, 4, 4]'],
  },
  {
    title: 'convTranspose2d with too much outputPadding',
    call: () =>
      floats(1, 1, 4, 4).convTranspose2d(floats(1, 1, 2, 2), null, { stride: 2, outputPadding: [1, 2] }),
    error: ShapeError,
    says: ['convTranspose2d: outputPadding', 'less than the stride or the dilation', 'got 1, 2'],
  },
  {
    title: 'convTranspose2d that pads everything away',
    call: () => floats(1, 1, 1, 4).convTranspose2d(floats(1, 1, 2, 2), null, { padding: 1 }),
    error: ShapeError,
    says: ['convTranspose2d', '[1, 1, 1, 4]', '[0, 3]', 'less padding'],
  },
  {
    title: 'maxPool2d of a matrix',
    call: () => floats(4, 4).maxPool2d(2),
    error: ShapeError,
    says: ['maxPool2d', '[4, 4]', '(N, C, H, W)', 'unsqueeze(0)'],
  },
  {
    title: 'maxPool2d with a kernel that is too large',
    call: () => floats(1, 1, 2, 4).maxPool2d(3),
    error: ShapeError,
    says: ['maxPool2d', '[1, 1, 2, 4]', 'axis 0', 'span 3 of 2', 'smaller kernel'],
  },
  {
    title: 'maxPool2d with more padding than half a window',
    call: () => floats(1, 1, 8, 8).maxPool2d(3, { padding: [1, 2], dilation: 2 }),
    error: ShapeError,
    says: ['maxPool2d', 'padding 2', 'half', '3 taps', '[1, 1, 8, 8]', 'less padding'],
  },
  {
    title: 'maxPool2d of no elements',
    call: () => floats(1, 1, 8, 8).maxPool2d([0, 2]),
    error: ShapeError,
    says: ['maxPool2d: the kernel', 'at least 1', 'got 0, 2'],
  },
  {
    title: 'avgPool2d with more padding than half a window',
    call: () => floats(1, 1, 8, 8).avgPool2d(2, { padding: 2 }),
    error: ShapeError,
    says: ['avgPool2d', 'padding 2', 'half', '[1, 1, 8, 8]'],
  },
  {
    title: 'conv2d of integers',
    call: () => whole(1, 1, 4, 4).conv2d(whole(1, 1, 2, 2)),
    error: DTypeError,
    says: ['conv2d', 'int32 [1, 1, 4, 4]', 'cast'],
  },
  {
    title: 'conv2d of different dtypes',
    call: () => floats(1, 1, 4, 4).conv2d(halves(1, 1, 2, 2)),
    error: DTypeError,
    says: ['conv2d', 'float32 [1, 1, 4, 4]', 'float16 [1, 1, 2, 2]', 'cast'],
  },
  {
    title: 'conv2d with a bias of another dtype',
    call: () => floats(1, 1, 4, 4).conv2d(floats(1, 1, 2, 2), halves(1)),
    error: DTypeError,
    says: ['conv2d', 'float16 [1]', 'cast'],
  },
  {
    title: 'convTranspose2d of integers',
    call: () => whole(1, 1, 4, 4).convTranspose2d(whole(1, 1, 2, 2)),
    error: DTypeError,
    says: ['convTranspose2d', 'int32 [1, 1, 4, 4]', 'cast'],
  },
  {
    title: 'maxPool2d of integers',
    call: () => whole(1, 1, 4, 4).maxPool2d(2),
    error: DTypeError,
    says: ['maxPool2d', 'int32', 'cast'],
  },
  {
    title: 'avgPool2d of integers',
    call: () => whole(1, 1, 4, 4).avgPool2d(2),
    error: DTypeError,
    says: ['avgPool2d', 'int32', 'cast'],
  },
];
