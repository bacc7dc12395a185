/**
 * What is done with a whole row of a product, as a loop kernel inside of the loops over the batch and over
 * rows.
 */
import type { ContractKernel, LoopKernel, RowLoops } from '@firsthand/compiler';
import { loopScratch } from '../kernels/loop.ts';

/** The kernel of all rows; its first axes are those of the batch, and m. */
export function rowKernel({ operands, batch, m }: ContractKernel, sweeps: RowLoops): LoopKernel {
  return { kind: 'loop', operands, rows: [...batch, m], ...sweeps };
}

/** Bytes of working memory for one row. */
export function rowScratch(kernel: ContractKernel): number {
  return kernel.rowEpilogue === null
    ? 0
    : loopScratch(rowKernel(kernel, kernel.rowEpilogue), kernel.batch.length + 1);
}
