/**
 * Columns of the right matrix: read in place, computed, or packed side by side for all tiles that use them.
 */
import type { Local } from '../assembler/code.ts';
import { emitAddProduct, emitAddress, type Count, type View } from './address.ts';
import { emitGroups, emitTiles, lanesOf, type Columns } from './blocked-loops.ts';
import { emitCopyRows, emitPack, type Lines } from './pack.ts';
import {
  batchCounters,
  packImplicitBlock,
  pushScratch,
  viewOf,
  type Block,
  type MatmulCode,
} from './matmul-code.ts';

/** Values of k that are packed at a time where columns are contiguous. */
const PACKED_ROWS = 4;

/** The right matrix of a product. */
export class RightMatrix {
  readonly #product: MatmulCode;
  readonly #view: View;
  /** The address of the columns of a block of k that are read in place. */
  readonly #start: Local;
  /** Bytes from one k to the next, as tiles read them. */
  readonly step: number;

  constructor(product: MatmulCode) {
    const { axes, packsB, panelStep, strides } = product.plan;
    this.#product = product;
    this.#view = viewOf(product, product.kernel.b, strides.b);
    this.#start = product.code.local('i32');
    this.step = packsB ? panelStep : strides.b[axes.k]!;
  }

  /** Bytes from one column to the next, where they are read in place. */
  get columnStride(): number {
    return this.#view.strides[this.#product.plan.axes.n]!;
  }

  /** Computes a block if the matrix is implicit, then packs it if the plan says so. */
  prepare(columns: Columns, k: Block): void {
    this.#computeBlock(columns, k);
    if (this.#product.plan.packsB) this.#pack(columns, k);
  }

  /** Begins to read a block, at the current counters of the batch axes. */
  begin(k: Block): void {
    const { code, plan } = this.#product;
    if (!plan.packsB)
      emitAddress(code, this.#start, this.#view, [...batchCounters(this.#product), [plan.axes.k, k.first]]);
  }

  /** Sets `pointer` to the columns of the current tile. */
  tile(pointer: Local, columns: Columns, k: Block): void {
    const { code, plan, counters } = this.#product;
    if (plan.packsB) {
      this.#panel(columns, k);
    } else {
      code.get(this.#start);
      emitAddProduct(code, counters[plan.axes.n]!, this.columnStride);
    }
    code.set(pointer);
  }

  #computeBlock({ from, to }: Columns, k: Block): void {
    const { code, plan, kernel } = this.#product;
    if (plan.implicit.b === null) return;
    // The last block of whole tiles includes the columns that are left over.
    const end = (): void =>
      void code
        .i32(kernel.n)
        .get(to as Local)
        .op('i32.eq', to, plan.wholeColumns)
        .op('select');
    const outer = { first: from, end: typeof to === 'number' ? kernel.n : end };
    packImplicitBlock(this.#product, 'b', this.#view, plan.scratch.implicit, k, outer);
  }

  #pack(columns: Columns, k: Block): void {
    const { code, kernel, plan, arithmetic, counters } = this.#product;
    const { axes, panelStep, kBlock } = plan;
    const n = counters[axes.n]!;
    const [lineStride, kStride] = [this.columnStride, this.#view.strides[axes.k]!];
    const linesOf = (lines: number): Lines => ({
      lanes: lanesOf(lines, arithmetic.lanes),
      lineStride,
      kStride,
      packedStep: panelStep,
      padded: true,
    });
    const [source, target] = [code.local('i32'), code.local('i32')];
    const begin = (first: Count): void =>
      emitAddress(code, source, this.#view, [...batchCounters(this.#product), [axes.k, first], [axes.n, n]]);
    if (lineStride !== arithmetic.bytes) {
      emitTiles(code, plan, n, columns, (count) => {
        begin(k.first);
        this.#panel(columns, k);
        code.set(target);
        emitPack(code, arithmetic, linesOf(count), source, target, k.count);
      });
    } else {
      // The remainder of k in the last block alone would need code of its own: then values are packed one by
      // one.
      const isGrouped =
        typeof k.count === 'number' || (kernel.k % PACKED_ROWS === 0 && kBlock % PACKED_ROWS === 0);
      const group = isGrouped ? PACKED_ROWS : 1;
      emitGroups(code, k.count, group, (first, ks) => {
        emitTiles(code, plan, n, columns, (count) => {
          begin(k.first);
          code.get(source);
          emitAddProduct(code, first, kStride);
          code.set(source);
          this.#panel(columns, k);
          emitAddProduct(code, first, panelStep);
          code.set(target);
          emitCopyRows(code, arithmetic, linesOf(count), source, target, ks);
        });
      });
    }
    code.release(source, target);
  }

  /** Pushes the address of the current tile's packed columns. */
  #panel({ from }: Columns, { count }: Block): void {
    const { code, plan, arithmetic, counters } = this.#product;
    pushScratch(this.#product, plan.scratch.b).get(counters[plan.axes.n]!);
    if (typeof from !== 'number') code.op('i32.sub', from);
    code.op('i32.mul', count).op('i32.mul', arithmetic.bytes).op('i32.add');
  }
}
