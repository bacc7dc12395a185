/**
 * What is done with totals before they are stored: bias, activation, residual, an optimizer's step. Tiles
 * that stand side by side pass through working memory, from where scalar expressions take their totals row by
 * row.
 */
import type { ContractKernel, Scalar, Store } from '@firsthand/compiler';
import type { Code, Local } from '../assembler/code.ts';
import type { Tools } from '../scalar/functions.ts';
import { widthOf } from '../kernels/loop-plan.ts';
import { Nest } from '../scalar/nest.ts';
import { ScalarEmitter } from '../scalar/scalar-emitter.ts';
import { emitAdvance } from './address.ts';
import { arithmeticOf } from './arithmetic.ts';
import { emitTiles, lanesOf, type Columns } from './blocks.ts';
import type { ContractPlan } from './plan.ts';

/** Evaluates the expressions of the stores with totals from memory. */
export class ScalarFinish {
  readonly #code: Code;
  readonly #kernel: ContractKernel;
  readonly #plan: ContractPlan;
  readonly #m: Local;
  readonly #n: Local;
  readonly #nest: Nest;
  readonly #emitter: ScalarEmitter;
  readonly #stores: readonly Store[];
  readonly #values: readonly Scalar[];

  /** @param places the counters of the batch axes, m and n */
  constructor(
    code: Code,
    kernel: ContractKernel,
    plan: ContractPlan,
    params: readonly Local[],
    places: readonly Local[],
    tools: Tools,
  ) {
    const { axes } = plan;
    this.#code = code;
    this.#kernel = kernel;
    this.#plan = plan;
    this.#m = places[axes.m]!;
    this.#n = places[axes.n]!;
    this.#nest = new Nest({
      code,
      extents: [...kernel.batch, kernel.m, kernel.n],
      axes: places,
      laneAxis: axes.n,
    });
    this.#stores = kernel.stores;
    this.#values = kernel.stores.map(({ value }) => value);
    this.#emitter = new ScalarEmitter({
      nest: this.#nest,
      tools,
      arrays: kernel.operands.map((operand, number) => ({ operand, address: params[number]! })),
      rows: 0,
      roots: this.#values,
    });
  }

  /**
   * Finishes the rows of some tiles side by side, the first of them at the current m: row by row, since
   * memory is read and written fastest in sequence. Their totals lie at `source`, tile after tile.
   */
  emit(source: Local, height: number, columns: Columns): void {
    const code = this.#code;
    const { axes, panelStep } = this.#plan;
    const [row, end, tile] = [code.local('i32'), code.local('i32'), code.local('i32')];
    code
      .get(source)
      .tee(row)
      .i32(height * panelStep)
      .op('i32.add')
      .set(end);
    this.#nest.enter([...this.#kernel.batch.keys()], () => {
      this.#emitter.hoist(this.#values, this.#stores);
      code.loop((again) => {
        this.#nest.enter([axes.m], () => {
          this.#emitter.hoist(this.#values, this.#stores);
          code.get(row).set(tile);
          emitTiles(code, this.#plan, this.#n, columns, (count) => {
            this.#vectors(tile, count);
            emitAdvance(code, tile, height * panelStep);
          });
        });
        emitAdvance(code, this.#m, 1);
        code.get(row).i32(panelStep).op('i32.add').tee(row).get(end).op('i32.ne').branchIf(again);
      });
    });
    emitAdvance(code, this.#m, -height);
    code.release(row, end, tile);
  }

  /** One row of a tile, whose totals lie at an address. */
  #vectors(address: Local, count: number): void {
    const code = this.#code;
    const { axes, wholeColumns, columns } = this.#plan;
    const { bytes } = arithmeticOf(this.#kernel.dtype, false);
    const width = widthOf(this.#kernel);
    const isWhole = count === columns;
    const range = {
      from: isWhole ? 0 : wholeColumns,
      to: isWhole ? wholeColumns : this.#kernel.n,
      alignment: isWhole ? columns : wholeColumns || this.#kernel.n,
    };
    this.#nest.within(range, () =>
      this.#nest.enter([axes.n], () => {
        this.#emitter.block = lanesOf(count, width).map((lanes, vector) => ({
          shift: vector * width,
          lanes,
        }));
        const totals = this.#emitter.block.map(({ shift }) => {
          const total = code.local('v128');
          code
            .get(address)
            .memory(width * bytes === 16 ? 'v128.load' : 'v128.load64_zero', shift * bytes)
            .set(total);
          return total;
        });
        this.#emitter.bindTotal(totals);
        this.#emitter.hoist(this.#values, this.#stores, { shared: true });
        totals.forEach((_, vector) =>
          this.#nest.enter([], () => this.#emitter.storeAll(this.#stores, vector)),
        );
        this.#emitter.bindTotal(null);
        code.release(...totals);
      }),
    );
  }
}
