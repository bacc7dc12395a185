/**
 * Layer normalisation (Ba, Kiros & Hinton 2016): each row has mean 0 and variance 1, then a learned scale and
 * shift.
 */
import { layerNorm, type Tensor } from '@firsthand/autograd';
import { type OptionKeys, readSizes, type Shape } from '@firsthand/linalg';
import { ones, zeros } from './init.ts';
import { LAYER_KEYS, type LayerOptions, layerOptions } from './layer.ts';
import { Module } from './module.ts';
import { Parameter } from './parameter.ts';

/** Options of `LayerNorm`. */
export interface LayerNormOptions extends LayerOptions {
  /** added to the variance; 1e-5 if not given */
  readonly eps?: number | undefined;
  /** whether there is a learned scale, and a shift if `bias` says so; true if not given */
  readonly affine?: boolean | undefined;
  /** true if not given */
  readonly bias?: boolean | undefined;
}

const KEYS: OptionKeys<LayerNormOptions> = {
  ...LAYER_KEYS,
  eps: 'number',
  affine: 'boolean',
  bias: 'boolean',
};

/**
 * y = (x − μ)/√(σ² + ε)·w + b, with mean and biased variance over the last axes. weight, bias: the normalised
 * shape, 1 and 0 at first.
 */
export class LayerNorm extends Module {
  weight: Parameter | null;
  bias: Parameter | null;
  readonly eps: number;
  readonly shape: Shape;

  /** @param shape the sizes of the last axes, or of the last axis, over which to normalise */
  constructor(shape: number | Shape, options?: LayerNormOptions) {
    super();
    const {
      eps = 1e-5,
      affine = true,
      bias = true,
      dtype,
      device,
    } = layerOptions('LayerNorm', options, KEYS, arguments.length, 2);
    readSizes('LayerNorm', [shape]);
    const where = device === undefined ? {} : { device };
    this.shape = typeof shape === 'number' ? [shape] : [...shape];
    this.eps = eps;
    this.weight = affine ? new Parameter(ones(this.shape, { dtype }), where) : null;
    this.bias = affine && bias ? new Parameter(zeros(this.shape, { dtype }), where) : null;
  }

  /** x: (…, normalised shape). Result: the same. @throws ShapeError if the last axes differ */
  forward(x: Tensor): Tensor {
    return layerNorm(x, this.shape, { weight: this.weight, bias: this.bias, eps: this.eps });
  }
}
