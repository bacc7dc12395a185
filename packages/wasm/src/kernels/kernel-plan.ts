/**
 * A kernel is planned once: how much working memory it needs, which of its loops threads share, and how its
 * code is emitted. The decisions themselves (lanes, tiles, blocks) are data of each kind of kernel.
 */
import type { Kernel, KernelPlan } from '@firsthand/compiler';
import type { Callee, Code, Local } from '../assembler/code.ts';
import type { Tools } from '../scalar/functions.ts';
import type { AxisRange, Partition } from '../threads/partition.ts';

/** The plan of one kernel. `T` is what its code is emitted with. */
export interface WasmKernelPlan<T extends Tools = KernelTools> extends KernelPlan {
  /** Bytes of working memory that a thread needs. */
  readonly scratch: number;
  /** The loop that threads share; null where there is none. */
  readonly partition: Partition | null;
  /** The kernels that this one calls; absent for kernels that call none. */
  readonly callees?: readonly Kernel[];
  /**
   * Emits the body of the kernel's function.
   * @param params the addresses of the operands, then that of the working memory
   * @param range the values of the partition's axis to compute; null for all
   */
  emit(code: Code, params: readonly Local[], tools: T, range: AxisRange | null): void;
}

/** What kernels are emitted with. */
export interface KernelTools extends Tools {
  /** The function of a kernel that another calls. */
  readonly define: (kernel: Kernel, plan: WasmKernelPlan) => Callee;
}
