/**
 * From kernels to functions: for each kind of kernel who emits it, how much working memory it needs, and which functions it imports.
 */
import { bodiesOf, scalarsIn, type Kernel, type KernelKind } from '@firsthand/compiler';
import type { Code, Local } from '../assembler/code.ts';
import { contractScratch, emitContract } from '../contract/contract.ts';
import type { Tile } from '../contract/tile.ts';
import { importsOf, type Tools } from '../scalar/functions.ts';
import { emitLoop, loopScratch } from './loop.ts';
import type { Float64Import } from '../math/float64.ts';
import { emitScan } from './scan.ts';
import { emitScatter } from './scatter.ts';
import { emitSort, sortScratch } from './sort.ts';

type KernelOf<K extends KernelKind> = Extract<Kernel, { readonly kind: K }>;

/** What kernels are emitted with. */
export interface KernelTools extends Tools {
  /** The register tile of matrix products that is fastest here. */
  readonly tile: Tile;
}

interface Emitter<K extends KernelKind> {
  /** Bytes. */
  scratch(kernel: KernelOf<K>): number;
  emit(code: Code, kernel: KernelOf<K>, params: readonly Local[], tools: KernelTools): void;
}

const none = (): number => 0;
const EMITTERS: { readonly [K in KernelKind]: Emitter<K> } = {
  loop: { scratch: loopScratch, emit: emitLoop },
  contract: { scratch: contractScratch, emit: (code, kernel, params, tools) => emitContract(code, kernel, params, tools, tools.tile) },
  scan: { scratch: none, emit: emitScan },
  scatter: { scratch: none, emit: emitScatter },
  sort: { scratch: sortScratch, emit: emitSort },
  own: {
    scratch: none,
    emit: (_, { composite }) => {
      throw new Error(`${composite.name}: this target has no code of its own for composites`);
    },
  },
};

/** Bytes of working memory that a kernel needs while it runs. */
export function scratchOf(kernel: Kernel): number {
  return (EMITTERS[kernel.kind] as Emitter<KernelKind>).scratch(kernel);
}

/** Emits the body of a kernel's function. `params` are the addresses of the operands, then that of the working memory. */
export function emitKernel(code: Code, kernel: Kernel, params: readonly Local[], tools: KernelTools): void {
  (EMITTERS[kernel.kind] as Emitter<KernelKind>).emit(code, kernel, params, tools);
}

/** The functions that a kernel's module must import. */
export function functionsOf(kernel: Kernel): ReadonlySet<Float64Import> {
  return new Set(scalarsIn(bodiesOf(kernel).flatMap(({ values }) => values)).flatMap(importsOf));
}
