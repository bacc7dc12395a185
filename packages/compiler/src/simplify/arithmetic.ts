/**
 * Arithmetic that need not be done. Of the identities of the real numbers, floats keep only those that hold
 * for NaN, infinities and both zeros: x·1 = x but not x·0 = 0 (NaN·0), x + (−0) = x but not x + 0 = x (−0 + 0
 * = 0), and never a sum in another order. Integers modulo 2³² are a ring and keep more.
 */
import { type DType, isFloat, type Node } from '@firsthand/graph';
import { full, reciprocal, UNARY_TRAITS } from '@firsthand/linalg';
import { COMMUTATIVE, type Rewriter, type Rule } from './rewrite.ts';
import {
  binaryRule,
  constantOf,
  inexact,
  isConstant,
  operandOf,
  operandsOf,
  unaryRule,
} from './rewrite-rule.ts';

const negative = (x: Node, make: Rewriter): Node => make.unary('neg', x);
const numberLike = (value: number, { shape, dtype }: Node, make: Rewriter): Node =>
  make.constant(value, shape, dtype);
/** −1, which uint32 holds as 2³² − 1. */
const isMinusOne = (node: Node): boolean =>
  isConstant(node, -1) || (node.dtype === 'uint32' && isConstant(node, 2 ** 32 - 1));

/** The smallest number above 0 that has all its digits. */
const NORMAL: { readonly [K in DType]: number } = {
  float16: 2 ** -14,
  float32: 2 ** -126,
  float64: 2 ** -1022,
  int32: 1,
  uint32: 1,
  bool: 1,
};

/** 1/c, where c is a power of two and 1/c a number with all its digits; else null. */
function exactReciprocal(node: Node): number | null {
  const value = constantOf(node);
  if (value === null || !isFloat(node.dtype) || !(Math.abs(value) >= NORMAL[node.dtype])) return null;
  const inverse = reciprocal(full([], value, { dtype: node.dtype })).get();
  const isPower = 2 ** Math.round(Math.log2(Math.abs(value))) === Math.abs(value);
  return isPower && Math.abs(inverse) >= NORMAL[node.dtype] ? inverse : null;
}

/** Functions whose values are never below +0, NaN apart. */
const isPositive = (x: Node): boolean =>
  x.op === 'unary' ? UNARY_TRAITS[x.attrs.kind].isNonNegative : isFloat(x.dtype) && isSquare(x);
const isSquare = (x: Node): boolean => {
  const operands = operandsOf(x, 'mul');
  return operands !== null && operands[0] === operands[1];
};
const isRounded = (x: Node): boolean =>
  (x.op === 'unary' && UNARY_TRAITS[x.attrs.kind].isInteger) ||
  (x.op === 'cast' && !isFloat(x.inputs[0]!.dtype));

const UNARY_RULES: readonly Rule[] = [
  // It flips the sign bit twice.
  unaryRule(['neg'], '−(−x) = x', (x) => operandOf(x, 'neg')),
  // A product’s sign is the product of the signs.
  unaryRule(['neg'], '−(x·c) = x·(−c)', (x, make) => {
    const [operand, constant] = operandsOf(x, 'mul') ?? [];
    return operand !== undefined && constant!.op === 'const'
      ? make.binary('mul', operand, negative(constant, make))
      : null;
  }),
  // For floats: a quotient’s sign is the product of the signs.
  unaryRule(['neg'], '−(x/c) = x/(−c)', (x, make) => {
    const [dividend, constant] = operandsOf(x, 'div') ?? [];
    if (dividend === undefined || constant!.op !== 'const' || !isFloat(x.dtype)) return null;
    return make.binary('div', dividend, negative(constant, make));
  }),
  // For integers; for floats a = b would give −0 on the left and 0 on the right.
  unaryRule(['neg'], '−(a − b) = b − a', (x, make) => {
    const [a, b] = operandsOf(x, 'sub') ?? [];
    return a === undefined || isFloat(x.dtype) ? null : make.binary('sub', b!, a);
  }),
  // It clears the sign bit; uint32 has none.
  unaryRule(['abs'], '|−x| = |x|', (x, make) => {
    const positive = operandOf(x, 'neg');
    return positive === null || x.dtype === 'uint32' ? null : make.unary('abs', positive);
  }),
  // Absolute values, exponentials, sigmoids, float squares, and uint32.
  unaryRule(['abs'], '|x| = x where x ≥ 0', (x) => (isPositive(x) || x.dtype === 'uint32' ? x : null)),
  // A whole number is rounded to itself.
  unaryRule(['floor', 'ceil', 'round'], '⌊n⌋ = n', (x) => (isRounded(x) ? x : null)),
];

