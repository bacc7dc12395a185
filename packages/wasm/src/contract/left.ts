/** A tile's rows of the left matrix: where they lie, packed for the tile, or computed for it. */
import type { Local } from '../assembler/code.ts';
import { emitAddress, offsetsOf, type View } from './address.ts';
import { lanesOf } from './blocks.ts';
import { emitPack } from './pack.ts';
import {
  batchPlaces,
  emitBlockFill,
  pushScratch,
  viewOf,
  type Block,
  type ProductCode,
} from './product-code.ts';

/** The left matrix of a product. */
export class LeftMatrix {
  readonly #product: ProductCode;
  readonly #view: View;

  constructor(product: ProductCode) {
    this.#product = product;
    this.#view = viewOf(product, product.kernel.a, product.plan.strides.a);
  }

  /** Sets `start` to where the rows of a tile begin, and says how they lie there. */
  rows(
    start: Local,
    height: number,
    k: Block,
  ): { readonly offsets: readonly number[]; readonly step: number } {
    const product = this.#product;
    const { code, plan, arithmetic, places } = product;
    const { axes, scratch, packsA, fills } = plan;
    const { bytes, lanes } = arithmetic;
    const m = places[axes.m]!;
    const [lineStride, kStride] = [this.#view.strides[axes.m]!, this.#view.strides[axes.k]!];
    if (fills.a !== null) {
      const end = (): void => void code.get(m).i32(height).op('i32.add');
      emitBlockFill(product, 'a', this.#view, scratch.a, k, { first: m, end });
    }
    emitAddress(code, start, this.#view, [...batchPlaces(product), [axes.m, m], [axes.k, k.first]]);
    if (!packsA) return { offsets: offsetsOf(code, start, height, lineStride), step: kStride };
    const target = code.local('i32');
    pushScratch(product, scratch.a).set(target);
    const lines = {
      lanes: lanesOf(height, lanes),
      lineStride,
      kStride,
      packedStep: height * bytes,
      padded: false,
    };
    emitPack(code, arithmetic, lines, start, target, k.count);
    pushScratch(product, scratch.a).set(start);
    code.release(target);
    return { offsets: offsetsOf(code, start, height, bytes), step: height * bytes };
  }
}
