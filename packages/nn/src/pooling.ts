/**
 * Pooling layers: the largest element or the mean of each window. The stride is the kernel size if none
 * is given, as in torch.nn.
 */
import type { AvgPool2dOptions, MaxPool2dOptions, Tensor } from '@firsthand/autograd';
import { checkCount, checkOptions, type OptionKeys } from '@firsthand/linalg';
import { Module } from './module.ts';

/** The size of windows, and the options of the tensor's method. */
abstract class Pool2d<O> extends Module {
  readonly kernelSize: number | readonly [number, number];
  readonly options: O;

  constructor(kernelSize: number | readonly [number, number], options: O) {
    super();
    this.kernelSize = kernelSize;
    this.options = options;
  }
}

/**
 * @throws OptionError for an option that does not exist, or an argument that would be ignored: torch's stride
 * after the kernel
 */
function poolOptions<O extends object>(
  layer: string,
  options: O | undefined,
  keys: OptionKeys<O>,
  given: number,
): O {
  checkCount(layer, given, 2, `new ${layer}(kernel, { ${Object.keys(keys).join(', ')} })`);
  return checkOptions(layer, options, keys);
}

/** The largest element of each window. */
export class MaxPool2d extends Pool2d<MaxPool2dOptions> {
  constructor(kernelSize: number | readonly [number, number], options?: MaxPool2dOptions) {
    super(
      kernelSize,
      poolOptions('MaxPool2d', options, { stride: true, padding: true, dilation: true }, arguments.length),
    );
  }

  /** x: (N, C, H, W). Result: (N, C, H′, W′). @throws ShapeError if a window does not fit */
  forward(x: Tensor): Tensor {
    return x.maxPool2d(this.kernelSize, this.options);
  }
}

/** The mean of each window. */
export class AvgPool2d extends Pool2d<AvgPool2dOptions> {
  constructor(kernelSize: number | readonly [number, number], options?: AvgPool2dOptions) {
    const keys = { stride: true, padding: true, countIncludePad: 'boolean' } as const;
    super(kernelSize, poolOptions('AvgPool2d', options, keys, arguments.length));
  }

  /** x: (N, C, H, W). Result: (N, C, H′, W′). @throws ShapeError if a window does not fit */
  forward(x: Tensor): Tensor {
    return x.avgPool2d(this.kernelSize, this.options);
  }
}
