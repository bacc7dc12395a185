/**
 * The device itself: programs compiled by `@firsthand/compiler`, written as WGSL here, and run in the GPU's
 * queue.
 */
import type { Target } from '@firsthand/compiler';
import type { Device, DType, Executable, Program, Storage, TypedArray } from '@firsthand/graph';
import { BUFFER_UNIT } from './buffer-pool.ts';
import { WORD } from './elements.ts';
import { WebGPUExecutable } from './executable.ts';
import type { Session } from './session.ts';
import { planKernel } from '../kernels/plan-kernel.ts';
import type { AdapterProfile } from '../emit/profile.ts';
import type { ShaderPlan } from '../emit/shader.ts';

/** Shaders are compiled slowly, and many that are short and alike are one pipeline. */
const SINGLE_LIMIT = 96;

/** A device on a GPU, with what it has found out about it. */
export interface WebGPUDevice extends Device {
  /** What kernels are chosen by. */
  readonly profile: AdapterProfile;
  /** What the self-test has switched off, and why; empty on a sound adapter. */
  readonly findings: readonly string[];
}

/** A device over a session. */
export class SessionDevice implements WebGPUDevice {
  readonly name = 'webgpu';
  readonly findings: readonly string[];
  readonly #session: Session;
  readonly #target: Target<ShaderPlan>;

  constructor(session: Session, findings: readonly string[]) {
    this.#session = session;
    this.findings = findings;
    this.#target = {
      plan: (kernel) => planKernel(kernel, session.profile, session.definitions),
      float64: false,
      singleLimit: SINGLE_LIMIT,
      arrayLimit: session.profile.maxBindings,
      hasKernel: (composite) => session.definitions.has(composite),
      elementBytes: () => WORD,
      storesHalvesAsFloats: true,
      alignment: BUFFER_UNIT,
      partAlignment: BUFFER_UNIT,
    };
  }

  get profile(): AdapterProfile {
    return this.#session.profile;
  }
  supports(dtype: DType): boolean {
    return dtype !== 'float64';
  }
  prepare(program: Program): Executable {
    this.#session.requireOpen();
    return new WebGPUExecutable(program, this.#target, this.#session);
  }
  upload(data: TypedArray, dtype: DType): Storage {
    return this.#session.upload(data, dtype);
  }
  async read(storage: Storage): Promise<TypedArray<ArrayBuffer>> {
    return this.#session.read(this.#session.requireOwn(storage));
  }
  memory(): { live: number; peak: number } {
    return this.#session.memory;
  }
  dispose(): void {
    this.#session.close();
  }
}
