/**
 * The loops around the register tiles. Blocks of columns, then of rows and of k where k is long; in each, the columns of b are packed once and used for all rows; the rows
 * of a tile are packed once, if at all, and used for all columns. Batch axes along which b does not change run inside the packing. A tile is finished as soon as it has its
 * last block of k.
 */
import type { ContractKernel } from '@firsthand/compiler';
import type { Code, Local } from '../assembler/code.ts';
import { emitInnerLoop } from '../kernels/loop.ts';
import type { Tools } from '../scalar/functions.ts';
import { emitAddProduct, emitAddress, emitAdvance, emitCount, offsetsOf, type Count, type View } from './address.ts';
import { arithmeticOf, type Arithmetic } from './arithmetic.ts';
import { emitBlocks, emitGroups, emitLoop, emitMinimum, emitRange, emitTiles, lanesOf, type Columns } from './blocks.ts';
import { emitDots, type DotSource } from './dot.ts';
import { emitFill, type FillContext } from './fill.ts';
import { ScalarFinish } from './finish.ts';
import { isStoredPlainly, PlainFinish } from './finish-plainly.ts';
import { emitCopyRows, emitPack, type Lines } from './pack.ts';
import { fillOf, planContract, type ContractPlan } from './plan.ts';
import { emitSums, tileSums, type Tile, type TileSum } from './tile.ts';
import { rowKernel } from './row-kernel.ts';
import { TILES, tileFor } from './tiles.ts';
import { emitPart, type Part } from '../threads/division.ts';

/** Values of k that are packed at a time where columns are contiguous. */
const PACKED_ROWS = 4;

