/**
 * The synchronous device: programs are compiled by `@firsthand/compiler` and assembled here, arrays are on
 * the host or in linear memory, and a run is complete when `run` returns.
 */
import { compileProgram, KernelTable, type Target } from '@firsthand/compiler';
import type { DType, Program, TypedArray } from '@firsthand/graph';
import type { Device, Storage } from '@firsthand/runtime';
import { WasmExecutable } from './executable.ts';
import { hasBlockwiseKernel } from '../attention/algorithms.ts';
import { planKernel } from './plan-kernel.ts';
import type { WasmKernelPlan } from '../kernels/kernel-plan.ts';
import type { Session } from './session.ts';
import type { WasmStorage } from '../memory/storage.ts';

/** A device over a session. */
export class WasmDevice implements Device {
  readonly name = 'wasm';
  readonly #session: Session;
  readonly #target: Target<WasmKernelPlan>;
  readonly #kernels: KernelTable<WasmKernelPlan>;

  constructor(session: Session) {
    const threads = session.parts.team?.threads ?? 1;
    this.#session = session;
    this.#target = {
      plan: (kernel) => {
        const plan = planKernel(kernel, session.parts.library.tile);
        return { ...plan, scratch: threads * plan.scratch };
      },
      float64: true,
      implicitMatrices: true,
      widensColumns: true,
      hasKernel: hasBlockwiseKernel,
      rowEpilogues: true,
      splitsReductions: true,
    };
    this.#kernels = new KernelTable(this.#target);
  }

  supports(): boolean {
    return true;
  }
  prepare(program: Program): WasmExecutable {
    this.#session.requireOpen();
    return new WasmExecutable(compileProgram(program, this.#target, this.#kernels), this.#session);
  }
  upload(data: TypedArray, dtype: DType): WasmStorage {
    return this.#session.parts.storages.upload(data, dtype);
  }
  readSync(storage: Storage): TypedArray<ArrayBuffer> {
    const { storages } = this.#session.parts;
    return storages.read(storages.resolve(storage));
  }
  async read(storage: Storage): Promise<TypedArray<ArrayBuffer>> {
    return this.readSync(storage);
  }
  memory(): { live: number; peak: number } {
    return this.#session.memory;
  }
  dispose(): void {
    this.#session.close();
  }
}
