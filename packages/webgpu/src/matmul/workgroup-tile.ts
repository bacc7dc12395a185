/**
 * Matrix products for hardware, whose memory is far and whose invocations are many. A workgroup computes a
 * tile of sums: it loads slabs of both factors into workgroup memory, from where every invocation takes what
 * it needs for its own smaller tile, which is in registers. With two buffers the next slabs are on their way
 * while these are multiplied, and one barrier parts the turns.
 */
import { scalarsIn, type ContractKernel, type Scalar, type Term } from '@firsthand/compiler';
import { Block } from '../emit/block.ts';
import { shaderOf } from '../emit/module.ts';
import { range } from '../emit/axes.ts';
import { elementType } from '../scalar/operations.ts';
import type { OperandLayout, Shader } from '../emit/shader.ts';
import { matrixOperandsOf, type MatrixOperand } from './matrix-operand.ts';
import { epilogueOf } from './epilogue.ts';
import { headerOf } from './header.ts';
import { isContiguousAlongK, SharedTile, type SharedTileReads } from './shared-tile.ts';
import { sumInBlocks, AccumulatorTile } from './accumulator-tile.ts';
import { divText, modText, addText, mulText } from '../emit/text.ts';
import { declareTile, edgesOf, tilesOf, type TileExtent } from './tile-grid.ts';

/** How the work is shared out. */
export interface WorkgroupTile extends TileExtent {
  /** Steps along k that are in workgroup memory: a multiple of 4 that divides `SUM_BLOCK`. */
  readonly depth: number;
  /** Rows and columns of an invocation: 4 or 8. */
  readonly perInvocation: { readonly rows: number; readonly columns: number };
  readonly buffers: 1 | 2;
  /** Whether arrays are loaded four elements at a time where that can be. */
  readonly vectors: boolean;
}

/** Invocations of a workgroup. */
export function invocationsOf({ rows, columns, perInvocation: own }: WorkgroupTile): number {
  return (rows * columns) / (own.rows * own.columns);
}
/** Bytes of workgroup memory. */
export function bytesOf({ rows, columns, depth: inner, buffers }: WorkgroupTile): number {
  return 4 * (rows + columns) * inner * buffers;
}

/**
 * Whether a factor's array can be declared as vectors: its lines begin and end with whole ones, and nobody
 * touches single elements of it.
 */
function isVectorArray(
  { m, n, k, batch, operands, stores }: ContractKernel,
  matrix: MatrixOperand,
  layout: OperandLayout,
): boolean {
  const { name, operand, index, strides: steps } = matrix;
  const alongK = isContiguousAlongK(matrix);
  const [axis, extent] = alongK
    ? [batch.length + 2, k]
    : name === 'left'
      ? [batch.length, m]
      : [batch.length + 1, n];
  const isWhole = ({ coefficient: step, atom }: Term): boolean =>
    step % 4 === 0 || (step === 1 && atom.kind === 'axis' && atom.axis === axis);
  const touches = (scalar: Scalar): boolean =>
    (scalar.op === 'load' || scalar.op === 'gather') && scalar.operand === operand;
  return (
    steps !== null &&
    (alongK ? steps.inner : steps.own) === 1 &&
    [extent, index.offset, operands[operand]!.length].every((size) => size % 4 === 0) &&
    index.terms.every(isWhole) &&
    !layout.packed.has(operand) &&
    layout.aliasOf.every((shared, other) => (shared === operand) === (other === operand)) &&
    !scalarsIn(stores.map(({ value }) => value)).some(touches)
  );
}

