/**
 * How a matrix product is cut into pieces that fit the machine: register tiles, blocks of k whose sums are
 * added up, blocks of columns whose packed form stays in the second-level cache, blocks of rows whose partial
 * sums do. All of it follows from the shape and the strides alone. Blocks of k are the same for all tiles,
 * since they decide the order of additions. Goto and van de Geijn, "Anatomy of High-Performance Matrix
 * Multiplication", 2008.
 */
import type { ContractKernel } from '@firsthand/compiler';
import { dependsOnAxis } from '../kernels/cost.ts';
import { stridesOf } from './address.ts';
import { arithmeticOf } from './arithmetic.ts';
import type { Tiling } from './blocks.ts';
import { planFill, type FillPlan } from './fill-plan.ts';
import { isStoredPlainly } from './finish-plainly.ts';
import { greatestCommonDivisor } from '../scalar/indices.ts';
import { planLoop, type LoopPlan } from '../kernels/loop-plan.ts';
import { rowKernel } from './row-kernel.ts';
import type { Tile } from './tile.ts';

/** The longest sum in one run, in elements: longer ones are split into blocks, whose sums are added. */
const LONGEST_RUN = 1024;
/**
 * Bytes of b that are packed at a time: half of a small second-level cache, which a's rows and the results
 * pass through too.
 */
const PACKED_BYTES = 256 * 1024;
/** Bytes of b that are computed at a time, where it is computed. */
const FILLED_BYTES = 256 * 1024;
/** Columns of a piece of a computed b, at least. */
const LEAST_COLUMNS = 16;
/** Bytes of b that are read in place however many rows there are: half of a first-level cache. */
const CACHED_BYTES = 16 * 1024;
/** Tiles of rows for which it doesn't pay to pack what lies in the second-level cache. */
const FEW_TILES = 12;
/**
 * The same where rows of b are half of `CONFLICTING_BYTES` apart, so that few of them are in a first-level
 * cache: from 20 rows on, 8 to 16 % on an EPYC of the fourth generation.
 */
const FEW_CONFLICTING_TILES = 3;
/** Rows of b that are so far apart, or a multiple of it, drive each other out of a first-level cache. */
const CONFLICTING_BYTES = 4096;
/** Bytes of totals that wait until a row is finished: half of a first-level cache. */
const FINISHED_BYTES = 24 * 1024;
/** Rows whose partial sums are kept at a time. */
const ROW_BLOCK = 512;
/** Vectors across a tile, by the number of rows, where a product has fewer rows than the tile. */
const WIDEST: readonly number[] = [0, 8, 5, 3, 2];
/** Rows of a tile, by the number of vectors across, where a product has so few. */
const HIGHEST: readonly (number | undefined)[] = [undefined, 8, undefined, 3];
/** Up to so many rows, products of operands that are contiguous along k are taken along k. */
const DOT_ROWS = 8;
const DOT_SUMS = 9;

/** Rows from `from` to `to`, in tiles of `height` rows. */
export interface RowRange {
  readonly from: number;
  readonly to: number;
  readonly height: number;
}

/**
 * How matrices are computed that lie nowhere: a, for a tile of rows and a block of k at a time; b, for a
 * block of k and of columns.
 */
interface Fills {
  readonly a: FillPlan | null;
  readonly b: FillPlan | null;
}

/** What the plans of a kernel for all tiles have in common. */
export interface CommonPlan {
  readonly fills: Fills;
  /** Whether all that is done with totals is to store them. */
  readonly isPlain: boolean;
  /** The loops of the row epilogue, for one row; null where there is none. */
  readonly epilogue: LoopPlan | null;
}

