/** Where totals are the result, and the columns of the result lie side by side, they are stored as they are, straight from the registers. */
import { factorOf, isAffine, type ContractKernel } from '@firsthand/compiler';
import type { Code, Local } from '../assembler/code.ts';
import { emitAddress, stridesOf } from './address.ts';
import { arithmeticOf, emitStore, type Arithmetic } from './arithmetic.ts';

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
