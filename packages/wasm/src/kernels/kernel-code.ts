/**
 * From kernels to functions: for each kind of kernel who emits it, how much working memory it needs, and
 * which functions it imports.
 */
import { bodiesOf, scalarsIn, type Kernel, type KernelKind, type CustomKernel } from '@firsthand/compiler';
import type { Callee, Code, Local } from '../assembler/code.ts';
import type { Signature } from '../assembler/module.ts';
import { divideStream, emitStream } from '../attention/attention.ts';
import { kernelsOf, planStream, type StreamPlan } from '../attention/stream-plan.ts';
import { contractScratch, emitContract } from '../contract/contract.ts';
import { divideContract } from '../contract/division.ts';
import type { Tile } from '../contract/tile.ts';
import { importsOf, type Tools } from '../scalar/functions.ts';
import type { Partition, AxisRange } from '../threads/partition.ts';
import { divideLoop, emitLoop, loopScratch } from './loop.ts';
import type { Float64Import } from '../math/float64.ts';
import { divideScan, emitScan } from './scan.ts';
import { divideScatter, emitScatter } from './scatter.ts';
import { divideSort, emitSort, sortScratch } from './sort.ts';

type KernelOf<K extends KernelKind> = Extract<Kernel, { readonly kind: K }>;

/** What kernels are emitted with. */
export interface KernelTools extends Tools {
  /** The register tile of matrix products that is fastest here. */
  readonly tile: Tile;
  /** The function of a kernel that another is made of. */
  readonly define: (kernel: Kernel) => Callee;
}

interface Emitter<K extends KernelKind> {
  /** Bytes. */
  scratch(kernel: KernelOf<K>): number;
  /** The loop that threads may share. */
  divide(kernel: KernelOf<K>, tile: Tile): Partition | null;
  emit(
    code: Code,
    kernel: KernelOf<K>,
    params: readonly Local[],
    tools: KernelTools,
    part: AxisRange | null,
  ): void;
}

const none = (): number => 0;
const EMITTERS: { readonly [K in KernelKind]: Emitter<K> } = {
  loop: { scratch: loopScratch, divide: divideLoop, emit: emitLoop },
  contract: {
    scratch: contractScratch,
    divide: divideContract,
    emit: (code, kernel, params, tools, part) => emitContract(code, kernel, params, tools, tools.tile, part),
  },
  scan: { scratch: none, divide: divideScan, emit: emitScan },
  scatter: { scratch: none, divide: divideScatter, emit: emitScatter },
  sort: { scratch: sortScratch, divide: divideSort, emit: emitSort },
  custom: {
    scratch: (kernel) => streamPlanOf(kernel).scratch.bytes,
    divide: (kernel) => divideStream(streamPlanOf(kernel)),
    emit: (code, kernel, params, { define }, part) =>
      emitStream(code, kernel, streamPlanOf(kernel), params, define, part),
  },
};

/** The only composites that this target has code of its own for are streams. */
function streamPlanOf(kernel: CustomKernel): StreamPlan {
  return planStream(kernel, scratchOf);
}

/** Bytes of working memory that a kernel needs while it runs. */
export function scratchOf(kernel: Kernel): number {
  return (EMITTERS[kernel.kind] as Emitter<KernelKind>).scratch(kernel);
}

/** The loop of a kernel that threads share; null where there is none. */
export function divisionOf(kernel: Kernel, tile: Tile): Partition | null {
  return (EMITTERS[kernel.kind] as Emitter<KernelKind>).divide(kernel, tile);
}

/**
 * Operands whose addresses are parameters; engines take 1,000 parameters, and beyond a few they go through
 * memory in any case.
 */
const MOST_PARAMETERS = 256;

/** Whether a kernel with so many operands is given the address of a table of their addresses. */
export function takesTable(operands: number): boolean {
  return operands > MOST_PARAMETERS;
}

/**
 * Emits the body of a kernel's function. `params` are the addresses of the operands, or that of the table
 * which they stand in, then that of the working memory; if the kernel is divided, then the first value of the
 * part to compute, and the end of it.
 */
export function emitKernel(
  code: Code,
  kernel: Kernel,
  params: readonly Local[],
  tools: KernelTools,
  division: Partition | null,
): void {
  const { operands, kind } = kernel;
  const given = takesTable(operands.length) ? 1 : operands.length;
  const [scratch, first, end] = params.slice(given) as [Local, Local?, Local?];
  const part = division === null ? null : { axis: division.axis, first: first!, end: end! };
  const addresses = takesTable(operands.length)
    ? loadAddresses(code, params[0]!, operands.length)
    : params.slice(0, given);
  (EMITTERS[kind] as Emitter<KernelKind>).emit(code, kernel, [...addresses, scratch], tools, part);
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
 * The parameters of a kernel with so many operands: an address for each, or that of their table, one for its
 * scratch memory, and the bounds of its part, if it is divided.
 */
export function kernelSignature(operands: number, isDivided: boolean): Signature {
  return {
    params: new Array<'i32'>((takesTable(operands) ? 1 : operands) + (isDivided ? 3 : 1)).fill('i32'),
    results: [],
  };
}

/** The functions that a kernel's module must import. */
export function functionsOf(kernel: Kernel): ReadonlySet<Float64Import> {
  if (kernel.kind === 'custom')
    return new Set(kernelsOf(streamPlanOf(kernel)).flatMap((each) => [...functionsOf(each)]));
  return new Set(scalarsIn(bodiesOf(kernel).flatMap(({ values }) => values)).flatMap(importsOf));
}