/** The pieces of one kernel. */
export interface ContractPlan extends Tiling {
  readonly axes: { readonly m: number; readonly n: number; readonly k: number };
  /** Bytes between neighbours, by axis. */
  readonly strides: { readonly a: readonly number[]; readonly b: readonly number[] };
  readonly ranges: readonly RowRange[];
  /** Whether vectors run along k. */
  readonly isDot: boolean;
  readonly unrolls: boolean;
  /**
   * Bytes of packed columns per k, and of a row of a tile's totals. All tiles have as many, even if the last
   * has fewer columns.
   */
  readonly panelStep: number;
  readonly packsA: boolean;
  readonly packsB: boolean;
  readonly fills: Fills;
  readonly epilogue: LoopPlan | null;
  /** Whether totals go straight from the registers into the results. */
  readonly isPlain: boolean;
  /** The batch axes along which packed columns of b are used again. */
  readonly sharedAxes: readonly number[];
  /** Values of k in a block, and blocks; the last may be shorter. */
  readonly kBlock: number;
  readonly kBlocks: number;
  /** Columns in a block of columns: whole tiles. */
  readonly columnBlock: number;
  /** Rows in a block of rows, where k is blocked. */
  readonly rowBlock: number;
  /**
   * Offsets of the parts of the working memory: computed elements of b, packed columns of b, packed or
   * computed rows of a, sums along k, totals (or sums of blocks of k so far) of tiles side by side, a tile,
   * and what finishing a row needs; and its size.
   */
  readonly scratch: {
    readonly fill: number;
    readonly b: number;
    readonly a: number;
    readonly dots: number;
    readonly sums: number;
    readonly tile: number;
    readonly row: number;
    readonly bytes: number;
  };
}

/**
 * The plan for a kernel with tiles of at most a given shape.
 * @param common what the plans for all tiles have in common
 */
export function planContract(
  kernel: ContractKernel,
  tile: Tile,
  common: CommonPlan = commonPlan(kernel),
): ContractPlan {
  const { fills, isPlain, epilogue } = common;
  const { batch, m, n, k } = kernel;
  const arithmetic = arithmeticOf(kernel.dtype, false);
  const { lanes, bytes } = arithmetic;
  const axes = { m: batch.length, n: batch.length + 1, k: batch.length + 2 };
  const kBlock = blockOfK(k, fills);
  const a =
    'value' in kernel.a
      ? [...batch.map(() => 0), pitchOf(kBlock, lanes), 0, bytes]
      : stridesOf(kernel.a.index, axes.k + 1, bytes);
  const stored = 'value' in kernel.b ? null : stridesOf(kernel.b.index, axes.k + 1, bytes);
  const isDot =
    a[axes.k] === bytes &&
    stored?.[axes.k] === bytes &&
    k >= 8 * lanes &&
    k <= lanes * LONGEST_RUN &&
    (m <= DOT_ROWS || n <= 2);
  const shape = isDot ? dotTile(m, n) : fitted(m, n, lanes, tile);
  const columns = isDot ? shape.columns : shape.columns * lanes;
  const ranges = rowRanges(m, shape.rows);
  const tallest = Math.max(...ranges.map(({ height }) => height));
  const restColumns = n % columns;
  const wholeColumns = n - restColumns;
  const filled =
    fills.b === null ? null : filledBlock(fills.b, kBlock, { n, columns, restColumns, lanes, bytes });
  const b = stored ?? [...batch.map(() => 0), 0, filled!.strides.n, filled!.strides.k];
  const [bk, bn] = [b[axes.k]!, b[axes.n]!];

  const isReadable = bn === bytes && bk > 0;
  const rowTiles = Math.ceil(m / shape.rows);
  const bytesOfB = (k - 1) * bk + n * bytes;
  const isNear = filled !== null || bytesOfB <= PACKED_BYTES;
  const fewTiles = bk % (CONFLICTING_BYTES / 2) === 0 ? FEW_CONFLICTING_TILES : FEW_TILES;
  const staysCached =
    bytesOfB <= CACHED_BYTES || (isNear && rowTiles <= fewTiles && bk % CONFLICTING_BYTES !== 0);
  const packsB = !isDot && !(isReadable && (rowTiles <= 1 || staysCached));
  const packsA = !isDot && a[axes.k] !== bytes && k > 1 && n > 3 * columns;

  const width = (count: number): number => Math.ceil(count / lanes) * 16;
  const packable = packsB
    ? Math.max(columns, Math.floor(PACKED_BYTES / (width(columns) * kBlock)) * columns)
    : Infinity;
  const finishable = isPlain ? Infinity : Math.floor(FINISHED_BYTES / (tallest * width(columns))) * columns;
  const columnBlock = Math.min(packable, finishable, filled?.columnBlock ?? Infinity, wholeColumns);
  const kBlocks = Math.ceil(k / (isDot ? k : kBlock));
  const across = width(columnBlock) + (restColumns > 0 ? width(columns) : 0);
  const rowBlock = kBlocks > 1 ? Math.max(tallest, Math.min(m, ROW_BLOCK)) : m;
  const scratch = placed({
    fill: filled?.bytes ?? 0,
    b: packsB ? across * kBlock : 0,
    a: fills.a !== null ? tallest * a[axes.m]! : packsA ? tallest * bytes * kBlock : 0,
    dots: isDot ? 16 * tallest * columns : 0,
    sums: across * (kBlocks > 1 ? rowBlock : isPlain ? 0 : tallest),
    tile: kBlocks > 1 ? tallest * width(columns) : 0,
    row: epilogue?.scratchBytes ?? 0,
  });
  const isShared = (axis: number): boolean =>
    'value' in kernel.b ? !dependsOnAxis(kernel.b.value, axis) : b[axis] === 0;
  return {
    axes,
    strides: { a, b },
    ranges,
    isDot,
    unrolls: tile.unrolls && shape.rows === tile.rows && columns === tile.vectors * lanes,
    columns,
    wholeColumns,
    restColumns,
    panelStep: width(columns),
    packsA,
    packsB,
    fills,
    epilogue,
    isPlain: isPlain && kBlocks === 1,
    sharedAxes: batch.flatMap((_, axis) =>
      (packsB || fills.b !== null) && kBlocks === 1 && isShared(axis) ? [axis] : [],
    ),
    kBlock: isDot ? k : kBlock,
    kBlocks,
    columnBlock,
    rowBlock,
    scratch,
  };
}