/** Bytes of working memory that a kernel needs while it runs, with any of `TILES`. */
export function contractScratch(kernel: ContractKernel): number {
  const fill = fillOf(kernel);
  return Math.max(...TILES.map((tile) => planContract(kernel, tile, fill).scratch.bytes));
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

/** Values of k from `first`. */
interface Block {
  readonly first: Count;
  readonly count: Count;
}

class ContractEmitter {
  readonly #code: Code;
  readonly #kernel: ContractKernel;
  readonly #params: readonly Local[];
  readonly #arithmetic: Arithmetic;
  readonly #plan: ContractPlan;
  readonly #a: View;
  readonly #b: View;
  /** What computes b, if it lies nowhere. */
  readonly #filled: FillContext | null;
  /** Loop counters: the batch axes, then m and n of the current tile, then the first k of the current block. */
  readonly #places: readonly Local[];
  readonly #plain: PlainFinish | null;
  readonly #scalar: ScalarFinish | null;
  /** Where the totals of the next tile go, or its sums so far, if they are not stored plainly. */
  readonly #sums: Local;
  readonly #part: Part | null;
  readonly #tools: Tools;

  constructor(code: Code, kernel: ContractKernel, params: readonly Local[], tools: Tools, tile: Tile, part: Part | null) {
    this.#code = code;
    this.#part = part;
    this.#tools = tools;
    this.#kernel = kernel;
    this.#params = params;
    this.#arithmetic = arithmeticOf(kernel.dtype, tools.features.relaxedSimd);
    this.#plan = planContract(kernel, tile);
    const { bytes } = this.#arithmetic;
    const { strides, axes, kBlocks, fill } = this.#plan;
    this.#a = { operand: params[kernel.a.operand]!, offset: kernel.a.index.offset * bytes, strides: strides.a };
    this.#places = Array.from({ length: axes.k + 1 }, () => code.local('i32'));
    const outer = this.#places.slice(0, axes.k);
    const address = 'value' in kernel.b ? code.local('i32') : params[kernel.b.operand]!;
    this.#b = { operand: address, offset: 'value' in kernel.b ? 0 : kernel.b.index.offset * bytes, strides: strides.b };
    const batch = this.#places.slice(0, axes.m);
    this.#filled = fill === null ? null : { kernel, plan: this.#plan, fill, params, batch, tools, address };
    const isPlain = kBlocks === 1 && isStoredPlainly(kernel);
    this.#plain = isPlain ? new PlainFinish(code, kernel, params, outer) : null;
    this.#sums = code.local('i32');
    this.#scalar = isPlain ? null : new ScalarFinish(code, kernel, this.#plan, params, outer, tools);
  }

  emit(): void {
    const { packsB, kBlocks, sharedAxes } = this.#plan;
    const own = this.#kernel.batch.map((_, axis) => axis).filter((axis) => !sharedAxes.includes(axis));
    this.#overBatch(own, () =>
      this.#overColumnBlocks((columns) => {
        if (kBlocks > 1) {
          this.#overRows((all) => this.#overRowBlocks(all, (rows) => this.#blocksOfK(rows, columns)));
          return;
        }
        const k = { first: 0, count: this.#kernel.k };
        this.#fill(columns, k);
        if (packsB) this.#packColumns(columns, k);
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
    const { axes, scratch, kBlock, packsB } = this.#plan;
    const first = this.#places[axes.k]!;
    const count = code.local('i32');
    this.#scratch(scratch.sums)
      .i32(0)
      .i32(scratch.tile - scratch.sums)
      .memoryFill()
      .i32(0)
      .set(first);
    emitLoop(code, first, this.#kernel.k, kBlock, () => {
      code.i32(this.#kernel.k).get(first).op('i32.sub');
      emitMinimum(code, count, kBlock);
      const k = { first, count };
      this.#fill(columns, k);
      if (packsB) this.#packColumns(columns, k);
      this.#scratch(scratch.sums).set(this.#sums);
      this.#rows(rows, columns, k);
    });
    code.release(count);
  }

  /** Computes the block of b, if it lies nowhere. */
  #fill(columns: Columns, k: Block): void {
    if (this.#filled === null) return;
    this.#scratch(this.#plan.scratch.fill).set(this.#b.operand);
    emitFill(this.#code, this.#filled, k, columns);
  }

  #packColumns(columns: Columns, k: Block): void {
    const code = this.#code;
    const { axes, strides } = this.#plan;
    const [lineStride, kStride] = [strides.b[axes.n]!, strides.b[axes.k]!];
    const linesOf = (lines: number): Lines => ({
      lanes: lanesOf(lines, this.#arithmetic.lanes),
      lineStride,
      kStride,
      packedStep: this.#plan.panelStep,
      padded: true,
    });
    const [source, target] = [code.local('i32'), code.local('i32')];
    const places = (first: Count): void => {
      emitAddress(code, source, this.#b, [...this.#batch(), [axes.k, first], [axes.n, this.#places[axes.n]!]]);
    };
    if (lineStride !== this.#arithmetic.bytes) {
      emitTiles(code, this.#plan, this.#places[axes.n]!, columns, (count) => {
        places(k.first);
        this.#panel(columns, k);
        code.set(target);
        emitPack(code, this.#arithmetic, linesOf(count), source, target, k.count);
      });
    } else {
      // What is left of k in the last block alone would need code of its own: then all values go one by one.
      const isGrouped = typeof k.count === 'number' || (this.#kernel.k % PACKED_ROWS === 0 && this.#plan.kBlock % PACKED_ROWS === 0);
      const group = isGrouped ? PACKED_ROWS : 1;
      emitGroups(code, k.count, group, (first, ks) => {
        emitTiles(code, this.#plan, this.#places[axes.n]!, columns, (count) => {
          places(k.first);
          code.get(source);
          emitAddProduct(code, first, kStride);
          code.set(source);
          this.#panel(columns, k);
          emitAddProduct(code, first, this.#plan.panelStep);
          code.set(target);
          emitCopyRows(code, this.#arithmetic, linesOf(count), source, target, ks);
        });
      });
    }
    code.release(source, target);
  }

  /** Pushes the address of the current tile's packed columns. */
  #panel({ from }: Columns, { count }: Block): void {
    const code = this.#code;
    const { axes, scratch } = this.#plan;
    this.#scratch(scratch.b).get(this.#places[axes.n]!);
    if (typeof from !== 'number') code.get(from).op('i32.sub');
    emitCount(code, count);
    code.op('i32.mul').i32(this.#arithmetic.bytes).op('i32.mul').op('i32.add');
  }

  /** All tiles of some rows and columns, for one block of k. */
  #rows({ from, to, height }: Rows, columns: Columns, k: Block): void {
    const code = this.#code;
    const { axes, strides, scratch, packsB, isDot, unrolls, kBlocks, panelStep } = this.#plan;
    const [rowStart, columnStart, a, b, totals] = [code.local('i32'), code.local('i32'), code.local('i32'), code.local('i32'), code.local('i32')];
    if (!packsB) emitAddress(code, columnStart, this.#b, [...this.#batch(), [axes.k, k.first]]);
    emitRange(code, this.#places[axes.m]!, from, to, height, () => {
      const rows = this.#rowSource(rowStart, height, k);
      if (kBlocks === 1) this.#scratch(scratch.sums).set(this.#sums);
      code.get(this.#sums).set(totals);
      emitTiles(code, this.#plan, this.#places[axes.n]!, columns, (count) => {
        code.get(rowStart).set(a);
        if (packsB) {
          this.#panel(columns, k);
        } else {
          code.get(columnStart);
          emitAddProduct(code, this.#places[axes.n]!, strides.b[axes.n]!);
        }
        code.set(b);
        if (isDot) {
          this.#dots({ pointer: a, offsets: rows.offsets }, b, count);
        } else {
          const lanes = lanesOf(count, this.#arithmetic.lanes);
          const sums = tileSums(code, height, lanes.length);
          const step = packsB ? panelStep : strides.b[axes.k]!;
          emitSums(code, this.#arithmetic, sums, { pointer: a, ...rows }, { pointer: b, lanes, step }, k.count, unrolls);
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
    code.release(rowStart, columnStart, a, b, totals);
  }

  /** What is done with the rows of tiles as soon as their totals are there. */
  #finish(totals: Local, height: number, columns: Columns): void {
    const code = this.#code;
    const kernel = this.#kernel;
    this.#scalar?.emit(totals, height, columns);
    const { rowFinish } = kernel;
    if (rowFinish === null) return;
    const m = this.#places[this.#plan.axes.m]!;
    const [row, end, scratch] = [code.local('i32'), code.local('i32'), code.local('i32')];
    this.#scratch(this.#plan.scratch.row).set(scratch);
    code.get(m).i32(height).op('i32.add').set(end);
    emitRange(code, row, m, end, 1, () => {
      const bound = [...this.#places.slice(0, this.#plan.axes.m), row];
      emitInnerLoop(code, rowKernel(kernel, rowFinish), [...this.#params.slice(0, -1), scratch], this.#tools, bound);
    });
    code.release(row, end, scratch);
  }

  /** Sets `start` to where a tile's rows of a begin, packed or in place, and says how they lie there. */
  #rowSource(start: Local, height: number, k: Block): { readonly offsets: readonly number[]; readonly step: number } {
    const code = this.#code;
    const { axes, strides, scratch, packsA } = this.#plan;
    const { bytes, lanes } = this.#arithmetic;
    const [lineStride, kStride] = [strides.a[axes.m]!, strides.a[axes.k]!];
    emitAddress(code, start, this.#a, [...this.#batch(), [axes.m, this.#places[axes.m]!], [axes.k, k.first]]);
    if (!packsA) return { offsets: offsetsOf(code, start, height, lineStride), step: kStride };
    const target = code.local('i32');
    this.#scratch(scratch.a).set(target);
    const lines = { lanes: lanesOf(height, lanes), lineStride, kStride, packedStep: height * bytes, padded: false };
    emitPack(code, this.#arithmetic, lines, start, target, k.count);
    this.#scratch(scratch.a).set(start);
    code.release(target);
    return { offsets: offsetsOf(code, start, height, bytes), step: height * bytes };
  }

  #dots(a: DotSource, pointer: Local, columns: number): void {
    const code = this.#code;
    const lanes = lanesOf(columns, this.#arithmetic.lanes);
    const { axes, strides, scratch, panelStep } = this.#plan;
    const b = { pointer, offsets: offsetsOf(code, pointer, columns, strides.b[axes.n]!) };
    const partial = code.local('i32');
    this.#scratch(scratch.dots).set(partial);
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
    if (kBlocks > 1) this.#scratch(scratch.tile).set(target);
    for (const sum of sums) code.get(target).get(sum.sum).memory('v128.store', offset(sum));
    if (kBlocks === 1) return;
    for (const sum of sums) {
      code.get(this.#sums).get(target).memory('v128.load', offset(sum)).get(this.#sums).memory('v128.load', offset(sum));
      code.op(this.#arithmetic.add).memory('v128.store', offset(sum));
    }
    code.release(target);
  }

  // ---- places

  /** Pushes an address in the working memory. */
  #scratch(offset: number): Code {
    this.#code.get(this.#params.at(-1)!);
    emitAddProduct(this.#code, 1, offset);
    return this.#code;
  }

  #batch(): readonly (readonly [number, Local])[] {
    return this.#kernel.batch.map((_, axis) => [axis, this.#places[axis]!] as const);
  }
}
