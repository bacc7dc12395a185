/**
 * The innermost loop where k is contiguous in both operands and there are too few rows to pay for packing:
 * vectors run along k. A tile has a vector of partial sums for each row and column; after the loop, those of
 * neighbouring columns are transposed and added, which gives vectors of totals like any other tile's.
 */
import type { Code, Local } from '../assembler/code.ts';
import { emitAdvance } from './address.ts';
import { emitLoad, type Arithmetic } from './arithmetic.ts';
import { emitTranspose } from './pack.ts';
import { emitClear, emitProductLoop, emitProducts, tileSums } from './register-tile.ts';

/**
 * Rows of a or columns of b: vectors along k, those of row or column i from pointer + offsets[i]. Offsets are
 * not negative.
 */
export interface DotSource {
  readonly pointer: Local;
  readonly offsets: readonly number[];
}

/**
 * The totals of rows × columns over `count` values of k. Changes both pointers.
 * @param partial the address of working memory for a vector per row and column
 * @param emitTotal is given each vector of totals: the row, the number of the vector among the row's, a local
 *   that it may change
 */
export function emitDots(
  code: Code,
  arithmetic: Arithmetic,
  a: DotSource,
  b: DotSource,
  count: number,
  partial: Local,
  emitTotal: (row: number, vector: number, total: Local) => void,
): void {
  const { lanes, bytes } = arithmetic;
  const [rows, columns] = [a.offsets.length, b.offsets.length];
  const sums = tileSums(code, rows, columns);
  const load =
    ({ pointer, offsets }: DotSource, offset: number, used: number) =>
    (index: number) => {
      emitLoad(code, arithmetic, pointer, offsets[index]! + offset, used);
    };
  emitClear(code, sums);
  const rest = count % lanes;
  const whole = count - rest;
  // The remainder of k comes first, since stores must follow the loop.
  if (rest > 0)
    emitProducts(code, arithmetic, sums, load(a, whole * bytes, rest), load(b, whole * bytes, rest));
  if (whole > 0) {
    emitProductLoop(code, b.pointer, 16, whole / lanes, false, () => {
      emitProducts(code, arithmetic, sums, load(a, 0, lanes), load(b, 0, lanes));
      emitAdvance(code, a.pointer, 16);
      emitAdvance(code, b.pointer, 16);
    });
  }
  for (const { row, column, sum } of sums)
    code
      .get(partial)
      .get(sum)
      .memory('v128.store', 16 * (row * columns + column));
  code.release(...sums.map(({ sum }) => sum));
  emitTotals(code, arithmetic, rows, columns, partial, emitTotal);
}

/**
 * Sums the lanes of each vector of partial sums, transposed, `lanes` columns at a time. Lanes without a
 * column repeat the last one.
 */
function emitTotals(
  code: Code,
  { lanes, add }: Arithmetic,
  rows: number,
  columns: number,
  partial: Local,
  emitTotal: (row: number, vector: number, total: Local) => void,
): void {
  const values = Array.from({ length: lanes }, () => code.local('v128'));
  for (let row = 0; row < rows; row++) {
    for (let first = 0; first < columns; first += lanes) {
      values.forEach((value, lane) => {
        const column = Math.min(first + lane, columns - 1);
        code
          .get(partial)
          .memory('v128.load', 16 * (row * columns + column))
          .set(value);
      });
      emitTranspose(code, values);
      for (let step = 1; step < lanes; step *= 2) {
        for (let lane = 0; lane < lanes; lane += 2 * step) {
          code
            .get(values[lane]!)
            .get(values[lane + step]!)
            .op(add)
            .set(values[lane]!);
        }
      }
      emitTotal(row, first / lanes, values[0]!);
    }
  }
  code.release(...values);
}
