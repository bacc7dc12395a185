/**
 * The function that runs a plan: it calls the plan's kernels in order, with addresses that are constants
 * beyond the base of the working region or stand in the table there. It is a module of its own that imports
 * the kernels, since kernels outlive the plan that they were compiled for. Each thread of a team calls it: of
 * a kernel that is divided every thread computes its part, any other is left to one of them.
 */
import type { BufferLocation, Plan } from '@firsthand/compiler';
import type { Callee, Code, Local } from '../assembler/code.ts';
import { Module, type Signature } from '../assembler/module.ts';
import { kernelSignature } from '../kernels/kernel-code.ts';
import { barriersOf } from './hazards.ts';
import type { RunFunction, Team } from '../threads/team.ts';
import { instantiate } from '../engine/instantiate.ts';
import type { KernelFunction } from './kernel-library.ts';
import type { Layout } from './layout.ts';
import type { LinearMemory } from '../memory/linear-memory.ts';

/**
 * Addresses that one function pushes for the calls in it: more are split, so that no function becomes larger
 * than engines take, which is 7.6 MB. Each takes some 10 bytes.
 */
const MAX_ADDRESSES = 16_384;
const RUN: Signature = { params: ['i32', 'i32', 'i32'], results: [] };

/** Stands for the number of a kernel where the next one begins. */
const BEGINS = -1;
/**
 * Is told by the first thread that a kernel is done, by its number in the plan; −1 says that the next one
 * begins.
 */
export type Stamp = (kernel: number) => void;

/** Runs a plan whose working region is at an address. Null if it has run, else a promise of that. */
export type Runner = (base: number) => Promise<void> | null;

/**
 * Assembles and compiles the code of a plan.
 * @param kernels the plan's kernels in order, compiled; equal ones may be one function
 * @param team runs plans in which there is a kernel to divide, or all; null for a device of one thread
 * @param stamp if kernels are timed: all threads wait for each other before and after each kernel then, so
 *   that its time is its own; else null
 * @throws DeviceError if the engine refuses
 */
