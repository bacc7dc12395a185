/** float16 is storage: optimizers compute in float32. */
import type { Tensor } from '@firsthand/autograd';

/** The tensor in float32 if it is float16, else as it is. */
export function widen(x: Tensor): Tensor {
  return x.dtype === 'float16' ? x.cast('float32') : x;
}
