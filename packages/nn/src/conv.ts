/**
 * Convolutional layers: a tensor's method of the same name with a weight and a bias of its own. Names,
 * defaults and layouts are those of torch.nn, so that state dicts are interchangeable; both parameters begin
 * uniform in ±1/√(fan in), as torch's (its kaiming_uniform with a = √5 comes to the same).
 */
import type { Conv1dOptions, Conv2dOptions, ConvTranspose2dOptions, Tensor } from '@firsthand/autograd';
import { describeValue, type OptionKeys, type Shape, ShapeError, sizeOf } from '@firsthand/linalg';
import { kaimingUniform, uniform } from './init.ts';
import { checkSizes, LAYER_KEYS, type LayerOptions, layerOptions } from './layer.ts';
import { Module } from './module.ts';
import { Parameter } from './parameter.ts';

/** Options of every convolutional layer, besides those of the tensor's method. */
export interface ConvOptions extends LayerOptions {
  /** whether there is a bias, true if not given */
  readonly bias?: boolean | undefined;
}

const CONV1D_KEYS: OptionKeys<Conv1dOptions & ConvOptions> = {
  ...LAYER_KEYS,
  stride: true,
  padding: true,
  dilation: true,
  groups: 'number',
  bias: 'boolean',
};
const CONV2D_KEYS: OptionKeys<Conv2dOptions & ConvOptions> = CONV1D_KEYS;
const TRANSPOSED_KEYS: OptionKeys<ConvTranspose2dOptions & ConvOptions> = {
  ...CONV1D_KEYS,
  outputPadding: true,
};

/** Height and width. */
function bothAxes(layer: string, size: number | readonly [number, number]): readonly [number, number] {
  const sizes: unknown = typeof size === 'number' ? [size, size] : size;
  if (
    !Array.isArray(sizes) ||
    sizes.length !== 2 ||
    !sizes.every((each) => Number.isSafeInteger(each) && each >= 1)
  ) {
    const given = Array.isArray(size) ? `[${size.join(', ')}]` : describeValue(size);
    const problem = `the kernel size is ${given}`;
    throw new ShapeError({
      operation: layer,
      problem,
      expected: 'a whole number of at least 1, or two of them',
    });
  }
  return sizes as unknown as readonly [number, number];
}

/** @throws ShapeError unless the groups divide the channels */
function perGroup(layer: string, channels: number, groups: number): number {
  if (channels % groups === 0) return channels / groups;
  const problem = `${groups} groups do not divide ${channels} channels`;
  throw new ShapeError({
    operation: layer,
    problem,
    expected: `a divisor of ${channels}`,
    remedy: 'choose a divisor',
  });
}

/** (first, second/groups, kernel…) @throws ShapeError unless the groups divide both channels */
function weightShape(
  layer: string,
  first: number,
  second: number,
  kernel: Shape,
  { groups = 1 }: { readonly groups?: number },
): Shape {
  checkSizes(layer, { channels: first, 'the other channels': second });
  checkSizes(layer, { groups }, 1);
  perGroup(layer, first, groups);
  return [first, perGroup(layer, second, groups), ...kernel];
}

function createWeight(shape: Shape, { dtype, device }: ConvOptions): Parameter {
  return new Parameter(
    kaimingUniform(shape, { slope: Math.sqrt(5), dtype }),
    device === undefined ? {} : { device },
  );
}

/** A bias for each output of a weight (…, fan in…). */
function createBias(
  outputs: number,
  weight: Shape,
  { bias = true, dtype, device }: ConvOptions,
): Parameter | null {
  if (!bias) return null;
  const fanIn = sizeOf(weight.slice(1));
  const bound = fanIn === 0 ? 0 : 1 / Math.sqrt(fanIn);
  return new Parameter(
    uniform([outputs], { low: -bound, high: bound, dtype }),
    device === undefined ? {} : { device },
  );
}

/** A weight, a bias for each output, and the options of the tensor's method. */
abstract class Convolutional<O> extends Module {
  weight: Parameter;
  bias: Parameter | null;
  readonly options: O;

