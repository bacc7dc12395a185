/**
 * Loop kernels: for each row, for each pass, for each column. Either the columns of a row are vectorised, or
 * a block of rows is; maps, which have no rows, are vectorised along the axis that suits their accesses.
 */
import type { LoopKernel, Pass, Scalar, Store } from '@firsthand/compiler';
import type { Accumulator } from './accumulator.ts';
import { accumulatorOf } from './reductions.ts';
import type { Code, Local } from '../assembler/code.ts';
import type { Tools } from '../scalar/functions.ts';
import type { WasmKernelPlan } from './kernel-plan.ts';
import { isMap, planLoop, type LoopPlan } from './loop-plan.ts';
import { LoopNest, type Body, type PeriodicAction } from './loop-nest.ts';
import { partitionAxis, mostEven, type Partition, type AxisRange } from '../threads/partition.ts';
import type { Vector } from '../scalar/codegen-scope.ts';
import { rowMajor } from './row-cache.ts';

/** Additions to one accumulator before it is flushed. */
const LONGEST_SUM = 64;

/** Values of an axis that run inside the lanes, where that axis is tiled. */
const TILE = 8;

/** Plans a loop kernel. */
export function planLoopKernel(kernel: LoopKernel): WasmKernelPlan<Tools> {
  const plan = planLoop(kernel);
  return {
    scratch: plan.scratchBytes,
    partition: partitionOf(plan),
    emit: (code, params, tools, range) => new LoopEmitter(code, plan, params, tools, range, []).emit(),
  };
}

/**
 * The loop that threads share: the outermost one that is long enough, of those whose iterations are
 * independent.
 */
function partitionOf({
  kernel,
  laneAxis,
  lanesAreRows,
  tileAxis,
  vectors,
  width,
}: LoopPlan): Partition | null {
  const extents = [...kernel.rows, ...kernel.columns];
  const axes = extents
    .map((_, axis) => axis)
    .filter((axis) => axis !== tileAxis && (isMap(kernel) || axis < kernel.rows.length));
  const outer = axes
    .filter((axis) => axis !== laneAxis)
    .map((axis) => partitionAxis(axis, extents[axis]!, 1));
  const lanes =
    isMap(kernel) || lanesAreRows ? [partitionAxis(laneAxis, extents[laneAxis]!, vectors[0]! * width)] : [];
  return mostEven([...outer, ...lanes]);
}

/**
 * Emits a kernel inside of other loops, whose counters are its first axes: as many as it was planned with.
 * @param addresses of its operands, then that of its working memory: a map needs none
 */
export function emitInnerLoop(
  code: Code,
  plan: LoopPlan,
  addresses: readonly Local[],
  tools: Tools,
  bound: readonly Local[],
): void {
  new LoopEmitter(code, plan, addresses, tools, null, bound).emit();
}

/** Runs a body over all columns. */
type ColumnLoop = (
  body: Body,
  accumulators: readonly Accumulator[],
  chunks: readonly (PeriodicAction | null)[],
) => void;

class LoopEmitter {
  readonly #code: Code;
  readonly #plan: LoopPlan;
  readonly #loops: LoopNest;
  readonly #extents: readonly number[];
  /** The number of leading axes that are bound, and not looped over here. */
  readonly #bound: number;
  /** Every expression and store: what is hoisted out of the outer loops. */
  readonly #all: Body;

