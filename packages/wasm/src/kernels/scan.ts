/**
 * Running sums, products and linear recurrences. Lanes are rows where there are enough of them, since the
 * elements of one row depend on each other; otherwise a row is scanned element by element. Floats accumulate
 * in float64, so that each total is rounded once, however long the row.
 */
import type { Scalar, ScanKernel } from '@firsthand/compiler';
import type { DType } from '@firsthand/linalg';
import { newLocals } from './accumulator.ts';
import { instructionOf } from '../scalar/arithmetic.ts';
import type { Code, Local } from '../assembler/code.ts';
import { convert } from '../scalar/convert.ts';
import { accessCost } from './cost.ts';
import type { Tools } from '../scalar/functions.ts';
import type { WasmKernelPlan } from './kernel-plan.ts';
import { widthOf } from './loop-plan.ts';
import { LoopNest } from './loop-nest.ts';
import { partitionAxis, mostEven, type AxisRange } from '../threads/partition.ts';
import type { Vector } from '../scalar/codegen-scope.ts';

/** The latency of the previous operation, in vector instructions. */
const WAITING = 6;
const VECTORS = 4;

/**
 * The running total of one vector: two registers of float64 for float32 and float16, else one of the dtype.
 */
interface Running {
  readonly wide: readonly Local[];
  /** The total as its dtype. */
  readonly total: Local;
}

interface ScanPlan {
  readonly width: 4 | 2;
  readonly laneAxis: number | null;
  readonly vectors: number;
}

function planScan(kernel: ScanKernel): ScanPlan {
  const width = widthOf(kernel);
  const laneAxis = chooseLanes(kernel, width);
  return {
    width,
    laneAxis,
    vectors: laneAxis === null ? 1 : Math.min(VECTORS, Math.ceil(kernel.rows[laneAxis]! / width)),
  };
}

/** Plans a scan kernel: threads share rows. */
export function planScanKernel(kernel: ScanKernel): WasmKernelPlan<Tools> {
  const plan = planScan(kernel);
  const { width, laneAxis, vectors } = plan;
  return {
    scratch: 0,
    partition: mostEven(
      kernel.rows.map((extent, axis) => partitionAxis(axis, extent, axis === laneAxis ? vectors * width : 1)),
    ),
    emit: (code, params, tools, range) => emitScan(code, kernel, plan, params, tools, range),
  };
}

function emitScan(
  code: Code,
  kernel: ScanKernel,
  { width, laneAxis, vectors }: ScanPlan,
  params: readonly Local[],
  tools: Tools,
  range: AxisRange | null,
): void {
  const { rows, count, operands, stores } = kernel;
  const last = rows.length;
  const inputs = inputsOf(kernel);
  const all = { scalars: inputs, stores };
  const loops = new LoopNest({
    code,
    tools,
    operands,
    addresses: params,
    extents: [...rows, count],
    rows: last,
    laneAxis,
    width,
    range: range,
    all,
  });
  const { emitter } = loops;
  const row = (block: readonly Vector[]): void => {
    emitter.block = block;
    loops.hoist(all);
    const running = block.map(() => begin(code, kernel));
    loops.over([last], all, () => {
      loops.each(block, all, (vector) => {
        const state = running[vector]!;
        emitter.withLocals(inputs, vector, (element, coefficient) =>
          accumulateElement(code, kernel, state, element, coefficient),
        );
        // Bound between the accumulation and the stores only: what depends on the total must not be hoisted,
        // not even before the loop over the next range.
        emitter.bindTotal(running.map(({ total }) => total));
        emitter.storeAll(stores, vector);
        emitter.bindTotal(null);
      });
    });
    for (const { wide, total } of running) code.release(...wide, total);
  };
  const outer = rows.map((_, axis) => axis).filter((axis) => axis !== laneAxis);
  loops.over(outer, all, () => loops.blocks(vectors, all, row));
}

/** The row axis to vectorise, or null if scanning one row at a time costs less. */
function chooseLanes(kernel: ScanKernel, width: number): number | null {
  const { rows, stores } = kernel;
  const inputs = inputsOf(kernel);
  let [best, least] = [null as number | null, accessCost(inputs, stores, -1) + WAITING];
  rows.forEach((extent, axis) => {
    const cost = (accessCost(inputs, stores, axis) + WAITING) / Math.min(width, extent);
    if (cost < least) [best, least] = [axis, cost];
  });
  return best;
}

const inputsOf = ({ value, coefficient }: ScanKernel): readonly Scalar[] =>
  coefficient === null ? [value] : [value, coefficient];
const isWide = ({ dtype }: ScanKernel): boolean => dtype === 'float32' || dtype === 'float16';

function begin(code: Code, kernel: ScanKernel): Running {
  const wide = newLocals(code, isWide(kernel) ? 2 : 1);
  const start = kernel.scan === 'prod' ? 1 : 0;
  for (const local of wide) {
    if (isWide(kernel) || kernel.dtype === 'float64') code.f64x2(start).set(local);
    else code.i32x4(start).set(local);
  }
  return { wide, total: code.local('v128') };
}

/** Accumulates an element: total + element, total · element, or coefficient · total + element. */
function accumulateElement(
  code: Code,
  kernel: ScanKernel,
  { wide, total }: Running,
  element: Local,
  coefficient: Local | undefined,
): void {
  const { dtype } = kernel;
  const [low, high] = wide as [Local, Local];
  if (!isWide(kernel)) {
    accumulate(
      code,
      kernel,
      low,
      dtype,
      () => code.get(element),
      coefficient === undefined ? null : () => code.get(coefficient),
    );
    code.tee(low).set(total);
    return;
  }
  const promoteLow = (x: Local) => (): unknown => code.op('f64x2.promote_low_f32x4', x);
  const promoteHigh = (x: Local) => (): unknown =>
    code.get(x).get(x).shuffle32([2, 3, 2, 3]).op('f64x2.promote_low_f32x4');
  accumulate(
    code,
    kernel,
    low,
    'float64',
    promoteLow(element),
    coefficient === undefined ? null : promoteLow(coefficient),
  );
  code.tee(low).op('f32x4.demote_f64x2_zero');
  accumulate(
    code,
    kernel,
    high,
    'float64',
    promoteHigh(element),
    coefficient === undefined ? null : promoteHigh(coefficient),
  );
  code.tee(high).op('f32x4.demote_f64x2_zero').shuffle32([0, 1, 4, 5]);
  if (dtype === 'float16') convert(code, 'float32', 'float16');
  code.set(total);
}

/** Pushes the next total of one register. */
function accumulate(
  code: Code,
  kernel: ScanKernel,
  total: Local,
  dtype: DType,
  putElement: () => unknown,
  putCoefficient: (() => unknown) | null,
): void {
  code.get(total);
  if (putCoefficient !== null) {
    putCoefficient();
    code.op(instructionOf('mul', dtype));
  }
  putElement();
  code.op(instructionOf(kernel.scan === 'prod' ? 'mul' : 'add', dtype));
}
