/**
 * Matrix products for adapters that compute on the CPU: register tiling. An invocation accumulates a tile in
 * named variables and loads from the arrays directly, without workgroup memory or barriers. A workgroup is
 * one subgroup, which is one vector register: its lanes are along n, with columns of their own and common
 * rows, or along m, the other way round.
 *
 * A load costs most, as much as a dozen multiply-adds of vectors, whether it is contiguous or not: the
 * address of every lane is bounds-checked. So tiles are large, and an element that all lanes need is loaded
 * by one lane and broadcast: each lane loads those of one step along k.
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
import { blockedLoop, AccumulatorTile, vectorText } from './accumulator-tile.ts';
import { addText, mulText } from '../emit/text.ts';
import { declareTile, edgesOf, tileCount, type TileExtent } from './tile-grid.ts';

/** A register tile. */
export interface RegisterTile {
  /** The axis of the lanes. */
  readonly lanes: 'm' | 'n';
  /** Lanes: the invocations of a workgroup. */
  readonly width: number;
  /** Accumulators of an invocation; along the axis of the lanes they are `width` apart. */
  readonly rows: number;
  readonly columns: number;
  /** Steps along k in one iteration. */
  readonly unroll: number;
  /**
   * Whether lanes broadcast what they have loaded: a workgroup is a subgroup, `unroll` a multiple of `width`.
   */
  readonly broadcasts: boolean;
}

/** The tile of a workgroup. */
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
    clampedTo: isEdged.rows ? m - 1 : null,
  };
  const columnsOf = {
    first: 'column',
    step: lanes === 'n' ? width : 1,
    count: columns,
    clampedTo: isEdged.columns ? n - 1 : null,
  };
  const sources = [
    new ElementReader(left, rowsOf, expressions, body),
    new ElementReader(right, columnsOf, expressions, body),
  ].map((elements, side) =>
    broadcasts && (side === 0) === (lanes === 'n')
      ? broadcasting(elements, width)
      : (block: Block, inner: string) => elements.loadsAt(block, inner),
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
    workgroups: tileCount(kernel, extent),
    body,
    header: headerOf(
      kernel,
      `an invocation has ${rows} × ${columns} sums; ${width} lanes are along ${lanes}`,
    ),
    declarations: [...[left, right].flatMap(({ declaration }) => declaration ?? []), epilogue.declaration],
    ...(broadcasts ? { usesSubgroups: true, lane: 'subgroup_invocation_id' } : {}),
  });
}

/** The elements of a matrix for `steps` steps along k from `inner` on. */
type Source = (block: Block, inner: string, steps: number) => Load;

/** Elements that all lanes need: each lane loads those of one step, and broadcasts them. */
function broadcasting(elements: ElementReader, width: number): Source {
  return (block, inner, steps) => {
    if (steps % width !== 0) return elements.loadsAt(block, inner);
    const load = elements.loadsAt(block, addText(inner, 'lane'));
    const loaded = range(steps / width).map((iteration) =>
      range(elements.count).map((position) => {
        const name = `${elements.name}_loaded${position}${iteration === 0 ? '' : `_${iteration}`}`;
        block.line(`let ${name} = ${load(position, iteration * width)};`);
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
    blockedLoop(body, whole, unroll, accumulators, (loop, prefix) => writeSteps(loop, prefix, unroll));
  if (whole < k) writeSteps(body.open(`for (var inner = ${whole}; inner < ${k}; inner++)`), 'sum', 1);
}
