/**
 * The code of a stream: for each block of rows of each batch the state begins, blocks of columns go by, and
 * the outputs are made of the state. Blocks of rows do not wait for each other, so that threads share them.
 * Blocks of columns that no row of the block sees are left out.
 */
import type { Kernel, CustomKernel, BufferLocation } from '@firsthand/compiler';
import { DTYPES } from '@firsthand/linalg';
import type { Code, Local } from '../assembler/code.ts';
import { emitAddProduct } from '../contract/address.ts';
import { emitRange } from '../contract/blocks.ts';
import { partitionAxis, emitInRange, type AxisRange } from '../threads/partition.ts';
import type { KernelTools, WasmKernelPlan } from '../kernels/kernel-plan.ts';
import {
  BLOCK,
  kernelsOf,
  planStream,
  type RowBlock,
  type StepPlan,
  type StreamArray,
  type StreamPlan,
} from './stream-plan.ts';

/**
 * Plans a stream: threads share the blocks of rows, of all batches.
 * @param planKernel plans a kernel that the stream calls
 */
export function planStreamKernel(
  kernel: CustomKernel,
  planKernel: (kernel: Kernel) => WasmKernelPlan,
): WasmKernelPlan {
  const plan = planStream(kernel, planKernel);
  return {
    scratch: plan.scratch.bytes,
    partition: partitionAxis(0, plan.batch * Math.ceil(plan.rows / BLOCK.rows), 1),
    callees: kernelsOf(plan),
    emit: (code, params, { define }, range) =>
      new StreamEmitter(code, kernel, plan, params, define).emit(range),
  };
}

type Define = KernelTools['define'];

class StreamEmitter {
  readonly #code: Code;
  readonly #plan: StreamPlan;
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
    plan: StreamPlan,
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

  emit(part: AxisRange | null): void {
    const code = this.#code;
    const { batch, rows, blocks } = this.#plan;
    const perBatch = Math.ceil(rows / BLOCK.rows);
    const block = code.local('i32');
    const one = (): void => {
      code.get(block).i32(perBatch).op('i32.div_u').set(this.#batch);
      code.get(block).i32(perBatch).op('i32.rem_u').i32(BLOCK.rows).op('i32.mul').set(this.#row);
      const [first, rest] = blocks as [RowBlock, RowBlock | undefined];
      if (rest === undefined) this.#rows(first);
      else
        code
          .get(this.#row)
          .i32(rows - rest.rows)
          .op('i32.eq')
          .if(
            () => this.#rows(rest),
            () => this.#rows(first),
          );
    };
    if (part === null) emitRange(code, block, 0, batch * perBatch, 1, one);
    else
      emitInRange(code, part, 0, batch * perBatch, 1, (from, to) => emitRange(code, block, from, to, 1, one));
  }

  #rows({ rows, begin, steps, finish }: RowBlock): void {
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
    const placeOf = (array: StreamArray) => () => this.#part(array, this.#row, this.#plan.rows);
    this.#run(finish, states, outputs.map(placeOf));
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
      ...rowArrays.map((array) => () => this.#part(array, this.#row, rows)),
      ...columnArrays.map((array) => () => this.#part(array, this.#column, columns)),
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

  /** Runs `body` where some row of the block sees some of its columns. */
  #whereSeen(rows: number, columns: number, body: () => void): void {
    const code = this.#code;
    const { shift, stream } = this.#plan;
    if (shift === null) {
      body();
      return;
    }
    // The first key, and the last query with its shift.
    const [key, query, queries] = stream.rowsAreQueries
      ? [this.#column, this.#row, rows]
      : [this.#row, this.#column, columns];
    code
      .get(key)
      .get(query)
      .i32(queries - 1 + shift)
      .op('i32.add')
      .op('i32.gt_s')
      .op('i32.eqz')
      .if(body);
  }

  /** Calls the kernels of a program, given what pushes the addresses of its arguments and of its outputs. */
  #run(
    { kernels, buffers }: StepPlan,
    args: readonly (() => void)[],
    results: readonly (() => void)[],
  ): void {
    const push = (place: BufferLocation): void => {
      if (place.kind === 'arena') this.#at(this.#plan.scratch.arena + place.offset);
      else if (place.kind === 'output') results[place.output]!();
      else args[place.argument]!();
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

  /** Pushes the address of an array's part from a row or column on, of which each batch has `count`. */
  #part({ operand, width }: StreamArray, from: Local, count: number): void {
    const code = this.#code;
    code.get(this.#params[operand]!).get(this.#batch).i32(count).op('i32.mul').get(from).op('i32.add');
    code
      .i32(width * this.#bytes)
      .op('i32.mul')
      .op('i32.add');
  }
}
