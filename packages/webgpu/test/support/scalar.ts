/**
 * Expressions of the scalar library applied to numbers, and how far float32 results are from exact ones: in units of the last place, with leave for an adapter to take
 * subnormal numbers for 0, as WGSL has it.
 */
import type { DType } from '@firsthand/linalg';
import { declarationsOf, valueType, type Expression } from '../../src/scalar/operations.ts';
import { mapWords } from './run-wgsl.ts';

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
export function wordsOf(dtype: DType, numbers: readonly number[] | Float32Array): Uint32Array {
  return valueType(dtype) === 'f32' ? new Uint32Array(Float32Array.from(numbers).buffer) : Uint32Array.from(numbers);
}

/** The numbers that words are. */
export function numbersOf(dtype: DType, words: Uint32Array): number[] {
  const type = valueType(dtype);
  if (type === 'f32') return [...new Float32Array(words.buffer, words.byteOffset, words.length)];
  if (type === 'i32') return [...new Int32Array(words.buffer, words.byteOffset, words.length)];
  return [...words];
}

/** An expression of operands, and the dtype of its value. */
export interface Case {
  readonly expression: (...operands: readonly string[]) => Expression;
  readonly result: DType;
}

/** The words of several expressions of the same operands, for each of their elements. */
export function evaluateWords(dtypes: readonly DType[], inputs: readonly Uint32Array[], cases: readonly Case[]): Promise<readonly Uint32Array[]> {
  const operands = dtypes.map((dtype, i) => FROM_WORD[valueType(dtype)](`x${i}`));
  const expressions = cases.map(({ expression }) => expression(...operands));
  return mapWords({
    declarations: declarationsOf(expressions.flatMap(({ needs }) => needs)),
    inputs,
    results: expressions.map(({ text }, i) => TO_WORD[valueType(cases[i]!.result)](text)),
  });
}

/** The values of several expressions of the same operands. */
export async function evaluate(dtypes: readonly DType[], inputs: readonly (readonly number[])[], cases: readonly Case[]): Promise<number[][]> {
  const words = inputs.map((numbers, i) => wordsOf(dtypes[i]!, numbers));
  const results = await evaluateWords(dtypes, words, cases);
  return results.map((result, i) => numbersOf(cases[i]!.result, result));
}

/** The smallest positive float32 that is not subnormal. */
const SMALLEST_NORMAL = 2 ** -126;

/** How far results are from what they should be. */
export interface Errors {
  /** In units of the last place, and the operands where it is. */
  worst: number;
  at: readonly number[];
  /** Operands of results that are NaN, zero or infinite and should not be, or the other way round, or have the wrong sign; the first few. */
  readonly different: string[];
}

export const noErrors = (): Errors => ({ worst: 0, at: [], different: [] });

const pair = new Float32Array(2);
const bits = new Uint32Array(pair.buffer);

/** The unit in the last place of a float32. */
function unitOf(rounded: number): number {
  pair[0] = rounded;
  return 2 ** (Math.max((bits[0]! >>> 23) & 255, 1) - 150);
}

/** x, and the zero for which an adapter may take it. */
const flushed = (x: number): number => (Math.abs(x) < SMALLEST_NORMAL ? x * 0 : x);

/** Adds the error of one result to the others. */
export function compare(errors: Errors, got: number, exact: (...operands: readonly number[]) => number, at: readonly number[]): void {
  const expected = exact(...at);
  const candidates = [expected];
  if (Math.abs(expected) < SMALLEST_NORMAL) candidates.push(expected * 0);
  if (at.some((x) => x !== 0 && Math.abs(x) < SMALLEST_NORMAL)) candidates.push(exact(...at.map(flushed)));
  let least = Infinity;
  for (const candidate of candidates) {
    const rounded = Math.fround(candidate);
    if (Object.is(got, rounded)) least = Math.min(least, Number.isFinite(got) && got !== 0 ? Math.abs(got - candidate) / unitOf(rounded) : 0);
    else if (got !== 0 && rounded !== 0 && Number.isFinite(got) && Number.isFinite(rounded) && got < 0 === rounded < 0) {
      least = Math.min(least, Math.abs(got - candidate) / unitOf(rounded));
    }
  }
  if (least === Infinity) {
    if (errors.different.length < 5) errors.different.push(`f(${at.join(', ')}) = ${got}, not ${expected}`);
  } else if (least > errors.worst) {
    errors.worst = least;
    errors.at = [...at];
  }
}
