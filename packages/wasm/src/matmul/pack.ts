/**
 * Packing copies the part of an operand that a tile reads into the order in which it is read: for each k, the
 * tile's columns of b (or its rows of a) side by side. So the innermost loop reads memory in sequence
 * whatever the operand's strides. Contiguous columns are copied as vectors; where k is contiguous, square
 * blocks are transposed in registers; with any other strides elements are gathered one by one.
 */
import type { Code, Local } from '../assembler/code.ts';
import { emitAddProduct, emitAdvance, offsetsOf, type Count } from './address.ts';
import { emitLoad, emitStore, type Arithmetic } from './arithmetic.ts';

/** Lines (columns of b or rows of a) to be packed side by side. */
export interface Lines {
  /** Lines in each vector of the packed form: all its lanes, except for the last. */
  readonly lanes: readonly number[];
  /** Bytes from one line to the next, and from one k to the next. */
  readonly lineStride: number;
  readonly kStride: number;
  /** Bytes of the packed form per k. */
  readonly packedStep: number;
  /** Whether the last vector is stored whole, unused lanes included. */
  readonly padded: boolean;
}

/**
 * Packs `count` values of k of some lines. Leaves `target` after the last byte written.
 * @param source a local with the address of the first line's first k; it is changed
 */
export function emitPack(
  code: Code,
  arithmetic: Arithmetic,
  lines: Lines,
  source: Local,
  target: Local,
  count: Count,
): void {
  const { lanes, lineStride, kStride } = lines;
  const lineCount = lanes.reduce((sum, of) => sum + of, 0);
  // Offsets of loads are unsigned: with a negative stride, they count from the last line.
  const first = lineStride < 0 ? (lineCount - 1) * lineStride : 0;
  emitAdvance(code, source, first);
  if (lineStride === arithmetic.bytes)
    emitEach(code, lines, source, target, count, emitCopied, arithmetic, 0);
  else if (kStride === arithmetic.bytes)
    emitTransposed(code, arithmetic, lines, source, target, count, -first);
  else emitEach(code, lines, source, target, count, emitGathered, arithmetic, -first);
}

/**
 * Copies `ks` values of k of contiguous lines: a few whole rows at a time, so that reading and writing both
 * use whole cache lines.
 * @param source a local with the address of the first line's first k
 */
export function emitCopyRows(
  code: Code,
  arithmetic: Arithmetic,
  lines: Lines,
  source: Local,
  target: Local,
  ks: number,
): void {
  const moved = code.local('i32');
  code.get(source).set(moved);
  const offsets = offsetsOf(code, moved, ks, lines.kStride);
  const value = code.local('v128');
  offsets.forEach((offset, k) => {
    lines.lanes.forEach((count, vector) => {
      emitLoad(code, arithmetic, moved, offset + 16 * vector, count);
      code.set(value);
      emitStore(
        code,
        arithmetic,
        target,
        k * lines.packedStep + 16 * vector,
        value,
        lines.padded ? arithmetic.lanes : count,
      );
    });
  });
  code.release(moved, value);
}

/** Stores one k at `target`. */
type PackOne = (
  code: Code,
  arithmetic: Arithmetic,
  lines: Lines,
  source: Local,
  target: Local,
  first: number,
) => void;

/** One k after the other. */
function emitEach(
  code: Code,
  lines: Lines,
  source: Local,
  target: Local,
  count: Count,
  one: PackOne,
  arithmetic: Arithmetic,
  first: number,
): void {
  emitRounds(code, target, count, lines.packedStep, () => {
    one(code, arithmetic, lines, source, target, first);
    emitAdvance(code, source, lines.kStride);
    emitAdvance(code, target, lines.packedStep);
  });
}

/** Runs `body`, which advances `target`, until it has advanced by count·bytes. */
function emitRounds(code: Code, target: Local, count: Count, bytes: number, body: () => void): void {
  if (count === 1) {
    body();
    return;
  }
  const end = code.local('i32');
  code.get(target);
  emitAddProduct(code, count, bytes);
  code.set(end);
  code.loop((again) => {
    body();
    code.op('i32.ne', target, end).branchIf(again);
  });
  code.release(end);
}

const emitCopied: PackOne = (code, arithmetic, lines, source, target) => {
  const value = code.local('v128');
  lines.lanes.forEach((count, vector) => {
    emitLoad(code, arithmetic, source, 16 * vector, count);
    code.set(value);
    emitStore(code, arithmetic, target, 16 * vector, value, lines.padded ? arithmetic.lanes : count);
  });
  code.release(value);
};

