/**
 * Loops over ranges that are cut into blocks. Where a range is one block its bounds stay constants, and a
 * loop of one iteration is no loop.
 */
import type { Code, Local } from '../assembler/code.ts';
import type { Count } from './address.ts';

/** Columns of a tile, columns that whole tiles cover, and columns left over. */
export interface Tiling {
  readonly columns: number;
  readonly wholeColumns: number;
  readonly restColumns: number;
}

/** Columns from `from` to `to` in whole tiles; then the rest, if `to` is where whole tiles end. */
export interface Columns {
  readonly from: Count;
  readonly to: Count;
}

/** for (counter = from; counter < to; counter += step), with at least one iteration. */
export function emitRange(
  code: Code,
  counter: Local,
  from: Count,
  to: Count,
  step: number,
  body: () => void,
): void {
  if (typeof from === 'number' && typeof to === 'number') {
    code.repeat(counter, from, to, step, body);
    return;
  }
  code.push(from).set(counter).iterate(counter, to, step, body);
}

/**
 * Calls `body` with the bounds of blocks of `step` between `from` and `to`; there is at least one, and the
 * last may be shorter.
 */
export function emitBlocks(
  code: Code,
  from: Count,
  to: Count,
  step: number,
  body: (from: Count, to: Count) => void,
): void {
  if (typeof from === 'number' && typeof to === 'number' && to - from <= step) {
    body(from, to);
    return;
  }
  const [first, end] = [code.local('i32'), code.local('i32')];
  code.push(from).set(first);
  code.iterate(first, to, step, () => {
    code.op('i32.add', first, step);
    emitMinimum(code, end, to);
    body(first, end);
  });
  code.release(first, end);
}

/**
 * Calls `body` with the first of each group of `size` values and the size of the group. A count that is not a
 * constant is a multiple of `size`.
 */
export function emitGroups(
  code: Code,
  count: Count,
  size: number,
  body: (first: Local, size: number) => void,
): void {
  const first = code.local('i32');
  if (typeof count === 'number') {
    const whole = count - (count % size);
    code.repeat(first, 0, whole, size, () => body(first, size));
    if (whole < count) {
      code.i32(whole).set(first);
      body(first, count - whole);
    }
  } else {
    code.i32(0).set(first);
    code.iterate(first, count, size, () => body(first, size));
  }
  code.release(first);
}

/** target = min(the number on the stack, bound) */
export function emitMinimum(code: Code, target: Local, bound: Count): void {
  code
    .tee(target)
    .op('i32.gt_s', bound)
    .if(() => code.push(bound).set(target));
}

/** Lanes of each vector: full vectors, then one with the rest. */
export function lanesOf(count: number, lanes: number): readonly number[] {
  return Array.from({ length: Math.ceil(count / lanes) }, (_, vector) =>
    Math.min(lanes, count - vector * lanes),
  );
}

/** Emits the tiles across a range of columns; n is the first column of each. */
export function emitTiles(
  code: Code,
  { columns, wholeColumns, restColumns }: Tiling,
  n: Local,
  { from, to }: Columns,
  tile: (count: number) => void,
): void {
  if (wholeColumns > 0) emitRange(code, n, from, to, columns, () => tile(columns));
  if (restColumns === 0) return;
  const rest = (): void => {
    code.i32(wholeColumns).set(n);
    tile(restColumns);
  };
  if (typeof to === 'number') rest();
  else code.op('i32.eq', to, wholeColumns).if(rest);
}
