/**
 * What is done with a whole row of a product, as a loop kernel inside of the loops over the batch and over
 * rows.
 */
import type { ContractKernel, LoopKernel, RowSweeps } from '@firsthand/compiler';
import { loopScratch } from '../kernels/loop.ts';

/** The kernel of all rows; its first axes are those of the batch, and m. */
export function rowKernel({ operands, batch, m }: ContractKernel, sweeps: RowSweeps): LoopKernel {
  return { kind: 'loop', operands, rows: [...batch, m], ...sweeps };
}

/** Bytes of working memory for one row. */
export function rowScratch(kernel: ContractKernel): number {
  return kernel.rowFinish === null
    ? 0
    : loopScratch(rowKernel(kernel, kernel.rowFinish), kernel.batch.length + 1);
}
