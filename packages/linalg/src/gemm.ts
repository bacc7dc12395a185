/**
 * C = A·B for floats, blocked for the caches and tiled for the registers. B is packed in panels of 4 columns
 * and A in strips of 4 rows, as doubles, so that the innermost loop reads both front to back and keeps a 4×4
 * tile of C in 16 local variables: 16 multiply-adds for 8 loads, where the textbook loop has 1 for 2.
 * Products are added in double precision, whatever is stored (Goto and van de Geijn 2008, "Anatomy of
 * High-Performance Matrix Multiplication").
 */
import type { TypedArray } from './dtype.ts';

/** A matrix inside a typed array: element (i, j) is data[offset + i·rowStep + j·columnStep]. */
export interface MatrixView {
  readonly data: TypedArray;
  readonly offset: number;
  readonly rowStep: number;
  readonly columnStep: number;
}

/** Where a product goes: row-major and dense, from `offset`. */
export interface Target {
  readonly data: TypedArray;
  readonly offset: number;
}

/** Side of the register tile. */
const TILE = 4;
/** Depth of a panel: a strip of A and a panel of B, 8 KiB each, stay in the first-level cache. */
const DEPTH = 256;
/** Columns per block: the packed block of B, 512 KiB, stays in the second-level cache. */
const COLUMNS = 256;

/**
 * Writes A·B over C; any strides.
 * @param rows rows of A and C
 * @param columns columns of B and C
 * @param inner columns of A, rows of B; if 0, C is zeros
 */
export function gemm(
  rows: number,
  columns: number,
  inner: number,
  a: MatrixView,
  b: MatrixView,
  c: Target,
): void {
  if (columns < TILE) return multiplyByFewColumns(rows, columns, inner, a, b, c);
  if (rows < TILE) return multiplyFewRows(rows, columns, inner, a, b, c);
  const paddedRows = Math.ceil(rows / TILE) * TILE;
  const width = Math.ceil(Math.min(columns, COLUMNS) / TILE) * TILE;
  const sums = new Float64Array(paddedRows * width);
  const panels = new Float64Array(Math.min(inner, DEPTH) * width);
  const strip = new Float64Array(Math.min(inner, DEPTH) * TILE);
  for (let firstColumn = 0; firstColumn < columns; firstColumn += COLUMNS) {
    const blockColumns = Math.min(COLUMNS, columns - firstColumn);
    sums.fill(0);
    for (let firstInner = 0; firstInner < inner; firstInner += DEPTH) {
      const depth = Math.min(DEPTH, inner - firstInner);
      const start = b.offset + firstInner * b.rowStep + firstColumn * b.columnStep;
      for (let j = 0; j < blockColumns; j += TILE) {
        packTile(
          depth,
          blockColumns - j,
          b.data,
          start + j * b.columnStep,
          b.rowStep,
          b.columnStep,
          panels,
          j * depth,
        );
      }
      for (let i = 0; i < rows; i += TILE) {
        packTile(
          depth,
          rows - i,
          a.data,
          a.offset + i * a.rowStep + firstInner * a.columnStep,
          a.columnStep,
          a.rowStep,
          strip,
          0,
        );
        for (let j = 0; j < blockColumns; j += TILE)
          multiplyTile(depth, strip, panels, j * depth, sums, i * width + j, width);
      }
    }
    for (let i = 0; i < rows; i++) {
      c.data.set(sums.subarray(i * width, i * width + blockColumns), c.offset + i * columns + firstColumn);
    }
  }
}

/**
 * Packs `depth` groups of 4 neighbours; beyond `available` neighbours, zeros, whose products land outside C.
 */
function packTile(
  depth: number,
  available: number,
  x: TypedArray,
  start: number,
  along: number,
  across: number,
  packed: Float64Array,
  o: number,
): void {
  if (available >= TILE) {
    for (let k = 0; k < depth; k++, start += along, o += TILE) {
      packed[o] = x[start]!;
      packed[o + 1] = x[start + across]!;
      packed[o + 2] = x[start + 2 * across]!;
      packed[o + 3] = x[start + 3 * across]!;
    }
    return;
  }
  for (let k = 0; k < depth; k++, start += along, o += TILE) {
    for (let t = 0; t < TILE; t++) packed[o + t] = t < available ? x[start + t * across]! : 0;
  }
}

