/**
 * What every scalar operation is in WGSL: tables from kinds to text, by the type of the operands. What the
 * language leaves open, or has for some hundred units in the last place, is a function of this library, by
 * name. float16 is computed in float32; the result of every operation that may leave binary16 is rounded.
 */
import { DTypeError, type DType } from '@firsthand/linalg';
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

/** The form of an operation for each type of operands; absent where it has none. */
interface Rule {
  readonly f32?: string;
  readonly i32?: string;
  readonly u32?: string;
  readonly bool?: string;
  /** Whether a float16 result may need more digits than binary16 has. */
  readonly rounds?: true;
}

const UNARY: { readonly [K in UnaryKind]: Rule } = {
  neg: { f32: '(-a)', i32: '(-a)', u32: '(0u - a)' },
  abs: { f32: 'abs(a)', i32: 'abs(a)', u32: 'a' },
  sign: { f32: 'sign_f32(a)', i32: 'sign(a)', u32: 'min(a, 1u)' },
  exp: { f32: 'exp_f32(a)', rounds: true },
  expm1: { f32: 'expm1_f32(a)', rounds: true },
  log: { f32: 'log_f32(a)', rounds: true },
  log1p: { f32: 'log1p_f32(a)', rounds: true },
  sqrt: { f32: 'sqrt(a)', rounds: true },
  rsqrt: { f32: '(1f / sqrt(a))', rounds: true },
  reciprocal: { f32: '(1f / a)', rounds: true },
  sin: { f32: 'sin_f32(a)', rounds: true },
  cos: { f32: 'cos_f32(a)', rounds: true },
  tan: { f32: 'tan_f32(a)', rounds: true },
  tanh: { f32: 'tanh_f32(a)', rounds: true },
  erf: { f32: 'erf_f32(a)', rounds: true },
  normalCdf: { f32: 'normal_cdf_f32(a)', rounds: true },
  sigmoid: { f32: 'sigmoid_f32(a)', rounds: true },
  floor: { f32: 'floor(a)' },
  ceil: { f32: 'ceil(a)' },
  round: { f32: 'round(a)' },
  logicalNot: { bool: '(!a)' },
  isNaN: { f32: 'is_nan(a)', i32: 'false', u32: 'false', bool: 'false' },
};

const BINARY: { readonly [K in BinaryKind]: Rule } = {
  add: { f32: '(a + b)', i32: '(a + b)', u32: '(a + b)', rounds: true },
  sub: { f32: '(a - b)', i32: '(a - b)', u32: '(a - b)', rounds: true },
  mul: { f32: '(a * b)', i32: '(a * b)', u32: '(a * b)', rounds: true },
  div: { f32: '(a / b)', i32: 'div_i32(a, b)', u32: 'div_u32(a, b)', rounds: true },
  pow: { f32: 'pow_f32(a, b)', i32: 'pow_i32(a, b)', u32: 'pow_u32(a, b)', rounds: true },
  mod: { f32: 'mod_f32(a, b)', i32: 'mod_i32(a, b)', u32: 'mod_u32(a, b)', rounds: true },
  maximum: { f32: 'max_f32(a, b)', i32: 'max(a, b)', u32: 'max(a, b)' },
  minimum: { f32: 'min_f32(a, b)', i32: 'min(a, b)', u32: 'min(a, b)' },
  eq: { f32: '(a == b)', i32: '(a == b)', u32: '(a == b)', bool: '(a == b)' },
  ne: { f32: '(!(a == b))', i32: '(a != b)', u32: '(a != b)', bool: '(a != b)' }, // WGSL's NaN != x is false where it becomes SPIR-V
  lt: { f32: '(a < b)', i32: '(a < b)', u32: '(a < b)', bool: '(!a & b)' },
  le: { f32: '(a <= b)', i32: '(a <= b)', u32: '(a <= b)', bool: '(!a | b)' },
  gt: { f32: '(a > b)', i32: '(a > b)', u32: '(a > b)', bool: '(a & !b)' },
  ge: { f32: '(a >= b)', i32: '(a >= b)', u32: '(a >= b)', bool: '(a | !b)' },
  logicalAnd: { bool: '(a & b)' },
  logicalOr: { bool: '(a | b)' },
};

