/**
 * The function that runs a plan: it calls the kernels in order. Addresses are constants relative to the base
 * of the workspace, or stand in the address table there. On a device with several threads each thread calls
 * it: every thread computes its range of a partitioned kernel, any other kernel is computed by one of them,
 * and a barrier precedes a kernel that depends on an earlier one.
 */
import type { BufferLocation, Plan } from '@firsthand/compiler';
import type { Callee, Code, Local } from '../assembler/code.ts';
import type { Module, Signature } from '../assembler/module.ts';
import type { WasmKernelPlan } from '../kernels/kernel-plan.ts';
import type { Partition } from '../threads/partition.ts';
import type { RunFunction, Team } from '../threads/team.ts';
import { barriersOf } from './hazards.ts';
import type { HostImports, KernelFunction, KernelLibrary } from './kernel-library.ts';
import type { Layout } from './layout.ts';

/**
 * Addresses that one function pushes; the calls of larger plans are split among several functions. Each takes
 * some 10 bytes, and engines refuse functions of more than 7.6 MB.
 */
const MAX_ADDRESSES = 16_384;
/** Base of the workspace, number of the thread, number of threads. */
const RUN: Signature = { params: ['i32', 'i32', 'i32'], results: [] };
type RunParams = readonly [base: Local, thread: Local, threads: Local];
const ONE_INTEGER: Signature = { params: ['i32'], results: [] };

/** Stands for the number of a kernel where the next one begins. */
const BEGINS = -1;
/** The first thread calls it with the number of each kernel that is done, and with −1 when one begins. */
export type Stamp = (kernel: number) => void;

/** Runs a plan with the workspace at an address. Null if it has run, else a promise of that. */
export type Runner = (base: number) => Promise<void> | null;

/**
 * Compiles the code of a plan.
 * @param team runs plans with a partitioned kernel, or all; null for a device of one thread
 * @param stamp records the times of kernels; null where they are not measured. Threads meet at a barrier
 *   before and
 *   after each kernel then, so that a time is the kernel's own
 * @throws DeviceError if the engine refuses
 */
export function compileRun(
  plan: Plan<WasmKernelPlan>,
  layout: Layout,
  library: KernelLibrary,
  team: Team | null,
  stamp: Stamp | null,
): { readonly run: Runner; readonly forget: (() => void) | null } {
  const kernels = library.resolve(plan.kernels);
  const isParallel = kernels.some(({ partition }) => partition !== null);
  const shared = isParallel || team?.runsSerialPlans === true ? team : null;
  const imports: HostImports = {
    ...(shared !== null && { barrier: { signature: ONE_INTEGER, value: shared.barrier } }),
    ...(stamp !== null && { stamp: { signature: ONE_INTEGER, value: stamp } }),
  };
  const { module, exports } = library.compile(kernels, imports, (target, callees, imported) =>
    new RunEmitter({
      plan,
      layout,
      kernels,
      callees,
      threads: shared?.threads ?? 1,
      barrier: imported.get('barrier') ?? null,
      stamp: imported.get('stamp') ?? null,
    }).define(target),
  );
  const run = exports['run'] as RunFunction;
  if (shared === null) {
    const serial: Runner = (base) => {
      run(base, 0, 1);
      return null;
    };
    return { run: serial, forget: null };
  }
  const dependencies = new Set(kernels.map(({ compiled }) => compiled!.module));
  dependencies.delete(module);
  const work = kernels.reduce((sum, kernel) => sum + kernel.work, 0);
  const number = shared.add({ kernels: [...dependencies], run: module, isParallel, work });
  return { run: (base) => shared.run(number, run, base), forget: () => shared.forget(number) };
}

/** What the code of a plan is emitted from. */
interface RunParts {
  readonly plan: Plan;
  readonly layout: Layout;
  readonly kernels: readonly KernelFunction[];
  readonly callees: ReadonlyMap<KernelFunction, Callee>;
  /** Null on a device of one thread. */
  readonly barrier: Callee | null;
  /** Null if kernels are not timed. */
  readonly stamp: Callee | null;
  readonly threads: number;
}

/** Emits the code of one plan. */
class RunEmitter {
  readonly #parts: RunParts;
  /** For each kernel, whether a barrier precedes it. */
  readonly #barriers: readonly boolean[];
  /** Kernels without a partition since the last barrier: they go round the threads. */
  #serialKernels = 0;

  constructor(parts: RunParts) {
    this.#parts = parts;
    this.#barriers = parts.barrier === null || parts.stamp !== null ? [] : barriersOf(parts.plan);
  }

