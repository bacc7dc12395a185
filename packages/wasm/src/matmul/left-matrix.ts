/** A tile's rows of the left matrix: read in place, packed for the tile, or computed for it. */
import type { Local } from '../assembler/code.ts';
import { emitAddress, offsetsOf, type View } from './address.ts';
import { lanesOf } from './blocked-loops.ts';
import { emitPack } from './pack.ts';
import {
  batchCounters,
  packImplicitBlock,
  pushScratch,
  viewOf,
  type Block,
  type MatmulCode,
} from './matmul-code.ts';

/** The left matrix of a product. */
export class LeftMatrix {
  readonly #product: MatmulCode;
  readonly #view: View;

  constructor(product: MatmulCode) {
    this.#product = product;
    this.#view = viewOf(product, product.kernel.a, product.plan.strides.a);
  }

  /** Sets `start` to the address of a tile's rows and returns their layout. */
  rows(
    start: Local,
    height: number,
    k: Block,
  ): { readonly offsets: readonly number[]; readonly step: number } {
    const product = this.#product;
    const { code, plan, arithmetic, counters } = product;
    const { axes, scratch, packsA, implicit } = plan;
    const { bytes, lanes } = arithmetic;
    const m = counters[axes.m]!;
    const [lineStride, kStride] = [this.#view.strides[axes.m]!, this.#view.strides[axes.k]!];
    if (implicit.a !== null) {
      const end = (): void => void code.op('i32.add', m, height);
      packImplicitBlock(product, 'a', this.#view, scratch.a, k, { first: m, end });
    }
    emitAddress(code, start, this.#view, [...batchCounters(product), [axes.m, m], [axes.k, k.first]]);
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
