/** The fully connected layer: y = x·Wᵀ + b. */
import { type Tensor, widened } from '@firsthand/autograd';
import type { OptionKeys } from '@firsthand/linalg';
import { kaimingUniform, uniform } from './init.ts';
import { Module } from './module.ts';
import { Parameter } from './parameter.ts';
import { checkSizes, LAYER_KEYS, type LayerOptions, layerOptions } from './layer.ts';

/** Options of `Linear`. */
export interface LinearOptions extends LayerOptions {
  /** whether there is a bias, true if not given */
  readonly bias?: boolean | undefined;
}

const LINEAR_KEYS: OptionKeys<LinearOptions> = { ...LAYER_KEYS, bias: 'boolean' };

/**
 * y = x·Wᵀ + b over the last axis. weight: (out, in), bias: (out).
 * Both begin uniform in ±1/√in, as torch's (its kaiming_uniform with a = √5 comes to the same).
 * @example
 * ```ts
 * import { zeros } from '@firsthand/autograd';
 * import { Linear } from '@firsthand/nn';
 * const layer = new Linear(3, 2);
 * console.log(layer.forward(zeros([5, 3])).shape); // [ 5, 2 ]
 * ```
 */
export class Linear extends Module {
  weight: Parameter;
  bias: Parameter | null;

  /** @param options.bias whether there is a bias, true if not given */
  constructor(inputs: number, outputs: number, options?: LinearOptions) {
    super();
    const { bias = true, dtype, device } = layerOptions('Linear', options, LINEAR_KEYS, arguments.length, 3);
    checkSizes('Linear', { inputs, outputs });
    const where = device === undefined ? {} : { device };
    const bound = inputs === 0 ? 0 : 1 / Math.sqrt(inputs);
    this.weight = new Parameter(kaimingUniform([outputs, inputs], { slope: Math.sqrt(5), dtype }), where);
    this.bias = bias ? new Parameter(uniform([outputs], { low: -bound, high: bound, dtype }), where) : null;
  }

  /** x: (…, in). Result: (…, out). */
  forward(x: Tensor): Tensor {
    const { weight, bias } = this;
    if (bias === null) return x.matmul(weight.transpose()); // (…, out)
    return widened((input, w, b) => input.matmul(w.transpose()).add(b), x, weight, bias);
  }
}
