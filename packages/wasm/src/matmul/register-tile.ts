/**
 * The innermost loop: a tile of sums, `rows` high and `vectors` wide, stays in registers while k runs,
 * sum[i][j] += a[i, k]·b[k, j]. Each k loads the tile's columns of b as vectors and broadcasts its elements
 * of a: rows·vectors multiply-adds for rows + vectors loads. Every element is one sum over k in ascending
 * order, so the tile's shape changes the speed and no bit.
 */
import type { Code, Local } from '../assembler/code.ts';
import { emitAddProduct, emitAdvance, type Count } from './address.ts';
import { emitLoad, emitMultiplyAdd, type Arithmetic } from './arithmetic.ts';

/** The shape of a register tile: rows, and columns in vectors (a vector is four float32 or two float64). */
export interface Tile {
  readonly rows: number;
  readonly vectors: number;
  /** Whether the engine may unroll the loop over k, which suits small tiles. */
  readonly unrolls: boolean;
}

/** The tile's rows of a: at pointer + offsets[row], the next k `step` bytes on. Offsets are not negative. */
export interface RowSource {
  readonly pointer: Local;
  readonly offsets: readonly number[];
  readonly step: number;
}

/**
 * The tile's columns of b: vectors of `lanes[j]` elements one after the other at pointer, the next k `step` >
 * 0 bytes on.
 */
export interface ColumnSource {
  readonly pointer: Local;
  readonly lanes: readonly number[];
  readonly step: number;
}

/** One vector of a tile's sums. */
export interface TileSum {
  readonly row: number;
  readonly column: number;
  readonly sum: Local;
}

/** Locals for the sums of a tile, in the order in which each step of k adds to them. */
export function tileSums(code: Code, rows: number, columns: number): TileSum[] {
  const wide = columns > rows;
  const inRegisters = Math.min(rows, columns);
  return Array.from({ length: rows * columns }, (_, index) => {
    const [outer, inner] = [Math.floor(index / inRegisters), index % inRegisters];
    return { row: wide ? inner : outer, column: wide ? outer : inner, sum: code.local('v128') };
  });
}

/** sums = 0 */
export function emitClear(code: Code, sums: readonly TileSum[]): void {
  code.i32x4(0);
  for (const { sum } of sums) code.tee(sum);
  code.op('drop');
}

/**
 * sums = Σ over `count` values of k, from zero. Changes both pointers. The code after it must store the sums
 * in their order (see `emitProductLoop`).
 */
export function emitSums(
  code: Code,
  arithmetic: Arithmetic,
  sums: readonly TileSum[],
  a: RowSource,
  b: ColumnSource,
  count: Count,
  unrolls: boolean,
): void {
  emitClear(code, sums);
  const loadRow = (row: number): void => void code.get(a.pointer).memory(arithmetic.splat, a.offsets[row]);
  const loadColumns = (vector: number): void =>
    emitLoad(code, arithmetic, b.pointer, 16 * vector, b.lanes[vector]!);
  emitProductLoop(code, b.pointer, b.step, count, unrolls, () => {
    emitProducts(code, arithmetic, sums, loadRow, loadColumns);
    emitAdvance(code, a.pointer, a.step);
    emitAdvance(code, b.pointer, b.step);
  });
}

/**
 * Runs `body`, which advances `pointer` by `step`, `count` times.
 *
 * V8's TurboFan (Node 20 and 22) moves all loads of a basic block to its start, and so runs out of registers
 * in all but the smallest tiles, unless control flow meets behind the loop and the sums are then stored in
 * their order. Hence the branch around the loop, which is never taken. Nor may TurboFan unroll the loop,
 * since all copies but the last suffer the same; it unrolls only loops without a call: hence the memory.fill,
 * which is never reached, and which compilers remove.
 */
export function emitProductLoop(
  code: Code,
  pointer: Local,
  step: number,
  count: Count,
  unrolls: boolean,
  body: () => void,
): void {
  if (count === 1) {
    body();
    return;
  }
  const end = code.local('i32');
  code.get(pointer);
  emitAddProduct(code, count, step);
  code.set(end);
  code.block((around) => {
    if (!unrolls) code.op('i32.eqz', end).branchIf(around);
    code.loop((again) => {
      if (!unrolls) code.i32(0).if(() => code.i32(0).i32(0).i32(0).memoryFill());
      body();
      code.op('i32.ne', pointer, end).branchIf(again);
    });
  });
  code.release(end);
}

/**
 * Adds the products of every row with every column to the sums. The shorter side of the tile stays in
 * registers, the longer one passes through one register.
 * @param loadRow pushes the vector of a row
 * @param loadColumn pushes the vector of a column
 */
export function emitProducts(
  code: Code,
  arithmetic: Arithmetic,
  sums: readonly TileSum[],
  loadRow: (row: number) => void,
  loadColumn: (column: number) => void,
): void {
  const last = sums.at(-1)!;
  const wide = last.column > last.row;
  const values = Array.from({ length: Math.min(last.row, last.column) + 1 }, () => code.local('v128'));
  const value = code.local('v128');
  values.forEach((local, inRegisters) => {
    (wide ? loadRow : loadColumn)(inRegisters);
    code.set(local);
  });
  for (const { row, column, sum } of sums) {
    const [passing, inRegisters] = wide ? [column, row] : [row, column];
    if (inRegisters === 0) {
      (wide ? loadColumn : loadRow)(passing);
      code.set(value);
    }
    emitMultiplyAdd(
      code,
      arithmetic,
      sum,
      wide ? values[inRegisters]! : value,
      wide ? value : values[inRegisters]!,
    );
  }
  code.release(...values, value);
}
