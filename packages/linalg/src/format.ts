/**
 * Arrays as people read them: nested JavaScript arrays, and text laid out as numpy lays it out. Floats get
 * the fewest digits that tell them apart in their own type, at most 8 after the point, aligned at the point;
 * more than 1000 elements show only the 3 at each end of an axis.
 */
import { decode, type DType, type TypedArray } from './dtype.ts';
import { fromFloat16Bits, toFloat16Bits } from './float16.ts';
import type { Strided } from './loops.ts';
import { sizeOf, type Shape } from './shape.ts';

/** What `toArray` returns: numbers or booleans, nested once per axis. */
export type Nested = number | boolean | readonly Nested[];

/** The elements of a packed array as nested JavaScript arrays. */
export function nested(data: TypedArray, shape: Shape, dtype: DType): Nested {
  const read = (position: number): Nested =>
    dtype === 'bool' ? data[position] !== 0 : decode(dtype, data[position]!);
  const build = (axis: number, position: number, span: number): Nested => {
    if (axis === shape.length) return read(position);
    const length = shape[axis]!;
    const inner = length === 0 ? 0 : span / length;
    return Array.from({ length }, (_, i) => build(axis + 1, position + i * inner, inner));
  };
  return build(0, 0, sizeOf(shape));
}

const SUMMARY_THRESHOLD = 1000;
const EDGE_ITEMS = 3;
const MAXIMUM_DIGITS = 8;
const LINE_WIDTH = 75;

/** The text of an array: `[[1. 2.]\n [3. 4.]]`. */
export function formatArray(x: Strided, dtype: DType): string {
  const { shape } = x;
  if (shape.includes(0)) return '['.repeat(shape.length) + ']'.repeat(shape.length);
  const summarize = sizeOf(shape) > SUMMARY_THRESHOLD;
  const shown = shape.map((length) => shownIndices(length, summarize));
  const numbers: number[] = [];
  const collect = (axis: number, position: number): void => {
    if (axis === shape.length) numbers.push(decode(dtype, x.data[position]!));
    else for (const i of shown[axis]!) if (i !== null) collect(axis + 1, position + i * x.strides[axis]!);
  };
  collect(0, x.offset);
  const texts = formatNumbers(numbers, dtype);
  let next = 0;
  const render = (axis: number, indent: number): string => {
    if (axis === shape.length) return texts[next++]!;
    const parts = shown[axis]!.map((i) => (i === null ? '...' : render(axis + 1, indent + 1)));
    if (axis === shape.length - 1) return `[${wrap(parts, indent + 1)}]`;
    const gap = '\n'.repeat(shape.length - axis - 1) + ' '.repeat(indent + 1);
    return `[${parts.join(gap)}]`;
  };
  return render(0, 0);
}

/** All indices of an axis, or those at its ends with null for the indices between. */
function shownIndices(length: number, summarize: boolean): (number | null)[] {
  const all = Array.from({ length: summarize ? Math.min(length, 2 * EDGE_ITEMS) : length }, (_, i) => i);
  if (!summarize || length <= 2 * EDGE_ITEMS) return all;
  const tail = all.slice(EDGE_ITEMS).map((i) => i + length - 2 * EDGE_ITEMS);
  return [...all.slice(0, EDGE_ITEMS), null, ...tail];
}

/** Joins the parts of a row with spaces, breaking lines before they grow too long. */
function wrap(parts: readonly string[], indent: number): string {
  let line = ' '.repeat(indent);
  const lines: string[] = [];
  for (const part of parts) {
    if (line.trim() !== '' && line.length + 1 + part.length > LINE_WIDTH) {
      lines.push(line);
      line = ' '.repeat(indent);
    }
    line += line.length === indent ? part : ` ${part}`;
  }
  return [...lines, line].join('\n').slice(indent);
}

/** The numbers as texts of one width. */
function formatNumbers(numbers: readonly number[], dtype: DType): string[] {
  if (dtype === 'bool') return padStarts(numbers.map((value) => (value !== 0 ? 'True' : 'False')));
  if (dtype === 'int32' || dtype === 'uint32') return padStarts(numbers.map(String));
  const finite = numbers.filter(Number.isFinite);
  const magnitudes = finite.map(Math.abs).filter((value) => value !== 0);
  const largest = Math.max(...magnitudes);
  const smallest = Math.min(...magnitudes);
  const scientific =
    magnitudes.length > 0 && (largest >= 1e8 || smallest < 1e-4 || largest / smallest > 1000);
  const digits = finite.map((value) => shortestDigits(value, dtype));
  const texts = scientific ? formatScientific(numbers, digits) : formatFixed(numbers, digits);
  return padStarts(texts);
}

/** The number in exponent form with the fewest digits that its type tells apart from its neighbours. */
function shortestDigits(value: number, dtype: DType): string {
  if (dtype === 'float64') return value.toExponential();
  const round = dtype === 'float16' ? (x: number): number => fromFloat16Bits(toFloat16Bits(x)) : Math.fround;
  let precision = 0;
  while (round(Number(value.toExponential(precision))) !== value) precision++; // 8 always suffice for float32
  return value.toExponential(precision);
}

function formatScientific(numbers: readonly number[], digits: readonly string[]): string[] {
  const fraction = Math.min(
    MAXIMUM_DIGITS,
    Math.max(...digits.map((text) => text.split('e')[0]!.split('.')[1]?.length ?? 0)),
  );
  return numbers.map((value) => {
    if (!Number.isFinite(value)) return nameNonFinite(value);
    const [significand, exponent] = value.toExponential(fraction).split('e') as [string, string];
    const sign = Object.is(value, -0) ? '-' : '';
    return `${sign}${significand}${fraction === 0 ? '.' : ''}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`;
  });
}

function formatFixed(numbers: readonly number[], digits: readonly string[]): string[] {
  let index = 0;
  const texts = numbers.map((value) => {
    if (!Number.isFinite(value)) return nameNonFinite(value);
    const [significand, exponent] = digits[index++]!.split('e') as [string, string];
    const needed = Math.max(0, (significand.split('.')[1]?.length ?? 0) - Number(exponent));
    const text = Number(digits[index - 1]).toFixed(Math.min(needed, MAXIMUM_DIGITS));
    const trimmed = text.includes('.') ? text.replace(/0+$/, '') : `${text}.`;
    return Object.is(value, -0) ? `-${trimmed}` : trimmed;
  });
  const decimals = (text: string): number => (text.includes('.') ? text.length - text.indexOf('.') - 1 : 0);
  const widest = Math.max(...texts.map(decimals));
  return texts.map((text) => (text.includes('.') ? text + ' '.repeat(widest - decimals(text)) : text));
}

function nameNonFinite(value: number): string {
  return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
}

function padStarts(texts: readonly string[]): string[] {
  const width = Math.max(...texts.map((text) => text.length));
  return texts.map((text) => text.padStart(width));
}
