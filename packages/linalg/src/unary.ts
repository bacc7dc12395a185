/**
 * Elementwise functions of one array: y[i] = f(x[i]). One table holds them all, and each entry is its own
 * loop, because V8 compiles a function literal once for the types it meets: a loop shared by all kinds that
 * calls f would call it through memory, several times slower. Floats are computed in double precision and
 * rounded once, when stored.
 */
import { checkCount } from './arguments.ts';
import { allocate, type TypedArray } from './dtype.ts';
import { erf as erfOf, normalCdf as normalCdfOf } from './erf.ts';
import { roundHalfEven } from './float16.ts';
import { forEachRow } from './loops.ts';
import { NDArray } from './ndarray.ts';
import { checkDomain, requireArray, widen, type Domain } from './operands.ts';

/** The names of the elementwise functions of one array. */
export type UnaryKind =
  | 'neg'
  | 'abs'
  | 'sign'
  | 'exp'
  | 'expm1'
  | 'log'
  | 'log1p'
  | 'sqrt'
  | 'rsqrt'
  | 'reciprocal'
  | 'sin'
  | 'cos'
  | 'tan'
  | 'tanh'
  | 'erf'
  | 'normalCdf'
  | 'sigmoid'
  | 'floor'
  | 'ceil'
  | 'round'
  | 'logicalNot'
  | 'isNaN';

/** What compilers and devices decide by, for a function of one operand. */
export interface UnaryTraits {
  /** What graphs apply it to: floats, numbers, or bools; a test takes floats and gives bool. */
  readonly operands: 'float' | 'number' | 'bool' | 'test';
  /**
   * Vector instructions per vector, roughly: an addition is 1, a division 5, a function of the library 20.
   */
  readonly cost: number;
  /** Whether it gives NaN for NaN. */
  readonly passesNaN: boolean;
  /** Whether no result is below +0, NaN apart. */
  readonly isNonNegative: boolean;
  /** Whether every finite result is an integer. */
  readonly isInteger: boolean;
  /** Whether the exact result for an operand of some dtype may need rounding to that dtype. */
  readonly rounds: boolean;
  /** Whether the result has the same bits on every device. */
  readonly isReproducible: boolean;
}

