/**
 * The two tables of the report: what went through each layer in an epoch, and which digit was taken for
 * which.
 */
import Table from 'cli-table3';
import { formatMagnitude, formatPercent } from './numbers.ts';
import { paint, type Output } from './terminal.ts';

/** What a layer did, as root mean squares, so that layers of different sizes compare. */
export interface LayerStatistics {
  readonly name: string;
  /** Of the layer's outputs on a probe batch. */
  readonly activation: number;
  /**
   * Of the loss's gradient with respect to the layer's parameters, on the same batch; null without
   * parameters.
   */
  readonly gradient: number | null;
  /** How far the parameters moved, relative to their size: ‖w − w₀‖ / ‖w₀‖; null without parameters. */
  readonly update: number | null;
}

/** cli-table3 colours headings and frames unless it is told not to. */
const PLAIN = { head: [], border: [] } as const;

function draw(
  output: Output,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  compact: boolean,
): string {
  const table = new Table({
    head: head.map((text) => paint(output, 'bold', text)),
    colAligns: head.map((_, column) => (column === 0 ? 'left' : 'right')),
    style: { ...PLAIN, head: [...PLAIN.head], border: [...PLAIN.border], compact },
  });
  for (const row of rows) table.push([...row]);
  return table.toString();
}

/** One line for each layer. */
export function layerTable(layers: readonly LayerStatistics[], output: Output): string {
  const measure = (value: number | null): string => (value === null ? '–' : formatMagnitude(value));
  const rows = layers.map(({ name, activation, gradient, update }) => [
    name,
    measure(activation),
    measure(gradient),
    measure(update),
  ]);
  return draw(output, ['layer', 'activation (rms)', 'gradient (rms)', 'update ‖Δw‖/‖w‖'], rows, true);
}

/**
 * How often each digit was read as each: row is what was written, column what was read.
 * @param counts (classes · classes), row by row
 */
export function confusionTable(counts: Int32Array, output: Output): string {
  const classes = Math.sqrt(counts.length);
  const digits = Array.from({ length: classes }, (_, digit) => digit);
  const rows = digits.map((written) => {
    const row = counts.subarray(written * classes, (written + 1) * classes);
    const total = row.reduce((sum, count) => sum + count, 0);
    const cells = Array.from(row, (count, read) => {
      if (count === 0) return paint(output, 'dim', '·');
      return paint(output, written === read ? 'green' : 'red', String(count));
    });
    return [String(written), ...cells, total === 0 ? '–' : formatPercent(row[written]! / total, 1)];
  });
  return draw(output, ['', ...digits.map(String), 'right'], rows, true);
}
