/**
 * Where totals are the result, and the columns of the result lie side by side, they are stored as they are,
 * straight from the registers.
 */
import { coefficientOf, isAffine, type ContractKernel } from '@firsthand/compiler';
import type { Code, Local } from '../assembler/code.ts';
import { emitAddress, stridesOf } from './address.ts';
import { arithmeticOf } from './arithmetic.ts';

/** Whether all that a kernel does with a total is to store it once, in vectors along n. */
export function isStoredPlainly({ stores, operands, batch, dtype }: ContractKernel): boolean {
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

/** Where totals go that are stored as they are: straight into the results. */
export class PlainFinish {
  readonly #code: Code;
  readonly #kernel: ContractKernel;
  readonly #params: readonly Local[];
  readonly #places: readonly Local[];
  readonly #strides: readonly number[];

  /** @param places the counters of the batch axes, m and n */
  constructor(code: Code, kernel: ContractKernel, params: readonly Local[], places: readonly Local[]) {
    this.#code = code;
    this.#kernel = kernel;
    this.#params = params;
    this.#places = places;
    this.#strides = stridesOf(
      kernel.stores[0]!.index,
      places.length,
      arithmeticOf(kernel.dtype, false).bytes,
    );
  }

  /** Bytes from one row of the results to the next. */
  get rowStride(): number {
    return this.#strides[this.#places.length - 2]!;
  }

  /** Sets `address` to where the tile at the current place goes. */
  locate(address: Local): void {
    const { operand, index } = this.#kernel.stores[0]!;
    const { bytes } = arithmeticOf(this.#kernel.dtype, false);
    const places = this.#places.map((place, axis) => [axis, place] as const);
    emitAddress(
      this.#code,
      address,
      { operand: this.#params[operand]!, offset: index.offset * bytes, strides: this.#strides },
      places,
    );
  }
}
