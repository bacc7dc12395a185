/**
 * The compiled kernels of a device. A kernel names no buffers, and equal kernels of a device's programs are
 * one object, so plans share its function: what a training step and an evaluation have in common is compiled,
 * and optimized by the engine, once. A module that defines kernels imports none, so that no module keeps
 * another alive.
 */
import type { Kernel, PlannedKernel } from '@firsthand/compiler';
import type { Callee, Code, Local } from '../assembler/code.ts';
import { Module, type Signature } from '../assembler/module.ts';
import { instantiate, MODULE_BYTES, type Compiled } from '../engine/instantiate.ts';
import type { Features } from '../engine/features.ts';
import { emitKernel, functionsOf, kernelSignature } from './plan-kernel.ts';
import type { KernelTools, WasmKernelPlan } from '../kernels/kernel-plan.ts';
import type { Partition } from '../threads/partition.ts';
import { costOfKernel } from '../kernels/cost.ts';
import type { Tile } from '../matmul/register-tile.ts';
import { FLOAT64_IMPORTS, scalarImports, type Float64Import } from '../math/functions.ts';
import type { LinearMemory } from '../memory/linear-memory.ts';

type Source = Pick<PlannedKernel<WasmKernelPlan>, 'kernel' | 'plan'>;

/** A kernel of a device, compiled or about to be. */
export interface KernelFunction {
  /** The name of its export, unique in the device. Profilers show it. */
  readonly name: string;
  readonly signature: Signature;
  /** The loop that threads share: the function then takes the range to compute. */
  readonly partition: Partition | null;
  /** Its cost in vector instructions; 0 on a device of one thread. */
  readonly work: number;
  /** What it is compiled from; null once it is. */
  source: Source | null;
  /** Null until its module is compiled. */
  compiled: { readonly module: WebAssembly.Module; readonly value: WebAssembly.ExportValue } | null;
}

/** What a library compiles for. */
export interface LibraryOptions {
  readonly features: Features;
  /** The register tile of matrix products. */
  readonly tile: Tile;
  /** The work, in vector instructions, from which a kernel is partitioned among threads. Infinity: never. */
  readonly divideFrom: number;
  /** Bytes beyond which a module is split. */
  readonly moduleBytes?: number;
}

/** Functions that a module imports from the host, by name. */
export type HostImports = {
  readonly [name: string]: { readonly signature: Signature; readonly value: WebAssembly.ExportValue };
};

/** Emits the code that calls kernels and imported functions. */
export type DefineCaller = (
  module: Module,
  kernels: ReadonlyMap<KernelFunction, Callee>,
  imported: ReadonlyMap<string, Callee>,
) => void;

/** Compiled kernels over one memory. */
export class KernelLibrary {
  readonly memory: LinearMemory;
  readonly #options: Required<LibraryOptions>;
  readonly #imports = scalarImports();
  readonly #kernels = new WeakMap<Kernel, KernelFunction>();
  #named = 0;
  #compiled = 0;
  #modules = 0;

  constructor(memory: LinearMemory, options: LibraryOptions) {
    this.memory = memory;
    this.#options = { moduleBytes: MODULE_BYTES, ...options };
  }

  /** The register tile of matrix products that kernels are planned with. */
  get tile(): Tile {
    return this.#options.tile;
  }

