/**
 * Products without an epilogue whose columns are contiguous in the result: totals are stored straight from
 * the registers.
 */
import { coefficientOf, isAffine, type ContractKernel } from '@firsthand/compiler';
import type { Code, Local } from '../assembler/code.ts';
import { emitAddress, stridesOf } from './address.ts';
import { arithmeticOf } from './arithmetic.ts';

/** Whether the only thing computed from a total is one store of it, in vectors along n. */
export function storesDirectly({ stores, operands, batch, dtype }: ContractKernel): boolean {
  return (
    stores.length === 1 &&
    stores.every(
      ({ operand, index, value }) =>
        value.op === 'total' &&
        operands[operand]!.dtype === dtype &&
        isAffine(index) &&
        coefficientOf(index, batch.length + 1) === 1 &&
        coefficientOf(index, batch.length)! >= 0,
    )
  );
}

/** The addresses of directly stored totals. */
export class DirectStore {
  readonly #code: Code;
  readonly #kernel: ContractKernel;
  readonly #params: readonly Local[];
  readonly #counters: readonly Local[];
  readonly #strides: readonly number[];

  /** @param counters the counters of the batch axes, m and n */
  constructor(code: Code, kernel: ContractKernel, params: readonly Local[], counters: readonly Local[]) {
    this.#code = code;
    this.#kernel = kernel;
    this.#params = params;
    this.#counters = counters;
    this.#strides = stridesOf(
      kernel.stores[0]!.index,
      counters.length,
      arithmeticOf(kernel.dtype, false).bytes,
    );
  }

  /** Bytes from one row of the results to the next. */
  get rowStride(): number {
    return this.#strides[this.#counters.length - 2]!;
  }

  /** Sets `address` to that of the tile at the current counters. */
  locate(address: Local): void {
    const { operand, index } = this.#kernel.stores[0]!;
    const { bytes } = arithmeticOf(this.#kernel.dtype, false);
    const counters = this.#counters.map((counter, axis) => [axis, counter] as const);
    emitAddress(
      this.#code,
      address,
      { operand: this.#params[operand]!, offset: index.offset * bytes, strides: this.#strides },
      counters,
    );
  }
}