export function assembleRun(
  plan: Plan,
  layout: Layout,
  kernels: readonly KernelFunction[],
  memory: LinearMemory,
  team: Team | null,
  stamp: Stamp | null,
): { readonly run: Runner; readonly forget: (() => void) | null } {
  const isParallel = kernels.some(({ partition }) => partition !== null);
  const shared = isParallel || team?.runsSerialPlans === true ? team : null;
  const module = new Module(memory.declaration);
  const env: WebAssembly.ModuleImports = { memory: memory.memory };
  const callees = new Map<string, Callee>();
  for (const [number, { name, value, partition }] of kernels.entries()) {
    if (callees.has(name)) continue;
    env[name] = value;
    callees.set(
      name,
      module.importFunction(
        name,
        kernelSignature(plan.kernels[number]!.kernel.operands.length, partition !== null),
      ),
    );
  }
  let barrier: Callee | null = null;
  if (shared !== null) {
    env['barrier'] = shared.barrier;
    barrier = module.importFunction('barrier', { params: ['i32'], results: [] });
  }
  let stampFunction: Callee | null = null;
  if (stamp !== null) {
    env['stamp'] = stamp;
    stampFunction = module.importFunction('stamp', { params: ['i32'], results: [] });
  }
  const barriers = shared === null || stampFunction !== null ? [] : barriersOf(plan);
  /** The place of a kernel among those that one thread computes, since the last wait. */
  let serialKernels = 0;
  const emitCall = (
    code: Code,
    number: number,
    [base, thread, threads]: readonly [Local, Local, Local],
  ): void => {
    const { scratch } = plan.kernels[number]!;
    const { name, partition } = kernels[number]!;
    if (barrier !== null && barriers[number] === true) {
      code.get(threads).call(barrier);
      serialKernels = 0;
    }
    const call = (): void => {
      pushOperands(code, base, plan, number, layout);
      pushAddress(code, base, { kind: 'arena', offset: scratch.offset }, layout);
      if (partition !== null && shared !== null) {
        // Each thread has working memory of its own.
        code
          .get(thread)
          .i32(scratch.bytes / shared.threads)
          .op('i32.mul')
          .op('i32.add');
        pushChunkStart(code, partition.chunks, partition.chunkSize, thread, 0, threads);
        pushChunkStart(code, partition.chunks, partition.chunkSize, thread, 1, threads);
      }
      code.call(callees.get(name)!);
    };
    if (partition !== null || shared === null) call();
    else code.get(thread).i32(serialKernels++).get(threads).op('i32.rem_u').op('i32.eq').if(call);
  };
  const emitStamp = (
    code: Code,
    number: number,
    [, thread, threads]: readonly [Local, Local, Local],
  ): void => {
    if (stampFunction === null) return;
    if (barrier !== null) {
      code.get(threads).call(barrier);
      // Who has slept at a barrier may not be awake yet when it opens, but is once it has come to the next.
      if (number === BEGINS) code.get(threads).call(barrier);
      serialKernels = 0;
    }
    code
      .get(thread)
      .op('i32.eqz')
      .if(() => code.i32(number).call(stampFunction));
  };
  const functions: Callee[] = [];
  for (let next = 0; next < kernels.length;) {
    const function_ = module.function(`run ${functions.length}`, RUN, (code, params) => {
      const locals = params as readonly [Local, Local, Local];
      for (let addresses = 0; next < kernels.length && addresses < MAX_ADDRESSES; next++) {
        emitStamp(code, BEGINS, locals);
        emitCall(code, next, locals);
        emitStamp(code, next, locals);
        addresses += plan.kernels[next]!.buffers.length + 1;
      }
    });
    functions.push(function_);
  }
  const callFunctions = (code: Code, [base, thread, threads]: readonly Local[]): void => {
    for (const function_ of functions) code.get(base!).get(thread!).get(threads!).call(function_);
    if (barrier !== null) code.get(threads!).call(barrier);
  };
  module.function('run', RUN, callFunctions, { exported: true });
  const compiled = instantiate(module.toBytes(), env);
  const run = compiled.exports['run'] as RunFunction;
  if (shared === null) {
    const serial: Runner = (base) => {
      run(base, 0, 1);
      return null;
    };
    return { run: serial, forget: null };
  }
  const number = shared.add(
    [...new Set(kernels.map((kernel) => kernel.module))],
    compiled.module,
    isParallel,
  );
  return { run: (base) => shared.run(number, run, base), forget: () => shared.forget(number) };
}

/**
 * Leaves ⌊units·(thread + next)/threads⌋·grain on the stack: where a thread's part begins, or the next one's.
 */
function pushChunkStart(
  code: Code,
  chunks: number,
  chunkSize: number,
  thread: Local,
  offset: 0 | 1,
  threads: Local,
): void {
  code.get(thread);
  if (offset > 0) code.i32(offset).op('i32.add');
  code.i32(chunks).op('i32.mul').get(threads).op('i32.div_u').i32(chunkSize).op('i32.mul');
}

/**
 * Leaves what a kernel takes for its operands on the stack: their addresses, or the address of the table that
 * they are written to. Threads that share a kernel all write the same there.
 */
function pushOperands(code: Code, base: Local, plan: Plan, number: number, layout: Layout): void {
  const { buffers } = plan.kernels[number]!;
  const table = layout.tables[number]!;
  if (table === null) {
    for (const buffer of buffers) pushAddress(code, base, plan.buffers[buffer]!.location, layout);
    return;
  }
  buffers.forEach((buffer, operand) => {
    code.get(base);
    pushAddress(code, base, plan.buffers[buffer]!.location, layout);
    code.memory('i32.store', table + 4 * operand);
  });
  code.get(base).i32(table).op('i32.add');
}

/** Leaves the address of a place on the stack. */
function pushAddress(code: Code, base: Local, location: BufferLocation, layout: Layout): void {
  code.get(base);
  if (location.kind === 'arena') code.i32(layout.arena + location.offset).op('i32.add');
  else {
    code.memory(
      'i32.load',
      4 * (location.kind === 'argument' ? location.argument : layout.arguments.length + location.output),
    );
    if (location.offset > 0) code.i32(location.offset).op('i32.add');
  }
}
