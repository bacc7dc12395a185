/** What layers have in common: options for where and how their parameters are kept, and the shape of a layer that a `Sequential` can hold. */
import type { Device, DType, Tensor } from '@firsthand/autograd';
import type { Module } from './module.ts';

/** Options of every layer with parameters. */
export interface LayerOptions {
  /** of the parameters; float32 if not given */
  readonly dtype?: DType | undefined;
  /** of the parameters; the default device if not given */
  readonly device?: Device | undefined;
}

/** A module from one tensor to one tensor. */
export type Layer = Module & { forward(x: Tensor): Tensor };

/** What `Sequential` holds: a layer, or a plain function of one tensor, `(x) => x.relu()`. */
export type LayerFunction = (x: Tensor) => Tensor;
