/**
 * The loops around the register tiles. Blocks of columns, then of rows and of k where k is long; in each
 * block, the columns of b are packed once and used for all rows, and the rows of a tile are packed at most
 * once and used for all columns. Batch axes along which b does not change run inside the packing. The
 * epilogue of tiles side by side follows their last block of k; the row epilogue follows when those are all
 * columns.
 */
import type { ContractKernel } from '@firsthand/compiler';
import type { Code, Local } from '../assembler/code.ts';
import type { Signature } from '../assembler/module.ts';
import type { WasmKernelPlan } from '../kernels/kernel-plan.ts';
import { emitInnerLoop } from '../kernels/loop-kernel.ts';
import type { Tools } from '../scalar/functions.ts';
import { emitInRange, type AxisRange } from '../threads/partition.ts';
import { emitAddProduct, emitAdvance, offsetsOf, type Count } from './address.ts';
import { arithmeticOf, emitStore, type Arithmetic } from './arithmetic.ts';
import { emitBlocks, emitMinimum, emitRange, emitTiles, lanesOf, type Columns } from './blocked-loops.ts';
import { emitDots, type DotSource } from './dot.ts';
import { DirectStore } from './direct-store.ts';
import { Epilogue } from './epilogue.ts';
import { LeftMatrix } from './left-matrix.ts';
import { planForAllTiles, isRowByRow, planMatmul, type MatmulPlan } from './matmul-plan.ts';
import { planImplicitTiles, type ImplicitTiles } from './implicit-tiles.ts';
import { fusesRowEpilogue, partitionMatmul } from './partition.ts';
import { pushScratch, type Block, type MatmulCode } from './matmul-code.ts';
import { RightMatrix } from './right-matrix.ts';
import { emitSums, tileSums, type RowSource, type Tile, type TileSum } from './register-tile.ts';
import { tileFor } from './tile-sizes.ts';

/**
 * Values of k times columns in a block from which the tiles side by side become a function of their own: they
 * take about ten thousand cycles, a call takes tens. An engine optimizes a function after it has run for a
 * while, but continues in the slow code until it returns: a long product that is one function would be slow
 * to its end the first time.
 */
const OUTLINED = 8192;

/**
 * Plans a matrix product of fixed shape.
 * @param fastest the register tile that is fastest for float32, one of `TILES`
 */
export function planMatmulKernel(kernel: ContractKernel, fastest: Tile): WasmKernelPlan<Tools> {
  const common = planForAllTiles(kernel);
  const plan = planMatmul(kernel, tileFor(kernel.dtype, fastest), common);
  const tiles = planImplicitTiles(kernel, plan);
  return {
    scratch: plan.scratch.bytes,
    partition: partitionMatmul(kernel, plan),
    fusesRowEpilogue: fusesRowEpilogue(kernel, common),
    emit: (code, params, tools, range) =>
      new MatmulEmitter(code, kernel, plan, tiles, params, tools, range).emit(),
  };
}

/** Rows in tiles of one height, at least one tile. */
interface Rows {
  readonly from: Count;
  readonly to: Count;
  readonly height: number;
}

class MatmulEmitter {
  readonly #product: MatmulCode;
  readonly #code: Code;
  readonly #kernel: ContractKernel;
  readonly #arithmetic: Arithmetic;
  readonly #plan: MatmulPlan;
  readonly #left: LeftMatrix;
  readonly #right: RightMatrix;
  readonly #counters: readonly Local[];
  readonly #direct: DirectStore | null;
  readonly #epilogue: Epilogue | null;
  /** The address of the next tile's totals, or of its sums so far, unless totals are stored directly. */
  readonly #sums: Local;
  readonly #range: AxisRange | null;

  constructor(
    code: Code,
    kernel: ContractKernel,
    plan: MatmulPlan,
    tiles: ImplicitTiles,
    params: readonly Local[],
    tools: Tools,
    range: AxisRange | null,
  ) {
    const arithmetic = arithmeticOf(kernel.dtype, tools.features.relaxedSimd);
    const { axes, storesDirectly: isPlain } = plan;
    if (kernel.rowEpilogue !== null && !isRowByRow(plan))
      throw new Error('emit: a row epilogue needs whole rows; see fusesRowEpilogue');
    const counters = Array.from({ length: axes.k + 1 }, () => code.local('i32'));
    this.#product = { code, kernel, plan, tiles: tiles, arithmetic, params, counters: counters, tools };
    this.#code = code;
    this.#kernel = kernel;
    this.#arithmetic = arithmetic;
    this.#plan = plan;
    this.#counters = counters;
    this.#range = range;
    this.#left = new LeftMatrix(this.#product);
    this.#right = new RightMatrix(this.#product);
    const outer = counters.slice(0, axes.k);
    this.#direct = isPlain ? new DirectStore(code, kernel, params, outer) : null;
    this.#epilogue = isPlain ? null : new Epilogue(code, kernel, plan, params, outer, tools);
    this.#sums = code.local('i32');
  }

