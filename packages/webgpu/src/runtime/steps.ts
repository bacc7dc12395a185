/**
 * Turns a plan into the steps of the GPU: dispatches and copies, whose buffers are slots that a run fills.
 * All arrays of the arena are ranges of one buffer. If a kernel has more arrays than a shader may bind, the
 * smallest of them are packed: copied side by side into one buffer.
 */
import {
  bodiesOf,
  MOST_ELEMENTS,
  printKernel,
  type Resumable,
  type Kernel,
  type Operand,
  type BufferLocation,
  type Plan,
  type PlannedKernel,
} from '@firsthand/compiler';
import { DeviceError } from '@firsthand/graph';
import { sizeOf } from '@firsthand/linalg';
import { dispatchOf, GROUP_ROW } from '../emit/module.ts';
import type { AdapterProfile } from '../emit/profile.ts';
import type { Access, OperandLayout, ShaderPlan } from '../emit/shader.ts';
import { bufferBytes, BUFFER_UNIT } from './buffer-pool.ts';
import { WORD } from './elements.ts';
import type { PipelineEntry, Pipelines } from './pipelines.ts';

/** A range of the buffer in a slot. */
export interface BufferRange {
  readonly slot: BufferSlot;
  readonly offset: number;
  readonly bytes: number;
}
/** Arguments and outputs by number, and the buffers that all programs share. */
type BufferSlot =
  | { readonly kind: 'argument' | 'output'; readonly number: number }
  | { readonly kind: 'arena' }
  | { readonly kind: 'packed' };

/** One command for the GPU. */
export type Step =
  | {
      readonly kind: 'dispatch';
      readonly kernel: number;
      readonly wgsl: string;
      readonly pipeline: PipelineEntry;
      readonly ranges: readonly BufferRange[];
      readonly groups: readonly [number, number];
    }
  | { readonly kind: 'copy'; readonly from: BufferRange; readonly to: BufferRange };

/** The steps of a plan, and the bytes of its packed buffer. */
export interface Steps {
  readonly list: readonly Step[];
  readonly packedBytes: number;
}

/** Makes the steps, and requests their pipelines. */
export function* stepsOf(
  plan: Plan<ShaderPlan>,
  profile: AdapterProfile,
  pipelines: Pipelines,
): Resumable<Steps> {
  const list: Step[] = [];
  const texts = new Map<Kernel, string>();
  const textOf = (kernel: Kernel): string => {
    const text = texts.get(kernel) ?? printKernel(kernel);
    texts.set(kernel, text);
    return text;
  };
  let packedBytes = 0;
  for (const [kernel, planned] of plan.kernels.entries()) {
    requireCountable(planned);
    const { layout, bytes, order } = layoutOf(plan, planned, profile);
    packedBytes = Math.max(packedBytes, bytes);
    const rangeIn = (operand: number): BufferRange =>
      rangeOf(plan, planned.buffers[operand]!, planned.kernel.operands[operand]!);
    const packed = (operand: number): BufferRange => ({
      slot: { kind: 'packed' },
      offset: layout.packed.get(operand)! * WORD,
      bytes: planned.kernel.operands[operand]!.length * WORD,
    });
    for (const operand of order) list.push({ kind: 'copy', from: rangeIn(operand), to: packed(operand) });
    const key = `${textOf(planned.kernel)}\n${keyOf(layout)}`;
    for (const shader of pipelines.shadersOf(key, () => planned.plan.emit(layout))) {
      const groups = dispatchOf(shader.workgroups);
      if (groups[1] > GROUP_ROW) {
        const problem = `${describe(planned)} needs ${shader.workgroups} workgroups, and a dispatch has ${GROUP_ROW ** 2} at most`;
        throw new DeviceError({
          operation: 'webgpu',
          problem,
          expected: `${GROUP_ROW ** 2} at most`,
          remedy: 'split the arrays',
        });
      }
      const pipeline = pipelines.require(shader.wgsl, titleOf(planned), () => describe(planned));
      const ranges = shader.bindings.map((binding): BufferRange => {
        if (binding.kind === 'operand') return rangeIn(binding.operand);
        if (binding.kind === 'packed') return { slot: { kind: 'packed' }, offset: 0, bytes };
        return { slot: { kind: 'arena' }, offset: planned.scratch.offset, bytes: planned.scratch.bytes };
      });
      list.push({ kind: 'dispatch', kernel, wgsl: shader.wgsl, pipeline, ranges, groups });
    }
    for (const operand of order) {
      if (planned.kernel.operands[operand]!.access !== 'read' || isOverwritten(layout, planned, operand)) {
        list.push({ kind: 'copy', from: packed(operand), to: rangeIn(operand) });
      }
    }
    yield;
  }
  return { list, packedBytes };
}

