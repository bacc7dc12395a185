/**
 * The kernels that a device has compiled, found by their text. A kernel names no buffers, so plans share it:
 * what a training step and an evaluation have in common is compiled, and warmed up by the engine, once. New
 * kernels of a plan are one module, or several where that would be too large.
 */
import { printKernel, type Kernel, type PlannedKernel } from '@firsthand/compiler';
import type { Callee } from '../assembler/code.ts';
import { Module } from '../assembler/module.ts';
import { instantiate, MODULE_BYTES } from '../engine/instantiate.ts';
import type { Features } from '../engine/features.ts';
import { emitKernel, functionsOf, kernelSignature } from '../kernels/kernel-code.ts';
import type { KernelTools, WasmKernelPlan } from '../kernels/kernel-plan.ts';
import type { Partition } from '../threads/partition.ts';
import { workOf } from '../kernels/cost.ts';
import type { Tile } from '../contract/tile.ts';
import { FLOAT64_IMPORTS, scalarImports, type Float64Import } from '../math/float64.ts';
import type { LinearMemory } from '../memory/linear-memory.ts';

/** Kernels that are kept for plans to come; plans that are in use keep their own. */
const CAPACITY = 4096;

/** A kernel by its text. */
type Entry = readonly [text: string, planned: PlannedKernel<WasmKernelPlan>];

/** A compiled kernel. */
export interface KernelFunction {
  /** The name that it is exported by, which no other kernel of the device has. */
  readonly name: string;
  readonly value: WebAssembly.ExportValue;
  readonly module: WebAssembly.Module;
  /** The loop that threads share: the function then takes the part to compute. */
  readonly partition: Partition | null;
}

/** What a library compiles for. */
export interface LibraryOptions {
  readonly features: Features;
  /** The register tile of matrix products. */
  readonly tile: Tile;
  /**
   * Kernels of at least so much work, in vector instructions, are divided among threads; none is where it is
   * infinite.
   */
  readonly divideFrom: number;
  /** The size beyond which a module is split. */
  readonly moduleBytes?: number;
}

/** Compiled kernels over one memory. */
export class KernelLibrary {
  readonly #memory: LinearMemory;
  readonly #options: Required<LibraryOptions>;
  readonly #imports = scalarImports();
  /** In order of use. */
  readonly #kernels = new Map<string, KernelFunction>();
  #compiled = 0;
  #modules = 0;

  constructor(memory: LinearMemory, options: LibraryOptions) {
    this.#memory = memory;
    this.#options = { moduleBytes: MODULE_BYTES, ...options };
  }

  /** The register tile of matrix products that kernels are planned with. */
  get tile(): Tile {
    return this.#options.tile;
  }

  /** How many kernels have been compiled, and into how many modules. */
  get counts(): { readonly kernels: number; readonly modules: number } {
    return { kernels: this.#compiled, modules: this.#modules };
  }

  /** The functions of a plan's kernels, in order. @throws DeviceError if the engine refuses to compile one */
  require(planned: readonly PlannedKernel<WasmKernelPlan>[]): readonly KernelFunction[] {
    const printed = new Map<Kernel, string>();
    for (const { kernel } of planned) if (!printed.has(kernel)) printed.set(kernel, printKernel(kernel));
    const texts = planned.map(({ kernel }) => printed.get(kernel)!);
    const missing = new Map(
      texts.flatMap((text, number): Entry[] => (this.#kernels.has(text) ? [] : [[text, planned[number]!]])),
    );
    if (missing.size > 0) this.#compile([...missing]);
    const functions = texts.map((text) => this.#use(text));
    for (const text of this.#kernels.keys()) {
      if (this.#kernels.size <= CAPACITY) break;
      this.#kernels.delete(text);
    }
    return functions;
  }

  #use(text: string): KernelFunction {
    const compiled = this.#kernels.get(text)!;
    this.#kernels.delete(text);
    this.#kernels.set(text, compiled);
    return compiled;
  }

  #compile(entries: readonly Entry[]): void {
    const { features, divideFrom, moduleBytes } = this.#options;
    const partitions = entries.map(([, { kernel, plan }]) =>
      divideFrom === Infinity || workOf(kernel) < divideFrom ? null : plan.partition,
    );
    // Exports need distinct names; profilers show them.
    const names = entries.map(([, { name }], index) => `${name} #${this.#compiled + index + 1}`);
    const module = new Module(this.#memory.declaration);
    const functions = new Map<Float64Import, Callee>();
    for (const name of new Set(entries.flatMap(([, { kernel, plan }]) => [...functionsOf(kernel, plan)]))) {
      functions.set(
        name,
        module.importFunction(name, {
          params: new Array<'f64'>(FLOAT64_IMPORTS[name]).fill('f64'),
          results: ['f64'],
        }),
      );
    }
    const inner = new Map<string, Callee>();
    const define: KernelTools['define'] = (kernel, plan) => {
      const text = printKernel(kernel);
      const defined =
        inner.get(text) ??
        module.function(
          `${kernel.kind} of ${names[0]!}`,
          kernelSignature(kernel.operands.length, false),
          (code, params) => emitKernel(code, kernel.operands.length, plan, params, tools, null),
        );
      inner.set(text, defined);
      return defined;
    };
    const tools: KernelTools = { features, functions, module, define };
    entries.forEach(([, { kernel, plan }], index) => {
      const partition = partitions[index]!;
      const signature = kernelSignature(kernel.operands.length, partition !== null);
      module.function(
        names[index]!,
        signature,
        (code, params) => emitKernel(code, kernel.operands.length, plan, params, tools, partition),
        { exported: true },
      );
    });
    const bytes = module.toBytes();
    if (bytes.length > moduleBytes && entries.length > 1) {
      const half = entries.length >>> 1;
      this.#compile(entries.slice(0, half));
      this.#compile(entries.slice(half));
      return;
    }
    const compiled = instantiate(bytes, { memory: this.#memory.memory, ...this.#imports });
    entries.forEach(([text], index) => {
      const name = names[index]!;
      this.#kernels.set(text, {
        name,
        value: compiled.exports[name]!,
        module: compiled.module,
        partition: partitions[index]!,
      });
    });
    this.#compiled += entries.length;
    this.#modules++;
  }
}