/** By the type of the operand, then that of the result. */
const CAST: { readonly [From in ValueType]: { readonly [To in ValueType]: string } } = {
  f32: { f32: 'a', i32: 'f32_to_i32(a)', u32: 'f32_to_u32(a)', bool: 'is_true(a)' },
  i32: { f32: 'f32(a)', i32: 'a', u32: 'bitcast<u32>(a)', bool: '(a != 0i)' },
  u32: { f32: 'u32_to_f32(a)', i32: 'bitcast<i32>(a)', u32: 'a', bool: '(a != 0u)' },
  bool: { f32: 'f32(a)', i32: 'i32(a)', u32: 'u32(a)', bool: 'a' },
};

/** What a reduction begins with, and how it goes on. */
interface ReduceRule {
  readonly identity: { readonly [K in ValueType]: number };
  readonly step: { readonly [K in ValueType]: string };
}

const REDUCE: { readonly [K in ReduceKind]: ReduceRule } = {
  sum: {
    identity: { f32: 0, i32: 0, u32: 0, bool: 0 },
    step: { f32: '(a + b)', i32: '(a + b)', u32: '(a + b)', bool: '(a | b)' },
  },
  prod: {
    identity: { f32: 1, i32: 1, u32: 1, bool: 1 },
    step: { f32: '(a * b)', i32: '(a * b)', u32: '(a * b)', bool: '(a & b)' },
  },
  max: {
    identity: { f32: -Infinity, i32: -(2 ** 31), u32: 0, bool: 0 },
    step: { f32: 'max_f32(a, b)', i32: 'max(a, b)', u32: 'max(a, b)', bool: '(a | b)' },
  },
  min: {
    identity: { f32: Infinity, i32: 2 ** 31 - 1, u32: 2 ** 32 - 1, bool: 1 },
    step: { f32: 'min_f32(a, b)', i32: 'min(a, b)', u32: 'min(a, b)', bool: '(a & b)' },
  },
};

/** A result, rounded to binary16 if it is to be. */
function rounded(expression: Expression, rounds: boolean): Expression {
  return rounds ? wrapped('to_half(a)', expression) : expression;
}

/** What a rule makes of operands of a dtype. */
function apply(kind: string, rule: Rule, dtype: DType, operands: readonly [string, ...string[]]): Expression {
  const type = valueType(dtype);
  const form = rule[type];
  if (form === undefined) throw new DTypeError(`webgpu: ${kind} does not take ${dtype}`);
  return rounded(runtimeExpression(form, type, ...operands), rule.rounds === true && dtype === 'float16');
}

/**
 * A function of one operand. The result is bool for `logicalNot` and `isNaN`, else of the operand's dtype.
 * @param dtype the operand's
 * @param x text as `Expression` has it
 * @throws DTypeError if the function does not take the dtype
 */
export function unaryExpression(kind: UnaryKind, dtype: DType, x: string): Expression {
  return apply(kind, UNARY[kind], dtype, [x]);
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
  return apply(kind, BINARY[kind], dtype, [a, b]);
}

/**
 * A float that no compiler knows anything of: it is not put together with what it is computed from, or is
 * computed from it.
 */
export function opaqueExpression(x: string): Expression {
  return { text: `opaque_f32${x.startsWith('(') ? x : `(${x})`}`, needs: ['opaque_f32'] };
}

/**
 * An element of one dtype as one of another: floats are cut off and held within an integer's bounds, NaN
 * becomes 0, integers wrap, bool is `≠ 0`.
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

/** What a reduction of no elements gives. */
export function reduceIdentity(kind: ReduceKind, dtype: DType): Expression {
  return literal(dtype, REDUCE[kind].identity[valueType(dtype)]);
}

/**
 * One more element in a reduction. float16 sums and products are f32 while they grow: round the last one, by
 * `castExpression('float32', 'float16', sum)`.
 * @param accumulator of type `valueType(dtype)`
 * @param x of type `valueType(dtype)`
 */
export function reduceExpression(kind: ReduceKind, dtype: DType, accumulator: string, x: string): Expression {
  return runtimeExpression(REDUCE[kind].step[valueType(dtype)], valueType(dtype), accumulator, x);
}
