/**
 * Running sums. Lanes are rows, where there are rows enough, since the elements of one row wait for each other; else a row is swept element by element. Floats add up in
 * float64, so that each sum is rounded once, however long it has become.
 */
import type { ScanKernel } from '@firsthand/compiler';
import { newLocals } from './accumulator.ts';
import { instructionOf } from '../scalar/arithmetic.ts';
import type { Code, Local } from '../assembler/code.ts';
import { convert } from '../scalar/convert.ts';
import { accessCost } from './cost.ts';
import type { Tools } from '../scalar/functions.ts';
import { widthOf } from './loop-plan.ts';
import { Loops } from './loops.ts';
import { divide, evenest, type Division, type Part } from '../threads/division.ts';
import type { Vector } from '../scalar/nest.ts';

/** Waiting for the addition before, in vector instructions. */
const WAITING = 6;
const VECTORS = 4;

/** The running sum of one vector: two registers of float64 for float32 and float16, else one of the dtype. */
interface Running {
  readonly sums: readonly Local[];
  /** The sum as its dtype. */
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
  return { width, laneAxis, vectors: laneAxis === null ? 1 : Math.min(VECTORS, Math.ceil(kernel.rows[laneAxis]! / width)) };
}

/** The rows that threads share. */
export function divideScan(kernel: ScanKernel): Division | null {
  const { width, laneAxis, vectors } = planScan(kernel);
  return evenest(kernel.rows.map((extent, axis) => divide(axis, extent, axis === laneAxis ? vectors * width : 1)));
}

/** Emits a scan kernel. `params` are the addresses of its operands, then that of its working memory. */
export function emitScan(code: Code, kernel: ScanKernel, params: readonly Local[], tools: Tools, part: Part | null): void {
  const { rows, count, operands, value, stores } = kernel;
  const last = rows.length;
  const { width, laneAxis, vectors } = planScan(kernel);
  const all = { scalars: [value], stores };
  const loops = new Loops({ code, tools, operands, addresses: params, extents: [...rows, count], rows: last, laneAxis, width, part, all });
  const { emitter } = loops;
  const row = (block: readonly Vector[]): void => {
    emitter.block = block;
    loops.hoist(all);
    const running = block.map(() => begin(code, kernel));
    loops.over([last], all, () => {
      loops.each(block, all, (vector) => {
        const sum = running[vector]!;
        emitter.withLocals([value], vector, (element) => add(code, kernel, sum, element));
        // Known between the addition and the stores only: what depends on it is computed nowhere else, not even before the loop over the next segment.
        emitter.bindTotal(running.map(({ total }) => total));
        emitter.storeAll(stores, vector);
        emitter.bindTotal(null);
      });
    });
    for (const { sums, total } of running) code.release(...sums, total);
  };
  const outer = rows.map((_, axis) => axis).filter((axis) => axis !== laneAxis);
  loops.over(outer, all, () => loops.blocks(vectors, all, row));
}

/** The row axis whose elements suit the lanes best, or null if sweeping one row by itself costs less. */
function chooseLanes({ rows, value, stores }: ScanKernel, width: number): number | null {
  let [best, least] = [null as number | null, accessCost([value], stores, -1) + WAITING];
  rows.forEach((extent, axis) => {
    const cost = (accessCost([value], stores, axis) + WAITING) / Math.min(width, extent);
    if (cost < least) [best, least] = [axis, cost];
  });
  return best;
}

const isWide = ({ dtype }: ScanKernel): boolean => dtype === 'float32' || dtype === 'float16';

function begin(code: Code, kernel: ScanKernel): Running {
  const sums = newLocals(code, isWide(kernel) ? 2 : 1);
  for (const sum of sums) code.v128([0]).set(sum);
  return { sums, total: code.local('v128') };
}

/** Adds an element, and sets the total. */
function add(code: Code, kernel: ScanKernel, { sums, total }: Running, element: Local): void {
  const { dtype } = kernel;
  const [low, high] = sums as [Local, Local];
  if (!isWide(kernel)) {
    code.get(low).get(element).op(instructionOf('add', dtype)).tee(low).set(total);
    return;
  }
  code.get(low).get(element).op('f64x2.promote_low_f32x4').op('f64x2.add').tee(low).op('f32x4.demote_f64x2_zero');
  code.get(high).get(element).get(element).shuffle32([2, 3, 2, 3]).op('f64x2.promote_low_f32x4').op('f64x2.add').tee(high);
  code.op('f32x4.demote_f64x2_zero').shuffle32([0, 1, 4, 5]);
  if (dtype === 'float16') convert(code, 'float32', 'float16');
  code.set(total);
}
