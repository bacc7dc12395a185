/**
 * Matrix products for hardware, whose memory is far and whose invocations are many. A workgroup computes a
 * tile of sums: it loads slabs of both factors into workgroup memory, from where every invocation takes what
 * it needs for its own smaller tile, which is in registers. With two buffers the next slabs are on their way
 * while these are multiplied, and one barrier parts the turns.
 */
import { scalarsIn, type ContractKernel, type Scalar, type Term } from '@firsthand/compiler';
import { Block } from '../emit/block.ts';
import { shaderOf } from '../emit/module.ts';
import { range } from '../kernels/axes.ts';
import { elementType } from '../scalar/operations.ts';
import type { OperandLayout, Shader } from '../shader.ts';
import { factorsOf, type Factor } from './factor.ts';
import { finishOf } from './finish.ts';
import { headerOf } from './header.ts';
import { liesAlongK, Slab, type SlabReads } from './slab.ts';
import { sumInBlocks, Sums } from './sums.ts';
import { over, rest, sum, times } from './text.ts';
import { declareTile, edgesOf, tilesOf, type TileExtent } from './tiles.ts';

/** How the work is shared out. */
export interface WorkgroupTile extends TileExtent {
  /** Steps along k that are in workgroup memory: a multiple of 4 that divides `SUM_BLOCK`. */
  readonly inner: number;
  /** Rows and columns of an invocation: 4 or 8. */
  readonly own: { readonly rows: number; readonly columns: number };
  readonly buffers: 1 | 2;
  /** Whether arrays are loaded four elements at a time where that can be. */
  readonly vectors: boolean;
}

/** Invocations of a workgroup. */
export function invocationsOf({ rows, columns, own }: WorkgroupTile): number {
  return (rows * columns) / (own.rows * own.columns);
}
/** Bytes of workgroup memory. */
export function bytesOf({ rows, columns, inner, buffers }: WorkgroupTile): number {
  return 4 * (rows + columns) * inner * buffers;
}

/**
 * Whether a factor's array can be declared as vectors: its lines begin and end with whole ones, and nobody
 * touches single elements of it.
 */
function isVectorArray(
  { m, n, k, batch, operands, stores }: ContractKernel,
  factor: Factor,
  layout: OperandLayout,
): boolean {
  const { name, operand, index, steps } = factor;
  const alongK = liesAlongK(factor);
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
    layout.shares.every((shared, other) => (shared === operand) === (other === operand)) &&
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
  const { rows, columns, inner, own, buffers } = tile;
  const factors = factorsOf(kernel);
  const canBeVectors = factors.map((factor) => tile.vectors && isVectorArray(kernel, factor, layout));
  // An array that is both factors is declared in one way.
  const isVector = factors.map(({ operand }) =>
    factors.every((other, each) => other.operand !== operand || canBeVectors[each]!),
  );
  const vectors = new Set(factors.filter((_, each) => isVector[each]!).map(({ operand }) => operand));
  const finish = finishOf(kernel, layout, edgesOf(kernel, tile), vectors);
  const { expressions } = finish;
  const size = invocationsOf(tile);
  const across = columns / own.columns;
  const body = new Block(1);
  declareTile(body, kernel, tile);
  body.line(`let down = ${over('lane', across)};`, `let across = ${rest('lane', across)};`);
  const type = elementType(dtype);
  const common = { kernel, expressions, type, inner };
  const slabs = [
    new Slab({
      ...common,
      factor: factors[0],
      isVector: isVector[0]!,
      size: rows,
      count: own.rows,
      place: 'down',
    }),
    new Slab({
      ...common,
      factor: factors[1],
      isVector: isVector[1]!,
      size: columns,
      count: own.columns,
      place: 'across',
    }),
  ] as const;
  const sums = new Sums(type, own.rows, own.columns);
  addUp(body, kernel, tile, sums, slabs);
  sums.forEach(body, (each, other, total) => {
    const [rowOf, columnOf] = [slabs[0].position(each), slabs[1].position(Number(other))];
    return finish.call(sum('row', rowOf), sum('column', columnOf), total);
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
      ...factors.flatMap(({ declaration }) => declaration ?? []),
      ...slabs.flatMap((slab) => slab.declarations(buffers)),
      finish.declaration,
    ],
  });
}

/** The loop over k. */
function addUp(
  body: Block,
  { k, dtype }: ContractKernel,
  tile: WorkgroupTile,
  sums: Sums,
  slabs: readonly [Slab, Slab],
): void {
  const { inner, buffers } = tile;
  const size = invocationsOf(tile);
  const firsts = ['row', 'column'] as const;
  /** Every vector that an invocation loads: of which slab, from which corner, and which. */
  const loads = slabs.flatMap((slab, side) =>
    range(slab.vectors / size).map((each) => ({
      slab,
      first: firsts[side]!,
      vector: sum('lane', size * each),
      name: `${slab.name}_next${each}`,
    })),
  );
  const begin = (slab: Slab): string => (buffers === 1 ? '0' : times(slab.vectors, 'buffer'));
  const fill = (block: Block, step: string): void => {
    for (const { slab, first, vector } of loads)
      block.line(slab.store(begin(slab), vector, slab.load(first, step, vector)));
  };
  sums.declare(body, 'sum');
  if (buffers === 2) {
    body.line('var buffer = 0;');
    fill(body, '0');
    body.line('workgroupBarrier();');
  }
  sumInBlocks(body, k, inner, sums, (loop, prefix) => {
    if (buffers === 1) {
      fill(loop, 'inner');
      loop.line('workgroupBarrier();');
    } else {
      for (const { name } of loads) loop.line(`var ${name}: vec4<${elementType(dtype)}>;`);
      const ahead = loop.nest(`if (inner + ${inner} < ${k})`);
      for (const { slab, first, vector, name } of loads)
        ahead.line(`${name} = ${slab.load(first, `inner + ${inner}`, vector)};`);
    }
    const quads = loop.nest(`for (var quad = 0; quad < ${inner / 4}; quad++)`);
    const [left, right] = slabs.map((slab) => slab.read(quads, begin(slab), 'quad')) as [
      SlabReads,
      SlabReads,
    ];
    for (const step of range(4)) {
      const [one, four] = [
        (row: number): string => left.one(row, step),
        (column: number): string => right.four(column, step),
      ];
      sums.addProducts(quads, prefix, step, one, four);
    }
    if (buffers === 2) {
      loop.line('buffer = 1 - buffer;');
      for (const { slab, vector, name } of loads) loop.line(slab.store(begin(slab), vector, name));
    }
    loop.line('workgroupBarrier();');
  });
}
