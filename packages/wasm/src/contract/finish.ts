/**
 * What becomes of finished sums. Where they are the result, and the columns of the result lie side by side, they are stored as they are. Otherwise the tile passes through a few
 * cache lines of working memory, from where scalar expressions (bias, activation, residual) take the totals row by row.
 */
import { factorOf, isAffine, type ContractKernel, type Store } from '@firsthand/compiler';
import type { Code, Local } from '../assembler/code.ts';
import { costOfAll } from '../kernels/cost.ts';
import type { Tools } from '../scalar/functions.ts';
import { widthOf } from '../kernels/loop-plan.ts';
import { Nest } from '../scalar/nest.ts';
import { ScalarEmitter } from '../scalar/scalar-emitter.ts';
import { emitAddress, emitAdvance, stridesOf } from './address.ts';
import { arithmeticOf, emitStore, type Arithmetic } from './arithmetic.ts';
import type { ContractPlan } from './plan.ts';

/** Expressions that cost more than so much are written once per tile, in a loop over its rows. */
const UNROLLED_COST = 8;

/** Whether all that a kernel does with a total is to store it once, in vectors along n. */
export function isStoredPlainly({ stores, operands, batch, dtype }: ContractKernel): boolean {
  return (
    stores.length === 1 &&
    stores.every(
      ({ operand, index, value }) =>
        value.op === 'total' &&
        operands[operand]!.dtype === dtype &&
        isAffine(index) &&
        factorOf(index, batch.length + 1) === 1 &&
        factorOf(index, batch.length)! >= 0,
    )
  );
}

/** Puts totals straight into the results. */
export class PlainFinish {
  readonly #code: Code;
  readonly #arithmetic: Arithmetic;
  readonly #kernel: ContractKernel;
  readonly #params: readonly Local[];
  readonly #places: readonly Local[];

  /** @param places the counters of the batch axes, m and n */
  constructor(code: Code, kernel: ContractKernel, params: readonly Local[], places: readonly Local[]) {
    this.#code = code;
    this.#arithmetic = arithmeticOf(kernel.dtype, false);
    this.#kernel = kernel;
    this.#params = params;
    this.#places = places;
  }

  /** Calls `tile` with a function that stores a vector of the tile at the current place. */
  store(tile: (put: (row: number, vector: number, total: Local, lanes: number) => void) => void): void {
    const code = this.#code;
    const { operand, index } = this.#kernel.stores[0]!;
    const { bytes } = this.#arithmetic;
    const strides = stridesOf(index, this.#places.length, bytes);
    const address = code.local('i32');
    const places = this.#places.map((place, axis) => [axis, place] as const);
    emitAddress(code, address, { operand: this.#params[operand]!, offset: index.offset * bytes, strides }, places);
    const rowStride = strides[this.#places.length - 2]!;
    tile((row, vector, total, lanes) => emitStore(code, this.#arithmetic, address, row * rowStride + 16 * vector, total, lanes));
    code.release(address);
  }
}

/** Evaluates the expressions of the stores with totals from memory. */
export class ScalarFinish {
  readonly #code: Code;
  readonly #kernel: ContractKernel;
  readonly #plan: ContractPlan;
  readonly #m: Local;
  readonly #nest: Nest;
  readonly #emitter: ScalarEmitter;
  readonly #stores: readonly Store[];
  readonly #unrolls: boolean;

  /** @param places the counters of the batch axes, m and n */
  constructor(code: Code, kernel: ContractKernel, plan: ContractPlan, params: readonly Local[], places: readonly Local[], tools: Tools) {
    const { axes } = plan;
    const values = kernel.stores.map(({ value }) => value);
    this.#code = code;
    this.#kernel = kernel;
    this.#plan = plan;
    this.#m = places[axes.m]!;
    this.#nest = new Nest({ code, extents: [...kernel.batch, kernel.m, kernel.n], axes: places, laneAxis: axes.n });
    this.#stores = kernel.stores;
    this.#emitter = new ScalarEmitter({
      nest: this.#nest,
      tools,
      arrays: kernel.operands.map((operand, number) => ({ operand, address: params[number]! })),
      rows: 0,
      roots: values,
    });
    this.#unrolls = costOfAll(values) <= UNROLLED_COST;
  }

  /** Finishes a tile of `height` rows and `columns` columns at the current place. Its totals lie at `source`, in rows of whole vectors. */
  emit(source: Local, height: number, columns: number): void {
    const code = this.#code;
    const { axes, wholeColumns, columns: tileColumns } = this.#plan;
    const { lanes, bytes } = arithmeticOf(this.#kernel.dtype, false);
    const width = widthOf(this.#kernel);
    const pitch = Math.ceil(columns / lanes) * 16;
    const isWhole = columns === tileColumns;
    const range = {
      from: isWhole ? 0 : wholeColumns,
      to: isWhole ? wholeColumns : this.#kernel.n,
      alignment: isWhole ? tileColumns : wholeColumns || this.#kernel.n,
    };
    const vectors = Array.from({ length: Math.ceil(columns / width) }, (_, vector) => ({
      shift: vector * width,
      lanes: Math.min(width, columns - vector * width),
    }));
    const totals = vectors.map(() => code.local('v128'));
    const row = (address: Local, offset: number): void => {
      totals.forEach((total, vector) => {
        const at = offset + vector * width * bytes;
        code
          .get(address)
          .memory(width * bytes === 16 ? 'v128.load' : 'v128.load64_zero', at)
          .set(total);
      });
      this.#row(totals);
    };
    this.#nest.within(range, () => {
      this.#nest.enter([...this.#kernel.batch.keys(), axes.n], () => {
        this.#emitter.block = vectors;
        this.#emitter.bindTotal(null);
        this.#emitter.hoist(
          this.#stores.map(({ value }) => value),
          this.#stores,
        );
        this.#rows(source, height, pitch, row);
      });
    });
    code.release(...totals);
  }

  #rows(source: Local, height: number, pitch: number, row: (address: Local, offset: number) => void): void {
    const code = this.#code;
    if (this.#unrolls || height === 1) {
      for (let index = 0; index < height; index++) {
        row(source, index * pitch);
        if (index < height - 1) emitAdvance(code, this.#m, 1);
      }
      emitAdvance(code, this.#m, 1 - height);
      return;
    }
    const [address, end] = [code.local('i32'), code.local('i32')];
    code
      .get(source)
      .tee(address)
      .i32(height * pitch)
      .op('i32.add')
      .set(end);
    code.loop((again) => {
      row(address, 0);
      emitAdvance(code, this.#m, 1);
      code.get(address).i32(pitch).op('i32.add').tee(address).get(end).op('i32.ne').branchIf(again);
    });
    emitAdvance(code, this.#m, -height);
    code.release(address, end);
  }

  #row(totals: readonly Local[]): void {
    const values = this.#stores.map(({ value }) => value);
    this.#nest.enter([this.#plan.axes.m], () => {
      this.#emitter.bindTotal(totals);
      this.#emitter.hoist(values, this.#stores, { shared: true });
      totals.forEach((_, vector) => this.#nest.enter([], () => this.#emitter.storeAll(this.#stores, vector)));
      this.#emitter.bindTotal(null);
    });
  }
}