  /** The number of compiled kernels, and of the modules that define them. */
  get counts(): { readonly kernels: number; readonly modules: number } {
    return { kernels: this.#compiled, modules: this.#modules };
  }

  /** The functions of a plan's kernels, in order; new ones are not compiled yet. */
  resolve(planned: readonly PlannedKernel<WasmKernelPlan>[]): readonly KernelFunction[] {
    const added = new Map<Kernel, KernelFunction>();
    return planned.map((source) => {
      const { kernel } = source;
      const known = this.#kernels.get(kernel) ?? added.get(kernel);
      if (known !== undefined) return known;
      const { divideFrom } = this.#options;
      const work = divideFrom === Infinity ? 0 : costOfKernel(kernel);
      const partition = divideFrom === Infinity || work < divideFrom ? null : source.plan.partition;
      const name = `${source.name} #${++this.#named}`;
      const signature = kernelSignature(kernel.operands.length, partition !== null);
      const created: KernelFunction = { name, signature, partition, work, source, compiled: null };
      added.set(kernel, created);
      return created;
    });
  }

  /**
   * Compiles the code that calls a plan's kernels. If all kernels are new, the same module defines them.
   * @param functions the kernels in order of the plan, from `resolve`
   * @param imports functions of the host that the code calls, by name
   * @param define emits the code, given the callees
   * @throws DeviceError if the engine refuses
   */
  compile(functions: readonly KernelFunction[], imports: HostImports, define: DefineCaller): Compiled {
    const distinct = [...new Set(functions)];
    const added = distinct.filter(({ compiled }) => compiled === null);
    if (added.length < distinct.length) this.#compileKernels(added);
    const isNew = added.length > 0 && added.length === distinct.length;
    let compiled = this.#build(distinct, imports, isNew, define);
    if (compiled === null) {
      this.#compileKernels(added);
      compiled = this.#build(distinct, imports, false, define)!;
    }
    return compiled;
  }

  /** Compiles new kernels alone, in as few modules as their size allows. */
  #compileKernels(added: readonly KernelFunction[]): void {
    if (added.length === 0 || this.#build(added, {}, added.length > 1, () => {}) !== null) return;
    const half = added.length >>> 1;
    this.#compileKernels(added.slice(0, half));
    this.#compileKernels(added.slice(half));
  }

  /** A module that imports compiled kernels and defines new ones; null if it `canSplit` and is too large. */
  #build(
    functions: readonly KernelFunction[],
    imports: HostImports,
    canSplit: boolean,
    define: DefineCaller,
  ): Compiled | null {
    const module = new Module(this.memory.declaration);
    const env: WebAssembly.ModuleImports = { memory: this.memory.memory, ...this.#imports };
    const imported = new Map<string, Callee>();
    const kernels = new Map<KernelFunction, Callee>();
    for (const [name, { signature, value }] of Object.entries(imports)) {
      env[name] = value;
      imported.set(name, module.importFunction(name, signature));
    }
    const added: [KernelFunction, Source][] = [];
    for (const each of functions) {
      const { name, signature, source, compiled } = each;
      if (source !== null) added.push([each, source]);
      if (compiled === null) continue;
      env[name] = compiled.value;
      kernels.set(each, module.importFunction(name, signature));
    }
    this.#define(module, added, kernels);
    define(module, kernels, imported);
    const bytes = module.toBytes();
    if (canSplit && bytes.length > this.#options.moduleBytes) return null;
    const compiled = instantiate(bytes, env);
    for (const [each, { kernel }] of added) {
      this.#kernels.set(kernel, each);
      each.compiled = { module: compiled.module, value: compiled.exports[each.name]! };
      each.source = null;
    }
    this.#compiled += added.length;
    if (added.length > 0) this.#modules++;
    return compiled;
  }

  /** Emits new kernels, and the functions that they call. */
  #define(
    module: Module,
    added: readonly (readonly [KernelFunction, Source])[],
    callees: Map<KernelFunction, Callee>,
  ): void {
    const functions = new Map<Float64Import, Callee>();
    for (const name of new Set(added.flatMap(([, { kernel, plan }]) => [...functionsOf(kernel, plan)]))) {
      const params = new Array<'f64'>(FLOAT64_IMPORTS[name]).fill('f64');
      functions.set(name, module.importFunction(name, { params, results: ['f64'] }));
    }
    const emit = (name: string, source: Source, partition: Partition | null, exported: boolean): Callee => {
      const { length } = source.kernel.operands;
      const body = (code: Code, params: readonly Local[]): void =>
        emitKernel(code, length, source.plan, params, tools, partition);
      return module.function(name, kernelSignature(length, partition !== null), body, { exported });
    };
    const inner = new Map<Kernel, Callee>();
    const define: KernelTools['define'] = (kernel, plan) => {
      const name = `${kernel.kind} of ${added[0]![0].name}`;
      const callee = inner.get(kernel) ?? emit(name, { kernel, plan }, null, false);
      inner.set(kernel, callee);
      return callee;
    };
    const tools: KernelTools = { features: this.#options.features, functions, module, define };
    for (const [each, source] of added) callees.set(each, emit(each.name, source, each.partition, true));
  }
}