/** Adds the product of a 4×depth strip of A and a depth×4 panel of B to a 4×4 tile of the sums. */
// oxfmt-ignore
function multiplyTile(depth: number, a: Float64Array, b: Float64Array, j: number, c: Float64Array, o: number, width: number): void {
  let c00 = 0, c01 = 0, c02 = 0, c03 = 0;
  let c10 = 0, c11 = 0, c12 = 0, c13 = 0;
  let c20 = 0, c21 = 0, c22 = 0, c23 = 0;
  let c30 = 0, c31 = 0, c32 = 0, c33 = 0;
  for (let k = 0, i = 0; k < depth; k++, i += TILE, j += TILE) {
    const a0 = a[i]!, a1 = a[i + 1]!, a2 = a[i + 2]!, a3 = a[i + 3]!;
    const b0 = b[j]!;
    c00 += a0 * b0; c10 += a1 * b0; c20 += a2 * b0; c30 += a3 * b0;
    const b1 = b[j + 1]!;
    c01 += a0 * b1; c11 += a1 * b1; c21 += a2 * b1; c31 += a3 * b1;
    const b2 = b[j + 2]!;
    c02 += a0 * b2; c12 += a1 * b2; c22 += a2 * b2; c32 += a3 * b2;
    const b3 = b[j + 3]!;
    c03 += a0 * b3; c13 += a1 * b3; c23 += a2 * b3; c33 += a3 * b3;
  }
  c[o]! += c00; c[o + 1]! += c01; c[o + 2]! += c02; c[o + 3]! += c03;
  o += width;
  c[o]! += c10; c[o + 1]! += c11; c[o + 2]! += c12; c[o + 3]! += c13;
  o += width;
  c[o]! += c20; c[o + 1]! += c21; c[o + 2]! += c22; c[o + 3]! += c23;
  o += width;
  c[o]! += c30; c[o + 1]! += c31; c[o + 2]! += c32; c[o + 3]! += c33;
}

/**
 * Matrix times vector, or a few: packing would cost as much as the work. One dot product per element of C.
 */
function multiplyByFewColumns(
  rows: number,
  columns: number,
  inner: number,
  a: MatrixView,
  b: MatrixView,
  c: Target,
): void {
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      c.data[c.offset + i * columns + j] = dotRow(
        inner,
        a.data,
        a.offset + i * a.rowStep,
        a.columnStep,
        b.data,
        b.offset + j * b.columnStep,
        b.rowStep,
      );
    }
  }
}

function dotRow(n: number, x: TypedArray, i: number, s: number, y: TypedArray, j: number, t: number): number {
  let sum = 0;
  for (let k = 0; k < n; k++, i += s, j += t) sum += x[i]! * y[j]!;
  return sum;
}

/**
 * Vector times matrix, or a few: each row of C gathers multiples of B's rows, which are read front to back.
 */
function multiplyFewRows(
  rows: number,
  columns: number,
  inner: number,
  a: MatrixView,
  b: MatrixView,
  c: Target,
): void {
  const sums = new Float64Array(columns);
  for (let i = 0; i < rows; i++) {
    sums.fill(0);
    for (let k = 0; k < inner; k++) {
      addMultiple(
        columns,
        a.data[a.offset + i * a.rowStep + k * a.columnStep]!,
        b.data,
        b.offset + k * b.rowStep,
        b.columnStep,
        sums,
      );
    }
    c.data.set(sums, c.offset + i * columns);
  }
}

function addMultiple(
  n: number,
  factor: number,
  x: TypedArray,
  i: number,
  s: number,
  sums: Float64Array,
): void {
  for (let k = 0; k < n; k++, i += s) sums[k]! += factor * x[i]!;
}

/** Writes A·B over C for int32 and uint32, modulo 2³². */
export function integerGemm(
  rows: number,
  columns: number,
  inner: number,
  a: MatrixView,
  b: MatrixView,
  c: Target,
): void {
  const sums = new Int32Array(columns);
  for (let i = 0; i < rows; i++) {
    sums.fill(0);
    for (let k = 0; k < inner; k++) {
      const factor = a.data[a.offset + i * a.rowStep + k * a.columnStep]!;
      const start = b.offset + k * b.rowStep;
      for (let j = 0; j < columns; j++)
        sums[j] = (sums[j]! + Math.imul(factor, b.data[start + j * b.columnStep]!)) | 0;
    }
    c.data.set(sums, c.offset + i * columns);
  }
}
