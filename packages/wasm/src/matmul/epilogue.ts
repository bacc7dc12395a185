/**
 * The elementwise epilogue of a product (bias, activation, residual, an optimizer's update). Tiles side by
 * side are stored in working memory; the epilogue loads their totals from there row by row.
 */
import type { ContractKernel, Scalar, Store } from '@firsthand/compiler';
import type { Code, Local } from '../assembler/code.ts';
import type { Tools } from '../scalar/functions.ts';
import { widthOf } from '../kernels/loop-plan.ts';
import { CodegenScope } from '../scalar/codegen-scope.ts';
import { ScalarEmitter } from '../scalar/scalar-emitter.ts';
import { emitAdvance } from './address.ts';
import { arithmeticOf } from './arithmetic.ts';
import { emitTiles, lanesOf, type Columns } from './blocked-loops.ts';
import type { MatmulPlan } from './matmul-plan.ts';

/** Evaluates the expressions of the stores, with totals from memory. */
export class Epilogue {
  readonly #code: Code;
  readonly #kernel: ContractKernel;
  readonly #plan: MatmulPlan;
  readonly #m: Local;
  readonly #n: Local;
  readonly #scope: CodegenScope;
  readonly #emitter: ScalarEmitter;
  readonly #stores: readonly Store[];
  readonly #values: readonly Scalar[];

  /** @param counters the counters of the batch axes, m and n */
  constructor(
    code: Code,
    kernel: ContractKernel,
    plan: MatmulPlan,
    params: readonly Local[],
    counters: readonly Local[],
    tools: Tools,
  ) {
    const { axes } = plan;
    this.#code = code;
    this.#kernel = kernel;
    this.#plan = plan;
    this.#m = counters[axes.m]!;
    this.#n = counters[axes.n]!;
    this.#scope = new CodegenScope({
      code,
      extents: [...kernel.batch, kernel.m, kernel.n],
      axes: counters,
      laneAxis: axes.n,
    });
    this.#stores = kernel.stores;
    this.#values = kernel.stores.map(({ value }) => value);
    this.#emitter = new ScalarEmitter({
      scope: this.#scope,
      tools,
      arrays: kernel.operands.map((operand, number) => ({ operand, address: params[number]! })),
      rows: 0,
      roots: this.#values,
    });
  }

  /**
   * Emits the epilogue of some rows of tiles side by side, the first row at the current m: row by row, since
   * memory is fastest in sequence. The totals are at `source`, tile after tile.
   */
  emit(source: Local, height: number, columns: Columns): void {
    const code = this.#code;
    const { axes, panelStep } = this.#plan;
    const [row, end, tile] = [code.local('i32'), code.local('i32'), code.local('i32')];
    code
      .get(source)
      .tee(row)
      .op('i32.add', height * panelStep)
      .set(end);
    this.#scope.inScope([...this.#kernel.batch.keys()], () => {
      this.#emitter.hoist(this.#values, this.#stores);
      code.loop((again) => {
        this.#scope.inScope([axes.m], () => {
          this.#emitter.hoist(this.#values, this.#stores);
          code.get(row).set(tile);
          emitTiles(code, this.#plan, this.#n, columns, (count) => {
            this.#vectors(tile, count);
            emitAdvance(code, tile, height * panelStep);
          });
        });
        emitAdvance(code, this.#m, 1);
        code.op('i32.add', row, panelStep).tee(row).op('i32.ne', end).branchIf(again);
      });
    });
    emitAdvance(code, this.#m, -height);
    code.release(row, end, tile);
  }

  /** One row of a tile, whose totals are at an address. */
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
    this.#scope.inLaneRange(range, () =>
      this.#scope.inScope([axes.n], () => {
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
          this.#scope.inScope([], () => this.#emitter.storeAll(this.#stores, vector)),
        );
        this.#emitter.bindTotal(null);
        code.release(...totals);
      }),
    );
  }
}
