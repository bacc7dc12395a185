/**
 * Every scalar operation in WGSL: tables from kinds to forms, by the type of the operands. Where the language
 * leaves a result open, or allows errors of hundreds of ULP, the form calls a function of this library.
 * float16 is computed in float32, and rounded unless the result is exact.
 */
import { BINARY_TRAITS, DTypeError, type DType, UNARY_TRAITS } from '@firsthand/linalg';
import type { BinaryKind, ReduceKind, UnaryKind } from '@firsthand/graph';
import {
  wrapped,
  expressionOf,
  runtimeExpression,
  valueType,
  type Expression,
  type ValueType,
} from './expression.ts';
import { literal } from './literals.ts';

export { elementType, valueType, type Expression } from './expression.ts';
export { declarationsOf, type FunctionName } from './functions.ts';
export { literal } from './literals.ts';

/** The forms of an operation, one for each type of operands that it takes. */
interface Rule {
  readonly f32?: string;
  readonly i32?: string;
  readonly u32?: string;
  readonly bool?: string;
}

const UNARY: { readonly [K in UnaryKind]: Rule } = {
  neg: { f32: '(-a)', i32: '(-a)', u32: '(0u - a)' },
  abs: { f32: 'abs(a)', i32: 'abs(a)', u32: 'a' },
  sign: { f32: 'sign_f32(a)', i32: 'sign(a)', u32: 'min(a, 1u)' },
  exp: { f32: 'exp_f32(a)' },
  expm1: { f32: 'expm1_f32(a)' },
  log: { f32: 'log_f32(a)' },
  log1p: { f32: 'log1p_f32(a)' },
  sqrt: { f32: 'sqrt(a)' },
  rsqrt: { f32: '(1f / sqrt(a))' },
  reciprocal: { f32: '(1f / a)' },
  sin: { f32: 'sin_f32(a)' },
  cos: { f32: 'cos_f32(a)' },
  tan: { f32: 'tan_f32(a)' },
  tanh: { f32: 'tanh_f32(a)' },
  erf: { f32: 'erf_f32(a)' },
  normalCdf: { f32: 'normal_cdf_f32(a)' },
  sigmoid: { f32: 'sigmoid_f32(a)' },
  floor: { f32: 'floor(a)' },
  ceil: { f32: 'ceil(a)' },
  round: { f32: 'round(a)' },
  logicalNot: { bool: '(!a)' },
  isNaN: { f32: 'is_nan(a)', i32: 'false', u32: 'false', bool: 'false' },
};

const BINARY: { readonly [K in BinaryKind]: Rule } = {
  add: { f32: '(a + b)', i32: '(a + b)', u32: '(a + b)' },
  sub: { f32: '(a - b)', i32: '(a - b)', u32: '(a - b)' },
  mul: { f32: '(a * b)', i32: '(a * b)', u32: '(a * b)' },
  div: { f32: '(a / b)', i32: 'div_i32(a, b)', u32: 'div_u32(a, b)' },
  pow: { f32: 'pow_f32(a, b)', i32: 'pow_i32(a, b)', u32: 'pow_u32(a, b)' },
  mod: { f32: 'mod_f32(a, b)', i32: 'mod_i32(a, b)', u32: 'mod_u32(a, b)' },
  maximum: { f32: 'max_f32(a, b)', i32: 'max(a, b)', u32: 'max(a, b)' },
  minimum: { f32: 'min_f32(a, b)', i32: 'min(a, b)', u32: 'min(a, b)' },
  eq: { f32: '(a == b)', i32: '(a == b)', u32: '(a == b)', bool: '(a == b)' },
  // WGSL's NaN != x is false where it becomes SPIR-V.
  ne: { f32: '(!(a == b))', i32: '(a != b)', u32: '(a != b)', bool: '(a != b)' },
  lt: { f32: '(a < b)', i32: '(a < b)', u32: '(a < b)', bool: '(!a & b)' },
  le: { f32: '(a <= b)', i32: '(a <= b)', u32: '(a <= b)', bool: '(!a | b)' },
  gt: { f32: '(a > b)', i32: '(a > b)', u32: '(a > b)', bool: '(a & !b)' },
  ge: { f32: '(a >= b)', i32: '(a >= b)', u32: '(a >= b)', bool: '(a | !b)' },
  logicalAnd: { bool: '(a & b)' },
  logicalOr: { bool: '(a | b)' },
};

/** The forms of casts, by the type of the operand, then of the result. */
const CAST: { readonly [From in ValueType]: { readonly [To in ValueType]: string } } = {
  f32: { f32: 'a', i32: 'f32_to_i32(a)', u32: 'f32_to_u32(a)', bool: 'is_true(a)' },
  i32: { f32: 'f32(a)', i32: 'a', u32: 'bitcast<u32>(a)', bool: '(a != 0i)' },
  u32: { f32: 'u32_to_f32(a)', i32: 'bitcast<i32>(a)', u32: 'a', bool: '(a != 0u)' },
  bool: { f32: 'f32(a)', i32: 'i32(a)', u32: 'u32(a)', bool: 'a' },
};

/** The identity of a reduction, and how it combines two values. */
interface ReduceRule {
  readonly identity: { readonly [K in ValueType]: number };
  readonly combine: { readonly [K in ValueType]: string };
}

