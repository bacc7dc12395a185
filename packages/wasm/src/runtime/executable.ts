/**
 * A compiled program on linear memory. A run checks its arguments, allocates everything before it changes
 * anything, fills in the address table, calls WebAssembly once, and makes storages of the outputs: the
 * JavaScript of a run is proportional to arguments and outputs, not to kernels.
 */
import { printKernel, reportOf, type Plan } from '@firsthand/compiler';
import { DeviceError } from '@firsthand/graph';
import { unfitArgument } from '@firsthand/runtime';
import type { DType, HostValue } from '@firsthand/graph';
import type { Arg, Completion, Executable, PlanReport, Storage } from '@firsthand/runtime';
import { toFloat16Bits } from '@firsthand/linalg';
import type { WasmKernelPlan } from '../kernels/kernel-plan.ts';
import { KernelTimes } from '../profile/kernel-times.ts';
import { blockSize, type Block } from '../memory/heap.ts';
import { bytesOf, layoutOf, type ArraySpec, type Layout } from './layout.ts';
import { compileRun } from './run-module.ts';
import type { Session } from './session.ts';
import { WasmStorage } from '../memory/storage.ts';
import type { StorageManager } from '../memory/storage-manager.ts';

/** Converts a number of the host to an element, where storing it in a typed array does not. */
const ELEMENT: { readonly [K in DType]: (value: number) => number } = {
  float32: (value) => value,
  float64: (value) => value,
  float16: toFloat16Bits,
  int32: (value) => value,
  uint32: (value) => value,
  bool: (value) => (value === 0 ? 0 : 1),
};

/** Bytes of copied arguments beyond which a run frees the workspace: the next may move them into memory. */
const LARGE_BYTES = 16 * 2 ** 20;

/** The value of an argument; null if the plan does not read it. */
type Input = WasmStorage | HostValue | null;
/** The target of an output: a block, the argument that it overwrites, or null for the workspace. */
type OutputTarget = Block | WasmStorage | null;

/** A run in progress. */
export interface Run {
  readonly targets: readonly OutputTarget[];
  /** Address of the workspace. */
  readonly base: number;
  /** Bytes of the arguments that were copied there. */
  readonly copied: number;
}

/** Workers forget the plans of executables that have been garbage collected. */
const unused = /* @__PURE__ */ new FinalizationRegistry<() => void>((forget) => forget());

/** A plan with its code. */
export class WasmExecutable implements Executable {
  readonly #plan: Plan;
  readonly #layout: Layout;
  readonly #session: Session;
  /** Whether an output overwrites the argument, which must be in linear memory then. */
  readonly #overwritten: readonly boolean[];
  /** Null if kernels are not timed. */
  readonly #times: KernelTimes | null;

