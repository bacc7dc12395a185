/** A model's parameters as a table of text: name, shape, number of elements, and their sum. */
import type { Shape } from '@firsthand/autograd';
import { formatShape, sizeOf } from '@firsthand/linalg';

/** One line of the table. */
export interface SummaryRow {
  readonly name: string;
  readonly shape: Shape;
  readonly requiresGrad: boolean;
}

const grouped = (count: number): string => count.toLocaleString('en-US');
const total = (rows: readonly SummaryRow[]): number =>
  rows.reduce((sum, { shape }) => sum + sizeOf(shape), 0);

/** The table: numbers right-aligned, a rule above the sum, frozen parameters marked and counted. */
export function formatSummary(rows: readonly SummaryRow[]): string {
  const texts = rows.map(
    ({ name, shape, requiresGrad }) =>
      [name, formatShape(shape), `${grouped(sizeOf(shape))}${requiresGrad ? '' : ' (frozen)'}`] as const,
  );
  const frozen = total(rows.filter(({ requiresGrad }) => !requiresGrad));
  const all = [['name', 'shape', 'parameters'], ...texts, ['total', '', grouped(total(rows))]] as const;
  const widths = [0, 1, 2].map((column) => Math.max(...all.map((row) => row[column]!.length)));
  const lines = all.map(
    ([name, shape, count]) =>
      `${name.padEnd(widths[0]!)}  ${shape.padEnd(widths[1]!)}  ${count.padStart(widths[2]!)}`,
  );
  const rule = '-'.repeat(lines[0]!.length);
  const note = frozen === 0 ? [] : [`of these, ${grouped(frozen)} frozen`];
  return [lines[0]!, rule, ...lines.slice(1, -1), rule, lines.at(-1)!, ...note].join('\n');
}
