/**
 * Emits blockwise attention: for each block of rows, initialise the state, fold in each block of columns,
 * write the outputs. Blocks of rows are independent, so threads share them. Blocks of columns that the causal
 * mask hides entirely are skipped.
 */
import type { Kernel, CustomKernel, BufferLocation } from '@firsthand/compiler';
import { DTYPES } from '@firsthand/linalg';
import type { Code, Local } from '../assembler/code.ts';
import { emitAddProduct } from '../matmul/address.ts';
import { emitRange } from '../matmul/blocked-loops.ts';
import { partitionAxis, emitInRange, type AxisRange } from '../threads/partition.ts';
import type { KernelTools, WasmKernelPlan } from '../kernels/kernel-plan.ts';
import {
  BLOCK,
  kernelsOf,
  planBlockwise,
  type RowBlock,
  type StepPlan,
  type BlockArray,
  type BlockwisePlan,
} from './blockwise-plan.ts';

/**
 * Plans a kernel: threads share the blocks of rows, of all batches.
 * @param planKernel plans a kernel that this one calls
 */
export function planAttentionKernel(
  kernel: CustomKernel,
  planKernel: (kernel: Kernel) => WasmKernelPlan,
): WasmKernelPlan {
  const plan = planBlockwise(kernel, planKernel);
  return {
    scratch: plan.scratch.bytes,
    partition: partitionAxis(0, plan.batch * Math.ceil(plan.rows / BLOCK.rows), 1),
    callees: kernelsOf(plan),
    emit: (code, params, { define }, range) =>
      new BlockwiseEmitter(code, kernel, plan, params, define).emit(range),
  };
}

type Define = KernelTools['define'];

class BlockwiseEmitter {
  readonly #code: Code;
  readonly #plan: BlockwisePlan;
  readonly #params: readonly Local[];
  readonly #scratch: Local;
  readonly #define: Define;
  readonly #bytes: number;
  /** The batch, the first row and the first column of the blocks. */
  readonly #batch: Local;
  readonly #row: Local;
  readonly #column: Local;

  constructor(
    code: Code,
    { operands }: CustomKernel,
    plan: BlockwisePlan,
    params: readonly Local[],
    define: Define,
  ) {
    this.#code = code;
    this.#plan = plan;
    this.#params = params;
    this.#scratch = params[operands.length]!;
    this.#define = define;
    this.#bytes = DTYPES[plan.dtype].bytes;
    [this.#batch, this.#row, this.#column] = [code.local('i32'), code.local('i32'), code.local('i32')];
  }

  emit(range: AxisRange | null): void {
    const code = this.#code;
    const { batch, rows, blocks } = this.#plan;
    const perBatch = Math.ceil(rows / BLOCK.rows);
    const block = code.local('i32');
    const one = (): void => {
      code.op('i32.div_u', block, perBatch).set(this.#batch);
      code.op('i32.rem_u', block, perBatch).op('i32.mul', BLOCK.rows).set(this.#row);
      const [first, rest] = blocks as [RowBlock, RowBlock | undefined];
      if (rest === undefined) this.#rows(first);
      else
        code.op('i32.eq', this.#row, rows - rest.rows).if(
          () => this.#rows(rest),
          () => this.#rows(first),
        );
    };
    if (range === null) emitRange(code, block, 0, batch * perBatch, 1, one);
    else
      emitInRange(code, range, 0, batch * perBatch, 1, (from, to) =>
        emitRange(code, block, from, to, 1, one),
      );
  }

  #rows({ rows, begin, steps, outputs: program }: RowBlock): void {
    const code = this.#code;
    const { columns, scratch, outputs } = this.#plan;
    const states = scratch.state.map((offset) => () => void this.#at(offset));
    this.#at(scratch.starts).get(this.#row).memory('i32.store');
    this.#run(begin, [], states);
    const [large, small] = steps;
    const whole = columns - (columns % BLOCK.columns);
    const step = ({ columns: across, plan }: { readonly columns: number; readonly plan: StepPlan }): void =>
      this.#whereSeen(rows, across, () => this.#step(plan, states));
    if (whole > 0) emitRange(code, this.#column, 0, whole, BLOCK.columns, () => step(large!));
    if (whole < columns) {
      code.i32(whole).set(this.#column);
      step(small ?? large!);
    }
    const outputAddress = (array: BlockArray) => () => this.#range(array, this.#row, this.#plan.rows);
    this.#run(program, states, outputs.map(outputAddress));
  }

  /** One step; states that cannot be overwritten in place are copied. */
  #step(plan: StepPlan, states: readonly (() => void)[]): void {
    const code = this.#code;
    const { rowArrays, columnArrays, rows, columns, scratch } = this.#plan;
    code
      .get(this.#scratch)
      .get(this.#column)
      .memory('i32.store', scratch.starts + 4);
    const args = [
      ...rowArrays.map((array) => () => this.#range(array, this.#row, rows)),
      ...columnArrays.map((array) => () => this.#range(array, this.#column, columns)),
      ...states,
      () => void this.#at(scratch.starts),
      () => void this.#at(scratch.starts + 4),
    ];
    const next = plan.outputs.map(({ into }, index) =>
      into === null ? () => void this.#at(scratch.next[index]!) : states[index]!,
    );
    this.#run(plan, args, next);
    plan.outputs.forEach(({ into, length }, index) => {
      if (into !== null) return;
      states[index]!();
      next[index]!();
      code.i32(length * this.#bytes).memoryCopy();
    });
  }

  /** Runs `body` unless the causal mask hides the whole block. */
  #whereSeen(rows: number, columns: number, body: () => void): void {
    const code = this.#code;
    const { diagonalOffset: shift, algorithm } = this.#plan;
    if (shift === null) {
      body();
      return;
    }
    // The first key, and the last query plus the diagonal offset.
    const [key, query, queries] = algorithm.rowsAreQueries
      ? [this.#column, this.#row, rows]
      : [this.#row, this.#column, columns];
    code
      .get(key)
      .op('i32.add', query, queries - 1 + shift)
      .op('i32.gt_s')
      .op('i32.eqz')
      .if(body);
  }

  /**
   * Calls the kernels of a program, given functions that push the addresses of its arguments and of its
   * outputs.
   */
  #run(
    { kernels, buffers }: StepPlan,
    args: readonly (() => void)[],
    results: readonly (() => void)[],
  ): void {
    const push = (location: BufferLocation): void => {
      if (location.kind === 'arena') this.#at(this.#plan.scratch.arena + location.offset);
      else if (location.kind === 'output') results[location.output]!();
      else args[location.argument]!();
    };
    for (const { kernel, plan, buffers: numbers, scratch } of kernels) {
      for (const number of numbers) push(buffers[number]!.location);
      this.#at(this.#plan.scratch.arena + scratch.offset);
      this.#code.call(this.#define(kernel, plan));
    }
  }

  /** Pushes an address in the working memory. */
  #at(offset: number): Code {
    this.#code.get(this.#scratch);
    emitAddProduct(this.#code, 1, offset);
    return this.#code;
  }

  /** Pushes the address of an array's elements from a row or column on; each batch has `count` of them. */
  #range({ operand, width }: BlockArray, from: Local, count: number): void {
    const code = this.#code;
    code.get(this.#params[operand]!).op('i32.mul', this.#batch, count).op('i32.add', from);
    code.op('i32.mul', width * this.#bytes).op('i32.add');
  }
}
