/**
 * Which tile of sums of which matrix a workgroup computes. Tiles are numbered along rows, then down columns,
 * then through the batch.
 */
import type { ContractKernel } from '@firsthand/compiler';
import { sizeOf } from '@firsthand/linalg';
import type { Block } from '../emit/block.ts';
import { GROUP_ROW } from '../emit/module.ts';
import { declareAxes } from '../emit/axes.ts';
import { divText, modText, addText, mulText } from '../emit/text.ts';

/** Rows and columns of a tile. */
export interface TileExtent {
  readonly rows: number;
  readonly columns: number;
}

/** Tiles of a product, each of which is a workgroup. */
export function tilesOf({ batch, m, n }: ContractKernel, { rows, columns }: TileExtent): number {
  return sizeOf(batch) * Math.ceil(m / rows) * Math.ceil(n / columns);
}

/** Whether some tiles go beyond the last row or column. */
export function edgesOf(
  { m, n }: ContractKernel,
  { rows, columns }: TileExtent,
): { readonly rows: boolean; readonly columns: boolean } {
  return { rows: m % rows !== 0, columns: n % columns !== 0 };
}

/**
 * Declares the axes of the batch, and `row` and `column`, with which the tile begins; lanes along an axis
 * begin one after the other.
 * @param lanes the axis along which lanes lie, if they do
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
  const tiles = tilesOf(kernel, extent);
  if (tiles > GROUP_ROW) body.open(`if (group >= ${tiles})`).line('return;');
  if (batch.length > 0) {
    body.line(`let matrix = ${divText('group', down * across)};`);
    declareAxes(body, 0, batch, 'matrix');
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
