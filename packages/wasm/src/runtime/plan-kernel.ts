/**
 * From kernels to functions: the planner of each kind of kernel, the parameters and imports of its function.
 */
import { bodiesOf, scalarsIn, type Kernel, type KernelKind } from '@firsthand/compiler';
import type { Code, Local } from '../assembler/code.ts';
import type { Signature } from '../assembler/module.ts';
import { planAttentionKernel } from '../attention/blockwise-code.ts';
import { planMatmulKernel } from '../matmul/matmul.ts';
import type { Tile } from '../matmul/register-tile.ts';
import { importsOf } from '../scalar/functions.ts';
import type { Partition } from '../threads/partition.ts';
import type { KernelTools, WasmKernelPlan } from '../kernels/kernel-plan.ts';
import { planLoopKernel } from '../kernels/loop-kernel.ts';
import type { Float64Import } from '../math/functions.ts';
import { planScanKernel } from '../kernels/scan.ts';
import { planScatterKernel } from '../kernels/scatter.ts';
import { planSortKernel } from '../kernels/sort.ts';

type KernelOf<K extends KernelKind> = Extract<Kernel, { readonly kind: K }>;

const PLANS: { readonly [K in KernelKind]: (kernel: KernelOf<K>, tile: Tile) => WasmKernelPlan } = {
  loop: planLoopKernel,
  contract: planMatmulKernel,
  scan: planScanKernel,
  scatter: planScatterKernel,
  sort: planSortKernel,
  // The only composite with a custom kernel is attention.
  custom: (kernel, tile) => planAttentionKernel(kernel, (inner) => planKernel(inner, tile)),
};

/**
 * Plans a kernel.
 * @param tile the register tile of matrix products that is fastest here
 */
export function planKernel(kernel: Kernel, tile: Tile): WasmKernelPlan {
  return (PLANS[kernel.kind] as (kernel: Kernel, tile: Tile) => WasmKernelPlan)(kernel, tile);
}

/**
 * Operands whose addresses are parameters; engines take 1,000 parameters, and beyond a few they go through
 * memory in any case.
 */
const MOST_PARAMETERS = 256;

/** Whether a kernel takes its addresses from a table, by its number of operands. */
export function takesTable(operands: number): boolean {
  return operands > MOST_PARAMETERS;
}

/**
 * Emits the body of a kernel's function. `params` are the addresses of the operands, or that of the table
 * which holds them, then that of the working memory; with a partition, then the bounds of the range of its
 * axis.
 */
export function emitKernel(
  code: Code,
  operands: number,
  plan: WasmKernelPlan,
  params: readonly Local[],
  tools: KernelTools,
  partition: Partition | null,
): void {
  const given = takesTable(operands) ? 1 : operands;
  const [scratch, first, end] = params.slice(given) as [Local, Local?, Local?];
  const range = partition === null ? null : { axis: partition.axis, first: first!, end: end! };
  const addresses = takesTable(operands) ? loadAddresses(code, params[0]!, operands) : params.slice(0, given);
  plan.emit(code, [...addresses, scratch], tools, range);
}

/** The addresses in a table, as locals. */
function loadAddresses(code: Code, table: Local, count: number): readonly Local[] {
  return Array.from({ length: count }, (_, operand) => {
    const address = code.local('i32');
    code
      .get(table)
      .memory('i32.load', 4 * operand)
      .set(address);
    return address;
  });
}

/**
 * The parameters of a kernel: addresses of operands or of their table, scratch memory, bounds of the range.
 */
export function kernelSignature(operands: number, isPartitioned: boolean): Signature {
  return {
    params: new Array<'i32'>((takesTable(operands) ? 1 : operands) + (isPartitioned ? 3 : 1)).fill('i32'),
    results: [],
  };
}

/** The functions that the module of a kernel must import. */
export function functionsOf(
  kernel: Kernel,
  { callees = [kernel] }: WasmKernelPlan,
): ReadonlySet<Float64Import> {
  const values = callees.flatMap(bodiesOf).flatMap((body) => body.values);
  return new Set(scalarsIn(values).flatMap(importsOf));
}
