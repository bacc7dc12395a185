/**
 * A digit in the terminal, with what the model makes of it. A character cell is about twice as high as it is
 * wide, so each shows two pixels, one above the other: with colours the upper half block ▀ has one grey for
 * each, without them a shade stands for their mean. Below the picture, a column of blocks for each class is
 * as high as its probability.
 */
import { likeliest } from './digits.ts';
import { formatPercent } from '@firsthand/kit/numbers';
import { paint, type Output } from '@firsthand/kit/terminal';

/** One image and the model's opinion of it. */
export interface Reading {
  /** (side · side) bytes, row by row: 0 is background, 255 is ink. */
  readonly pixels: Uint8Array;
  /** The digit that was written. */
  readonly label: number;
  /** (10) the probability of each digit. */
  readonly probabilities: ArrayLike<number>;
}

const SIDE = 28;
const SHADES = ' ░▒▓█';
const EIGHTHS = ' ▁▂▃▄▅▆▇█';
const BAR_ROWS = 3;
const BAR_WIDTH = 2;
const GAP = '   ';

/** The image in half as many lines as it has rows. pixels: (side · side). */
export function drawDigit(pixels: Uint8Array, output: Pick<Output, 'colors'>, side: number = SIDE): string[] {
  const lines: string[] = [];
  for (let row = 0; row < side; row += 2) {
    const characters = Array.from({ length: side }, (_, column) => {
      const upper = pixels[row * side + column] ?? 0;
      const lower = pixels[(row + 1) * side + column] ?? 0;
      return output.colors
        ? halfBlock(upper, lower)
        : SHADES[Math.round(((upper + lower) / 2 / 255) * (SHADES.length - 1))]!;
    });
    lines.push(characters.join('') + (output.colors ? RESET : ''));
  }
  return lines;
}

const RESET = '\u001b[0m';

/** The 256-colour palette has 24 greys, from 232 (nearly black) to 255 (nearly white). */
function halfBlock(upper: number, lower: number): string {
  const grey = (pixel: number): number => 232 + Math.round((pixel / 255) * 23);
  return `\u001b[38;5;${grey(upper)};48;5;${grey(lower)}m▀`;
}

/** The probabilities as columns of blocks, with the classes under them. probabilities: (classes). */
export function drawProbabilities(probabilities: ArrayLike<number>): string[] {
  const classes = Array.from(probabilities);
  const rows = Array.from({ length: BAR_ROWS }, (_, row) => {
    const below = BAR_ROWS - 1 - row;
    return classes.map((probability) => block(probability * BAR_ROWS - below).repeat(BAR_WIDTH)).join(' ');
  });
  return [...rows, classes.map((_, digit) => String(digit).padEnd(BAR_WIDTH)).join(' ')];
}

/** How much of one character's height is filled. */
function block(filled: number): string {
  return EIGHTHS[Math.round(Math.min(1, Math.max(0, filled)) * (EIGHTHS.length - 1))]!;
}

/** Heading, image and probabilities, as lines of one width. */
export function drawCard(reading: Reading, output: Pick<Output, 'colors'>): string[] {
  const { pixels, label, probabilities } = reading;
  const read = likeliest(probabilities);
  const width = Math.max(SIDE, probabilities.length * (BAR_WIDTH + 1) - 1);
  const opinion = `read as ${read}, ${formatPercent(probabilities[read]!, 1)}`;
  const heading = (read === label ? `✓ ${opinion}` : `✗ ${opinion}, is ${label}`).padEnd(width);
  const pad = ' '.repeat(width - SIDE);
  return [
    paint(output, read === label ? 'green' : 'red', heading),
    ...drawDigit(pixels, output).map((line) => line + pad),
    ...drawProbabilities(probabilities).map((line) => line.padEnd(width)),
  ];
}

/** Cards side by side, as many in a row as the output is wide. */
export function drawCards(readings: readonly Reading[], output: Pick<Output, 'colors' | 'columns'>): string {
  const cards = readings.map((reading) => drawCard(reading, output));
  const perRow = Math.max(1, Math.floor((output.columns + GAP.length) / (SIDE + 1 + GAP.length)));
  const rows: string[] = [];
  for (let first = 0; first < cards.length; first += perRow) {
    const side = cards.slice(first, first + perRow);
    rows.push(
      side[0]!
        .map((_, line) =>
          side
            .map((card) => card[line]!)
            .join(GAP)
            .trimEnd(),
        )
        .join('\n'),
    );
  }
  return rows.join('\n\n');
}
