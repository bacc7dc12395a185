/**
 * All functions of one float32 operand that are more than a few instructions, by name. Each has been measured
 * to be within 2 ulp (units of the last binary digit) of the exact value, `normalCdf` within 5.7, with the
 * special values of JavaScript's `Math`.
 */
import { erf, normalCdf } from './error-function.ts';
import { exp, expm1, sigmoid, tanh } from './exponential.ts';
import type { Float64Import, FunctionKind } from './float64.ts';
import type { VectorFunction } from './formula.ts';
import { log, log1p } from './logarithm.ts';
import { cos, sin, tan } from './trigonometric.ts';

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
