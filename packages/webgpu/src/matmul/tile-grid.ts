/**
 * The grid of tiles of a product: workgroups are numbered along the columns, then the rows, then the batch.
 */
import type { ContractKernel } from '@firsthand/compiler';
import { sizeOf } from '@firsthand/linalg';
import type { Block } from '../emit/block.ts';
import { GROUP_ROW } from '../emit/module.ts';
import { declareAxes, range } from '../emit/axes.ts';
import { divText, modText, addText, mulText } from '../emit/text.ts';

/** Rows and columns of a tile. */
export interface TileExtent {
  readonly rows: number;
  readonly columns: number;
}

/** Tiles of a product: one for each workgroup. */
export function tileCount({ batch, m, n }: ContractKernel, { rows, columns }: TileExtent): number {
  return sizeOf(batch) * Math.ceil(m / rows) * Math.ceil(n / columns);
}

/** Whether tiles overhang the last row or column. */
export function edgesOf(
  { m, n }: ContractKernel,
  { rows, columns }: TileExtent,
): { readonly rows: boolean; readonly columns: boolean } {
  return { rows: m % rows !== 0, columns: n % columns !== 0 };
}

/**
 * Declares the loop variables of the batch, and `row` and `column`, the first of the tile, or of the lane
 * where lanes are along an axis.
 */
export function declareTile(
  body: Block,
  kernel: ContractKernel,
  extent: TileExtent,
  lanes?: 'm' | 'n',
): void {
  const { batch, m, n } = kernel;
  const { rows, columns } = extent;
  const [down, across] = [Math.ceil(m / rows), Math.ceil(n / columns)];
  const tiles = tileCount(kernel, extent);
  if (tiles > GROUP_ROW) body.open(`if (group >= ${tiles})`).line('return;');
  if (batch.length > 0) {
    body.line(`let matrix = ${divText('group', down * across)};`);
    declareAxes(body, range(batch.length), batch, 'matrix');
  }
  const [row, column] = [
    mulText(rows, modText(divText('group', across), down)),
    mulText(columns, modText('group', across)),
  ];
  body.line(
    `let row = ${lanes === 'm' ? addText(row, 'lane') : row};`,
    `let column = ${lanes === 'n' ? addText(column, 'lane') : column};`,
  );
}
