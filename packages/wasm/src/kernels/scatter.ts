/**
 * Scattering in row-major order, so that sums have one order and the last `set` wins. Where a whole row of
 * elements has one index (the gradient of an embedding), the row is added vector by vector: its elements have
 * different targets. Otherwise each element is stored by itself.
 */
import { coefficientOf, scalarsIn, type Scalar, type ScatterKernel } from '@firsthand/compiler';
import { emitBinary } from '../scalar/arithmetic.ts';
import type { Code, Local } from '../assembler/code.ts';
import type { Tools } from '../scalar/functions.ts';
import type { WasmKernelPlan } from './kernel-plan.ts';
import { widthOf } from './loop-plan.ts';
import { LoopNest } from './loop-nest.ts';
import { partitionAxis, type AxisRange } from '../threads/partition.ts';
import { axesOf } from '../scalar/indices.ts';
import { bytesOf } from '../scalar/registers.ts';

const VECTORS = 2;

interface ScatterPlan {
  readonly width: 4 | 2;
  /** The innermost axis, where a row of elements has one index; else null. */
  readonly laneAxis: number | null;
  readonly vectors: number;
}

function planScatter(kernel: ScatterKernel): ScatterPlan {
  const { extents, index, position } = kernel;
  const width = widthOf(kernel);
  const innermost = extents.length - 1;
  const hasRows =
    innermost >= 0 && !changesAlong(position, innermost) && (coefficientOf(index, innermost) ?? 0) > 0;
  if (!hasRows) return { width, laneAxis: null, vectors: 1 };
  return { width, laneAxis: innermost, vectors: Math.min(VECTORS, Math.ceil(extents[innermost]! / width)) };
}

/**
 * Plans a scatter kernel. Threads share the elements of a row, whose targets differ. Rows may have the same
 * target and stay in order.
 */
export function planScatterKernel(kernel: ScatterKernel): WasmKernelPlan<Tools> {
  const plan = planScatter(kernel);
  const { laneAxis, vectors, width } = plan;
  return {
    scratch: 0,
    partition: laneAxis === null ? null : partitionAxis(laneAxis, kernel.extents[laneAxis]!, vectors * width),
    emit: (code, params, tools, range) => emitScatter(code, kernel, plan, params, tools, range),
  };
}

function emitScatter(
  code: Code,
  kernel: ScatterKernel,
  { width, laneAxis, vectors }: ScatterPlan,
  params: readonly Local[],
  tools: Tools,
  range: AxisRange | null,
): void {
  const { operands, extents, mode, target, index, position, stride, extent, value } = kernel;
  if (extent === 0) return;
  const { dtype, length } = operands[target]!;
  const all = { scalars: [position, value], stores: [] };
  const loops = new LoopNest({
    code,
    tools,
    operands,
    addresses: params,
    extents,
    rows: 0,
    laneAxis,
    width,
    range: range,
    all,
  });
  const { emitter, scope } = loops;
  const [selected, address] = [code.local('i32'), code.local('i32')];
  // The elements of the target from the picked index on.
  const picked = {
    operand: { dtype, length: length - (extent - 1) * stride, access: 'update' as const },
    address,
  };
  const outer = extents.map((_, axis) => axis).filter((axis) => axis !== laneAxis);
  loops.over(outer, all, () => {
    emitter.block = [{ shift: 0, lanes: 1 }];
    emitter.emit(position, 0);
    code.lane('i32x4.extract_lane', 0).tee(selected).op('i32.lt_u', extent);
    code.if(() => {
      code
        .op('i32.mul', selected, stride * bytesOf(dtype))
        .op('i32.add', params[target]!)
        .set(address);
      const body = { scalars: [value], stores: [] };
      const rows = (): void =>
        loops.blocks(vectors, body, (block) => {
          emitter.access.prepare(picked, index);
          loops.each(block, body, (vector) => {
            emitter.withLocals([value], vector, (element) => {
              if (mode === 'set') {
                emitter.access.store(picked, index, block[vector]!, element);
                return;
              }
              const sum = code.local('v128');
              emitter.access.load(picked, index, block[vector]!);
              code.set(sum);
              emitBinary(code, 'add', dtype, sum, element, tools);
              code.set(sum);
              emitter.access.store(picked, index, block[vector]!, sum);
              code.release(sum);
            });
          });
        });
      scope.inScope([], rows);
    });
  });
  code.release(selected, address);
}

/** Whether an expression changes along an axis. */
function changesAlong(scalar: Scalar, axis: number): boolean {
  return scalarsIn([scalar]).some((each) => 'index' in each && ((axesOf(each.index) >>> axis) & 1) === 1);
}
