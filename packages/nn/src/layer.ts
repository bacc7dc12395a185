/**
 * The common part of layers: options for the device and dtype of parameters, and the interface of a layer
 * that a `Sequential` takes.
 */
import { checkDevice, type Device, type DType, type Tensor } from '@firsthand/autograd';
import {
  checkCount,
  checkDType,
  checkOptions,
  describeValue,
  type OptionKeys,
  ShapeError,
} from '@firsthand/linalg';
import type { Module } from './module.ts';

/** Options of every layer with parameters. */
export interface LayerOptions {
  /** of the parameters; float32 if not given */
  readonly dtype?: DType | undefined;
  /** of the parameters; the default device if not given */
  readonly device?: Device | undefined;
}

/** The keys of {@link LayerOptions}, for {@link layerOptions}. */
export const LAYER_KEYS: OptionKeys<LayerOptions> = { dtype: true, device: true };

/**
 * The options of a layer, checked.
 * @param given how many arguments the constructor was called with
 * @param most how many it takes, options included
 * @throws OptionError for a key that does not exist, a dtype or device that is none, or an argument that
 *   would be ignored
 */
export function layerOptions<O extends LayerOptions>(
  layer: string,
  options: O | undefined,
  keys: OptionKeys<O>,
  given: number,
  most: number,
): O {
  checkCount(layer, given, most, `new ${layer}(…, { ${Object.keys(keys).join(', ')} })`);
  const { dtype, device } = checkOptions(layer, options, keys);
  if (dtype !== undefined) checkDType(layer, dtype);
  if (device !== undefined) checkDevice(layer, device);
  return options ?? ({} as O);
}

/** @throws ShapeError unless each size of a layer is a whole number of at least `least` */
export function checkSizes(layer: string, sizes: Readonly<Record<string, number>>, least = 0): void {
  for (const [name, size] of Object.entries(sizes)) {
    if (Number.isSafeInteger(size) && size >= least) continue;
    throw new ShapeError({
      operation: layer,
      problem: `${name} is ${describeValue(size)}`,
      expected: `a whole number of at least ${least}`,
    });
  }
}

/** A module from one tensor to one tensor. */
export type Layer = Module & { forward(x: Tensor): Tensor };

/** What `Sequential` holds: a layer, or a plain function of one tensor, `(x) => x.relu()`. */
export type LayerFunction = (x: Tensor) => Tensor;