/** The traits of every function of one operand. */
// oxfmt-ignore
export const UNARY_TRAITS: { readonly [K in UnaryKind]: UnaryTraits } = {
  neg:        { operands: 'number', cost: 1,  passesNaN: true,  isNonNegative: false, isInteger: false, rounds: false, isReproducible: true },
  abs:        { operands: 'number', cost: 1,  passesNaN: true,  isNonNegative: true,  isInteger: false, rounds: false, isReproducible: true },
  sign:       { operands: 'number', cost: 1,  passesNaN: true,  isNonNegative: false, isInteger: false, rounds: false, isReproducible: false },
  exp:        { operands: 'float',  cost: 20, passesNaN: true,  isNonNegative: true,  isInteger: false, rounds: true,  isReproducible: false },
  expm1:      { operands: 'float',  cost: 20, passesNaN: true,  isNonNegative: false, isInteger: false, rounds: true,  isReproducible: false },
  log:        { operands: 'float',  cost: 20, passesNaN: true,  isNonNegative: false, isInteger: false, rounds: true,  isReproducible: false },
  log1p:      { operands: 'float',  cost: 20, passesNaN: true,  isNonNegative: false, isInteger: false, rounds: true,  isReproducible: false },
  sqrt:       { operands: 'float',  cost: 5,  passesNaN: true,  isNonNegative: false, isInteger: false, rounds: true,  isReproducible: false },
  rsqrt:      { operands: 'float',  cost: 10, passesNaN: true,  isNonNegative: false, isInteger: false, rounds: true,  isReproducible: false },
  reciprocal: { operands: 'float',  cost: 5,  passesNaN: true,  isNonNegative: false, isInteger: false, rounds: true,  isReproducible: false },
  sin:        { operands: 'float',  cost: 20, passesNaN: true,  isNonNegative: false, isInteger: false, rounds: true,  isReproducible: false },
  cos:        { operands: 'float',  cost: 20, passesNaN: true,  isNonNegative: false, isInteger: false, rounds: true,  isReproducible: false },
  tan:        { operands: 'float',  cost: 20, passesNaN: true,  isNonNegative: false, isInteger: false, rounds: true,  isReproducible: false },
  tanh:       { operands: 'float',  cost: 20, passesNaN: true,  isNonNegative: false, isInteger: false, rounds: true,  isReproducible: false },
  erf:        { operands: 'float',  cost: 20, passesNaN: true,  isNonNegative: false, isInteger: false, rounds: true,  isReproducible: false },
  normalCdf:  { operands: 'float',  cost: 20, passesNaN: true,  isNonNegative: false, isInteger: false, rounds: true,  isReproducible: false },
  sigmoid:    { operands: 'float',  cost: 20, passesNaN: true,  isNonNegative: true,  isInteger: false, rounds: true,  isReproducible: false },
  floor:      { operands: 'float',  cost: 1,  passesNaN: true,  isNonNegative: false, isInteger: true,  rounds: false, isReproducible: false },
  ceil:       { operands: 'float',  cost: 1,  passesNaN: true,  isNonNegative: false, isInteger: true,  rounds: false, isReproducible: false },
  round:      { operands: 'float',  cost: 1,  passesNaN: true,  isNonNegative: false, isInteger: true,  rounds: false, isReproducible: false },
  logicalNot: { operands: 'bool',   cost: 1,  passesNaN: false, isNonNegative: false, isInteger: false, rounds: false, isReproducible: false },
  isNaN:      { operands: 'test',   cost: 1,  passesNaN: false, isNonNegative: false, isInteger: false, rounds: false, isReproducible: false },
};

/** For `n` elements: y[o + k] = f(x[i + k·s]). */
type UnaryLoop = (n: number, x: TypedArray, i: number, s: number, y: TypedArray, o: number) => void;

interface UnaryRule {
  readonly takes: Domain;
  /** the result's type: the operand's, or bool */
  readonly gives: 'same' | 'bool';
  /** of one element, in double precision; bools are 0 and 1 */
  readonly f: (x: number) => number;
  readonly loop: UnaryLoop;
}

type MakeRule = (f: UnaryRule['f'], loop: UnaryLoop) => UnaryRule;
const numeric: MakeRule = (f, loop) => ({ takes: 'number', gives: 'same', f, loop });
const float: MakeRule = (f, loop) => ({ takes: 'float', gives: 'same', f, loop });
const predicate: MakeRule = (f, loop) => ({ takes: 'any', gives: 'bool', f, loop });

