/**
 * Functions that are more than a few instructions, one table for each dtype. float32 has vector code,
 * measured to be within 2 units in the last place of the exact value (`normalCdf` within 5.7), with the
 * special values of JavaScript's `Math`. float64 calls imported functions lane by lane, with the meaning that
 * they have in @firsthand/linalg.
 */
import type { Callee, Code, Local } from '../assembler/code.ts';
import { erf, normalCdf } from './error-function.ts';
import { exp, expm1, sigmoid, tanh } from './exponential.ts';
import type { VectorFunction } from './formula.ts';
import { log, log1p } from './logarithm.ts';
import { cos, sin, tan } from './trigonometric.ts';

/** How many float64 each imported function takes. All give one. */
export const FLOAT64_IMPORTS = {
  exp: 1,
  expm1: 1,
  log: 1,
  log1p: 1,
  sin: 1,
  cos: 1,
  tan: 1,
  tanh: 1,
  erf: 1,
  normalCdf: 1,
  sigmoid: 1,
  pow: 2,
  mod: 2,
} as const;
/** The names of the functions that modules import from `env`. */
export type Float64Import = keyof typeof FLOAT64_IMPORTS;
/** The functions of one number that are more than a few instructions. */
export type FunctionKind = Exclude<Float64Import, 'pow' | 'mod'>;

/** The functions: they read a vector of four float32 and push one. */
export const FLOAT32_FUNCTIONS: { readonly [K in FunctionKind]: VectorFunction } = {
  exp,
  expm1,
  log,
  log1p,
  sin,
  cos,
  tan,
  tanh,
  erf,
  normalCdf,
  sigmoid,
};

/** What a module imports for each of them. */
export const FLOAT32_IMPORTS: { readonly [K in FunctionKind]: readonly Float64Import[] } = {
  exp: [],
  expm1: [],
  log: [],
  log1p: [],
  sin: ['sin'],
  cos: ['cos'],
  tan: ['tan'],
  tanh: [],
  erf: [],
  normalCdf: [],
  sigmoid: [],
};

/** A function of numbers that a module imports. */
export type ScalarFunction = (x: number, y: number) => number;

/**
 * The functions themselves, for the import object's `env`. They refer to nothing outside of themselves:
 * workers get them as text.
 */
export function scalarImports(): { readonly [K in Float64Import]: ScalarFunction } {
  return {
    exp: Math.exp,
    expm1: Math.expm1,
    log: Math.log,
    log1p: Math.log1p,
    sin: Math.sin,
    cos: Math.cos,
    tan: Math.tan,
    tanh: Math.tanh,
    erf: errorFunction,
    normalCdf: normalDistribution,
    sigmoid: (x) => {
      const e = Math.exp(-Math.abs(x)); // never overflows
      return (x < 0 ? e : 1) / (1 + e);
    },
    pow: (x, y) => (x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : Math.pow(x, y)),
    mod: (x, y) => {
      const rest = x % y;
      // Always the same bits: those of `rest` change when the engine optimizes.
      if (Number.isNaN(rest)) return NaN;
      return rest !== 0 && rest < 0 !== y < 0 ? rest + y : rest;
    },
  };
}

/**
 * erf(x), to a few ulp: below 2 by the series 2/√π·e^(−x²)·Σ 2ⁿx²ⁿ⁺¹/(2n+1)!!, in which
 * nothing cancels, and from there as 1 − erfc(x) by Laplace's continued fraction √π·e^(x²)·erfc(x) = 1/(x +
 * ½/(x + 1/(x + 3/2/(x + …)))). Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.6 and
 * 7.1.14.
 */
function errorFunction(x: number): number {
  const magnitude = Math.abs(x);
  if (!(magnitude < 6)) return Math.sign(x);
  const decay = Math.exp(-x * x) / Math.sqrt(Math.PI);
  if (magnitude < 2) {
    let sum = x;
    for (let term = x, n = 1; sum + term !== sum; n++) sum += term *= (2 * x * x) / (2 * n + 1);
    return 2 * decay * sum;
  }
  let rest = 0;
  // 80 terms of the fraction are more than enough from 2 on.
  for (let k = 80; k > 0; k--) rest = k / 2 / (magnitude + rest);
  return Math.sign(x) * (1 - decay / (magnitude + rest));
}

/**
 * Φ(x), to a few ulp: about 0 as ½ + φ(x)·Σ x²ⁿ⁺¹/(2n+1)!!, further out by Laplace's
 * continued fraction (1 − Φ(x))/φ(x) = 1/(x + 1/(x + 2/(x + …))). Abramowitz and Stegun, 26.2.11 and 26.2.14.
 * The exponential is of two factors, the first of a number whose square is exact.
 */
function normalDistribution(x: number): number {
  const magnitude = Math.abs(x);
  if (!(magnitude < 39)) return x < 0 ? 0 : x > 0 ? 1 : NaN;
  const head = Math.fround(magnitude);
  const decay = Math.exp(-head * head * 0.5) * Math.exp((head - magnitude) * (head + magnitude) * 0.5);
  const density = decay / Math.sqrt(2 * Math.PI);
  if (magnitude < 1.5) {
    let sum = x;
    for (let term = x, n = 1; sum + term !== sum; n++) sum += term *= (x * x) / (2 * n + 1);
    return 0.5 + density * sum;
  }
  let rest = 0;
  // Enough terms of the fraction: the nearer to 0, the more.
  for (let k = Math.ceil(30 + 900 / (magnitude * magnitude)); k > 0; k--) rest = k / (magnitude + rest);
  const upper = density / (magnitude + rest);
  return x < 0 ? upper : 1 - upper;
}

/**
 * Pushes f(operands), lane by lane.
 * @param operands one or two vectors of two float64, not changed
 */
export function emitFloat64(code: Code, callee: Callee, operands: readonly Local[]): void {
  code.f64x2(0);
  for (let lane = 0; lane < 2; lane++) {
    for (const operand of operands) code.get(operand).lane('f64x2.extract_lane', lane);
    code.call(callee).lane('f64x2.replace_lane', lane);
  }
}