const REDUCE: { readonly [K in ReduceKind]: ReduceRule } = {
  sum: {
    identity: { f32: 0, i32: 0, u32: 0, bool: 0 },
    combine: { f32: '(a + b)', i32: '(a + b)', u32: '(a + b)', bool: '(a | b)' },
  },
  prod: {
    identity: { f32: 1, i32: 1, u32: 1, bool: 1 },
    combine: { f32: '(a * b)', i32: '(a * b)', u32: '(a * b)', bool: '(a & b)' },
  },
  max: {
    identity: { f32: -Infinity, i32: -(2 ** 31), u32: 0, bool: 0 },
    combine: { f32: 'max_f32(a, b)', i32: 'max(a, b)', u32: 'max(a, b)', bool: '(a | b)' },
  },
  min: {
    identity: { f32: Infinity, i32: 2 ** 31 - 1, u32: 2 ** 32 - 1, bool: 1 },
    combine: { f32: 'min_f32(a, b)', i32: 'min(a, b)', u32: 'min(a, b)', bool: '(a & b)' },
  },
};

/** A result, rounded to binary16 where `rounds` says so. */
function rounded(expression: Expression, rounds: boolean): Expression {
  return rounds ? wrapped('to_half(a)', expression) : expression;
}

/** Applies a rule to operands of a dtype. */
function apply(
  kind: string,
  rule: Rule,
  { rounds }: { readonly rounds: boolean },
  dtype: DType,
  operands: readonly [string, ...string[]],
): Expression {
  const type = valueType(dtype);
  const form = rule[type];
  if (form === undefined) throw new DTypeError(`webgpu: ${kind} does not take ${dtype}`);
  return rounded(runtimeExpression(form, type, ...operands), rounds && dtype === 'float16');
}

/**
 * A function of one operand. The result is bool for `logicalNot` and `isNaN`, else of the operand's dtype.
 * @param dtype the operand's
 * @param x text as `Expression` has it
 * @throws DTypeError if the function does not take the dtype
 */
export function unaryExpression(kind: UnaryKind, dtype: DType, x: string): Expression {
  return apply(kind, UNARY[kind], UNARY_TRAITS[kind], dtype, [x]);
}

/**
 * A function of two operands of one dtype. The result is bool for comparisons and logic, else of the
 * operands' dtype.
 * @param dtype the operands'
 * @param a text as `Expression` has it
 * @param b text as `Expression` has it
 * @throws DTypeError if the function does not take the dtype
 */
export function binaryExpression(kind: BinaryKind, dtype: DType, a: string, b: string): Expression {
  return apply(kind, BINARY[kind], BINARY_TRAITS[kind], dtype, [a, b]);
}

/**
 * Whether the shader compiler sees float arithmetic in the result of an operation, which it may then merge
 * with the operation that reads it: the form has an operator of its own, and no rounding hides it.
 */
export function exposesArithmetic(kind: UnaryKind | BinaryKind, dtype: DType): boolean {
  const { f32 = '', rounds } =
    kind in UNARY
      ? { ...UNARY[kind as UnaryKind], ...UNARY_TRAITS[kind as UnaryKind] }
      : { ...BINARY[kind as BinaryKind], ...BINARY_TRAITS[kind as BinaryKind] };
  return /[-+*/]/.test(f32) && (dtype === 'float32' || !rounds);
}

/** A float that is opaque to the shader compiler: its value, and the operations before and behind it. */
export function opaqueExpression(x: string): Expression {
  return { text: `opaque_f32${x.startsWith('(') ? x : `(${x})`}`, needs: ['opaque_f32'] };
}

/**
 * Converts an element to another dtype: floats are truncated and clamped to the integer's range, NaN becomes
 * 0, integers wrap, bool is `≠ 0`.
 */
export function castExpression(from: DType, to: DType, x: string): Expression {
  const [source, target] = [valueType(from), valueType(to)];
  const cast = source === target ? expressionOf('a', x) : runtimeExpression(CAST[source][target], source, x);
  return rounded(cast, to === 'float16' && from !== 'float16' && from !== 'bool');
}

/** condition ? a : b. */
export function whereExpression(condition: string, a: string, b: string): Expression {
  return expressionOf(
    condition === 'true' ? 'b' : condition === 'false' ? 'c' : 'select(c, b, a)',
    condition,
    a,
    b,
  );
}

/**
 * Word `index` of the Philox4x32-10 stream: word index mod 4 of block counter + ⌊index/4⌋; float32 is (word
 * >> 8)·2⁻²⁴.
 * @param key two u32, least significant first
 * @param counter two u32, least significant first
 * @param index u32
 */
export function randomExpression(
  dtype: 'uint32' | 'float32',
  key: readonly [string, string],
  counter: readonly [string, string],
  index: string,
): Expression {
  const form = dtype === 'uint32' ? 'philox_word(a, b, c)' : 'philox_uniform(a, b, c)';
  return expressionOf(form, `vec2u(${key.join(', ')})`, `vec2u(${counter.join(', ')})`, index);
}

/** The identity of a reduction: its result over no elements. */
export function reduceIdentity(kind: ReduceKind, dtype: DType): Expression {
  return literal(dtype, REDUCE[kind].identity[valueType(dtype)]);
}

/**
 * Combines an element with the accumulator of a reduction. float16 accumulates in f32: the caller rounds the
 * result, by `castExpression('float32', 'float16', sum)`.
 * @param accumulator of type `valueType(dtype)`
 * @param x of type `valueType(dtype)`
 */
export function reduceExpression(kind: ReduceKind, dtype: DType, accumulator: string, x: string): Expression {
  return runtimeExpression(REDUCE[kind].combine[valueType(dtype)], valueType(dtype), accumulator, x);
}
