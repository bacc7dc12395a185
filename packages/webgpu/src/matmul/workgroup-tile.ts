/**
 * Matrix products for hardware: two levels of tiling. A workgroup accumulates a tile of the result; it packs
 * tiles of both matrices into workgroup memory, from which each invocation computes a smaller tile in
 * registers. With two buffers the next tiles are loaded while the current ones are multiplied (double
 * buffering), and an iteration needs one barrier.
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
import { blockedLoop, AccumulatorTile } from './accumulator-tile.ts';
import { divText, modText, addText, mulText } from '../emit/text.ts';
import { declareTile, edgesOf, tileCount, type TileExtent } from './tile-grid.ts';

/** A workgroup's tile. */
export interface WorkgroupTile extends TileExtent {
  /** Steps along k in workgroup memory: a multiple of 4 that divides `SUM_BLOCK`. */
  readonly depth: number;
  /** The register tile of an invocation: 4 or 8 each. */
  readonly perInvocation: { readonly rows: number; readonly columns: number };
  readonly buffers: 1 | 2;
  /** Whether arrays are loaded as vec4 where their layout allows it. */
  readonly vectors: boolean;
}

/** Invocations of a workgroup. */
export function invocationsOf({ rows, columns, perInvocation }: WorkgroupTile): number {
  return (rows * columns) / (perInvocation.rows * perInvocation.columns);
}
/** Bytes of workgroup memory. */
export function bytesOf({ rows, columns, depth, buffers }: WorkgroupTile): number {
  return 4 * (rows + columns) * depth * buffers;
}

/**
 * Whether a matrix can be declared as an array of vec4: its lines begin and end at vectors, and no other
 * access is to single elements.
 */
function isVectorisable(
  { m, n, k, batch, operands, stores }: ContractKernel,
  matrix: MatrixOperand,
  layout: OperandLayout,
): boolean {
  const { name, operand, index, strides } = matrix;
  const alongK = isContiguousAlongK(matrix);
  const [axis, extent] = alongK
    ? [batch.length + 2, k]
    : name === 'left'
      ? [batch.length, m]
      : [batch.length + 1, n];
  const isAligned = ({ coefficient, atom }: Term): boolean =>
    coefficient % 4 === 0 || (coefficient === 1 && atom.kind === 'axis' && atom.axis === axis);
  const touches = (scalar: Scalar): boolean =>
    (scalar.op === 'load' || scalar.op === 'gather') && scalar.operand === operand;
  return (
    strides !== null &&
    (alongK ? strides.k : strides.outer) === 1 &&
    [extent, index.offset, operands[operand]!.length].every((size) => size % 4 === 0) &&
    index.terms.every(isAligned) &&
    !layout.packed.has(operand) &&
    layout.aliasOf.every((array, other) => (array === operand) === (other === operand)) &&
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
  const { rows, columns, depth, perInvocation, buffers } = tile;
  const matrices = matrixOperandsOf(kernel);
  const canBeVectors = matrices.map((matrix) => tile.vectors && isVectorisable(kernel, matrix, layout));
  // An array that is both matrices is declared in one way.
  const isVector = matrices.map(({ operand }) =>
    matrices.every((other, each) => other.operand !== operand || canBeVectors[each]!),
  );
  const vectors = new Set(matrices.filter((_, each) => isVector[each]!).map(({ operand }) => operand));
  const epilogue = epilogueOf(kernel, layout, edgesOf(kernel, tile), vectors);
  const { expressions } = epilogue;
  const size = invocationsOf(tile);
  const across = columns / perInvocation.columns;
  const body = new Block(1);
  declareTile(body, kernel, tile);
  body.line(`let down = ${divText('lane', across)};`, `let across = ${modText('lane', across)};`);
  const type = elementType(dtype);
  const common = { kernel, expressions, type, depth };
  const sharedTiles = [
    new SharedTile({
      ...common,
      matrix: matrices[0],
      isVector: isVector[0]!,
      size: rows,
      perInvocation: perInvocation.rows,
      invocation: 'down',
    }),
    new SharedTile({
      ...common,
      matrix: matrices[1],
      isVector: isVector[1]!,
      size: columns,
      perInvocation: perInvocation.columns,
      invocation: 'across',
    }),
  ] as const;
  const accumulators = new AccumulatorTile(type, perInvocation.rows, perInvocation.columns);
  multiply(body, kernel, tile, accumulators, sharedTiles);
  accumulators.forEach(body, (each, other, total) => {
    const [rowOf, columnOf] = [sharedTiles[0].position(each), sharedTiles[1].position(Number(other))];
    return epilogue.call(addText('row', rowOf), addText('column', columnOf), total);
  });

  return shaderOf({
    expressions,
    size,
    workgroups: tileCount(kernel, tile),
    body,
    header: headerOf(
      kernel,
      `a workgroup has ${rows} × ${columns} sums, an invocation ${perInvocation.rows} × ${perInvocation.columns}; ` +
        `${depth} steps along k are in workgroup memory`,
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
  const { depth, buffers } = tile;
  const size = invocationsOf(tile);
  const firsts = ['row', 'column'] as const;
  /** The vectors that an invocation loads: their tile, its first row or column, their number in it. */
  const loads = sharedTiles.flatMap((sharedTile, side) =>
    range(sharedTile.vectors / size).map((each) => ({
      sharedTile,
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
  blockedLoop(body, k, depth, accumulators, (loop, prefix) => {
    if (buffers === 1) {
      pack(loop, 'inner');
      loop.line('workgroupBarrier();');
    } else {
      for (const { name } of loads) loop.line(`var ${name}: vec4<${elementType(dtype)}>;`);
      const ahead = loop.open(`if (inner + ${depth} < ${k})`);
      for (const { sharedTile, first, vector, name } of loads)
        ahead.line(`${name} = ${sharedTile.load(first, `inner + ${depth}`, vector)};`);
    }
    const quads = loop.open(`for (var quad = 0; quad < ${depth / 4}; quad++)`);
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