// oxfmt-ignore
const UNARY: { readonly [K in UnaryKind]: UnaryRule } = {
  neg:        numeric((x) => -x,                (n, x, i, s, y, o) => { for (let k = 0; k < n; k++, i += s) y[o + k] = -x[i]!; }),
  abs:        numeric(Math.abs,                 (n, x, i, s, y, o) => { for (let k = 0; k < n; k++, i += s) y[o + k] = Math.abs(x[i]!); }),
  sign:       numeric(Math.sign,                (n, x, i, s, y, o) => { for (let k = 0; k < n; k++, i += s) y[o + k] = Math.sign(x[i]!); }),
  exp:          float(Math.exp,                 (n, x, i, s, y, o) => { for (let k = 0; k < n; k++, i += s) y[o + k] = Math.exp(x[i]!); }),
  expm1:        float(Math.expm1,               (n, x, i, s, y, o) => { for (let k = 0; k < n; k++, i += s) y[o + k] = Math.expm1(x[i]!); }),
  log:          float(Math.log,                 (n, x, i, s, y, o) => { for (let k = 0; k < n; k++, i += s) y[o + k] = Math.log(x[i]!); }),
  log1p:        float(Math.log1p,               (n, x, i, s, y, o) => { for (let k = 0; k < n; k++, i += s) y[o + k] = Math.log1p(x[i]!); }),
  sqrt:         float(Math.sqrt,                (n, x, i, s, y, o) => { for (let k = 0; k < n; k++, i += s) y[o + k] = Math.sqrt(x[i]!); }),
  rsqrt:        float((x) => 1 / Math.sqrt(x),  (n, x, i, s, y, o) => { for (let k = 0; k < n; k++, i += s) y[o + k] = 1 / Math.sqrt(x[i]!); }),
  reciprocal:   float((x) => 1 / x,             (n, x, i, s, y, o) => { for (let k = 0; k < n; k++, i += s) y[o + k] = 1 / x[i]!; }),
  sin:          float(Math.sin,                 (n, x, i, s, y, o) => { for (let k = 0; k < n; k++, i += s) y[o + k] = Math.sin(x[i]!); }),
  cos:          float(Math.cos,                 (n, x, i, s, y, o) => { for (let k = 0; k < n; k++, i += s) y[o + k] = Math.cos(x[i]!); }),
  tan:          float(Math.tan,                 (n, x, i, s, y, o) => { for (let k = 0; k < n; k++, i += s) y[o + k] = Math.tan(x[i]!); }),
  tanh:         float(Math.tanh,                (n, x, i, s, y, o) => { for (let k = 0; k < n; k++, i += s) y[o + k] = Math.tanh(x[i]!); }),
  erf:          float(erfOf,                    (n, x, i, s, y, o) => { for (let k = 0; k < n; k++, i += s) y[o + k] = erfOf(x[i]!); }),
  normalCdf:    float(normalCdfOf,              (n, x, i, s, y, o) => { for (let k = 0; k < n; k++, i += s) y[o + k] = normalCdfOf(x[i]!); }),
  sigmoid:      float(sigmoidOf,                (n, x, i, s, y, o) => { for (let k = 0; k < n; k++, i += s) y[o + k] = sigmoidOf(x[i]!); }),
  floor:      numeric(Math.floor,               (n, x, i, s, y, o) => { for (let k = 0; k < n; k++, i += s) y[o + k] = Math.floor(x[i]!); }),
  ceil:       numeric(Math.ceil,                (n, x, i, s, y, o) => { for (let k = 0; k < n; k++, i += s) y[o + k] = Math.ceil(x[i]!); }),
  round:      numeric(roundHalfEven,            (n, x, i, s, y, o) => { for (let k = 0; k < n; k++, i += s) y[o + k] = roundHalfEven(x[i]!); }),
  logicalNot: predicate((x) => (x === 0 ? 1 : 0), (n, x, i, s, y, o) => { for (let k = 0; k < n; k++, i += s) y[o + k] = x[i] === 0 ? 1 : 0; }),
  isNaN:      predicate((x) => (x === x ? 0 : 1), (n, x, i, s, y, o) => { for (let k = 0; k < n; k++, i += s) y[o + k] = x[i] === x[i] ? 0 : 1; }),
};

/** 1/(1 + e⁻ˣ), written so that the exponential never overflows. */
function sigmoidOf(x: number): number {
  const e = Math.exp(-Math.abs(x));
  return (x < 0 ? e : 1) / (1 + e);
}

/**
 * The function of one element, in double precision: what a device rounds to the dtype. Bools are 0 and 1.
 * @example
 * ```ts
 * import { unaryFunction } from '@firsthand/linalg';
 * console.log(unaryFunction('round')(2.5)); // 2
 * ```
 */
export function unaryFunction(kind: UnaryKind): (x: number) => number {
  return UNARY[kind].f;
}

/**
 * Applies an elementwise function.
 * @param kind which function
 * @param x any shape
 * @returns a packed array of x's shape; of x's type, or bool for `logicalNot` and `isNaN`
 * @throws DTypeError if the function takes floats and x holds integers, or takes numbers and x holds bools
 */
