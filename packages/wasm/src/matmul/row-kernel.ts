/** The row epilogue of a product as a loop kernel, inside of the loops over the batch and over rows. */
import type { ContractKernel, LoopKernel, RowLoops } from '@firsthand/compiler';

/** The kernel for all rows; its first axes are those of the batch, and m. */
export function rowKernel({ operands, batch, m }: ContractKernel, loops: RowLoops): LoopKernel {
  return { kind: 'loop', operands, rows: [...batch, m], ...loops };
}
