/** The class of variables, which layers above derive their kinds from: nn's `Parameter` is one. */
import { getDefaultDevice } from '@firsthand/runtime';
import { readArray, checkCount, checkOptions, type Data } from '@firsthand/linalg';
import { CREATE_KEYS, type CreateOptions } from './create.ts';
import { Tensor } from './tensor.ts';
import { storedLeaf } from './stored.ts';

/** A leaf with a copy of data, in which a gradient accumulates unless `requiresGrad` is false. */
export class Variable extends Tensor {
  /** @throws DTypeError if the device lacks the dtype, or the dtype has no gradients */
  constructor(data: Data, options?: CreateOptions) {
    checkCount('Variable', arguments.length, 2, 'new Variable(data, { dtype, device })');
    const {
      dtype,
      device = getDefaultDevice(),
      requiresGrad = true,
      name,
    } = checkOptions('Variable', options, CREATE_KEYS);
    super(
      storedLeaf(
        'tensor',
        readArray('tensor', data, { dtype, copy: false }),
        device,
        requiresGrad,
        name ?? null,
      ),
      name ?? null,
    );
    this.asVariable();
  }
}
