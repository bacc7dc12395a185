/**
 * A parameter is a tensor that training changes: a leaf with a gradient. The class tells parameters from
 * buffers: other tensors in the fields of a module, which are saved but not trained.
 */
import { type CreateOptions, type Data, type DType, type Shape, Variable } from '@firsthand/autograd';
import { array, checkCount, checkOptions, type OptionKeys } from '@firsthand/linalg';

const KEYS: OptionKeys<ParameterOptions> = { device: true, requiresGrad: 'boolean', name: true };

/** A tensor that training changes. */
export class Parameter extends Variable {
  /**
   * A copy of `values` on a device. `requiresGrad: false` freezes it. @throws DTypeError if the device lacks
   * the dtype, or it has no gradients
   */
  constructor(values: Data, options?: ParameterOptions) {
    checkCount('Parameter', arguments.length, 2, 'new Parameter(values, { device, requiresGrad, name })');
    const { device, requiresGrad = true, name } = checkOptions('Parameter', options, KEYS);
    super(values, {
      requiresGrad,
      ...(device === undefined ? {} : { device }),
      ...(name === undefined || name === null ? {} : { name }),
    });
  }
}

/**
 * Where a parameter lives and what it is called; a module names its parameters by their path if they have no
 * name.
 */
export interface ParameterOptions {
  readonly device?: CreateOptions['device'] & {};
  readonly requiresGrad?: boolean;
  readonly name?: string | null;
}

/**
 * A parameter with a copy of the data: an array, nested numbers, or a typed array with a shape.
 * @throws ShapeError for ragged nesting or a shape that does not fit
 * @example
 * ```ts
 * import { parameter } from '@firsthand/nn';
 * const scale = parameter([1, 2, 3]);
 * console.log(scale.requiresGrad, scale.shape); // true [ 3 ]
 * ```
 */
export function parameter(
  data: Data,
  options?: ParameterOptions & { readonly dtype?: DType; readonly shape?: Shape },
): Parameter {
  checkCount('parameter', arguments.length, 2, 'parameter(data, { dtype, shape })');
  const { dtype, shape, ...rest } = checkOptions('parameter', options, { ...KEYS, dtype: true, shape: true });
  return new Parameter(array(data, { dtype, shape, copy: false }), rest);
}
