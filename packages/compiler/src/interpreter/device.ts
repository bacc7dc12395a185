/**
 * The interpreter as a device: compiled plans, kernels in plain loops, and every run finished before `run`
 * returns. What it and the reference device disagree on is the compiler's mistake; what it and a faster
 * device disagree on, with the same plan, is the mistake of that device.
 */
import { disposedDevice, foreignStorage, freedStorage, unfitArgument } from '@firsthand/runtime';
import type { DType, Leaf, Program, TypedArray } from '@firsthand/graph';
import type { Arg, Completion, Device, Executable, PlanReport, Storage } from '@firsthand/runtime';
import { allocate, array, sizeOf } from '@firsthand/linalg';
import { compileProgram } from '../plan/compile.ts';
import type { Plan, Target } from '../ir/kernel.ts';
import { printKernel } from '../report/print.ts';
import { reportOf } from '../report/report.ts';
import { poisoned, preparePlan, type RunPlan } from './run-plan.ts';

/** No working memory; all that a target may ask for. */
const TARGET: Target = {
  plan: () => ({ scratch: 0, fusesRowEpilogue: true }),
  float64: true,
  implicitMatrices: true,
  widensColumns: true,
  rowEpilogues: true,
  splitsReductions: true,
};

/**
 * A device that interprets compiled kernels: slow, exact about bounds, and readable.
 * @example
 * ```ts
 * import { createInterpreter } from '@firsthand/compiler';
 * const device = createInterpreter();
 * console.log(device.name, device.supports('float16')); // interpreter true
 * ```
 */
export function createInterpreter(): Device {
  return new Interpreter();
}

/** Bytes of storages, and of runs while they last. */
class Memory {
  live = 0;
  peak = 0;
  change(bytes: number): void {
    this.live += bytes;
    this.peak = Math.max(this.peak, this.live);
  }
}

class InterpreterStorage implements Storage {
  readonly dtype: DType;
  readonly length: number;
  readonly bytes: number;
  /** Gives the bytes back to the count, once; it knows nothing of the elements. */
  readonly finalize: () => void;
  #data: TypedArray | null;

  constructor(data: TypedArray, dtype: DType, memory: Memory) {
    this.#data = data;
    this.dtype = dtype;
    this.length = data.length;
    this.bytes = data.byteLength;
    let counted = data.byteLength;
    memory.change(counted);
    this.finalize = () => {
      memory.change(-counted);
      counted = 0;
    };
  }
  get data(): TypedArray {
    if (this.#data === null) throw freedStorage('interpreter', this);
    return this.#data;
  }
  dispose(): void {
    this.#data = null;
    this.finalize();
  }
}

function interpreterStorage(storage: Storage): InterpreterStorage {
  if (storage instanceof InterpreterStorage) return storage;
  throw foreignStorage('interpreter');
}

class Interpreter implements Device {
  readonly name = 'interpreter';
  readonly #memory = new Memory();
  #disposed = false;

  supports(): boolean {
    return true;
  }
  prepare(program: Program): Executable {
    this.#requireOpen();
    return new Interpretation(program.args, compileProgram(program, TARGET), this.#memory);
  }
  upload(data: TypedArray, dtype: DType): Storage {
    this.#requireOpen();
    const copy = allocate(dtype, data.length);
    copy.set(data);
    return new InterpreterStorage(copy, dtype, this.#memory);
  }
  readSync(storage: Storage): TypedArray<ArrayBuffer> {
    this.#requireOpen();
    return interpreterStorage(storage).data.slice();
  }
  async read(storage: Storage): Promise<TypedArray<ArrayBuffer>> {
    return this.readSync(storage);
  }
  memory(): { live: number; peak: number } {
    return { live: this.#memory.live, peak: this.#memory.peak };
  }
  dispose(): void {
    this.#disposed = true;
  }
  #requireOpen(): void {
    if (this.#disposed) throw disposedDevice('interpreter');
  }
}

class Interpretation implements Executable {
  readonly #leaves: readonly Leaf[];
  readonly #plan: Plan;
  readonly #run: RunPlan;
  readonly #memory: Memory;

  constructor(leaves: readonly Leaf[], plan: Plan, memory: Memory) {
    this.#leaves = leaves;
    this.#plan = plan;
    this.#run = preparePlan(plan);
    this.#memory = memory;
  }

  run(args: readonly Arg[]): Completion {
    const arrays = this.#leaves.map((leaf, index) => arrayOf(leaf, args[index]));
    const outputs = this.#plan.outputs.map(({ into, dtype, length }) =>
      into === null
        ? new InterpreterStorage(poisoned(dtype, length), dtype, this.#memory)
        : interpreterStorage(args[into] as Storage),
    );
    this.#memory.change(this.#plan.arenaBytes);
    this.#run(
      arrays,
      outputs.map(({ data }) => data),
    );
    this.#memory.change(-this.#plan.arenaBytes);
    return { outputs, done: null };
  }

  report(): PlanReport {
    return reportOf(this.#plan, 'interpreter', ({ kernel }) => printKernel(kernel));
  }
}

function arrayOf({ dtype, shape }: Leaf, arg: Arg | undefined): TypedArray {
  if (arg === undefined) throw unfitArgument('interpreter', 'an argument', { dtype, length: sizeOf(shape) });
  if (typeof arg === 'object' && 'bytes' in arg) return interpreterStorage(arg).data;
  return array(typeof arg === 'number' ? [arg] : arg, { dtype }).data;
}