const emitGathered: PackOne = (code, arithmetic, lines, source, target, first) => {
  const { bytes, lanes: all } = arithmetic;
  const value = code.local('v128');
  let offset = first;
  lines.lanes.forEach((count, vector) => {
    code
      .get(source)
      .memory(bytes === 4 ? 'v128.load32_zero' : 'v128.load64_zero', offset)
      .set(value);
    offset += lines.lineStride;
    for (let lane = 1; lane < count; lane++, offset += lines.lineStride) {
      code
        .get(source)
        .get(value)
        .laneMemory(bytes === 4 ? 'v128.load32_lane' : 'v128.load64_lane', lane, offset)
        .set(value);
    }
    emitStore(code, arithmetic, target, 16 * vector, value, lines.padded ? all : count);
  });
  code.release(value);
};

/** Where k is contiguous: blocks of lanes × lanes are transposed, and the rest of k is gathered. */
function emitTransposed(
  code: Code,
  arithmetic: Arithmetic,
  lines: Lines,
  source: Local,
  target: Local,
  count: Count,
  first: number,
): void {
  const { lanes: all } = arithmetic;
  const blocks = (): void => {
    let offset = first;
    lines.lanes.forEach((lineCount, vector) => {
      emitBlock(code, arithmetic, lines, source, target, offset, lineCount, vector);
      offset += lineCount * lines.lineStride;
    });
    emitAdvance(code, source, all * lines.kStride);
    emitAdvance(code, target, all * lines.packedStep);
  };
  const rest = (of: Count): void =>
    emitEach(code, lines, source, target, of, emitGathered, arithmetic, first);
  if (typeof count === 'number') {
    const whole = Math.floor(count / all);
    if (whole > 0) emitRounds(code, target, whole, all * lines.packedStep, blocks);
    if (count % all > 0) rest(count % all);
    return;
  }
  const part = code.local('i32');
  code.op('i32.and', count, -all).tee(part);
  code.if(() => emitRounds(code, target, part, lines.packedStep, blocks));
  code.op('i32.and', count, all - 1).tee(part);
  code.if(() => rest(part));
  code.release(part);
}

/** `lanes` values of k of the lines of one vector. Lanes beyond the last line repeat it. */
function emitBlock(
  code: Code,
  arithmetic: Arithmetic,
  lines: Lines,
  source: Local,
  target: Local,
  offset: number,
  lineCount: number,
  vector: number,
): void {
  const { lanes: all } = arithmetic;
  const values = Array.from({ length: all }, () => code.local('v128'));
  values.forEach((value, line) => {
    code
      .get(source)
      .memory('v128.load', offset + Math.min(line, lineCount - 1) * lines.lineStride)
      .set(value);
  });
  emitTranspose(code, values);
  values.forEach((value, k) => {
    emitStore(
      code,
      arithmetic,
      target,
      k * lines.packedStep + 16 * vector,
      value,
      lines.padded ? all : lineCount,
    );
  });
  code.release(...values);
}

/** Exchanges rows and columns of 4 × 4 numbers of 32 bits, or of 2 × 2 of 64. */
export function emitTranspose(code: Code, rows: readonly Local[]): void {
  if (rows.length === 2) {
    const [a, b] = rows as [Local, Local];
    const low = code.local('v128');
    code.get(a).get(b).shuffle32([0, 1, 4, 5]).set(low);
    code.get(a).get(b).shuffle32([2, 3, 6, 7]).set(b);
    code.get(low).set(a).release(low);
    return;
  }
  const [a, b, c, d] = rows as [Local, Local, Local, Local];
  const pairs = Array.from({ length: 4 }, () => code.local('v128')) as [Local, Local, Local, Local];
  const [lowAB, highAB, lowCD, highCD] = pairs;
  code.get(a).get(b).shuffle32([0, 4, 1, 5]).set(lowAB);
  code.get(a).get(b).shuffle32([2, 6, 3, 7]).set(highAB);
  code.get(c).get(d).shuffle32([0, 4, 1, 5]).set(lowCD);
  code.get(c).get(d).shuffle32([2, 6, 3, 7]).set(highCD);
  code.get(lowAB).get(lowCD).shuffle32([0, 1, 4, 5]).set(a);
  code.get(lowAB).get(lowCD).shuffle32([2, 3, 6, 7]).set(b);
  code.get(highAB).get(highCD).shuffle32([0, 1, 4, 5]).set(c);
  code.get(highAB).get(highCD).shuffle32([2, 3, 6, 7]).set(d);
  code.release(...pairs);
}
