// What the terminal shows, checked as text: numbers, digits, probabilities, tables and progress, with colours
// and without.
import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { drawCard, drawCards, drawDigit, drawProbabilities, type Reading } from '../src/digit-card.ts';
import { likeliest } from '../src/digits.ts';
import {
  formatClock,
  formatCount,
  formatMagnitude,
  formatPercent,
  formatPlural,
  formatSeconds,
} from '@firsthand/kit/numbers';
import { startDisplay } from '../src/display.ts';
import { confusionTable, layerTable } from '../src/tables.ts';
import { paint, plainOutput, type Output } from '@firsthand/kit/terminal';

const plain = plainOutput(new PassThrough());
const colored: Output = { ...plain, redraws: true, colors: true };
const control = /\p{Cc}/u;

test('numbers', () => {
  expect(formatCount(60_000)).toBe('60,000');
  expect(formatPercent(0.97654)).toBe('97.65 %');
  expect(formatPercent(1, 0)).toBe('100 %');
  expect([0.04, 9.94, 9.96, 59.4, 59.6, 125].map(formatSeconds)).toEqual([
    '0.0 s',
    '9.9 s',
    '10 s',
    '59 s',
    '1 min 00 s',
    '2 min 05 s',
  ]);
  expect([0, 47.2, 60, 725, Infinity].map(formatClock)).toEqual(['0:00', '0:48', '1:00', '12:05', '–:––']);
  expect([0, 1.2345, 0.01234, 0.000_012_34].map(formatMagnitude)).toEqual([
    '0.00',
    '1.23',
    '0.0123',
    '1.23e-5',
  ]);
  expect([formatPlural(1, 'epoch'), formatPlural(2000, 'image')]).toEqual(['1 epoch', '2,000 images']);
});

describe('a digit', () => {
  // ink in the upper left, half of it in the cell below, a single light pixel at the lower right
  const pixels = Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 128);

  test('is half as many lines as rows', () => {
    expect(drawDigit(pixels, plain, 4)).toEqual(['█   ', '▒  ░']);
  });

  test('has a grey for each pixel where there are colours', () => {
    const [first, second] = drawDigit(pixels, colored, 4);
    expect(first).toContain('\u001b[38;5;255;48;5;255m▀\u001b[38;5;232;48;5;232m▀');
    expect(second).toContain('\u001b[38;5;255;48;5;232m▀');
    expect(second).toContain('\u001b[38;5;232;48;5;244m▀');
    expect(second?.endsWith('\u001b[0m')).toBe(true);
    expect(stripVTControlCharacters(first!)).toBe('▀▀▀▀');
  });

  test('has a column as high as each probability', () => {
    expect(drawProbabilities([0, 1, 1 / 3, 1 / 6])).toEqual([
      '   ██      ', //
      '   ██      ',
      '   ██ ██ ▄▄',
      '0  1  2  3 ',
    ]);
  });

  test('the first of the likeliest classes is read', () => {
    expect([likeliest([0.1, 0.5, 0.4]), likeliest([0.5, 0.5])]).toEqual([1, 0]);
  });

  const reading = (label: number): Reading => ({
    pixels: new Uint8Array(28 * 28).fill(255),
    label,
    probabilities: Array.from({ length: 10 }, (_, digit) => (digit === 3 ? 0.91 : 0.01)),
  });

  test('a card says what was read, and what it is where that differs', () => {
    expect(drawCard(reading(3), plain)[0]).toMatch(/^✓ read as 3, 91\.0 % *$/);
    expect(drawCard(reading(8), plain)[0]).toMatch(/^✗ read as 3, 91\.0 %, is 8 *$/);
    for (const output of [plain, colored]) {
      const widths = drawCard(reading(8), output).map((line) => stripVTControlCharacters(line).length);
      expect(new Set(widths)).toEqual(new Set([29]));
    }
  });

  test('as many cards stand in a row as there is room for', () => {
    const cards = Array.from({ length: 5 }, () => reading(3));
    const height = drawCard(reading(3), plain).length;
    for (const [columns, perRow] of [
      [20, 1],
      [80, 2],
      [93, 3],
      [400, 5],
    ] as const) {
      const lines = drawCards(cards, { ...plain, columns }).split('\n');
      expect(lines.length).toBe(Math.ceil(5 / perRow) * (height + 1) - 1);
      expect(lines[0]?.match(/✓/g)?.length).toBe(perRow);
      if (perRow > 1) expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
    }
  });
});

describe('tables', () => {
  const counts = new Int32Array(100);
  for (let digit = 0; digit < 10; digit++) counts[digit * 11] = 1000;
  counts[4 * 10 + 9] = 250;

  test('the confusion matrix has a row for what was written and a column for what was read', () => {
    const lines = confusionTable(counts, plain).split('\n');
    expect(lines).toHaveLength(14);
    expect(lines[3 + 4]).toMatch(
      /^│ 4 │\s+· │\s+· │\s+· │\s+· │ 1000 │\s+· │\s+· │\s+· │\s+· │\s+250 │\s+80\.0 % │$/,
    );
  });

  test('layers without parameters have neither gradient nor update', () => {
    const table = layerTable(
      [
        { name: 'fc1', activation: 0.8123, gradient: 0.000_123, update: 0.0123 },
        { name: 'relu', activation: 0.5, gradient: null, update: null },
      ],
      plain,
    );
    expect(table).toMatch(/│ fc1 +│ +0\.812 │ +1\.23e-4 │ +0\.0123 │/);
    expect(table).toMatch(/│ relu +│ +0\.500 │ +– │ +– │/);
  });

  test('without colours there is no control character, with them the same text', () => {
    const [bare, styled] = [plain, colored].map((output) => confusionTable(counts, output));
    expect(bare?.replaceAll('\n', '')).not.toMatch(control);
    expect(styled).not.toBe(bare);
    expect(stripVTControlCharacters(styled!)).toBe(bare);
    expect([paint(plain, 'red', 'a'), stripVTControlCharacters(paint(colored, 'red', 'a'))]).toEqual([
      'a',
      'a',
    ]);
  });
});

describe('progress', () => {
  const standing = {
    images: 640,
    loss: 0.123_456,
    accuracy: 0.9876,
    imagesPerSecond: 6712.3,
    secondsLeft: 47.2,
  };
  const told = (output: Omit<Output, 'stream'>, times: readonly number[]): string => {
    const stream = Object.assign(new PassThrough(), { isTTY: output.redraws });
    let now = 0;
    const display = startDisplay({ ...output, stream }, 'epoch 2/5', 1000, () => now);
    for (const time of times) {
      now = time;
      display.update(standing);
    }
    display.stop();
    return String(stream.read() ?? '');
  };

  test('a log gets a line now and then', () => {
    const line = 'epoch 2/5  64 %  loss 0.1235  accuracy 98.8 %  6,712 images/s  0:48 left\n';
    expect(told(plain, [1, 2, 4.9])).toBe('');
    expect(told(plain, [1, 5.1, 6, 10, 10.2])).toBe(line.repeat(2));
  });

  test('a terminal gets a bar with the same numbers', () => {
    const drawn = stripVTControlCharacters(told({ ...colored, columns: 100 }, [1]));
    expect(drawn).toMatch(
      /epoch 2\/5 █+░+ +64 % {2}loss 0\.1235 {2}accuracy 98\.8 % {2}6,712 images\/s {2}0:48 left/,
    );
  });
});