/** The shader of a product. */
export function workgroupTileShader(
  kernel: ContractKernel,
  layout: OperandLayout,
  tile: WorkgroupTile,
): Shader {
  const { dtype } = kernel;
  const { rows, columns, depth: inner, perInvocation: own, buffers } = tile;
  const matrices = matrixOperandsOf(kernel);
  const canBeVectors = matrices.map((matrix) => tile.vectors && isVectorArray(kernel, matrix, layout));
  // An array that is both factors is declared in one way.
  const isVector = matrices.map(({ operand }) =>
    matrices.every((other, each) => other.operand !== operand || canBeVectors[each]!),
  );
  const vectors = new Set(matrices.filter((_, each) => isVector[each]!).map(({ operand }) => operand));
  const epilogue = epilogueOf(kernel, layout, edgesOf(kernel, tile), vectors);
  const { expressions } = epilogue;
  const size = invocationsOf(tile);
  const across = columns / own.columns;
  const body = new Block(1);
  declareTile(body, kernel, tile);
  body.line(`let down = ${divText('lane', across)};`, `let across = ${modText('lane', across)};`);
  const type = elementType(dtype);
  const common = { kernel, expressions, type, inner };
  const sharedTiles = [
    new SharedTile({
      ...common,
      matrix: matrices[0],
      isVector: isVector[0]!,
      size: rows,
      count: own.rows,
      place: 'down',
    }),
    new SharedTile({
      ...common,
      matrix: matrices[1],
      isVector: isVector[1]!,
      size: columns,
      count: own.columns,
      place: 'across',
    }),
  ] as const;
  const accumulators = new AccumulatorTile(type, own.rows, own.columns);
  multiply(body, kernel, tile, accumulators, sharedTiles);
  accumulators.forEach(body, (each, other, total) => {
    const [rowOf, columnOf] = [sharedTiles[0].position(each), sharedTiles[1].position(Number(other))];
    return epilogue.call(addText('row', rowOf), addText('column', columnOf), total);
  });

  return shaderOf({
    expressions,
    size,
    workgroups: tilesOf(kernel, tile),
    body,
    header: headerOf(
      kernel,
      `a workgroup has ${rows} × ${columns} sums, an invocation ${own.rows} × ${own.columns}; ${inner} steps along k are in workgroup memory`,
    ),
    declarations: [
      ...matrices.flatMap(({ declaration }) => declaration ?? []),
      ...sharedTiles.flatMap((sharedTile) => sharedTile.declarations(buffers)),
      epilogue.declaration,
    ],
  });
}

/** The loop over k. */
function multiply(
  body: Block,
  { k, dtype }: ContractKernel,
  tile: WorkgroupTile,
  accumulators: AccumulatorTile,
  sharedTiles: readonly [SharedTile, SharedTile],
): void {
  const { depth: inner, buffers } = tile;
  const size = invocationsOf(tile);
  const firsts = ['row', 'column'] as const;
  /** Every vector that an invocation loads: of which slab, from which corner, and which. */
  const loads = sharedTiles.flatMap((sharedTile, side) =>
    range(sharedTile.vectors / size).map((each) => ({
      sharedTile: sharedTile,
      first: firsts[side]!,
      vector: addText('lane', size * each),
      name: `${sharedTile.name}_next${each}`,
    })),
  );
  const begin = (sharedTile: SharedTile): string =>
    buffers === 1 ? '0' : mulText(sharedTile.vectors, 'buffer');
  const pack = (block: Block, step: string): void => {
    for (const { sharedTile, first, vector } of loads)
      block.line(sharedTile.store(begin(sharedTile), vector, sharedTile.load(first, step, vector)));
  };
  accumulators.declare(body, 'sum');
  if (buffers === 2) {
    body.line('var buffer = 0;');
    pack(body, '0');
    body.line('workgroupBarrier();');
  }
  sumInBlocks(body, k, inner, accumulators, (loop, prefix) => {
    if (buffers === 1) {
      pack(loop, 'inner');
      loop.line('workgroupBarrier();');
    } else {
      for (const { name } of loads) loop.line(`var ${name}: vec4<${elementType(dtype)}>;`);
      const ahead = loop.open(`if (inner + ${inner} < ${k})`);
      for (const { sharedTile, first, vector, name } of loads)
        ahead.line(`${name} = ${sharedTile.load(first, `inner + ${inner}`, vector)};`);
    }
    const quads = loop.open(`for (var quad = 0; quad < ${inner / 4}; quad++)`);
    const [left, right] = sharedTiles.map((sharedTile) =>
      sharedTile.read(quads, begin(sharedTile), 'quad'),
    ) as [SharedTileReads, SharedTileReads];
    for (const step of range(4)) {
      const [one, four] = [
        (row: number): string => left.one(row, step),
        (column: number): string => right.four(column, step),
      ];
      accumulators.addProducts(quads, prefix, step, one, four);
    }
    if (buffers === 2) {
      loop.line('buffer = 1 - buffer;');
      for (const { sharedTile, vector, name } of loads)
        loop.line(sharedTile.store(begin(sharedTile), vector, name));
    }
    loop.line('workgroupBarrier();');
  });
}
