/**
 * Columns of the right matrix: where they lie, or computed, or packed side by side for all tiles that use
 * them.
 */
import type { Local } from '../assembler/code.ts';
import { emitAddProduct, emitAddress, emitCount, type Count, type View } from './address.ts';
import { emitGroups, emitTiles, lanesOf, type Columns } from './blocks.ts';
import { emitCopyRows, emitPack, type Lines } from './pack.ts';
import {
  batchPlaces,
  emitBlockFill,
  pushScratch,
  viewOf,
  type Block,
  type ProductCode,
} from './product-code.ts';

/** Values of k that are packed at a time where columns are contiguous. */
const PACKED_ROWS = 4;

/** The right matrix of a product. */
export class RightMatrix {
  readonly #product: ProductCode;
  readonly #view: View;
  /** Where the columns of a block of k begin that are read in place. */
  readonly #start: Local;
  /** Bytes from one k to the next, as tiles read them. */
  readonly step: number;

  constructor(product: ProductCode) {
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

  /** Computes and packs a block, as far as that is done. */
  prepare(columns: Columns, k: Block): void {
    this.#fill(columns, k);
    if (this.#product.plan.packsB) this.#pack(columns, k);
  }

  /** Begins to read a block, at the places of the batch axes. */
  begin(k: Block): void {
    const { code, plan } = this.#product;
    if (!plan.packsB)
      emitAddress(code, this.#start, this.#view, [...batchPlaces(this.#product), [plan.axes.k, k.first]]);
  }

  /** Sets `pointer` to the columns of the current tile. */
  tile(pointer: Local, columns: Columns, k: Block): void {
    const { code, plan, places } = this.#product;
    if (plan.packsB) {
      this.#panel(columns, k);
    } else {
      code.get(this.#start);
      emitAddProduct(code, places[plan.axes.n]!, this.columnStride);
    }
    code.set(pointer);
  }

  #fill({ from, to }: Columns, k: Block): void {
    const { code, plan, kernel } = this.#product;
    if (plan.fills.b === null) return;
    // Where whole tiles end, all that are left over belong to the block.
    const end = (): void =>
      void code
        .i32(kernel.n)
        .get(to as Local)
        .get(to as Local)
        .i32(plan.wholeColumns)
        .op('i32.eq')
        .op('select');
    const outer = { first: from, end: typeof to === 'number' ? kernel.n : end };
    emitBlockFill(this.#product, 'b', this.#view, plan.scratch.fill, k, outer);
  }

  #pack(columns: Columns, k: Block): void {
    const { code, kernel, plan, arithmetic, places } = this.#product;
    const { axes, panelStep, kBlock } = plan;
    const n = places[axes.n]!;
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
      emitAddress(code, source, this.#view, [...batchPlaces(this.#product), [axes.k, first], [axes.n, n]]);
    if (lineStride !== arithmetic.bytes) {
      emitTiles(code, plan, n, columns, (count) => {
        begin(k.first);
        this.#panel(columns, k);
        code.set(target);
        emitPack(code, arithmetic, linesOf(count), source, target, k.count);
      });
    } else {
      // What is left of k in the last block alone would need code of its own: then all values go one by one.
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
    const { code, plan, arithmetic, places } = this.#product;
    pushScratch(this.#product, plan.scratch.b).get(places[plan.axes.n]!);
    if (typeof from !== 'number') code.get(from).op('i32.sub');
    emitCount(code, count);
    code.op('i32.mul').i32(arithmetic.bytes).op('i32.mul').op('i32.add');
  }
}
