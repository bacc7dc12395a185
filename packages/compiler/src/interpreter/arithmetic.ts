/**
 * What every scalar operation computes, as formulas in double precision; a result is then rounded to its
 * dtype, once. The tables say it without `linalg`, whose arrays the kernels are compared with, and close to
 * the textbook rather than to a processor. Bools are 0 and 1.
 */
import { DTYPES, fromFloat16Bits, toFloat16Bits } from '@firsthand/linalg';
import type { BinaryKind, DType, UnaryKind } from '@firsthand/graph';

/** The binary16 number nearest to x, ties to even. */
function toHalf(x: number): number {
  return fromFloat16Bits(toFloat16Bits(x));
}

/**
 * The element of each dtype that an operation's exact result becomes: floats round, integers wrap. float16 is
 * computed in float32 and then rounded.
 */
export const ROUND: { readonly [K in DType]: (x: number) => number } = {
  float32: Math.fround,
  float64: (x) => x,
  float16: (x) => toHalf(Math.fround(x)),
  int32: (x) => x | 0,
  uint32: (x) => x >>> 0,
  bool: (x) => (x !== 0 ? 1 : 0),
};

/** Truncated, and held within bounds; NaN becomes 0. */
function saturate(x: number, low: number, high: number): number {
  return Number.isNaN(x) ? 0 : Math.min(Math.max(Math.trunc(x), low), high) + 0; // no integer is −0
}

/**
 * An element of one dtype as an element of another: fractions are cut off and held within the integers'
 * bounds, integers wrap, bool is `≠ 0`.
 */
export const CAST: { readonly [K in DType]: (x: number, from: DType) => number } = {
  float32: Math.fround,
  float64: (x) => x,
  float16: toHalf,
  int32: (x, from) => (DTYPES[from].isFloat ? saturate(x, -(2 ** 31), 2 ** 31 - 1) : x | 0),
  uint32: (x, from) => (DTYPES[from].isFloat ? saturate(x, 0, 2 ** 32 - 1) : x >>> 0),
  bool: ROUND.bool,
};

/** The functions of one operand. */
export const UNARY: { readonly [K in UnaryKind]: (x: number) => number } = {
  neg: (x) => -x,
  abs: Math.abs,
  sign: Math.sign,
  exp: Math.exp,
  expm1: Math.expm1,
  log: Math.log,
  log1p: Math.log1p,
  sqrt: Math.sqrt,
  rsqrt: (x) => 1 / Math.sqrt(x),
  reciprocal: (x) => 1 / x,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  tanh: Math.tanh,
  erf,
  normalCdf,
  sigmoid: (x) => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x))),
  floor: Math.floor,
  ceil: Math.ceil,
  round: roundToEven,
  logicalNot: (x) => (x === 0 ? 1 : 0),
  isNaN: (x) => (Number.isNaN(x) ? 1 : 0),
};

const truth = (condition: boolean): number => (condition ? 1 : 0);

/** The functions of two operands. */
const BINARY: { readonly [K in BinaryKind]: (a: number, b: number) => number } = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  // JavaScript has NaN for 1^NaN and (±1)^±∞, IEEE 754 has 1.
  pow: (a, b) => (a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b),
  mod: remainder,
  maximum: Math.max,
  minimum: Math.min,
  eq: (a, b) => truth(a === b),
  ne: (a, b) => truth(a !== b),
  lt: (a, b) => truth(a < b),
  le: (a, b) => truth(a <= b),
  gt: (a, b) => truth(a > b),
  ge: (a, b) => truth(a >= b),
  logicalAnd: (a, b) => truth(a !== 0 && b !== 0),
  logicalOr: (a, b) => truth(a !== 0 || b !== 0),
};

/**
 * Integers whose product or power doubles do not hold exactly. Quotients are cut off by being rounded, and
 * x/0 becomes 0.
 */
const INTEGER: { readonly [K in BinaryKind]?: (a: number, b: number) => number } = {
  mul: Math.imul,
  pow: integerPower,
};

/** The function of two operands of one dtype. */
export function binaryFunction(kind: BinaryKind, dtype: DType): (a: number, b: number) => number {
  return DTYPES[dtype].isFloat ? BINARY[kind] : (INTEGER[kind] ?? BINARY[kind]);
}

/** x − y·⌊x/y⌋, which has the sign of y. */
function remainder(x: number, y: number): number {
  const rest = x % y;
  return rest !== 0 && rest < 0 !== y < 0 ? rest + y : rest;
}

/** xʸ modulo 2³², by squaring; 1/x^|y| cut off where y < 0. */
function integerPower(x: number, y: number): number {
  if (y < 0) return x === 1 ? 1 : x === -1 ? (y % 2 === 0 ? 1 : -1) : 0;
  if (y === 0) return 1;
  const root = integerPower(x, Math.floor(y / 2));
  const square = Math.imul(root, root);
  return y % 2 === 0 ? square : Math.imul(square, x);
}

/** The nearest integer, the even one of two; zeros keep their sign. */
function roundToEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  const up = rest > 0.5 || (rest === 0.5 && below % 2 !== 0);
  const nearest = up ? below + 1 : below;
  return nearest === 0 ? (x < 0 || Object.is(x, -0) ? -0 : 0) : nearest;
}

/**
 * 2/√π ∫₀ˣ e^(−t²) dt. Near 0 by the series 2/√π e^(−x²) Σ 2ⁿx²ⁿ⁺¹/(1·3·…·(2n+1)), whose terms have one sign;
 * further out by the continued fraction of 1 − erf(x) = e^(−x²)/√π · 1/(x + ½/(x + 1/(x + 3⁄2/(x + …))))
 * (Abramowitz and Stegun, 7.1.6 and 7.1.14).
 */
function erf(x: number): number {
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  if (a > 2.5) {
    let fraction = a;
    for (let n = 60; n > 0; n--) fraction = a + n / 2 / fraction;
    return Math.sign(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / fraction);
  }
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return ((2 * sum) / Math.sqrt(Math.PI)) * Math.exp(-x * x);
}

/**
 * 1/√2π ∫ e^(−t²/2) dt up to x. About 0 it is ½ + φ(x)·Σ x²ⁿ⁺¹/(1·3·…·(2n+1)); further out by the continued
 * fraction of 1 − Φ(x) = φ(x)/(x + 1/(x + 2/(x + 3/(x + …)))) (Abramowitz and Stegun, 26.2.11 and 26.2.14).
 */
function normalCdf(x: number): number {
  const a = Math.abs(x);
  if (a > 39) return x < 0 ? 0 : 1;
  const near = Math.round(a * 256) / 256; // whose square is exact
  const density =
    (Math.exp(-near * near * 0.5) * Math.exp((near - a) * (near + a) * 0.5)) / Math.sqrt(2 * Math.PI);
  if (a > 1.5) {
    let fraction = a;
    for (let n = 400; n > 0; n--) fraction = a + n / fraction;
    return x < 0 ? density / fraction : 1 - density / fraction;
  }
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (x * x) / (2 * n + 1);
    sum += term;
  }
  return 0.5 + density * sum;
}