  /** Defines and exports `run`. */
  define(module: Module): void {
    const groups = this.#groups();
    const [first, last] = [groups.slice(0, -1), groups.at(-1) ?? []];
    const callees = first.map((numbers, index) =>
      module.function(`run ${index}`, RUN, (code, params) =>
        this.#emitKernels(code, numbers, params as RunParams),
      ),
    );
    const run = (code: Code, params: readonly Local[]): void => {
      for (const callee of callees) {
        for (const param of params) code.get(param);
        code.call(callee);
      }
      this.#emitKernels(code, last, params as RunParams);
      if (this.#parts.barrier !== null) code.get(params[2]!).call(this.#parts.barrier);
    };
    module.function('run', RUN, run, { exported: true });
  }

  /** The numbers of the kernels, in pieces of at most `MAX_ADDRESSES` addresses. */
  #groups(): readonly (readonly number[])[] {
    const groups: number[][] = [];
    let addresses = Infinity;
    this.#parts.plan.kernels.forEach(({ buffers }, number) => {
      if (addresses >= MAX_ADDRESSES) {
        groups.push([]);
        addresses = 0;
      }
      groups.at(-1)!.push(number);
      addresses += buffers.length + 1;
    });
    return groups;
  }

  #emitKernels(code: Code, numbers: readonly number[], params: RunParams): void {
    for (const number of numbers) {
      this.#emitStamp(code, BEGINS, params);
      this.#emitCall(code, number, params);
      this.#emitStamp(code, number, params);
    }
  }

  #emitCall(code: Code, number: number, [base, thread, threads]: RunParams): void {
    const { scratch } = this.#parts.plan.kernels[number]!;
    const kernel = this.#parts.kernels[number]!;
    if (this.#barriers[number] === true) this.#emitBarrier(code, threads);
    const call = (): void => {
      this.#pushOperands(code, base, number);
      this.#pushAddress(code, base, { kind: 'arena', offset: scratch.offset });
      if (kernel.partition !== null && this.#parts.barrier !== null) {
        // Each thread has scratch memory of its own.
        code.op('i32.mul', thread, scratch.bytes / this.#parts.threads).op('i32.add');
        pushChunkStart(code, kernel.partition, thread, 0, threads);
        pushChunkStart(code, kernel.partition, thread, 1, threads);
      }
      code.call(this.#parts.callees.get(kernel)!);
    };
    if (kernel.partition !== null || this.#parts.barrier === null) call();
    else
      code
        .get(thread)
        .op('i32.rem_u', this.#serialKernels++, threads)
        .op('i32.eq')
        .if(call);
  }

  #emitBarrier(code: Code, threads: Local): void {
    code.get(threads).call(this.#parts.barrier!);
    this.#serialKernels = 0;
  }

  #emitStamp(code: Code, number: number, [, thread, threads]: RunParams): void {
    const stamp = this.#parts.stamp;
    if (stamp === null) return;
    if (this.#parts.barrier !== null) {
      this.#emitBarrier(code, threads);
      // A thread that slept at a barrier may still be waking when it opens, but not once it has come to the
      // next.
      if (number === BEGINS) this.#emitBarrier(code, threads);
    }
    code.op('i32.eqz', thread).if(() => code.i32(number).call(stamp));
  }

  /**
   * Pushes the addresses of a kernel's operands, or fills the kernel's address table and pushes its address.
   * Threads that share a kernel all write the same values there.
   */
  #pushOperands(code: Code, base: Local, number: number): void {
    const { buffers } = this.#parts.plan.kernels[number]!;
    const table = this.#parts.layout.tables[number]!;
    const push = (buffer: number): void =>
      this.#pushAddress(code, base, this.#parts.plan.buffers[buffer]!.location);
    if (table === null) {
      buffers.forEach(push);
      return;
    }
    buffers.forEach((buffer, operand) => {
      code.get(base);
      push(buffer);
      code.memory('i32.store', table + 4 * operand);
    });
    code.op('i32.add', base, table);
  }

  /** Pushes the address of a buffer. */
  #pushAddress(code: Code, base: Local, location: BufferLocation): void {
    const { arena, arguments: specs } = this.#parts.layout;
    code.get(base);
    if (location.kind === 'arena') {
      code.op('i32.add', arena + location.offset);
      return;
    }
    const entry = location.kind === 'argument' ? location.argument : specs.length + location.output;
    code.memory('i32.load', 4 * entry);
    if (location.offset > 0) code.op('i32.add', location.offset);
  }
}

/** Pushes ⌊chunks·(thread + offset)/threads⌋·chunkSize: the start of a thread's range, or of the next's. */
function pushChunkStart(
  code: Code,
  { chunks, chunkSize }: Partition,
  thread: Local,
  offset: 0 | 1,
  threads: Local,
): void {
  code.get(thread);
  if (offset > 0) code.op('i32.add', offset);
  code.op('i32.mul', chunks).op('i32.div_u', threads).op('i32.mul', chunkSize);
}