/** Rows and columns are numbered by 32-bit integers. @throws DeviceError if there are too many */
function requireCountable(planned: PlannedKernel): void {
  const { kernel } = planned;
  const counted =
    kernel.kind === 'loop' && kernel.reductions.length > 0
      ? [kernel.rows, kernel.columns]
      : kernel.kind === 'contract'
        ? [[...kernel.batch, kernel.m, kernel.n]]
        : bodiesOf(kernel).map(({ extents }) => extents);
  for (const extents of counted) {
    const count = sizeOf(extents);
    if (count <= MOST_ELEMENTS) continue;
    const problem = `${describe(planned)} loops over ${count} elements, and ${MOST_ELEMENTS} are the most`;
    const remedy = 'reduce them in several steps';
    throw new DeviceError({ operation: 'webgpu', problem, expected: `${MOST_ELEMENTS}`, remedy });
  }
}

/** A layout as text: kernels of equal text and layout have equal shaders. */
function keyOf({ aliasOf, access, packed }: OperandLayout): string {
  return `${aliasOf.join()} ${access.join()} ${[...packed].join()}`;
}

/** Whether an operand that aliases this one is written. */
function isOverwritten(
  { aliasOf: shares }: OperandLayout,
  { kernel }: PlannedKernel,
  operand: number,
): boolean {
  return kernel.operands.some(({ access }, other) => shares[other] === operand && access !== 'read');
}

/** Comment lines that say what a kernel computes. */
export function titleOf({ name, nodes }: PlannedKernel): string {
  return `// ${name}\n// ${nodes.join(', ')}\n`;
}

function describe({ name, kernel }: PlannedKernel): string {
  const arrays = kernel.operands.map(({ dtype, length }) => `${dtype}[${length}]`);
  return `kernel "${name}" on ${arrays.join(', ')}`;
}

function rangeOf(plan: Plan, buffer: number, { length }: Operand): BufferRange {
  const { location } = plan.buffers[buffer]!;
  const { kind, offset } = location;
  const bytes = Math.max(length, 1) * WORD;
  if (kind === 'arena') return { slot: { kind }, offset, bytes };
  return { slot: { kind, number: kind === 'argument' ? location.argument : location.output }, offset, bytes };
}

function isOfOneBuffer(a: BufferLocation, b: BufferLocation): boolean {
  if (a.kind === 'argument') return b.kind === 'argument' && a.argument === b.argument;
  return a.kind === 'output' && b.kind === 'output' && a.output === b.output;
}

function isSame(a: BufferLocation, b: BufferLocation): boolean {
  return isOfOneBuffer(a, b) && a.offset === b.offset;
}

interface KernelLayout {
  readonly layout: OperandLayout;
  /** Bytes of the packed buffer. */
  readonly bytes: number;
  /** The packed operands, in their order. */
  readonly order: readonly number[];
}

function layoutOf(
  plan: Plan,
  { kernel, buffers, scratch }: PlannedKernel,
  { maxBindings }: AdapterProfile,
): KernelLayout {
  const { operands } = kernel;
  const locations = buffers.map((buffer) => plan.buffers[buffer]!.location);
  // An argument that is overwritten is two operands, read and written, that alias one array.
  const aliasOf = locations.map((location, operand) => {
    if (location.kind !== 'argument') return operand;
    const writer = locations.findIndex(
      (other, each) => isSame(other, location) && operands[each]!.access !== 'read',
    );
    return writer < 0 ? operand : writer;
  });
  // All ranges of a buffer are bound with one access.
  const access = locations.map((location): Access =>
    location.kind === 'arena' ||
    locations.some((other, each) => isOfOneBuffer(other, location) && operands[each]!.access !== 'read')
      ? 'read_write'
      : 'read',
  );
  const distinct = [...new Set(aliasOf)];
  const room = maxBindings - (scratch.bytes > 0 ? 1 : 0);
  if (distinct.length <= room) return { layout: { aliasOf, access, packed: new Map() }, bytes: 0, order: [] };
  const bySize = distinct.toSorted((a, b) => operands[a]!.length - operands[b]!.length || a - b);
  const order = bySize.slice(0, distinct.length - room + 1).sort((a, b) => a - b);
  const packed = new Map<number, number>();
  let words = 0;
  for (const operand of order) {
    packed.set(operand, words);
    words += operands[operand]!.length;
  }
  return {
    layout: { aliasOf, access, packed },
    bytes: bufferBytes(Math.max(words * WORD, BUFFER_UNIT)),
    order,
  };
}
