/**
 * The kernels that a device has compiled, found by their text. A kernel names no buffers, so plans share it: what a training step and an evaluation have in common is
 * compiled, and warmed up by the engine, once. New kernels of a plan are one module, or several where that would be too large.
 */
import { printKernel, type PlannedKernel } from '@firsthand/compiler';
import type { Callee } from '../assembler/code.ts';
import { Module } from '../assembler/module.ts';
import { instantiate, MODULE_BYTES } from './compile-module.ts';
import type { Features } from '../features.ts';
import { emitKernel, functionsOf } from '../kernels/kernel-code.ts';
import type { Tile } from '../contract/tile.ts';
import { FLOAT64_IMPORTS, scalarImports, type Float64Import } from '../math/float64.ts';
import type { LinearMemory } from './memory.ts';
import { kernelSignature } from './run-module.ts';

/** Kernels that are kept for plans to come; plans that are in use keep their own. */
const CAPACITY = 4096;

/** A kernel by its text. */
type Entry = readonly [text: string, planned: PlannedKernel];

/** Compiled kernels over one memory. */
export class KernelLibrary {
  readonly #memory: LinearMemory;
  readonly #features: Features;
  readonly #tile: Tile;
  readonly #moduleBytes: number;
  readonly #imports = scalarImports();
  /** In order of use. */
  readonly #kernels = new Map<string, WebAssembly.ExportValue>();
  #compiled = 0;
  #modules = 0;

  /**
   * @param tile the register tile of matrix products
   * @param moduleBytes the size beyond which a module is split
   */
  constructor(memory: LinearMemory, features: Features, tile: Tile, moduleBytes: number = MODULE_BYTES) {
    this.#memory = memory;
    this.#features = features;
    this.#tile = tile;
    this.#moduleBytes = moduleBytes;
  }

  /** How many kernels have been compiled, and into how many modules. */
  get counts(): { readonly kernels: number; readonly modules: number } {
    return { kernels: this.#compiled, modules: this.#modules };
  }

  /** The functions of a plan's kernels, in order. @throws DeviceError if the engine refuses to compile one */
  require(planned: readonly PlannedKernel[]): readonly WebAssembly.ExportValue[] {
    const texts = planned.map(({ kernel }) => printKernel(kernel));
    const missing = new Map(texts.flatMap((text, number): Entry[] => (this.#kernels.has(text) ? [] : [[text, planned[number]!]])));
    if (missing.size > 0) this.#compile([...missing]);
    const functions = texts.map((text) => this.#use(text));
    for (const text of this.#kernels.keys()) {
      if (this.#kernels.size <= CAPACITY) break;
      this.#kernels.delete(text);
    }
    return functions;
  }

  #use(text: string): WebAssembly.ExportValue {
    const compiled = this.#kernels.get(text)!;
    this.#kernels.delete(text);
    this.#kernels.set(text, compiled);
    return compiled;
  }

  #compile(entries: readonly Entry[]): void {
    // Exports need distinct names; profilers show them.
    const names = entries.map(([, { name }], index) => `${name} #${this.#compiled + index + 1}`);
    const bytes = this.#assemble(entries, names);
    if (bytes.length > this.#moduleBytes && entries.length > 1) {
      const half = entries.length >>> 1;
      this.#compile(entries.slice(0, half));
      this.#compile(entries.slice(half));
      return;
    }
    const exports = instantiate(bytes, { memory: this.#memory.memory, ...this.#imports });
    entries.forEach(([text], index) => this.#kernels.set(text, exports[names[index]!]!));
    this.#compiled += entries.length;
    this.#modules++;
  }

  #assemble(entries: readonly Entry[], names: readonly string[]): Uint8Array<ArrayBuffer> {
    const module = new Module(this.#memory.declaration);
    const functions = new Map<Float64Import, Callee>();
    for (const name of new Set(entries.flatMap(([, { kernel }]) => [...functionsOf(kernel)]))) {
      functions.set(name, module.importFunction(name, { params: new Array<'f64'>(FLOAT64_IMPORTS[name]).fill('f64'), results: ['f64'] }));
    }
    const tools = { features: this.#features, functions, tile: this.#tile };
    entries.forEach(([, { kernel }], index) => {
      module.function(names[index]!, kernelSignature(kernel.operands.length), (code, params) => emitKernel(code, kernel, params, tools), {
        exported: true,
      });
    });
    return module.toBytes();
  }
}