  constructor(plan: Plan<WasmKernelPlan>, session: Session) {
    const { library, code, team, roofline } = session.parts;
    this.#plan = plan;
    this.#layout = layoutOf(plan);
    this.#session = session;
    const targets = new Set(plan.outputs.map(({ into }) => into));
    this.#overwritten = this.#layout.arguments.map((_, argument) => targets.has(argument));
    this.#times = roofline === null ? null : new KernelTimes(roofline, plan.kernels.length);
    const stamp = this.#times?.stamp ?? null;
    const { run, forget } = compileRun(plan, this.#layout, library, team, stamp);
    code.set(this, run);
    if (forget !== null) unused.register(this, forget);
  }

  run(args: readonly Arg[]): Completion {
    const run = this.begin(args);
    try {
      void this.compute(run);
    } catch (cause) {
      throw this.abandon(run.targets, cause);
    }
    return { outputs: this.finish(run), done: null };
  }

  // ---- the steps of a run, for the device that goes on meanwhile

  /** For each output the argument that it overwrites, or its spec. @throws DeviceError unless they fit */
  expectedOutputs(args: readonly Arg[]): readonly (Storage | ArraySpec)[] {
    const seen = new Set<Arg>();
    const repeated = new Set<Arg>();
    this.#layout.arguments.forEach((spec, index) => {
      if (spec === null) return;
      const arg = requireFit(spec, args[index], index);
      (seen.has(arg) ? repeated : seen).add(arg);
    });
    return this.#plan.outputs.map((spec) => {
      const arg = spec.into === null ? null : args[spec.into]!;
      return arg !== null && isStorage(arg) && !repeated.has(arg) ? arg : spec;
    });
  }

  /** Checks arguments, allocates blocks, fills the workspace. @throws DeviceError, with nothing changed */
  begin(args: readonly Arg[]): Run {
    const { storages } = this.#session.parts;
    storages.run++;
    const inputs = this.#layout.arguments.map((spec, index) =>
      spec === null ? null : accept(storages, spec, args[index], index),
    );
    const targets: OutputTarget[] = [];
    try {
      this.#allocateOutputs(storages, inputs, targets);
      const copied = this.#bytesToCopy(inputs);
      const base = storages.reserveWorkspace(this.#layout.bytes + copied);
      this.#fill(storages, inputs, targets, base);
      return { targets, base, copied };
    } catch (cause) {
      throw this.abandon(targets, cause);
    }
  }

  /** Runs the code: null if it has run, else a promise of that. */
  compute({ base }: Run): Promise<void> | null {
    return this.#session.parts.code.get(this)!(base);
  }

  /** Makes storages of the outputs. */
  finish({ targets, base, copied }: Run): readonly WasmStorage[] {
    const { storages } = this.#session.parts;
    const outputs = targets.map((target, output) => this.#output(storages, target, output, base));
    storages.recordPeak(this.#plan.arenaBytes);
    if (copied > LARGE_BYTES) storages.freeWorkspace();
    return outputs;
  }

  /** Frees what a failed run has allocated. @returns the cause as a typed error */
  abandon(targets: readonly OutputTarget[], cause: unknown): DeviceError {
    const { storages } = this.#session.parts;
    for (const target of targets) if (target !== null && !isWasmStorage(target)) storages.memory.free(target);
    if (cause instanceof DeviceError) return cause;
    return new DeviceError(
      `wasm: a run has failed: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }

  report(): PlanReport {
    const report = reportOf(this.#plan, 'wasm', ({ kernel }) => printKernel(kernel));
    return this.#times?.addTo(report) ?? report;
  }

  /** Moves arguments into memory, and allocates a target for each output. @throws DeviceError without room */
  #allocateOutputs(storages: StorageManager, inputs: readonly Input[], targets: OutputTarget[]): void {
    inputs.forEach((input, index) => {
      if (isWasmStorage(input) && (input.uses > 1 || this.#overwritten[index]!)) storages.promote(input);
    });
    this.#plan.outputs.forEach((spec, output) => {
      const input = spec.into === null ? null : inputs[spec.into]!;
      // An argument that is passed twice is not overwritten: the output works on a copy.
      if (isWasmStorage(input) && !input.repeated) targets.push(input);
      else targets.push(this.#layout.smallOutputs[output] === null ? storages.allocate(bytesOf(spec)) : null);
    });
  }

  /** Bytes in the workspace for the arguments on the host. */
  #bytesToCopy(inputs: readonly Input[]): number {
    let bytes = 0;
    inputs.forEach((input, index) => {
      if (input !== null && blockOf(input) === null)
        bytes += blockSize(bytesOf(this.#layout.arguments[index]!));
    });
    return bytes;
  }

  /** Fills the workspace: addresses, and elements from the host. */
  #fill(
    storages: StorageManager,
    inputs: readonly Input[],
    targets: readonly OutputTarget[],
    base: number,
  ): void {
    const { arguments: specs, smallOutputs: small, bytes } = this.#layout;
    const table = storages.memory.views.uint32;
    const first = base / 4;
    let free = base + bytes;
    inputs.forEach((input, index) => {
      if (input === null) return;
      const block = blockOf(input);
      table[first + index] = block?.address ?? free;
      if (block !== null) return;
      const spec = specs[index]!;
      storages.copyIn(
        free,
        isWasmStorage(input) ? input.content.data! : elementsOf(input, spec.dtype),
        spec.dtype,
      );
      free += blockSize(bytesOf(spec));
    });
    targets.forEach((target, output) => {
      const address = target === null ? base + small[output]! : blockOf(target)!.address;
      table[first + inputs.length + output] = address;
      const { into } = this.#plan.outputs[output]!;
      if (into === null || isWasmStorage(target)) return;
      storages.memory.copy(address, table[first + into]!, bytesOf(specs[into]!));
      table[first + into] = address;
    });
  }

  #output(storages: StorageManager, target: OutputTarget, output: number, base: number): WasmStorage {
    if (isWasmStorage(target)) return target;
    const spec = this.#plan.outputs[output]!;
    if (target !== null) return storages.adoptBlock(target, spec.dtype, spec.length);
    return storages.adopt(storages.copyOut(base + this.#layout.smallOutputs[output]!, spec), spec.dtype);
  }
}

/** Checks an argument, and records its use. @throws DeviceError unless it fits the spec */
function accept(
  storages: StorageManager,
  spec: ArraySpec,
  arg: Arg | undefined,
  index: number,
): WasmStorage | HostValue {
  const given = requireFit(spec, arg !== undefined && isStorage(arg) ? storages.resolve(arg) : arg, index);
  if (isWasmStorage(given)) {
    given.repeated = given.allocation.lastRun === storages.run;
    given.allocation.lastRun = storages.run;
    given.uses++;
  }
  return given;
}

/** @throws DeviceError unless an argument fits its spec */
function requireFit<T extends Arg>({ dtype, length }: ArraySpec, arg: T | undefined, index: number): T {
  const found = typeof arg === 'object' ? arg.length : 1;
  if (arg !== undefined && found === length && !(isStorage(arg) && arg.dtype !== dtype)) return arg;
  throw unfitArgument('wasm', `argument ${index} of a run`, { dtype, length }, arg);
}

/** Whether an argument is an array of a device, and not a value of the host. */
export function isStorage(arg: Arg): arg is Storage {
  return typeof arg === 'object' && 'bytes' in arg;
}

function isWasmStorage(value: Input | OutputTarget): value is WasmStorage {
  return value instanceof WasmStorage;
}

/** The block of a value; null if it is on the host. */
function blockOf(value: WasmStorage | Block | HostValue): Block | null {
  if (isWasmStorage(value)) return value.allocation.block;
  return typeof value === 'object' && 'address' in value ? value : null;
}

function elementsOf(value: HostValue, dtype: DType): readonly number[] {
  return (typeof value === 'number' ? [value] : value).map(ELEMENT[dtype]);
}
