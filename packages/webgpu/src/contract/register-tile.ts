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
import { range } from '../kernels/axes.ts';
import { elementType } from '../scalar/operations.ts';
import type { OperandLayout, Shader } from '../shader.ts';
import { Elements, factorsOf, type Load } from './factor.ts';
import { finishOf } from './finish.ts';
import { headerOf } from './header.ts';
import { sumInBlocks, Sums, vectorText } from './sums.ts';
import { sum, times } from './text.ts';
import { declareTile, edgesOf, tilesOf, type TileExtent } from './tiles.ts';

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
  readonly tells: boolean;
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
  const { lanes, width, rows, columns, tells } = tile;
  const extent = extentOf(tile);
  const isEdged = edgesOf(kernel, extent);
  const finish = finishOf(kernel, layout, isEdged);
  const { expressions } = finish;
  const body = new Block(1);
  declareTile(body, kernel, extent, lanes);

  const [left, right] = factorsOf(kernel);
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
    new Elements(left, rowsOf, expressions, body),
    new Elements(right, columnsOf, expressions, body),
  ].map((elements, side) =>
    tells && (side === 0) === (lanes === 'n')
      ? toldBy(elements, width)
      : (block: Block, inner: string) => elements.along(block, inner),
  ) as [Source, Source];
  const sums = new Sums(elementType(dtype), rows, columns);
  addUp(body, kernel, tile.unroll, sums, sources);
  sums.forEach(body, (row, column, total) =>
    finish.call(sum('row', times(rowsOf.step, row)), sum('column', times(columnsOf.step, column)), total),
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
    declarations: [...[left, right].flatMap(({ declaration }) => declaration ?? []), finish.declaration],
    ...(tells ? { usesSubgroups: true, lane: 'subgroup_invocation_id' } : {}),
  });
}

/** The elements of a factor for so many steps along k from `inner` on. */
type Source = (block: Block, inner: string, steps: number) => Load;

/** Elements that all lanes need: each lane loads those of one step, and tells them in its turn. */
function toldBy(elements: Elements, width: number): Source {
  return (block, inner, steps) => {
    if (steps % width !== 0) return elements.along(block, inner);
    const load = elements.along(block, sum(inner, 'lane'));
    const told = range(steps / width).map((turn) =>
      range(elements.count).map((position) => {
        const name = `${elements.name}_told${position}${turn === 0 ? '' : `_${turn}`}`;
        block.line(`let ${name} = ${load(position, turn * width)};`);
        return name;
      }),
    );
    return (position, step = 0) =>
      `subgroupBroadcast(${told[Math.floor(step / width)]![position]!}, ${step % width}u)`;
  };
}

/** The loops over k. */
function addUp(
  body: Block,
  { k, dtype }: ContractKernel,
  unroll: number,
  sums: Sums,
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
      sums.addProducts(block, prefix, step, (row) => left(row, step), rights);
    }
  };
  sums.declare(body, 'sum');
  if (whole > 0) sumInBlocks(body, whole, unroll, sums, (loop, prefix) => writeSteps(loop, prefix, unroll));
  if (whole < k) writeSteps(body.nest(`for (var inner = ${whole}; inner < ${k}; inner++)`), 'sum', 1);
}