/** Works out what all tiles have in common. */
export function commonPlan(kernel: ContractKernel): CommonPlan {
  const { rowEpilogue, batch } = kernel;
  return {
    fills: fillsOf(kernel),
    isPlain: isStoredPlainly(kernel),
    epilogue: rowEpilogue === null ? null : planLoop(rowKernel(kernel, rowEpilogue), batch.length + 1),
  };
}

/** Whether a tile of rows is whole, in all columns and over all of k, before the next one begins. */
export function isRowByRow({ kBlocks, columnBlock, wholeColumns }: ContractPlan): boolean {
  return kBlocks === 1 && columnBlock >= wholeColumns;
}

/** Blocks of k as even as there can be, of whole pieces of what is computed. */
function blockOfK(k: number, { a, b }: Fills): number {
  if (k <= LONGEST_RUN) return k;
  const [left, right] = [a?.inPiece.k ?? 1, b?.inPiece.k ?? (a === null ? 4 : 1)];
  const unit = (left * right) / greatestCommonDivisor(left, right);
  const units = Math.ceil(k / unit);
  const blocks = Math.ceil(units / Math.max(1, Math.floor(LONGEST_RUN / unit)));
  return Math.ceil(units / blocks) * unit;
}

// ---- matrices that are computed

/** How they are computed: b in pieces of which blocks of k and of columns have several, a row by row. */
function fillsOf(kernel: ContractKernel): Fills {
  const { a, b, k, dtype } = kernel;
  const bytesPerColumn = arithmeticOf(dtype, false).bytes * Math.min(k, LONGEST_RUN);
  const most = {
    k: LONGEST_RUN,
    n: Math.max(LEAST_COLUMNS, Math.floor(FILLED_BYTES / (2 * bytesPerColumn))),
  };
  return {
    a: 'value' in a ? planFill(kernel, a, { k: LONGEST_RUN, n: 1 }) : null,
    b: 'value' in b ? planFill(kernel, b, most) : null,
  };
}

