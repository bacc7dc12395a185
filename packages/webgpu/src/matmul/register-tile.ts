/**
 * Matrix products for adapters that compute on the CPU. An invocation keeps a tile of sums in named variables
 * and loads straight from the arrays: nothing is shared but what the caches share, and nobody waits. A
 * workgroup is a subgroup, which is one vector register: its lanes lie along n, where each has columns of its
 * own and all have the same rows, or along m, the other way round.
 *
 * What costs most is a load, since every lane's address is checked: as much as a dozen multiplications and
 * additions of vectors, whether neighbours are loaded or not. So tiles are large, and elements that all lanes
 * need are loaded by one lane each, for as many steps along k as there are lanes, and told to the others.
 */
import type { ContractKernel } from '@firsthand/compiler';
import { Block } from '../emit/block.ts';
import { shaderOf } from '../emit/module.ts';
import { range } from '../emit/axes.ts';
import { elementType } from '../scalar/operations.ts';
import type { OperandLayout, Shader } from '../emit/shader.ts';
import { ElementReader, matrixOperandsOf, type Load } from './matrix-operand.ts';
import { epilogueOf } from './epilogue.ts';
import { headerOf } from './header.ts';
import { sumInBlocks, AccumulatorTile, vectorText } from './accumulator-tile.ts';
import { addText, mulText } from '../emit/text.ts';
import { declareTile, edgesOf, tilesOf, type TileExtent } from './tile-grid.ts';

/** How the work is shared out. */
export interface RegisterTile {
  /** The axis along which lanes lie. */
  readonly lanes: 'm' | 'n';
  /** Lanes, which are the invocations of a workgroup. */
  readonly width: number;
  /** Sums of an invocation; its rows or columns lie `width` apart. */
  readonly rows: number;
  readonly columns: number;
  /** Steps along k in one turn of the loop. */
  readonly unroll: number;
  /**
   * Whether lanes tell each other what they have loaded: they run in step then, and `unroll` is a multiple of
   * `width`.
   */
  readonly broadcasts: boolean;
}

/** Rows and columns of a workgroup. */
export function extentOf({ lanes, width, rows, columns }: RegisterTile): TileExtent {
  return lanes === 'm' ? { rows: rows * width, columns } : { rows, columns: columns * width };
}

/** The shader of a product. */
export function registerTileShader(
  kernel: ContractKernel,
  layout: OperandLayout,
  tile: RegisterTile,
): Shader {
  const { m, n, dtype } = kernel;
  const { lanes, width, rows, columns, broadcasts } = tile;
  const extent = extentOf(tile);
  const isEdged = edgesOf(kernel, extent);
  const epilogue = epilogueOf(kernel, layout, isEdged);
  const { expressions } = epilogue;
  const body = new Block(1);
  declareTile(body, kernel, extent, lanes);

  const [left, right] = matrixOperandsOf(kernel);
  const rowsOf = {
    first: 'row',
    step: lanes === 'm' ? width : 1,
    count: rows,
    last: isEdged.rows ? m - 1 : null,
  };
  const columnsOf = {
    first: 'column',
    step: lanes === 'n' ? width : 1,
    count: columns,
    last: isEdged.columns ? n - 1 : null,
  };
  const sources = [
    new ElementReader(left, rowsOf, expressions, body),
    new ElementReader(right, columnsOf, expressions, body),
  ].map((elements, side) =>
    broadcasts && (side === 0) === (lanes === 'n')
      ? broadcasting(elements, width)
      : (block: Block, inner: string) => elements.along(block, inner),
  ) as [Source, Source];
  const accumulators = new AccumulatorTile(elementType(dtype), rows, columns);
  multiply(body, kernel, tile.unroll, accumulators, sources);
  accumulators.forEach(body, (row, column, total) =>
    epilogue.call(
      addText('row', mulText(rowsOf.step, row)),
      addText('column', mulText(columnsOf.step, column)),
      total,
    ),
  );

  return shaderOf({
    expressions,
    size: width,
    workgroups: tilesOf(kernel, extent),
    body,
    header: headerOf(
      kernel,
      `an invocation has ${rows} × ${columns} sums; ${width} lanes lie along ${lanes}`,
    ),
    declarations: [...[left, right].flatMap(({ declaration }) => declaration ?? []), epilogue.declaration],
    ...(broadcasts ? { usesSubgroups: true, lane: 'subgroup_invocation_id' } : {}),
  });
}

/** The elements of a factor for so many steps along k from `inner` on. */
type Source = (block: Block, inner: string, steps: number) => Load;

/** Elements that all lanes need: each lane loads those of one step, and tells them in its turn. */
function broadcasting(elements: ElementReader, width: number): Source {
  return (block, inner, steps) => {
    if (steps % width !== 0) return elements.along(block, inner);
    const load = elements.along(block, addText(inner, 'lane'));
    const loaded = range(steps / width).map((turn) =>
      range(elements.count).map((position) => {
        const name = `${elements.name}_told${position}${turn === 0 ? '' : `_${turn}`}`;
        block.line(`let ${name} = ${load(position, turn * width)};`);
        return name;
      }),
    );
    return (position, step = 0) =>
      `subgroupBroadcast(${loaded[Math.floor(step / width)]![position]!}, ${step % width}u)`;
  };
}

/** The loops over k. */
function multiply(
  body: Block,
  { k, dtype }: ContractKernel,
  unroll: number,
  accumulators: AccumulatorTile,
  sources: readonly [Source, Source],
): void {
  const whole = k - (k % unroll);
  const type = elementType(dtype);
  const writeSteps = (block: Block, prefix: string, steps: number): void => {
    const [left, right] = sources.map((source) => source(block, 'inner', steps)) as [Load, Load];
    for (let step = 0; step < steps; step++) {
      const rights = (column: number, width: number): string =>
        vectorText(
          type,
          range(width).map((each) => right(column + each, step)),
        );
      accumulators.addProducts(block, prefix, step, (row) => left(row, step), rights);
    }
  };
  accumulators.declare(body, 'sum');
  if (whole > 0)
    sumInBlocks(body, whole, unroll, accumulators, (loop, prefix) => writeSteps(loop, prefix, unroll));
  if (whole < k) writeSteps(body.open(`for (var inner = ${whole}; inner < ${k}; inner++)`), 'sum', 1);
}