const PRODUCT_RULES: readonly Rule[] = [
  // For every x, NaN included.
  binaryRule(['mul'], 'x·1 = x', (a, b) => (isConstant(b, 1) ? a : null)),
  // The sign bit flips, and nothing rounds.
  binaryRule(['mul'], 'x·(−1) = −x', (a, b, make) => (isMinusOne(b) ? negative(a, make) : null)),
  // For integers; a float may be NaN, infinite or negative.
  binaryRule(['mul'], 'n·0 = 0', (_, b) => (!isFloat(b.dtype) && isConstant(b, 0) ? b : null)),
  // For integers modulo 2³²; floats round in between.
  binaryRule(['mul'], '(n·c)·d = n·(c·d)', (a, b, make) => {
    const [n, c] = operandsOf(a, 'mul') ?? [];
    if (n === undefined || isFloat(a.dtype) || b.op !== 'const' || c!.op !== 'const') return null;
    return make.binary('mul', n, make.binary('mul', c, b));
  }),
  // A product’s sign is the product of the signs.
  binaryRule(['mul'], '(−a)·(−b) = a·b', (a, b, make) => {
    const [first, second] = [operandOf(a, 'neg'), operandOf(b, 'neg')];
    return first === null || second === null ? null : make.binary('mul', first, second);
  }),
  // A product’s sign is the product of the signs.
  binaryRule(['mul'], '(−x)·c = x·(−c)', (a, b, make) => {
    const x = operandOf(a, 'neg');
    return x === null || b.op !== 'const' ? null : make.binary('mul', x, negative(b, make));
  }),
  // For every x, NaN included.
  binaryRule(['div'], 'x/1 = x', (a, b) => (isConstant(b, 1) ? a : null)),
  // The sign bit flips, and nothing rounds; not for uint32, where −1 is 2³² − 1.
  binaryRule(['div'], 'x/(−1) = −x', (a, b, make) => (isConstant(b, -1) ? negative(a, make) : null)),
  // Both are the same real number, rounded once; 1/c is exact and has all its digits.
  binaryRule(['div'], 'x/c = x·(1/c) where c = ±2ᵏ', (a, b, make) => {
    const inverse = exactReciprocal(b);
    return inverse === null ? null : make.binary('mul', a, numberLike(inverse, b, make));
  }),
  // By its definition.
  binaryRule(['div'], '1/x is the reciprocal', (a, b, make) =>
    isConstant(a, 1) && isFloat(b.dtype) ? make.unary('reciprocal', b) : null,
  ),
  // For floats: a quotient’s sign is the product of the signs.
  binaryRule(['div'], '(−a)/(−b) = a/b', (a, b, make) => {
    const [first, second] = [operandOf(a, 'neg'), operandOf(b, 'neg')];
    return first === null || second === null || !isFloat(a.dtype) ? null : make.binary('div', first, second);
  }),
  // For floats: a quotient’s sign is the product of the signs.
  binaryRule(['div'], '(−x)/c = x/(−c)', (a, b, make) => {
    const x = operandOf(a, 'neg');
    return x === null || b.op !== 'const' || !isFloat(a.dtype)
      ? null
      : make.binary('div', x, negative(b, make));
  }),
  // Integer division by 0 gives 0; so does its remainder.
  binaryRule(['div', 'mod'], 'n/0 = 0, 0/n = 0', (a, b) => {
    if (isFloat(a.dtype)) return null;
    return isConstant(b, 0) ? b : isConstant(a, 0) ? a : null;
  }),
  // For integers: 1 divides all.
  binaryRule(['mod'], 'n mod ±1 = 0', (_, b, make) =>
    !isFloat(b.dtype) && (isConstant(b, 1) || isConstant(b, -1)) ? numberLike(0, b, make) : null,
  ),
];

const SUM_RULES: readonly Rule[] = [
  // Also for x = 0 and x = −0; integers have one zero.
  binaryRule(['add'], 'x + (−0) = x', (a, b) => (isConstant(b, isFloat(b.dtype) ? -0 : 0) ? a : null)),
  // Also for x = −0: −0 − 0 = −0.
  binaryRule(['sub'], 'x − 0 = x', (a, b) => (isConstant(b, 0) ? a : null)),
  // Also for x = 0 and x = −0; integers have one zero.
  binaryRule(['sub'], '−0 − x = −x', (a, b, make) =>
    isConstant(a, isFloat(a.dtype) ? -0 : 0) ? negative(b, make) : null,
  ),
  // That is what subtraction is.
  binaryRule(['add'], 'a + (−b) = a − b', (a, b, make) => {
    const [first, second] = [operandOf(a, 'neg'), operandOf(b, 'neg')];
    if (second !== null) return make.binary('sub', a, second);
    return first === null ? null : make.binary('sub', b, first);
  }),
  // That is what subtraction is.
  binaryRule(['sub'], 'a − (−b) = a + b', (a, b, make) => {
    const positive = operandOf(b, 'neg');
    return positive === null ? null : make.binary('add', a, positive);
  }),
  // For integers; NaN − NaN and ∞ − ∞ are NaN.
  binaryRule(['sub'], 'n − n = 0', (a, b, make) =>
    a === b && !isFloat(a.dtype) ? numberLike(0, a, make) : null,
  ),
  // For integers modulo 2³², so that constants meet.
  binaryRule(['sub'], 'n − c = n + (−c)', (a, b, make) =>
    b.op === 'const' && !isFloat(b.dtype) ? make.binary('add', a, negative(b, make)) : null,
  ),
  // For integers modulo 2³²; floats round in between.
  binaryRule(['add'], '(n + c) + d = n + (c + d)', (a, b, make) => {
    const [n, c] = operandsOf(a, 'add') ?? [];
    if (n === undefined || isFloat(a.dtype) || b.op !== 'const' || c!.op !== 'const') return null;
    return make.binary('add', n, make.binary('add', c, b));
  }),
];

