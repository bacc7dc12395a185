/**
 * WGSL expressions: text, and the library functions that it calls. They are made of forms, which are WGSL
 * with the operands named a, b and c: `(a + b)`, `exp_f32(a)`.
 */
import { DTypeError, type DType } from '@firsthand/linalg';
import { functionsIn, type FunctionName } from './functions.ts';

/** An expression, with the library functions that it calls: a name, a literal, a call, or in parentheses. */
export interface Expression {
  readonly text: string;
  readonly needs: readonly FunctionName[];
}

/** The types of values in registers. */
export type ValueType = 'f32' | 'i32' | 'u32' | 'bool';

/** The value type of each dtype; null where WGSL has none. */
const VALUE_TYPES: { readonly [K in DType]: ValueType | null } = {
  float32: 'f32',
  float64: null,
  float16: 'f32',
  int32: 'i32',
  uint32: 'u32',
  bool: 'bool',
};

/**
 * The type of a value in registers: float32 and float16 f32 (float16 values are f32 that are binary16
 * numbers), int32 i32, uint32 u32, bool bool.
 * @throws DTypeError for float64
 */
export function valueType(dtype: DType): ValueType {
  const type = VALUE_TYPES[dtype];
  if (type !== null) return type;
  const remedy = "convert with astype('float32'), or use the wasm device";
  throw new DTypeError({ operation: 'webgpu', problem: `WGSL has no ${dtype}`, expected: 'float32', remedy });
}

/**
 * The type of one element in memory, which is one word of 32 bits: f32 (float32, float16), i32, u32 (uint32;
 * bool as 0 and 1).
 * @throws DTypeError for float64
 */
export function elementType(dtype: DType): 'f32' | 'i32' | 'u32' {
  const type = valueType(dtype);
  return type === 'bool' ? 'u32' : type;
}

const OPERANDS = ['a', 'b', 'c'];

/** Substitutes operands into a form. */
export function expressionOf(form: string, ...operands: readonly string[]): Expression {
  const text = form.replaceAll(/\b[abc]\b/g, (name) => operands[OPERANDS.indexOf(name)]!);
  return { text, needs: functionsIn(form) };
}

/** Substitutes an expression for the first operand of a form, and texts for the others. */
export function wrapped(form: string, { text, needs }: Expression, ...rest: readonly string[]): Expression {
  const outer = expressionOf(form, text, ...rest);
  return { text: outer.text, needs: [...needs, ...outer.needs] };
}

/** Identity functions by type: their result is no constant. */
const RUNTIME: { readonly [K in ValueType]: string } = {
  f32: 'runtime_f32(a)',
  i32: 'runtime_i32(a)',
  u32: 'runtime_u32(a)',
  bool: 'a',
};

/**
 * Substitutes operands into a form so that they are not all literals: WGSL evaluates constant expressions at
 * compile time, where overflow is an error.
 * @param type the operands'
 */
export function runtimeExpression(
  form: string,
  type: ValueType,
  first: string,
  ...rest: readonly string[]
): Expression {
  const literals = [first, ...rest].every((text) => /^-?\d|^i32\(-\d+\)$/.test(text));
  return literals
    ? wrapped(form, expressionOf(RUNTIME[type], first), ...rest)
    : expressionOf(form, first, ...rest);
}
