/** A table of vectors, one per token: y = W[i]. */
import { embedding, type Tensor } from '@firsthand/autograd';
import { normal } from './init.ts';
import { checkSizes, LAYER_KEYS, type LayerOptions, layerOptions } from './layer.ts';
import { Module } from './module.ts';
import { Parameter } from './parameter.ts';

/** Looks up rows of `weight`: (count, size), which begin standard normal, as torch's. */
export class Embedding extends Module {
  weight: Parameter;

  constructor(count: number, size: number, options?: LayerOptions) {
    super();
    const { dtype, device } = layerOptions('Embedding', options, LAYER_KEYS, arguments.length, 3);
    checkSizes('Embedding', { count, size });
    this.weight = new Parameter(normal([count, size], { dtype }), device === undefined ? {} : { device });
  }

  /**
   * index: (…), int32 or uint32. Result: (…, size). @throws DTypeError for other indices
   * @throws ShapeError if one is out of range and its value is at hand; else, and inside `compile`, such an
   *   index gives NaN
   */
  forward(index: Tensor): Tensor {
    return embedding(index, this.weight);
  }
}
