/**
 * Methods of a tensor over windows that slide along its last axes: convolution and pooling. What a size
 * becomes: ⌊(L + 2·padding − dilation·(K − 1) − 1)/stride⌋ + 1 (Dumoulin & Visin 2016, "A guide to
 * convolution arithmetic for deep learning"); defaults and layouts are those of torch.nn.functional.
 */
import { aboutNodes, avgPool2d, conv1d, conv2d, convTranspose2d, maxPool2d } from '@firsthand/graph';
import type {
  AvgPool2dOptions,
  Conv1dOptions,
  Conv2dOptions,
  ConvTranspose2dOptions,
  MaxPool2dOptions,
  Node,
} from '@firsthand/graph';
import { checkCount } from '@firsthand/linalg';
import { Elementwise } from './elementwise.ts';
import { operandNode } from './operands.ts';

export abstract class Spatial<T extends Spatial<T>> extends Elementwise<T> {
  /** A convolution of this with a weight and perhaps a bias. */
  private convolve<O>(
    name: string,
    fn: (x: Node, weight: Node, bias: Node | null, options?: O) => Node,
    weight: T,
    bias: T | null,
    options: O | undefined,
    given: number,
  ): T {
    checkCount(name, given, 3, `x.${name}(weight, bias, options)`);
    const added =
      bias === null
        ? null
        : operandNode(bias, name, 'the bias (null where there is none, and the options after it)');
    const [x, w] = [this.read(name), operandNode(weight, name, 'the weight')];
    try {
      return this.wrap(fn(x, w, added, options));
    } catch (error) {
      throw aboutNodes(error, added === null ? [x, w] : [x, w, added]);
    }
  }

  /**
   * Convolution along one axis, without turning the kernel around. this: (N, C, L), weight: (O, C/groups, K),
   * bias: (O). Result: (N, O, L′), L′ = ⌊(L + 2·padding − dilation·(K − 1) − 1)/stride⌋ + 1.
   * @throws ShapeError if channels, groups or sizes do not fit; DTypeError unless all are of one
   *   floating-point dtype
   * @example
   * ```ts
   * import { tensor } from '@firsthand/autograd';
   * const x = tensor([[[1, 2, 4, 8]]]); // (1, 1, 4)
   * const differences = tensor([[[-1, 1]]]); // (1, 1, 2)
   * console.log(await x.conv1d(differences).toArray()); // [ [ [ 1, 2, 4 ] ] ]
   * console.log(await x.conv1d(differences, null, { stride: 2, padding: 1 }).toArray()); // [ [ [ 1, 2, -8 ] ] ]
   * ```
   */
  conv1d(weight: T, bias: T | null = null, options?: Conv1dOptions): T {
    return this.convolve('conv1d', conv1d, weight, bias, options, arguments.length);
  }

  /**
   * Convolution along two axes, without turning the kernel around. this: (N, C, H, W), weight: (O, C/groups,
   * KH, KW), bias: (O). Result: (N, O, H′, W′), H′ = ⌊(H + 2·padding − dilation·(KH − 1) − 1)/stride⌋ + 1.
   * @throws ShapeError if channels, groups or sizes do not fit; DTypeError unless all are of one
   *   floating-point dtype
   * @example
   * ```ts
   * import { ones, tensor } from '@firsthand/autograd';
   * const x = tensor([[[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]]); // (1, 1, 3, 3)
   * const y = x.conv2d(ones([1, 1, 2, 2]), tensor([0.5])); // (1, 1, 2, 2)
   * console.log(await y.squeeze().toArray()); // [ [ 12.5, 16.5 ], [ 24.5, 28.5 ] ]
   * console.log(x.conv2d(ones([4, 1, 3, 3]), null, { padding: 1, stride: [1, 2] }).shape); // [ 1, 4, 3, 2 ]
   * ```
   */
  conv2d(weight: T, bias: T | null = null, options?: Conv2dOptions): T {
    return this.convolve('conv2d', conv2d, weight, bias, options, arguments.length);
  }

  /**
   * The transpose of a convolution along two axes: what its gradient does. this: (N, C, H, W), weight: (C,
   * O/groups, KH, KW), bias: (O). Result: (N, O, H′, W′), H′ = (H − 1)·stride − 2·padding + dilation·(KH − 1)
   * + 1 + outputPadding.
   * @throws ShapeError if channels, groups or sizes do not fit; DTypeError unless all are of one
   *   floating-point dtype
   * @example
   * ```ts
   * import { tensor } from '@firsthand/autograd';
   * const x = tensor([[[[1, 2]]]]); // (1, 1, 1, 2)
   * const weight = tensor([[[[1, 10], [3, 30]]]]); // (1, 1, 2, 2)
   * console.log(await x.convTranspose2d(weight).squeeze().toArray()); // [ [ 1, 12, 20 ], [ 3, 36, 60 ] ]
   * console.log(x.convTranspose2d(weight, null, { stride: 2, outputPadding: [0, 1] }).shape); // [ 1, 1, 2, 5 ]
   * ```
   */
  convTranspose2d(weight: T, bias: T | null = null, options?: ConvTranspose2dOptions): T {
    return this.convolve('convTranspose2d', convTranspose2d, weight, bias, options, arguments.length);
  }

  /**
   * The largest element of each window; NaN wins. The first of equals, in row-major order, has the gradient.
   * this: (N, C, H, W). Result: (N, C, H′, W′), H′ = ⌊(H + 2·padding − dilation·(KH − 1) − 1)/stride⌋ + 1.
   * Padding is −∞.
   * @throws ShapeError if a window does not fit, or padding is more than half of the kernel; DTypeError for
   *   integers
   * @example
   * ```ts
   * import { tensor } from '@firsthand/autograd';
   * const x = tensor([[[[1, 2, 3, 4], [8, 7, 6, 5]]]]); // (1, 1, 2, 4)
   * console.log(await x.maxPool2d(2).squeeze().toArray()); // [ 8, 6 ]
   * console.log(await x.maxPool2d([1, 3], { stride: 1 }).squeeze().toArray()); // [ [ 3, 4 ], [ 8, 7 ] ]
   * ```
   */
  maxPool2d(kernel: number | readonly [number, number], options?: MaxPool2dOptions): T {
    checkCount('maxPool2d', arguments.length, 2, 'x.maxPool2d(kernel, { stride, padding, dilation })');
    return this.derive('maxPool2d', (x) => maxPool2d(x, kernel, options));
  }

  /**
   * The mean of each window. this: (N, C, H, W). Result: (N, C, H′, W′), H′ = ⌊(H + 2·padding − KH)/stride⌋ +
   * 1. Zeros around the tensor count as elements, unless `countIncludePad` is false.
   * @throws ShapeError if a window does not fit, or padding is more than half of the kernel; DTypeError for
   *   integers
   * @example
   * ```ts
   * import { tensor } from '@firsthand/autograd';
   * const x = tensor([[[[1, 2, 3, 4], [5, 6, 7, 8]]]]); // (1, 1, 2, 4)
   * console.log(await x.avgPool2d(2).squeeze().toArray()); // [ 3.5, 5.5 ]
   * console.log(await x.avgPool2d(2, { padding: [0, 1], countIncludePad: false }).squeeze().toArray()); // [ 3, 4.5, 6 ]
   * ```
   */
  avgPool2d(kernel: number | readonly [number, number], options?: AvgPool2dOptions): T {
    checkCount('avgPool2d', arguments.length, 2, 'x.avgPool2d(kernel, { stride, padding, countIncludePad })');
    return this.derive('avgPool2d', (x) => avgPool2d(x, kernel, options));
  }
}
