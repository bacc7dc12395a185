/**
 * Expressions of the scalar library applied to numbers, and how far float32 results are from exact ones: in
 * units of the last place, with leave for an adapter to take subnormal numbers for 0, as WGSL has it.
 */
import type { DType } from '@firsthand/linalg';
import { declarationsOf, valueType, type Expression } from '../../src/scalar/operations.ts';
import { mapWords } from './run-wgsl.ts';

/** Whether to run the long tests. */
export const FULL: boolean = process.env['FIRSTHAND_FULL'] === '1';

/** The dtypes that WGSL has values for. */
export const DTYPES_OF_WGSL: readonly DType[] = ['float32', 'float16', 'int32', 'uint32', 'bool'];

const FROM_WORD = {
  f32: (word: string) => `bitcast<f32>(${word})`,
  i32: (word: string) => `bitcast<i32>(${word})`,
  u32: (word: string) => word,
  bool: (word: string) => `(${word} != 0u)`,
} as const;

const TO_WORD = {
  f32: (value: string) => `bitcast<u32>(${value})`,
  i32: (value: string) => `bitcast<u32>(${value})`,
  u32: (value: string) => value,
  bool: (value: string) => `u32(${value})`,
} as const;

/** Numbers as words of 32 bits. */
export function wordsOf(dtype: DType, numbers: readonly number[]): Uint32Array<ArrayBuffer> {
  return valueType(dtype) === 'f32'
    ? new Uint32Array(Float32Array.from(numbers).buffer)
    : Uint32Array.from(numbers);
}

/** The numbers that words are. */
export function numbersOf(dtype: DType, words: Uint32Array): number[] {
  const type = valueType(dtype);
  if (type === 'f32') return [...new Float32Array(words.buffer, words.byteOffset, words.length)];
  return type === 'i32' ? Array.from(words, (word) => word | 0) : [...words];
}

/** An expression of up to three operands, and the dtype of its value. */
export interface Case {
  readonly expression: (a: string, b: string, c: string) => Expression;
  readonly result: DType;
}

/** The values of several expressions of the same operands. */
export async function evaluate(
  dtypes: readonly DType[],
  inputs: readonly Uint32Array<ArrayBuffer>[],
  cases: readonly Case[],
): Promise<number[][]> {
  const [a = '', b = '', c = ''] = dtypes.map((dtype, i) => FROM_WORD[valueType(dtype)](`x${i}`));
  const expressions = cases.map(({ expression }) => expression(a, b, c));
  const results = await mapWords({
    declarations: declarationsOf(expressions.flatMap(({ needs }) => needs)),
    inputs,
    expressions: expressions.map(({ text }, i) => TO_WORD[valueType(cases[i]!.result)](text)),
  });
  return results.map((words, i) => numbersOf(cases[i]!.result, words));
}

/** All pairs of numbers: the first of each, and the second of each. */
export function pairsOf(numbers: readonly number[]): [number[], number[]] {
  return [numbers.flatMap((a) => numbers.map(() => a)), numbers.flatMap(() => numbers)];
}

/** Words that no pattern is in. */
export function randomWords(length: number, seed: number): Uint32Array<ArrayBuffer> {
  let state = seed;
  return Uint32Array.from({ length }, () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    return (state ^ (state >>> 12)) >>> 0;
  });
}

/** The smallest positive float32 that is not subnormal. */
const SMALLEST_NORMAL = 2 ** -126;
const isSubnormal = (x: number): boolean => x !== 0 && Math.abs(x) < SMALLEST_NORMAL;
/** x, or the zero that an adapter may take for it. */
const flushed = (x: number): number => (isSubnormal(x) ? (x < 0 ? -0 : 0) : x);

/** What an adapter may make of operands: them, and others where some are subnormal. */
function acceptable(exact: (...operands: readonly number[]) => number, at: readonly number[]): number[] {
  const results = at.some(isSubnormal) ? [exact(...at), exact(...at.map(flushed))] : [exact(...at)];
  return [...results, ...results.filter(isSubnormal).map(flushed)];
}

const pair = new Float32Array(1);
const bits = new Uint32Array(pair.buffer);

/**
 * How far a float32 is from an exact number in units of its last place; ∞ if one is NaN, 0 or infinite and
 * the other is not, or the signs differ.
 */
function distance(got: number, exact: number): number {
  const rounded = Math.fround(exact);
  if (got === 0 || rounded === 0 || !Number.isFinite(got) || !Number.isFinite(rounded))
    return Object.is(got, rounded) ? 0 : Infinity;
  if (got < 0 !== rounded < 0) return Infinity;
  pair[0] = rounded;
  return Math.abs(got - exact) / 2 ** (Math.max((bits[0]! >>> 23) & 255, 1) - 150);
}

/** How far results are from what they should be. */
export interface Errors {
  /** In units of the last place. */
  readonly worst: number;
  /** Operands, the result and what it should be, where it is worst. */
  readonly where: string;
}

/** The largest error of float32 results. */
export function errorsOf(
  results: readonly number[],
  exact: (...operands: readonly number[]) => number,
  ...inputs: readonly (readonly number[])[]
): Errors {
  let errors: Errors = { worst: 0, where: '' };
  results.forEach((got, i) => {
    const at = inputs.map((input) => input[i]!);
    const expected = exact(...at);
    // Sums of small numbers, too, may be off by what is subnormal.
    const isSmall = [...at, expected].some(isSubnormal) && Math.abs(got - expected) < SMALLEST_NORMAL;
    const error = isSmall ? 0 : Math.min(...acceptable(exact, at).map((result) => distance(got, result)));
    if (error > errors.worst)
      errors = { worst: error, where: `f(${at.join(', ')}) = ${got}, not ${expected}` };
  });
  return errors;
}