/**
 * Bytes from one line of computed elements to the next: one vector more where lines would drive each other
 * out of the cache.
 */
function pitchOf(count: number, lanes: number): number {
  const line = Math.ceil(count / lanes) * 16;
  return line % CONFLICTING_BYTES === 0 ? line + 16 : line;
}

/** A block of b in working memory: its columns, the strides in bytes, and its bytes. */
function filledBlock(
  { inPiece, alongK }: FillPlan,
  kBlock: number,
  sizes: {
    readonly n: number;
    readonly columns: number;
    readonly restColumns: number;
    readonly lanes: number;
    readonly bytes: number;
  },
): {
  readonly columnBlock: number;
  readonly strides: { readonly k: number; readonly n: number };
  readonly bytes: number;
} {
  const { n, columns, restColumns, lanes, bytes } = sizes;
  const most = Math.floor(FILLED_BYTES / (kBlock * bytes));
  // Blocks that begin with a piece compute nothing twice.
  const aligned = (columns * inPiece.n) / greatestCommonDivisor(columns, inPiece.n);
  const unit = aligned <= most ? aligned : columns;
  const columnBlock = Math.max(1, Math.floor(most / unit)) * unit;
  const across = Math.min(n, columnBlock + restColumns + 2 * (inPiece.n - 1));
  const strides = alongK ? { k: bytes, n: pitchOf(kBlock, lanes) } : { k: pitchOf(across, lanes), n: bytes };
  return { columnBlock, strides, bytes: alongK ? across * strides.n : kBlock * strides.k };
}

/** Parts of working memory one after the other, from one cache line on each. */
function placed<K extends string>(sizes: { readonly [P in K]: number }): {
  readonly [P in K | 'bytes']: number;
} {
  let bytes = 0;
  const offsets = Object.entries<number>(sizes).map(([part, size]) => {
    const offset = bytes;
    bytes += Math.ceil(size / 64) * 64;
    return [part, offset] as const;
  });
  return { ...Object.fromEntries(offsets), bytes } as { readonly [P in K | 'bytes']: number };
}

interface TileShape {
  readonly rows: number;
  /** In vectors, or, where vectors run along k, in columns. */
  readonly columns: number;
}

/**
 * The tile for a shape. Fewer rows than a tile has make room for more columns, which are shared out evenly;
 * few columns make room for more rows.
 */
function fitted(m: number, n: number, lanes: number, { rows, vectors }: Tile): TileShape {
  const all = Math.ceil(n / lanes);
  if (m < rows) {
    const widest = Math.max(WIDEST[m] ?? 0, vectors);
    return { rows: m, columns: Math.ceil(all / Math.ceil(all / widest)) };
  }
  const highest = HIGHEST[all];
  return highest === undefined ? { rows, columns: vectors } : { rows: highest, columns: all };
}

function dotTile(m: number, n: number): TileShape {
  const columns = m === 1 && n >= 8 ? 8 : Math.min(4, n);
  return { rows: Math.floor(DOT_SUMS / columns), columns };
}

/**
 * As few tiles as there can be, of two heights that differ by one row: 64 rows in tiles of at most 6 are 9 of
 * 6 and 2 of 5.
 */
export function rowRanges(m: number, rows: number): readonly RowRange[] {
  const tiles = Math.ceil(m / rows);
  const height = Math.floor(m / tiles);
  const taller = (m - tiles * height) * (height + 1);
  const ranges = [
    { from: 0, to: taller, height: height + 1 },
    { from: taller, to: m, height },
  ];
  return ranges.filter(({ from, to }) => from < to);
}
