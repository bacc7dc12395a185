/**
 * Blocking of a matrix product for the memory hierarchy: register tiles, blocks of k whose sums are added,
 * blocks of columns whose packed form stays in the second-level cache, blocks of rows whose partial sums do.
 * Everything follows from the shape and the strides alone. Blocks of k are the same for all tiles, since they
 * decide the order of additions. Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication",
 * 2008.
 */
import type { ContractKernel } from '@firsthand/compiler';
import { dependsOnAxis } from '../kernels/cost.ts';
import { stridesOf } from './address.ts';
import { arithmeticOf } from './arithmetic.ts';
import type { Tiling } from './blocked-loops.ts';
import { planImplicitMatrix, type ImplicitPlan } from './implicit-plan.ts';
import { storesDirectly } from './direct-store.ts';
import { greatestCommonDivisor } from '../scalar/indices.ts';
import { planLoop, type LoopPlan } from '../kernels/loop-plan.ts';
import { rowKernel } from './row-kernel.ts';
import type { Tile } from './register-tile.ts';

/** The longest sum in one run, in elements: longer ones are split into blocks, whose sums are added. */
const LONGEST_RUN = 1024;
/**
 * Bytes of b that are packed at a time: half of a small second-level cache, which a's rows and the results
 * share.
 */
const PACKED_BYTES = 256 * 1024;
/** Bytes of an implicit b that are computed at a time. */
const IMPLICIT_BYTES = 256 * 1024;
/** Columns of a tile of an implicit b, at least. */
const LEAST_COLUMNS = 16;
/** Bytes of b that are read in place however many rows there are: half of a first-level cache. */
const CACHED_BYTES = 16 * 1024;
/** Up to this many tiles of rows, packing b costs more than it saves while b is in the second-level cache. */
const FEW_TILES = 12;
/**
 * The same where rows of b are half of `CONFLICTING_BYTES` apart, so that few of them fit into a first-level
 * cache: from 20 rows on, packing saves 8 to 16 % on a fourth-generation EPYC.
 */
const FEW_CONFLICTING_TILES = 3;
/** Rows of b this far apart, or a multiple of it, evict each other from a first-level cache. */
const CONFLICTING_BYTES = 4096;
/** Bytes of totals that wait for the epilogue: half of a first-level cache. */
const EPILOGUE_BYTES = 24 * 1024;
/** Rows whose partial sums are in working memory at a time. */
const ROW_BLOCK = 512;
/** Vectors across a tile, by the number of rows, where a product has fewer rows than the tile. */
const WIDEST: readonly number[] = [0, 8, 5, 3, 2];
/** Rows of a tile by the number of vectors across, for products with few columns. */
const HIGHEST: readonly (number | undefined)[] = [undefined, 8, undefined, 3];
/** Up to this many rows, products whose operands are contiguous along k use vectors along k. */
const DOT_ROWS = 8;
const DOT_SUMS = 9;

/** Rows from `from` to `to`, in tiles of `height` rows. */
export interface RowRange {
  readonly from: number;
  readonly to: number;
  readonly height: number;
}

/**
 * The tiles of implicit matrices: of a, for a tile of rows and a block of k at a time; of b, for a block of k
 * and of columns. Null for stored matrices.
 */
interface ImplicitPlans {
  readonly a: ImplicitPlan | null;
  readonly b: ImplicitPlan | null;
}

/** The part of a kernel's plan that does not depend on the register tile. */
export interface CommonPlan {
  readonly implicit: ImplicitPlans;
  /** Whether the only thing computed from a total is one store of it. */
  readonly storesDirectly: boolean;
  /** The loops of the row epilogue, for one row; null where there is none. */
  readonly epilogue: LoopPlan | null;
}

