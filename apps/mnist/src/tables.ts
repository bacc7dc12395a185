/**
 * The two tables of the report: what went through each layer in an epoch, and which digit was taken for
 * which.
 */
import { formatMagnitude, formatPercent } from '@firsthand/kit/numbers';
import { drawTable } from '@firsthand/kit/table';
import { paint, type Output } from '@firsthand/kit/terminal';

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

/** A table with bold headings, where the output shows them. */
function draw(output: Output, head: readonly string[], rows: readonly (readonly string[])[]): string {
  return drawTable(
    head.map((text) => paint(output, 'bold', text)),
    rows,
  );
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
  return draw(output, ['layer', 'activation (rms)', 'gradient (rms)', 'update ‖Δw‖/‖w‖'], rows);
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
    const entries = Array.from(row, (count, read) => {
      if (count === 0) return paint(output, 'dim', '·');
      return paint(output, written === read ? 'green' : 'red', String(count));
    });
    return [String(written), ...entries, total === 0 ? '–' : formatPercent(row[written]! / total, 1)];
  });
  return draw(output, ['', ...digits.map(String), 'right'], rows);
}