  constructor(
    code: Code,
    plan: LoopPlan,
    params: readonly Local[],
    tools: Tools,
    range: AxisRange | null,
    bound: readonly Local[],
  ) {
    const { kernel, laneAxis, width } = plan;
    const { rows, columns, operands, passes, rowStores } = kernel;
    this.#code = code;
    this.#plan = plan;
    this.#extents = [...rows, ...columns];
    this.#bound = bound.length;
    this.#all = {
      scalars: passes.flatMap((pass) => pass.reductions.map((number) => kernel.reductions[number]!.value)),
      stores: [...passes.flatMap(({ stores }) => stores), ...rowStores],
    };
    const addresses = this.#addresses(params);
    this.#loops = new LoopNest({
      code,
      tools,
      operands,
      addresses,
      extents: this.#extents,
      bound,
      rows: rows.length,
      laneAxis,
      width,
      range: range,
      all: this.#all,
    });
  }

  /** The parameters, and the addresses of row caches in the working memory. */
  #addresses(params: readonly Local[]): readonly Local[] {
    const { kernel, cacheOffsets } = this.#plan;
    const given = kernel.operands.length - cacheOffsets.length;
    const caches = cacheOffsets.map((offset) => {
      const address = this.#code.local('i32');
      this.#code.op('i32.add', params[given]!, offset).set(address);
      return address;
    });
    return [...params.slice(0, given), ...caches];
  }

  emit(): void {
    const { kernel, laneAxis, lanesAreRows } = this.#plan;
    if (isMap(kernel)) {
      this.#map();
      return;
    }
    const outer = kernel.rows
      .map((_, axis) => axis)
      .filter((axis) => axis >= this.#bound && axis !== laneAxis);
    this.#loops.over(outer, this.#all, () => (lanesAreRows ? this.#rowsInLanes() : this.#rowInColumns()));
  }

  #map(): void {
    const { laneAxis, tileAxis, vectors } = this.#plan;
    const all = this.#all;
    const outer = this.#extents
      .map((_, axis) => axis)
      .filter((axis) => axis >= this.#bound && axis !== laneAxis && axis !== tileAxis);
    this.#loops.over(outer, all, () => {
      if (tileAxis === null) {
        this.#loops.blocks(vectors[0]!, all, (block) => this.#block(block, all, []));
        return;
      }
      this.#loops.tiles(tileAxis, TILE, (values) => {
        this.#loops.blocks(vectors[0]!, all, (block) => {
          this.#loops.emitter.block = block;
          this.#loops.hoist(all);
          values(() => this.#block(block, all, []));
        });
      });
    });
  }

  /** The innermost body: for each vector of the block, its reductions and its stores. */
  #block(vectors: readonly Vector[], body: Body, accumulators: readonly Accumulator[]): void {
    const { emitter } = this.#loops;
    this.#loops.each(vectors, body, (vector, lanes) => {
      emitter.withLocals(body.scalars, vector, (...values) => {
        accumulators.forEach((accumulator, number) => accumulator.add(vector, values[number]!, lanes));
      });
      emitter.storeAll(body.stores, vector);
    });
  }

  /** One row, vectorised along its columns. */
  #rowInColumns(): void {
    const { kernel, vectors, width, laneAxis } = this.#plan;
    const outer = kernel.columns
      .map((_, column) => kernel.rows.length + column)
      .filter((axis) => axis !== laneAxis);
    const accumulators = kernel.passes.map((pass, number) => {
      const inBlock = vectors[number]!;
      const rounds = [
        ...outer.map((axis) => this.#extents[axis]!),
        Math.ceil(this.#extents[laneAxis]! / (inBlock * width)),
      ];
      return this.#pass(pass, inBlock, rounds, (body, accumulators, chunks) => {
        const lanes = (): void =>
          this.#loops.blocks(inBlock, body, (block) => this.#block(block, body, accumulators), chunks.at(-1));
        this.#loops.over(outer, body, lanes, chunks);
      });
    });
    this.#storeRow([{ shift: 0, lanes: 1 }], accumulators.flat());
  }

  /** A block of rows, one per lane. */
  #rowsInLanes(): void {
    const { kernel, vectors } = this.#plan;
    const columns = kernel.columns.map((_, column) => kernel.rows.length + column);
    this.#loops.blocks(vectors[0]!, this.#all, (block) => {
      this.#loops.emitter.block = block;
      this.#loops.hoist(this.#all);
      const accumulators = kernel.passes.map((pass) =>
        this.#pass(pass, block.length, kernel.columns, (body, accumulators, chunks) => {
          this.#loops.over(columns, body, () => this.#block(block, body, accumulators), chunks);
        }),
      );
      this.#storeRow(block, accumulators.flat());
    });
  }

  /** One pass over the columns; its results are bound until the row is stored. */
  #pass(
    pass: Pass,
    vectors: number,
    rounds: readonly number[],
    columnLoop: ColumnLoop,
  ): readonly Accumulator[] {
    const { kernel, lanesAreRows } = this.#plan;
    const { emitter } = this.#loops;
    const positions = rowMajor(kernel.rows.length, kernel.columns);
    const putPositions = (vector: number): void => emitter.putIndices(positions, emitter.block[vector]!);
    const reductions = pass.reductions.map((number) => kernel.reductions[number]!);
    const isLong = rounds.reduce((product, count) => product * count, 1) > LONGEST_SUM;
    const accumulators = reductions.map((reduction) =>
      accumulatorOf({ code: this.#code, reduction, vectors, lanesAreRows, isLong, putPositions }),
    );
    const body = { scalars: reductions.map(({ value }): Scalar => value), stores: pass.stores };
    this.#loops.hoist(body);
    for (const accumulator of accumulators) accumulator.begin();
    columnLoop(
      body,
      accumulators,
      chunksOf(
        rounds,
        accumulators.filter(({ isLongSum }) => isLongSum),
      ),
    );
    accumulators.forEach((accumulator, position) =>
      emitter.bindReduced(pass.reductions[position]!, accumulator.result()),
    );
    return accumulators;
  }

  #storeRow(vectors: readonly Vector[], accumulators: readonly Accumulator[]): void {
    const stores: readonly Store[] = this.#plan.kernel.rowStores;
    const { emitter } = this.#loops;
    this.#loops.each(vectors, { scalars: [], stores }, (vector) => emitter.storeAll(stores, vector));
    emitter.unbindReduced();
    for (const accumulator of accumulators) accumulator.release();
  }
}

/**
 * Where in a loop nest the accumulators of long sums are flushed: for each loop, after how many iterations,
 * or never.
 */
function chunksOf(
  rounds: readonly number[],
  accumulators: readonly Accumulator[],
): readonly (PeriodicAction | null)[] {
  const chunks = rounds.map((): PeriodicAction | null => null);
  if (accumulators.length === 0) return chunks;
  let additions = 1;
  for (let loop = rounds.length - 1; loop >= 0; loop--) {
    if (additions * rounds[loop]! > LONGEST_SUM) {
      chunks[loop] = {
        iterations: Math.max(1, Math.floor(LONGEST_SUM / additions)),
        after: () => {
          for (const accumulator of accumulators) accumulator.flush();
        },
      };
      break;
    }
    additions *= rounds[loop]!;
  }
  return chunks;
}