/** The plan of one kernel. */
export interface MatmulPlan extends Tiling {
  readonly axes: { readonly m: number; readonly n: number; readonly k: number };
  /** Bytes between neighbours, by axis. */
  readonly strides: { readonly a: readonly number[]; readonly b: readonly number[] };
  readonly ranges: readonly RowRange[];
  /** Whether vectors run along k. */
  readonly isDot: boolean;
  readonly unrolls: boolean;
  /**
   * Bytes of packed columns per k, and of a row of a tile's totals: the same for all tiles, even if the last
   * has fewer columns.
   */
  readonly panelStep: number;
  readonly packsA: boolean;
  readonly packsB: boolean;
  readonly implicit: ImplicitPlans;
  readonly epilogue: LoopPlan | null;
  /** Whether totals are stored straight from the registers. */
  readonly storesDirectly: boolean;
  /** The batch axes along which packed columns of b are reused. */
  readonly sharedAxes: readonly number[];
  /** Values of k in a block, and the number of blocks; the last may be shorter. */
  readonly kBlock: number;
  readonly kBlocks: number;
  /** Columns in a block of columns: whole tiles. */
  readonly columnBlock: number;
  /** Rows in a block of rows, where k is blocked. */
  readonly rowBlock: number;
  /**
   * Offsets in the working memory: computed elements of b, packed columns of b, packed or computed rows of a,
   * sums along k, totals (or sums of blocks of k so far) of tiles side by side, a tile, and the cache of the
   * row epilogue; and the size of it all.
   */
  readonly scratch: {
    readonly implicit: number;
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
 * The plan for a kernel with register tiles of at most a given shape.
 * @param common what the plans for all tiles have in common
 */
export function planMatmul(
  kernel: ContractKernel,
  tile: Tile,
  common: CommonPlan = planForAllTiles(kernel),
): MatmulPlan {
  const { implicit, storesDirectly, epilogue } = common;
  const { batch, m, n, k } = kernel;
  const arithmetic = arithmeticOf(kernel.dtype, false);
  const { lanes, bytes } = arithmetic;
  const axes = { m: batch.length, n: batch.length + 1, k: batch.length + 2 };
  const kBlock = blockOfK(k, implicit);
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
  const computed =
    implicit.b === null ? null : implicitBlock(implicit.b, kBlock, { n, columns, restColumns, lanes, bytes });
  const b = stored ?? [...batch.map(() => 0), 0, computed!.strides.n, computed!.strides.k];
  const [bk, bn] = [b[axes.k]!, b[axes.n]!];

  const isReadable = bn === bytes && bk > 0;
  const rowTiles = Math.ceil(m / shape.rows);
  const bytesOfB = (k - 1) * bk + n * bytes;
  const isNear = computed !== null || bytesOfB <= PACKED_BYTES;
  const fewTiles = bk % (CONFLICTING_BYTES / 2) === 0 ? FEW_CONFLICTING_TILES : FEW_TILES;
  const staysCached =
    bytesOfB <= CACHED_BYTES || (isNear && rowTiles <= fewTiles && bk % CONFLICTING_BYTES !== 0);
  const packsB = !isDot && !(isReadable && (rowTiles <= 1 || staysCached));
  const packsA = !isDot && a[axes.k] !== bytes && k > 1 && n > 3 * columns;

  const width = (count: number): number => Math.ceil(count / lanes) * 16;
  const packedColumns = packsB
    ? Math.max(columns, Math.floor(PACKED_BYTES / (width(columns) * kBlock)) * columns)
    : Infinity;
  const epilogueColumns = storesDirectly
    ? Infinity
    : Math.floor(EPILOGUE_BYTES / (tallest * width(columns))) * columns;
  const columnBlock = Math.min(
    packedColumns,
    epilogueColumns,
    computed?.columnBlock ?? Infinity,
    wholeColumns,
  );
  const kBlocks = Math.ceil(k / (isDot ? k : kBlock));
  const across = width(columnBlock) + (restColumns > 0 ? width(columns) : 0);
  const rowBlock = kBlocks > 1 ? Math.max(tallest, Math.min(m, ROW_BLOCK)) : m;
  const scratch = layOut({
    implicit: computed?.bytes ?? 0,
    b: packsB ? across * kBlock : 0,
    a: implicit.a !== null ? tallest * a[axes.m]! : packsA ? tallest * bytes * kBlock : 0,
    dots: isDot ? 16 * tallest * columns : 0,
    sums: across * (kBlocks > 1 ? rowBlock : storesDirectly ? 0 : tallest),
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
    implicit: implicit,
    epilogue,
    storesDirectly: storesDirectly && kBlocks === 1,
    sharedAxes: batch.flatMap((_, axis) =>
      (packsB || implicit.b !== null) && kBlocks === 1 && isShared(axis) ? [axis] : [],
    ),
    kBlock: isDot ? k : kBlock,
    kBlocks,
    columnBlock,
    rowBlock,
    scratch,
  };
}

/** Plans what does not depend on the register tile. */
export function planForAllTiles(kernel: ContractKernel): CommonPlan {
  const { rowEpilogue, batch } = kernel;
  return {
    implicit: planImplicitMatrices(kernel),
    storesDirectly: storesDirectly(kernel),
    epilogue: rowEpilogue === null ? null : planLoop(rowKernel(kernel, rowEpilogue), batch.length + 1),
  };
}

/** Whether a tile of rows is complete, in all columns and over all of k, before the next one begins. */
export function isRowByRow({ kBlocks, columnBlock, wholeColumns }: MatmulPlan): boolean {
  return kBlocks === 1 && columnBlock >= wholeColumns;
}

/** The size of blocks of k, as even as possible, each of whole tiles of the implicit matrices. */
function blockOfK(k: number, { a, b }: ImplicitPlans): number {
  if (k <= LONGEST_RUN) return k;
  const [left, right] = [a?.tile.k ?? 1, b?.tile.k ?? (a === null ? 4 : 1)];
  const unit = (left * right) / greatestCommonDivisor(left, right);
  const units = Math.ceil(k / unit);
  const blocks = Math.ceil(units / Math.max(1, Math.floor(LONGEST_RUN / unit)));
  return Math.ceil(units / blocks) * unit;
}

// ---- implicit matrices

/** b in tiles of which blocks of k and of columns hold several; a row by row. */
function planImplicitMatrices(kernel: ContractKernel): ImplicitPlans {
  const { a, b, k, dtype } = kernel;
  const bytesPerColumn = arithmeticOf(dtype, false).bytes * Math.min(k, LONGEST_RUN);
  const most = {
    k: LONGEST_RUN,
    n: Math.max(LEAST_COLUMNS, Math.floor(IMPLICIT_BYTES / (2 * bytesPerColumn))),
  };
  return {
    a: 'value' in a ? planImplicitMatrix(kernel, a, { k: LONGEST_RUN, n: 1 }) : null,
    b: 'value' in b ? planImplicitMatrix(kernel, b, most) : null,
  };
}

/**
 * Bytes from one line of computed elements to the next: one vector more where lines would evict each other
 * from the cache.
 */
function pitchOf(count: number, lanes: number): number {
  const line = Math.ceil(count / lanes) * 16;
  return line % CONFLICTING_BYTES === 0 ? line + 16 : line;
}

/** A block of an implicit b in working memory: its columns, the strides in bytes, and its bytes. */
function implicitBlock(
  { tile, alongK }: ImplicitPlan,
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
  const most = Math.floor(IMPLICIT_BYTES / (kBlock * bytes));
  // Blocks that begin with a tile compute nothing twice.
  const aligned = (columns * tile.n) / greatestCommonDivisor(columns, tile.n);
  const unit = aligned <= most ? aligned : columns;
  const columnBlock = Math.max(1, Math.floor(most / unit)) * unit;
  const across = Math.min(n, columnBlock + restColumns + 2 * (tile.n - 1));
  const strides = alongK ? { k: bytes, n: pitchOf(kBlock, lanes) } : { k: pitchOf(across, lanes), n: bytes };
  return { columnBlock, strides, bytes: alongK ? across * strides.n : kBlock * strides.k };
}

/** Offsets of consecutive parts of working memory, each on a new cache line. */
function layOut<K extends string>(sizes: { readonly [P in K]: number }): {
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
  /** In vectors; where vectors run along k, in columns. */
  readonly columns: number;
}

/**
 * The register tile for a shape. With fewer rows than the tile's, there are registers for more columns,
 * distributed evenly; with few columns, for more rows.
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
 * Covers m rows by the fewest tiles, of two heights that differ by one: 64 rows in tiles of at most 6 are 9
 * of 6 and 2 of 5.
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