const POWER_RULES: readonly Rule[] = [
  // For every x, NaN included.
  binaryRule(['pow'], 'x¹ = x', (a, b) => (isConstant(b, 1) ? a : null)),
  // For every x, NaN included (IEEE 754).
  binaryRule(['pow'], 'x⁰ = 1', (_, b, make) => (constantOf(b) === 0 ? numberLike(1, b, make) : null)),
  // For every x, NaN included (IEEE 754).
  binaryRule(['pow'], '1ˣ = 1', (a) => (isConstant(a, 1) ? a : null)),
  // For integers modulo 2³².
  binaryRule(['pow'], 'n² = n·n', (a, b, make) =>
    isConstant(b, 2) && !isFloat(a.dtype) ? make.binary('mul', a, a) : null,
  ),
  inexact(
    // The product is rounded correctly; the power may be off by one in the last place.
    binaryRule(['pow'], 'x² ≈ x·x', (a, b, make) =>
      isConstant(b, 2) && isFloat(a.dtype) ? make.binary('mul', a, a) : null,
    ),
  ),
  inexact(
    // The quotient is rounded correctly; the power may be off by one in the last place.
    binaryRule(['pow'], 'x⁻¹ ≈ 1/x', (a, b, make) =>
      isConstant(b, -1) && isFloat(a.dtype) ? make.unary('reciprocal', a) : null,
    ),
  ),
];

/** The value that does not change an extreme. */
const LEAST: { readonly [K in DType]: number } = {
  float16: -Infinity,
  float32: -Infinity,
  float64: -Infinity,
  int32: -(2 ** 31),
  uint32: 0,
  bool: 0,
};
const LARGEST: { readonly [K in DType]: number } = {
  float16: Infinity,
  float32: Infinity,
  float64: Infinity,
  int32: 2 ** 31 - 1,
  uint32: 2 ** 32 - 1,
  bool: 1,
};

/** The least and the largest value of a dtype, NaN apart. */
export function rangeOf(dtype: DType): readonly [least: number, largest: number] {
  return [LEAST[dtype], LARGEST[dtype]];
}

const EXTREME_RULES: readonly Rule[] = [
  // For every x, NaN included.
  binaryRule(['maximum', 'minimum'], 'max(x, x) = x', (a, b) => (a === b ? a : null)),
  // No number is below the least; NaN stays NaN.
  binaryRule(['maximum', 'minimum'], 'max(x, −∞) = x', (a, b, _, { attrs }) => {
    const [least, largest] = rangeOf(b.dtype);
    return isConstant(b, attrs.kind === 'maximum' ? least : largest) ? a : null;
  }),
  // For integers, whose largest value is a number; a float may be NaN.
  binaryRule(['maximum', 'minimum'], 'max(n, ∞) = ∞', (_, b, __, { attrs }) => {
    const [least, largest] = rangeOf(b.dtype);
    return !isFloat(b.dtype) && isConstant(b, attrs.kind === 'maximum' ? largest : least) ? b : null;
  }),
  // Extremes associate, −0 < 0 and NaN included.
  binaryRule(['maximum', 'minimum'], 'max(max(x, c), d) = max(x, max(c, d))', (a, b, make, { attrs }) => {
    const [x, c] = operandsOf(a, attrs.kind) ?? [];
    if (x === undefined || b.op !== 'const' || c!.op !== 'const') return null;
    return make.binary(attrs.kind, x, make.binary(attrs.kind, c, b));
  }),
];

/** Rules about arithmetic; constants stand on the right. */
export const ARITHMETIC_RULES: readonly Rule[] = [
  // These operations commute; the other rules look for constants on the right.
  binaryRule(COMMUTATIVE, 'f(c, x) = f(x, c)', (a, b, make, { attrs }) =>
    a.op === 'const' && b.op !== 'const' ? make.binary(attrs.kind, b, a) : null,
  ),
  ...UNARY_RULES,
  ...PRODUCT_RULES,
  ...SUM_RULES,
  ...POWER_RULES,
  ...EXTREME_RULES,
];