  constructor(weight: Shape, outputs: number, options: O & ConvOptions) {
    super();
    const { bias: _bias, dtype: _dtype, device: _device, ...window } = options;
    this.options = window as unknown as O;
    this.weight = createWeight(weight, options);
    this.bias = createBias(outputs, weight, options);
  }
}

/**
 * Convolution along one axis. weight: (out, in/groups, kernel), bias: (out).
 * @example
 * ```ts
 * import { zeros } from '@firsthand/autograd';
 * import { Conv1d } from '@firsthand/nn';
 * const layer = new Conv1d(2, 4, 3, { padding: 1 });
 * console.log(layer.forward(zeros([1, 2, 10])).shape); // [ 1, 4, 10 ]
 * ```
 */
export class Conv1d extends Convolutional<Conv1dOptions> {
  /** @throws ShapeError unless the groups divide the channels */
  constructor(inputs: number, outputs: number, kernelSize: number, options?: Conv1dOptions & ConvOptions) {
    const given = layerOptions('Conv1d', options, CONV1D_KEYS, arguments.length, 4);
    checkSizes('Conv1d', { kernelSize }, 1);
    super(weightShape('Conv1d', outputs, inputs, [kernelSize], given), outputs, given);
  }

  /** x: (N, in, L). Result: (N, out, L′). @throws ShapeError if it does not fit */
  forward(x: Tensor): Tensor {
    return x.conv1d(this.weight, this.bias, this.options);
  }
}

/**
 * Convolution along two axes. weight: (out, in/groups, kernel height, kernel width), bias: (out).
 * @example
 * ```ts
 * import { zeros } from '@firsthand/autograd';
 * import { Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential } from '@firsthand/nn';
 * const features = new Sequential(new Conv2d(1, 8, 3, { padding: 1 }), new ReLU(), new MaxPool2d(2));
 * const model = new Sequential(features, new Flatten(), new Linear(8 * 14 * 14, 10));
 * console.log(model.forward(zeros([5, 1, 28, 28])).shape); // [ 5, 10 ]
 * ```
 */
export class Conv2d extends Convolutional<Conv2dOptions> {
  /** @throws ShapeError unless the groups divide the channels */
  constructor(
    inputs: number,
    outputs: number,
    kernelSize: number | readonly [number, number],
    options?: Conv2dOptions & ConvOptions,
  ) {
    const given = layerOptions('Conv2d', options, CONV2D_KEYS, arguments.length, 4);
    super(weightShape('Conv2d', outputs, inputs, bothAxes('Conv2d', kernelSize), given), outputs, given);
  }

  /** x: (N, in, H, W). Result: (N, out, H′, W′). @throws ShapeError if it does not fit */
  forward(x: Tensor): Tensor {
    return x.conv2d(this.weight, this.bias, this.options);
  }
}

/**
 * The transpose of a convolution along two axes, which makes images larger. weight: (in, out/groups, kernel
 * height, kernel width), bias: (out).
 * @example
 * ```ts
 * import { zeros } from '@firsthand/autograd';
 * import { ConvTranspose2d } from '@firsthand/nn';
 * const layer = new ConvTranspose2d(4, 2, 2, { stride: 2 });
 * console.log(layer.forward(zeros([1, 4, 7, 7])).shape); // [ 1, 2, 14, 14 ]
 * ```
 */
export class ConvTranspose2d extends Convolutional<ConvTranspose2dOptions> {
  /** @throws ShapeError unless the groups divide the channels */
  constructor(
    inputs: number,
    outputs: number,
    kernelSize: number | readonly [number, number],
    options?: ConvTranspose2dOptions & ConvOptions,
  ) {
    const given = layerOptions('ConvTranspose2d', options, TRANSPOSED_KEYS, arguments.length, 4);
    super(
      weightShape('ConvTranspose2d', inputs, outputs, bothAxes('ConvTranspose2d', kernelSize), given),
      outputs,
      given,
    );
  }

  /** x: (N, in, H, W). Result: (N, out, H′, W′). @throws ShapeError if it does not fit */
  forward(x: Tensor): Tensor {
    return x.convTranspose2d(this.weight, this.bias, this.options);
  }
}
