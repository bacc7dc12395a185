/** Tables in the terminal: box-drawing characters, the first column to the left, numbers to the right. */
import Table from 'cli-table3';

/**
 * Draws a table without colours of its own.
 * @param head the title of each column
 * @param rows an entry for each column; an entry of several lines makes a row of several lines
 */
export function drawTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    head: [...head],
    colAligns: head.map((_, column) => (column === 0 ? 'left' : 'right')),
    // cli-table3 colours headings and frames unless it is told not to.
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) table.push([...row]);
  return table.toString();
}
