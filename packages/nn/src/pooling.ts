/** Pooling layers: the largest element or the mean of each window. Windows lie side by side if no stride is given, as in torch.nn. */
import type { AvgPool2dOptions, MaxPool2dOptions, Tensor } from '@firsthand/autograd';
import { Module } from './module.ts';

/** The size of windows, and the options of the tensor's method. */
abstract class Pool2d<O> extends Module {
  readonly kernelSize: number | readonly [number, number];
  readonly options: Partial<O>;

  constructor(kernelSize: number | readonly [number, number], options: Partial<O> = {}) {
    super();
    this.kernelSize = kernelSize;
    this.options = options;
  }
}

/** The largest element of each window. */
export class MaxPool2d extends Pool2d<MaxPool2dOptions> {
  /** x: (N, C, H, W). Result: (N, C, H′, W′). @throws ShapeError if a window does not fit */
  forward(x: Tensor): Tensor {
    return x.maxPool2d(this.kernelSize, this.options);
  }
}

/** The mean of each window. */
export class AvgPool2d extends Pool2d<AvgPool2dOptions> {
  /** x: (N, C, H, W). Result: (N, C, H′, W′). @throws ShapeError if a window does not fit */
  forward(x: Tensor): Tensor {
    return x.avgPool2d(this.kernelSize, this.options);
  }
}
