/** The device: what it tells the compiler as a target, and the programs and arrays of its session. */
import type { Target } from '@firsthand/compiler';
import type { DType, Program, TypedArray } from '@firsthand/graph';
import type { Device, Executable, Storage } from '@firsthand/runtime';
import { BUFFER_UNIT } from './buffer-pool.ts';
import { WORD } from './elements.ts';
import { WebGPUExecutable } from './executable.ts';
import type { Session } from './session.ts';
import { planKernel } from '../kernels/plan-kernel.ts';
import type { AdapterProfile } from '../emit/profile.ts';
import type { ShaderPlan } from '../emit/shader.ts';

/**
 * Operations of a kernel of single numbers, at most: shaders compile slowly, and equal short ones are shared.
 */
const SINGLE_LIMIT = 96;

/** A device on a GPU. */
export interface WebGPUDevice extends Device {
  /** The facts by which kernels are chosen. */
  readonly profile: AdapterProfile;
  /** The faults that the self-test has found; empty on a sound adapter. */
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
    return this.#session.read(this.#session.requireStorage(storage));
  }
  memory(): { live: number; peak: number } {
    return this.#session.memory;
  }
  dispose(): void {
    this.#session.close();
  }
}
