/**
 * The capabilities of an output stream. An interactive terminal can redraw a line and show colours; a pipe, a
 * file or a CI log gets plain text without a single control character.
 */
import { inspect } from 'node:util';

/** A stream that text is written to, and what may be written there. */
export interface Output {
  readonly stream: NodeJS.WritableStream;
  /** Whether a line can be drawn again over itself. */
  readonly redraws: boolean;
  /** Whether 256 colours can be shown. */
  readonly colors: boolean;
  /** Characters in a line. */
  readonly columns: number;
}

const COLUMNS = 80;
const COLORS = 256;

/** Whether the stream is an interactive terminal that can draw a line over itself. */
export function canRedraw(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY && process.env['TERM'] !== 'dumb';
}

/** The capabilities that the stream reports: a dumb terminal does not redraw, and NO_COLOR is respected. */
export function outputOf(stream: NodeJS.WriteStream): Output {
  const redraws = canRedraw(stream);
  return {
    stream,
    redraws,
    colors: redraws && stream.hasColors(COLORS),
    columns: redraws ? stream.columns : COLUMNS,
  };
}

/** An output for plain text, such as a file. */
export function plainOutput(stream: NodeJS.WritableStream): Output {
  return { stream, redraws: false, colors: false, columns: COLUMNS };
}

export function writeLine(output: Output, line = ''): void {
  output.stream.write(`${line}\n`);
}

/** The text in a style, where the output shows one. */
export function paint(
  output: Pick<Output, 'colors'>,
  style: 'bold' | 'dim' | 'green' | 'red' | 'cyan',
  text: string,
): string {
  if (!output.colors) return text;
  const [on, off] = inspect.colors[style]!;
  return `\u001b[${on}m${text}\u001b[${off}m`;
}

/** Undoes what a progress bar does to the cursor, before the program ends in the middle of one. */
export function showCursor(output: Output): void {
  if (output.redraws) output.stream.write('\u001b[?25h\n');
}