export function unary(kind: UnaryKind, x: NDArray): NDArray {
  const { takes, gives, loop } = UNARY[kind];
  checkDomain(kind, requireArray(kind, x), takes);
  const source = widen(x);
  const dtype = gives === 'bool' ? 'bool' : source.dtype;
  const data = allocate(dtype, x.size, kind);
  let position = 0;
  forEachRow(source.shape, [source.strides], [source.offset], (length, offsets, steps) => {
    loop(length, source.data, offsets[0]!, steps[0]!, data, position);
    position += length;
  });
  const result = NDArray.packed(data, x.shape, dtype);
  return gives === 'bool' ? result : result.astype(x.dtype);
}

/** A function of one array, element by element; see {@link unary}. */
export type UnaryFunction = (x: NDArray) => NDArray;

function call(kind: UnaryKind, args: readonly [NDArray]): NDArray {
  checkCount(kind, args.length, 1, `${kind}(x)`);
  return unary(kind, args[0]);
}

/** −x; wraps for uint32 and for the lowest int32. */
export const neg: UnaryFunction = (...args) => call('neg', args);
/** |x|. */
export const abs: UnaryFunction = (...args) => call('abs', args);
/** −1, 0 or 1; zeros keep their sign and NaN stays NaN. */
export const sign: UnaryFunction = (...args) => call('sign', args);
/** eˣ. Floats only. */
export const exp: UnaryFunction = (...args) => call('exp', args);
/** eˣ − 1, exact near 0. Floats only. */
export const expm1: UnaryFunction = (...args) => call('expm1', args);
/** The natural logarithm; −∞ at 0, NaN below. Floats only. */
export const log: UnaryFunction = (...args) => call('log', args);
/** ln(1 + x), exact near 0. Floats only. */
export const log1p: UnaryFunction = (...args) => call('log1p', args);
/** √x; NaN below 0. Floats only. */
export const sqrt: UnaryFunction = (...args) => call('sqrt', args);
/** 1/√x. Floats only. */
export const rsqrt: UnaryFunction = (...args) => call('rsqrt', args);
/** 1/x. Floats only. */
export const reciprocal: UnaryFunction = (...args) => call('reciprocal', args);
/** Sine of an angle in radians. Floats only. */
export const sin: UnaryFunction = (...args) => call('sin', args);
/** Cosine of an angle in radians. Floats only. */
export const cos: UnaryFunction = (...args) => call('cos', args);
/** Tangent of an angle in radians. Floats only. */
export const tan: UnaryFunction = (...args) => call('tan', args);
/** Hyperbolic tangent. Floats only. */
export const tanh: UnaryFunction = (...args) => call('tanh', args);
/** The error function, 2/√π ∫₀ˣ e^(−t²) dt. Floats only. */
export const erf: UnaryFunction = (...args) => call('erf', args);
/**
 * Φ(x), the distribution function of the standard normal: ½(1 + erf(x/√2)), with all digits far to the left
 * too. Floats only.
 */
export const normalCdf: UnaryFunction = (...args) => call('normalCdf', args);
/** 1/(1 + e⁻ˣ). Floats only. */
export const sigmoid: UnaryFunction = (...args) => call('sigmoid', args);
/** The largest integer ≤ x. */
export const floor: UnaryFunction = (...args) => call('floor', args);
/** The smallest integer ≥ x. */
export const ceil: UnaryFunction = (...args) => call('ceil', args);
/** The nearest integer, ties to the even one, as numpy and PyTorch round. */
export const round: UnaryFunction = (...args) => call('round', args);
/** Whether x is 0, as bool; NaN is not. */
export const logicalNot: UnaryFunction = (...args) => call('logicalNot', args);
/** Whether x is NaN, as bool; integers never are. */
export const isNaN: UnaryFunction = (...args) => call('isNaN', args);
