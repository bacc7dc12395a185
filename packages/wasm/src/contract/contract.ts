/**
 * The loops around the register tiles. Blocks of columns, then of rows and of k where k is long; in each, the columns of b are packed once and used for all rows; the rows
 * of a tile are packed once, if at all, and used for all columns. Batch axes along which b does not change run inside the packing. Tiles side by side are finished as soon as they
 * have their last block of k, and rows that sweeps finish when those are all columns.
 */
import type { ContractKernel } from '@firsthand/compiler';
import type { Code, Local } from '../assembler/code.ts';
import { emitInnerLoop } from '../kernels/loop.ts';
import type { Tools } from '../scalar/functions.ts';
import { emitPart, type Part } from '../threads/division.ts';
import { emitAdvance, offsetsOf, type Count } from './address.ts';
import { arithmeticOf, type Arithmetic } from './arithmetic.ts';
import { emitBlocks, emitLoop, emitMinimum, emitRange, emitTiles, lanesOf, type Columns } from './blocks.ts';
import { emitDots, type DotSource } from './dot.ts';
import { PlainFinish } from './finish-plainly.ts';
import { ScalarFinish } from './finish.ts';
import { LeftMatrix } from './left.ts';
import { commonPlan, isRowByRow, planContract, type ContractPlan } from './plan.ts';
import { pushScratch, type Block, type ProductCode } from './product-code.ts';
import { RightMatrix } from './right.ts';
import { rowKernel } from './row-kernel.ts';
import { emitSums, tileSums, type Tile, type TileSum } from './tile.ts';
import { TILES, tileFor } from './tiles.ts';

/** Bytes of working memory that a kernel needs while it runs, with any of `TILES`. */
export function contractScratch(kernel: ContractKernel): number {
  const common = commonPlan(kernel);
  return Math.max(...TILES.map((tile) => planContract(kernel, tile, common).scratch.bytes));
}

/**
 * Writes the body of a function that computes a matrix product of fixed shape.
 * @param params the addresses of the operands, then that of the working memory
 * @param fastest the register tile that is fastest for float32, one of `TILES`
 * @param part the part of the loop of `divideContract` to run, or null for all of it
 */
export function emitContract(
  code: Code,
  kernel: ContractKernel,
  params: readonly Local[],
  tools: Tools,
  fastest: Tile,
  part: Part | null,
): void {
  new ContractEmitter(code, kernel, params, tools, tileFor(kernel.dtype, fastest), part).emit();
}

/** Rows in tiles of one height, at least one. */
interface Rows {
  readonly from: Count;
  readonly to: Count;
  readonly height: number;
}

class ContractEmitter {
  readonly #product: ProductCode;
  readonly #code: Code;
  readonly #kernel: ContractKernel;
  readonly #arithmetic: Arithmetic;
  readonly #plan: ContractPlan;
  readonly #left: LeftMatrix;
  readonly #right: RightMatrix;
  readonly #places: readonly Local[];
  readonly #plain: PlainFinish | null;
  readonly #scalar: ScalarFinish | null;
  /** Where the totals of the next tile go, or its sums so far, if they are not stored plainly. */
  readonly #sums: Local;
  readonly #part: Part | null;

  constructor(code: Code, kernel: ContractKernel, params: readonly Local[], tools: Tools, tile: Tile, part: Part | null) {
    const arithmetic = arithmeticOf(kernel.dtype, tools.features.relaxedSimd);
    const plan = planContract(kernel, tile);
    const { axes, isPlain } = plan;
    if (kernel.rowFinish !== null && !isRowByRow(plan))
      throw new Error('emitContract: rows that are finished must be whole; see finishesRows');
    const places = Array.from({ length: axes.k + 1 }, () => code.local('i32'));
    this.#product = { code, kernel, plan, arithmetic, params, places, tools };
    this.#code = code;
    this.#kernel = kernel;
    this.#arithmetic = arithmetic;
    this.#plan = plan;
    this.#places = places;
    this.#part = part;
    this.#left = new LeftMatrix(this.#product);
    this.#right = new RightMatrix(this.#product);
    const outer = places.slice(0, axes.k);
    this.#plain = isPlain ? new PlainFinish(code, kernel, params, outer) : null;
    this.#scalar = isPlain ? null : new ScalarFinish(code, kernel, plan, params, outer, tools);
    this.#sums = code.local('i32');
  }