  emit(): void {
    const { kBlocks, sharedAxes } = this.#plan;
    const unshared = this.#kernel.batch.map((_, axis) => axis).filter((axis) => !sharedAxes.includes(axis));
    this.#overBatch(unshared, () =>
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
      emitRange(this.#code, this.#counters[axis]!, from, to, 1, () => this.#overBatch(inner, body)),
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

  /** The bounds of a loop: those of the call's range, for the loop that threads share. */
  #overPart(
    axis: number,
    from: number,
    to: number,
    step: number,
    body: (from: Count, to: Count) => void,
  ): void {
    if (this.#range?.axis === axis) emitInRange(this.#code, this.#range, from, to, step, body);
    else body(from, to);
  }

  // ---- bodies

  /** All blocks of k for some rows and columns. Their sums are added up in working memory. */
  #blocksOfK(rows: Rows, columns: Columns): void {
    const code = this.#code;
    const { axes, scratch, kBlock } = this.#plan;
    const first = this.#counters[axes.k]!;
    const count = code.local('i32');
    pushScratch(this.#product, scratch.sums)
      .i32(0)
      .i32(scratch.tile - scratch.sums)
      .memoryFill()
      .i32(0)
      .set(first);
    code.iterate(first, this.#kernel.k, kBlock, () => {
      code.op('i32.sub', this.#kernel.k, first);
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
    const { axes, scratch, isDot, kBlocks } = this.#plan;
    const [a, totals] = [code.local('i32'), code.local('i32')];
    this.#right.begin(k);
    emitRange(code, this.#counters[axes.m]!, from, to, height, () => {
      const rows = this.#left.rows(a, height, k);
      if (kBlocks === 1) pushScratch(this.#product, scratch.sums).set(this.#sums);
      code.get(this.#sums).set(totals);
      if (isDot) this.#dotRow({ pointer: a, offsets: rows.offsets }, columns, k);
      else this.#tileRow({ pointer: a, ...rows }, columns, k);
      if (kBlocks === 1) {
        this.#epilogues(totals, height, columns);
        return;
      }
      code.op('i32.ge_s', k.first, this.#kernel.k - this.#plan.kBlock);
      code.if(() => this.#epilogues(totals, height, columns));
    });
    code.release(a, totals);
  }

  /** The epilogue of a row of tiles, as soon as their totals are complete. */
  #epilogues(totals: Local, height: number, columns: Columns): void {
    const code = this.#code;
    const { plan, params, tools } = this.#product;
    this.#epilogue?.emit(totals, height, columns);
    const { epilogue } = plan;
    if (epilogue === null) return;
    const m = this.#counters[this.#plan.axes.m]!;
    const [row, end, scratch] = [code.local('i32'), code.local('i32'), code.local('i32')];
    pushScratch(this.#product, this.#plan.scratch.row).set(scratch);
    code.op('i32.add', m, height).set(end);
    emitRange(code, row, m, end, 1, () => {
      const bound = [...this.#counters.slice(0, this.#plan.axes.m), row];
      emitInnerLoop(code, epilogue, [...params.slice(0, -1), scratch], tools, bound);
    });
    code.release(row, end, scratch);
  }

  /** The tiles side by side of some rows: inline, or as a call. */
  #tileRow(a: RowSource, columns: Columns, k: Block): void {
    const code = this.#code;
    const { axes, columnBlock, kBlock, kBlocks, scratch } = this.#plan;
    const { count } = k;
    const [b, tile] = [code.local('i32'), code.local('i32')];
    const target = this.#direct === null ? this.#sums : code.local('i32');
    code.i32(0).set(this.#counters[axes.n]!);
    this.#right.tile(b, columns, k);
    this.#direct?.locate(target);
    if (kBlocks > 1) pushScratch(this.#product, scratch.tile).set(tile);
    const pointers = { a: a.pointer, b, target, tile };
    if (columnBlock * kBlock < OUTLINED) {
      this.#tiles(code, a, pointers, columns, count);
    } else {
      const given = [b, a.pointer, target, tile, columns.from, columns.to, count];
      const locals = given.filter((each) => typeof each !== 'number');
      const signature: Signature = { params: locals.map(() => 'i32'), results: ['i32'] };
      const callee = this.#product.tools.module.function('tiles', signature, (inner, params) => {
        const [innerB, innerA, innerTarget, innerTile, from, to, innerCount] = given.map((each) =>
          typeof each === 'number' ? each : params[locals.indexOf(each)]!,
        ) as [Local, Local, Local, Local, Count, Count, Count];
        inner.op('i32.add', innerA, innerB).set(innerA);
        this.#tiles(
          inner,
          a,
          { a: innerA, b: innerB, target: innerTarget, tile: innerTile },
          { from, to },
          innerCount,
        );
        inner.get(innerTarget);
      });
      // V8 extends a parameter to 64 bits at each use, but never a sum: so a is given relative to b.
      code.op('i32.sub', a.pointer, b).set(a.pointer);
      for (const local of locals) code.get(local);
      code.call(callee).set(target);
    }
    code.release(b, tile);
    if (target !== this.#sums) code.release(target);
  }

  /**
   * The tiles side by side, in the code of any function.
   * @param pointers the rows of a; column 0 of b; column 0 of the result's rows; in working memory, the sums
   *   of the first tile (left behind those of the last); and a tile of sums that are added to those of
   *   earlier blocks of k
   */
  #tiles(
    code: Code,
    rows: Pick<RowSource, 'offsets' | 'step'>,
    pointers: { readonly [P in 'a' | 'b' | 'target' | 'tile']: Local },
    columns: Columns,
    count: Count,
  ): void {
    const arithmetic = this.#arithmetic;
    const { packsB, kBlocks, unrolls, panelStep } = this.#plan;
    const { bytes, lanes: all } = arithmetic;
    const direct = this.#direct;
    const rowStep = direct?.rowStride ?? panelStep;
    const [n, a, b, target] = [code.local('i32'), code.local('i32'), code.local('i32'), code.local('i32')];
    emitTiles(code, this.#plan, n, columns, (width) => {
      const lanes = lanesOf(width, all);
      code.get(pointers.a).set(a).get(pointers.b);
      if (!packsB) emitAddProduct(code, n, this.#right.columnStride);
      else {
        code.op('i32.mul', n, count).op('i32.mul', bytes).op('i32.add');
      }
      code.set(b);
      const sums = tileSums(code, rows.offsets.length, lanes.length);
      emitSums(
        code,
        arithmetic,
        sums,
        { ...rows, pointer: a },
        { pointer: b, lanes, step: this.#right.step },
        count,
        unrolls,
      );
      code.get(pointers.target);
      if (direct !== null) emitAddProduct(code, n, bytes);
      code.set(target);
      const offset = ({ row, column }: TileSum): number => row * rowStep + 16 * column;
      for (const each of sums) {
        const stored = direct === null ? all : lanes[each.column]!;
        emitStore(code, arithmetic, kBlocks > 1 ? pointers.tile : target, offset(each), each.sum, stored);
      }
      if (kBlocks > 1) {
        for (const each of sums) {
          code
            .get(target)
            .get(pointers.tile)
            .memory('v128.load', offset(each))
            .get(target)
            .memory('v128.load', offset(each));
          code.op(arithmetic.add).memory('v128.store', offset(each));
        }
      }
      code.release(...sums.map(({ sum }) => sum));
      if (direct === null) emitAdvance(code, pointers.target, rows.offsets.length * rowStep);
    });
    code.release(n, a, b, target);
  }

  /** The tiles side by side where vectors run along k. */
  #dotRow({ pointer, offsets }: DotSource, columns: Columns, k: Block): void {
    const code = this.#code;
    const { axes, scratch, panelStep } = this.#plan;
    const [a, b, target] = [code.local('i32'), code.local('i32'), code.local('i32')];
    emitTiles(code, this.#plan, this.#counters[axes.n]!, columns, (count) => {
      const lanes = lanesOf(count, this.#arithmetic.lanes);
      code.get(pointer).set(a);
      this.#right.tile(b, columns, k);
      code.get(this.#sums).set(target);
      this.#direct?.locate(target);
      const right = { pointer: b, offsets: offsetsOf(code, b, count, this.#right.columnStride) };
      const partial = code.local('i32');
      pushScratch(this.#product, scratch.dots).set(partial);
      emitDots(
        code,
        this.#arithmetic,
        { pointer: a, offsets },
        right,
        this.#kernel.k,
        partial,
        (row, vector, total) => {
          const stored = this.#direct === null ? this.#arithmetic.lanes : lanes[vector]!;
          emitStore(
            code,
            this.#arithmetic,
            target,
            row * (this.#direct?.rowStride ?? panelStep) + 16 * vector,
            total,
            stored,
          );
        },
      );
      code.release(partial);
      if (this.#direct === null) emitAdvance(code, this.#sums, offsets.length * panelStep);
    });
    code.release(a, b, target);
  }
}
