/**
 * Plans written by hand, for tests of what runs them: float32 maps over one axis, small enough to check on
 * paper.
 */
import { KernelTable } from '@firsthand/compiler';
import type {
  Index,
  LoopKernel,
  BufferLocation,
  Plan,
  PlanBuffer,
  PlannedKernel,
  Roofline,
  Scalar,
  Store,
} from '@firsthand/compiler';
import { TILES } from '../src/matmul/tile-sizes.ts';
import { planKernel } from '../src/runtime/plan-kernel.ts';
import type { WasmKernelPlan } from '../src/kernels/kernel-plan.ts';
import { LinearMemory } from '../src/memory/linear-memory.ts';
import { KernelLibrary } from '../src/runtime/kernel-library.ts';
import { Session, type Parts } from '../src/runtime/session.ts';
import { StorageManager } from '../src/memory/storage-manager.ts';
import { PageTeam } from '../src/threads/page-team.ts';
import { BlockingTeam } from '../src/threads/blocking-team.ts';

/** i, the only loop variable. */
const I: Index = { offset: 0, terms: [{ coefficient: 1, atom: { kind: 'axis', axis: 0 } }] };
const FIRST: Index = { offset: 0, terms: [] };

export function constant(value: number): Scalar {
  return { op: 'const', dtype: 'float32', value };
}
/** operand[i] */
export function element(operand: number): Scalar {
  return { op: 'load', dtype: 'float32', operand, index: I };
}
/** operand[0] */
export function single(operand: number): Scalar {
  return { op: 'load', dtype: 'float32', operand, index: FIRST };
}
export function add(a: Scalar, b: Scalar): Scalar {
  return { op: 'binary', dtype: 'float32', kind: 'add', a, b };
}
export function mul(a: Scalar, b: Scalar): Scalar {
  return { op: 'binary', dtype: 'float32', kind: 'mul', a, b };
}

/** For each i below `length`: target[i] = value, where the target is the last operand. */
export function map(length: number, operands: readonly number[], value: Scalar): LoopKernel {
  const store: Store = { operand: operands.length, index: I, value };
  return {
    kind: 'loop',
    operands: [
      ...operands.map((size) => ({ dtype: 'float32', length: size, access: 'read' }) as const),
      { dtype: 'float32', length, access: 'write' },
    ],
    rows: [],
    columns: [length],
    reductions: [],
    passes: [{ reductions: [], stores: [store] }],
    rowStores: [],
  };
}

export function buffer(length: number, location: BufferLocation): PlanBuffer {
  return { dtype: 'float32', length, location: location };
}
export function argument(number: number): BufferLocation {
  return { kind: 'argument', argument: number, offset: 0 };
}
export function output(number: number): BufferLocation {
  return { kind: 'output', output: number, offset: 0 };
}

/** Equal kernels are one, as in the programs of a device. */
const KERNELS = new KernelTable<WasmKernelPlan>({ plan: (kernel) => planKernel(kernel, TILES[0]!) });

/** A kernel of a plan, with the buffers that are its operands. */
export function planned(
  kernel: LoopKernel,
  buffers: readonly number[],
  name = 'map',
): PlannedKernel<WasmKernelPlan> {
  return {
    ...KERNELS.entry(kernel),
    buffers,
    scratch: { bytes: 0, offset: 0 },
    name,
    nodes: [name],
    boundary: 'made by hand',
  };
}

/** A plan whose outputs are buffers by number, each a storage of its own, or `into` an argument. */
export function plan(
  buffers: readonly PlanBuffer[],
  kernels: readonly PlannedKernel<WasmKernelPlan>[],
  outputs: readonly { readonly buffer: number; readonly into?: number }[],
  arenaBytes = 0,
): Plan<WasmKernelPlan> {
  return {
    buffers,
    kernels,
    outputs: outputs.map(({ buffer: number, into = null }) => {
      const { dtype, length } = buffers[number]!;
      return { buffer: number, dtype, length, into };
    }),
    arenaBytes,
    liveBytes: arenaBytes,
  };
}

/** A device without a compiler: its parts, and what closes it. */
export function openSession({
  maxBytes = 2 ** 32,
  moduleBytes = 2 ** 22,
  threads = 1,
  divideFrom = Infinity,
  roofline = null,
}: {
  readonly maxBytes?: number;
  readonly moduleBytes?: number;
  readonly threads?: number;
  readonly divideFrom?: number;
  readonly roofline?: Roofline | null;
} = {}): Parts & { readonly session: Session; readonly team: BlockingTeam | null } {
  const memory = new LinearMemory(maxBytes, threads > 1);
  const parts = {
    storages: new StorageManager(memory),
    library: new KernelLibrary(memory, {
      features: { relaxedSimd: false },
      tile: TILES[0]!,
      divideFrom,
      moduleBytes,
    }),
    code: new WeakMap(),
    team: threads > 1 ? new BlockingTeam(memory, { threads, isOptional: false }, false) : null,
    roofline,
  };
  return { ...parts, session: new Session(parts) };
}

/**
 * The same for a device on a page's main thread, which works in Node as well: all of its threads are workers.
 */
export function openPageSession(
  threads: number,
  maxBytes: number = 2 ** 32,
): Parts & { readonly session: Session; readonly team: PageTeam } {
  const memory = new LinearMemory(maxBytes, true);
  const parts = {
    storages: new StorageManager(memory),
    library: new KernelLibrary(memory, { features: { relaxedSimd: false }, tile: TILES[0]!, divideFrom: 0 }),
    code: new WeakMap(),
    team: new PageTeam(memory, { threads, isOptional: false }),
    roofline: null,
  };
  return { ...parts, session: new Session(parts) };
}