  emit(): void {
    const { kBlocks, sharedAxes } = this.#plan;
    const own = this.#kernel.batch.map((_, axis) => axis).filter((axis) => !sharedAxes.includes(axis));
    this.#overBatch(own, () =>
      this.#overColumnBlocks((columns) => {
        if (kBlocks > 1) {
          this.#overRows((all) => this.#overRowBlocks(all, (rows) => this.#blocksOfK(rows, columns)));
          return;
        }
        const k = { first: 0, count: this.#kernel.k };
        this.#right.prepare(columns, k);
        this.#overBatch(sharedAxes, () => this.#overRows((rows) => this.#rows(rows, columns, k)));
      }),
    );
  }

  // ---- loops

  #overBatch(axes: readonly number[], body: () => void): void {
    const [axis, ...inner] = axes;
    if (axis === undefined) {
      body();
      return;
    }
    this.#overPart(axis, 0, this.#kernel.batch[axis]!, 1, (from, to) =>
      emitRange(this.#code, this.#places[axis]!, from, to, 1, () => this.#overBatch(inner, body)),
    );
  }

  #overColumnBlocks(body: (columns: Columns) => void): void {
    const { axes, columns, columnBlock, wholeColumns } = this.#plan;
    this.#overPart(axes.n, 0, wholeColumns, columns, (start, stop) =>
      emitBlocks(this.#code, start, stop, columnBlock, (from, to) => body({ from, to })),
    );
  }

  #overRows(body: (rows: Rows) => void): void {
    for (const { from: first, to: end, height } of this.#plan.ranges) {
      this.#overPart(this.#plan.axes.m, first, end, height, (from, to) => body({ from, to, height }));
    }
  }

  #overRowBlocks({ from, to, height }: Rows, body: (rows: Rows) => void): void {
    const step = Math.max(1, Math.floor(this.#plan.rowBlock / height)) * height;
    emitBlocks(this.#code, from, to, step, (first, end) => body({ from: first, to: end, height }));
  }

  /** The bounds of a loop: those of this call's part, if it is the loop that is divided. */
  #overPart(axis: number, from: number, to: number, step: number, body: (from: Count, to: Count) => void): void {
    if (this.#part?.axis === axis) emitPart(this.#code, this.#part, from, to, step, body);
    else body(from, to);
  }

  // ---- what is done in them

  /** All blocks of k for some rows and columns. Their sums meet in the working memory. */
  #blocksOfK(rows: Rows, columns: Columns): void {
    const code = this.#code;
    const { axes, scratch, kBlock } = this.#plan;
    const first = this.#places[axes.k]!;
    const count = code.local('i32');
    pushScratch(this.#product, scratch.sums)
      .i32(0)
      .i32(scratch.tile - scratch.sums)
      .memoryFill()
      .i32(0)
      .set(first);
    emitLoop(code, first, this.#kernel.k, kBlock, () => {
      code.i32(this.#kernel.k).get(first).op('i32.sub');
      emitMinimum(code, count, kBlock);
      const k = { first, count };
      this.#right.prepare(columns, k);
      pushScratch(this.#product, scratch.sums).set(this.#sums);
      this.#rows(rows, columns, k);
    });
    code.release(count);
  }

  /** All tiles of some rows and columns, for one block of k. */
  #rows({ from, to, height }: Rows, columns: Columns, k: Block): void {
    const code = this.#code;
    const { axes, scratch, isDot, unrolls, kBlocks, panelStep } = this.#plan;
    const [rowStart, a, b, totals] = [code.local('i32'), code.local('i32'), code.local('i32'), code.local('i32')];
    this.#right.begin(k);
    emitRange(code, this.#places[axes.m]!, from, to, height, () => {
      const rows = this.#left.rows(rowStart, height, k);
      if (kBlocks === 1) pushScratch(this.#product, scratch.sums).set(this.#sums);
      code.get(this.#sums).set(totals);
      emitTiles(code, this.#plan, this.#places[axes.n]!, columns, (count) => {
        code.get(rowStart).set(a);
        this.#right.tile(b, columns, k);
        if (isDot) {
          this.#dots({ pointer: a, offsets: rows.offsets }, b, count);
        } else {
          const lanes = lanesOf(count, this.#arithmetic.lanes);
          const sums = tileSums(code, height, lanes.length);
          emitSums(code, this.#arithmetic, sums, { pointer: a, ...rows }, { pointer: b, lanes, step: this.#right.step }, k.count, unrolls);
          this.#keep(sums, lanes);
          code.release(...sums.map(({ sum }) => sum));
        }
        if (this.#scalar !== null) emitAdvance(code, this.#sums, height * panelStep);
      });
      if (kBlocks === 1) {
        this.#finish(totals, height, columns);
        return;
      }
      code
        .get(k.first as Local)
        .i32(this.#kernel.k - this.#plan.kBlock)
        .op('i32.ge_s');
      code.if(() => this.#finish(totals, height, columns));
    });
    code.release(rowStart, a, b, totals);
  }

  /** What is done with the rows of tiles as soon as their totals are there. */
  #finish(totals: Local, height: number, columns: Columns): void {
    const code = this.#code;
    const { kernel, params, tools } = this.#product;
    this.#scalar?.emit(totals, height, columns);
    const { rowFinish } = kernel;
    if (rowFinish === null) return;
    const m = this.#places[this.#plan.axes.m]!;
    const [row, end, scratch] = [code.local('i32'), code.local('i32'), code.local('i32')];
    pushScratch(this.#product, this.#plan.scratch.row).set(scratch);
    code.get(m).i32(height).op('i32.add').set(end);
    emitRange(code, row, m, end, 1, () => {
      const bound = [...this.#places.slice(0, this.#plan.axes.m), row];
      emitInnerLoop(code, rowKernel(kernel, rowFinish), [...params.slice(0, -1), scratch], tools, bound);
    });
    code.release(row, end, scratch);
  }

  #dots(a: DotSource, pointer: Local, columns: number): void {
    const code = this.#code;
    const lanes = lanesOf(columns, this.#arithmetic.lanes);
    const { scratch, panelStep } = this.#plan;
    const b = { pointer, offsets: offsetsOf(code, pointer, columns, this.#right.columnStride) };
    const partial = code.local('i32');
    pushScratch(this.#product, scratch.dots).set(partial);
    const each = (finish: (row: number, vector: number, total: Local) => void): void =>
      emitDots(code, this.#arithmetic, a, b, this.#kernel.k, partial, finish);
    if (this.#plain !== null) {
      this.#plain.store((put) => each((row, vector, total) => put(row, vector, total, lanes[vector]!)));
    } else {
      each((row, vector, total) =>
        code
          .get(this.#sums)
          .get(total)
          .memory('v128.store', row * panelStep + 16 * vector),
      );
    }
    code.release(partial);
  }

  /** Stores a tile's sums, in their order: where they belong, or where they wait to be finished, added to those of earlier blocks of k. */
  #keep(sums: readonly TileSum[], lanes: readonly number[]): void {
    const code = this.#code;
    const { scratch, kBlocks, panelStep } = this.#plan;
    if (this.#plain !== null) {
      this.#plain.store((put) => {
        for (const { row, column, sum } of sums) put(row, column, sum, lanes[column]!);
      });
      return;
    }
    const offset = ({ row, column }: TileSum): number => row * panelStep + 16 * column;
    const target = kBlocks === 1 ? this.#sums : code.local('i32');
    if (kBlocks > 1) pushScratch(this.#product, scratch.tile).set(target);
    for (const sum of sums) code.get(target).get(sum.sum).memory('v128.store', offset(sum));
    if (kBlocks === 1) return;
    for (const sum of sums) {
      code.get(this.#sums).get(target).memory('v128.load', offset(sum)).get(this.#sums).memory('v128.load', offset(sum));
      code.op(this.#arithmetic.add).memory('v128.store', offset(sum));
    }
    code.release(target);
  }
}
