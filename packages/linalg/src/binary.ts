/**
 * Elementwise functions of two arrays, z[i] = f(x[i], y[i]), with broadcasting, and `where`. One table holds
 * them all, each entry its own loop (`unary.ts` says why). Integer results wrap modulo 2³² by being stored;
 * division by an integer zero gives 0.
 */
import { checkCount } from './arguments.ts';
import { allocate, DTYPES, type DType, wordsOf, type TypedArray } from './dtype.ts';
import { DTypeError } from './errors.ts';
import { forEachRow } from './loops.ts';
import { NDArray } from './ndarray.ts';
import {
  broadcastArrays,
  checkDomain,
  matchOperands,
  requireArray,
  widen,
  type Domain,
  type Operand,
} from './operands.ts';
import { broadcastStrides, sizeOf } from './shape.ts';

/** The names of the elementwise functions of two arrays. */
export type BinaryKind =
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'pow'
  | 'mod'
  | 'maximum'
  | 'minimum'
  | 'eq'
  | 'ne'
  | 'lt'
  | 'le'
  | 'gt'
  | 'ge'
  | 'logicalAnd'
  | 'logicalOr';

/** What compilers and devices decide by, for a function of two operands. */
export interface BinaryTraits {
  /** Arithmetic keeps its dtype, comparisons give bool, logic takes and gives bool. */
  readonly operands: 'arithmetic' | 'compare' | 'logic';
  /** Vector instructions per vector of floats, roughly: an addition is 1, a division 5, a power 50. */
  readonly cost: number;
  /** Whether f(a, b) = f(b, a), NaN and signed zeros included. */
  readonly commutes: boolean;
  /** Whether it gives NaN where one of the operands is NaN. */
  readonly passesNaN: boolean;
  /** Whether the exact result for operands of some dtype may need rounding to that dtype. */
  readonly rounds: boolean;
  /** Whether the result has the same bits on every device; a quotient may differ in the last place. */
  readonly isReproducible: boolean;
}

/** The traits of every function of two operands. */
// oxfmt-ignore
export const BINARY_TRAITS: { readonly [K in BinaryKind]: BinaryTraits } = {
  add:        { operands: 'arithmetic', cost: 1,  commutes: true,  passesNaN: true,  rounds: true,  isReproducible: true },
  sub:        { operands: 'arithmetic', cost: 1,  commutes: false, passesNaN: true,  rounds: true,  isReproducible: true },
  mul:        { operands: 'arithmetic', cost: 1,  commutes: true,  passesNaN: true,  rounds: true,  isReproducible: true },
  div:        { operands: 'arithmetic', cost: 5,  commutes: false, passesNaN: true,  rounds: true,  isReproducible: true },
  pow:        { operands: 'arithmetic', cost: 50, commutes: false, passesNaN: false, rounds: true,  isReproducible: false },
  mod:        { operands: 'arithmetic', cost: 50, commutes: false, passesNaN: true,  rounds: true,  isReproducible: false },
  maximum:    { operands: 'arithmetic', cost: 1,  commutes: true,  passesNaN: true,  rounds: false, isReproducible: true },
  minimum:    { operands: 'arithmetic', cost: 1,  commutes: true,  passesNaN: true,  rounds: false, isReproducible: true },
  eq:         { operands: 'compare',    cost: 1,  commutes: true,  passesNaN: false, rounds: false, isReproducible: true },
  ne:         { operands: 'compare',    cost: 1,  commutes: true,  passesNaN: false, rounds: false, isReproducible: true },
  lt:         { operands: 'compare',    cost: 1,  commutes: false, passesNaN: false, rounds: false, isReproducible: true },
  le:         { operands: 'compare',    cost: 1,  commutes: false, passesNaN: false, rounds: false, isReproducible: true },
  gt:         { operands: 'compare',    cost: 1,  commutes: false, passesNaN: false, rounds: false, isReproducible: true },
  ge:         { operands: 'compare',    cost: 1,  commutes: false, passesNaN: false, rounds: false, isReproducible: true },
  logicalAnd: { operands: 'logic',      cost: 1,  commutes: true,  passesNaN: false, rounds: false, isReproducible: false },
  logicalOr:  { operands: 'logic',      cost: 1,  commutes: true,  passesNaN: false, rounds: false, isReproducible: false },
};

/** For `n` elements: z[o + k] = f(x[i + k·s], y[j + k·t]). */
type BinaryLoop = (
  n: number,
  x: TypedArray,
  i: number,
  s: number,
  y: TypedArray,
  j: number,
  t: number,
  z: TypedArray,
  o: number,
) => void;

interface BinaryRule {
  readonly takes: Domain;
  /** the result's type: the operands', or bool */
  readonly gives: 'same' | 'bool';
  /** of two elements, in double precision; bools are 0 and 1 */
  readonly f: (x: number, y: number) => number;
  readonly loop: BinaryLoop;
  /** the function and the loop for int32 and uint32, where double arithmetic would not be exact */
  readonly integer?: (x: number, y: number) => number;
  readonly integerLoop?: BinaryLoop;
}

type MakeRule = (f: BinaryRule['f'], loop: BinaryLoop) => BinaryRule;
const numeric: MakeRule = (f, loop) => ({ takes: 'number', gives: 'same', f, loop });
const ordered: MakeRule = (f, loop) => ({ takes: 'any', gives: 'same', f, loop });
const predicate: MakeRule = (f, loop) => ({ takes: 'any', gives: 'bool', f, loop });

// oxfmt-ignore
const BINARY: { readonly [K in BinaryKind]: BinaryRule } = {
  add: numeric((x, y) => x + y, (n, x, i, s, y, j, t, z, o) => { for (let k = 0; k < n; k++, i += s, j += t) z[o + k] = x[i]! + y[j]!; }),
  sub: numeric((x, y) => x - y, (n, x, i, s, y, j, t, z, o) => { for (let k = 0; k < n; k++, i += s, j += t) z[o + k] = x[i]! - y[j]!; }),
  mul: {
    ...numeric((x, y) => x * y, (n, x, i, s, y, j, t, z, o) => { for (let k = 0; k < n; k++, i += s, j += t) z[o + k] = x[i]! * y[j]!; }),
    integer: Math.imul,
    integerLoop: (n, x, i, s, y, j, t, z, o) => { for (let k = 0; k < n; k++, i += s, j += t) z[o + k] = Math.imul(x[i]!, y[j]!); },
  },
  div: numeric((x, y) => x / y, (n, x, i, s, y, j, t, z, o) => { for (let k = 0; k < n; k++, i += s, j += t) z[o + k] = x[i]! / y[j]!; }),
  pow: {
    ...numeric(powerOf, (n, x, i, s, y, j, t, z, o) => { for (let k = 0; k < n; k++, i += s, j += t) z[o + k] = powerOf(x[i]!, y[j]!); }),
    integer: integerPowerOf,
    integerLoop: (n, x, i, s, y, j, t, z, o) => { for (let k = 0; k < n; k++, i += s, j += t) z[o + k] = integerPowerOf(x[i]!, y[j]!); },
  },
  mod: numeric(remainderOf, (n, x, i, s, y, j, t, z, o) => { for (let k = 0; k < n; k++, i += s, j += t) z[o + k] = remainderOf(x[i]!, y[j]!); }),
  maximum: ordered(Math.max, (n, x, i, s, y, j, t, z, o) => { for (let k = 0; k < n; k++, i += s, j += t) z[o + k] = Math.max(x[i]!, y[j]!); }),
  minimum: ordered(Math.min, (n, x, i, s, y, j, t, z, o) => { for (let k = 0; k < n; k++, i += s, j += t) z[o + k] = Math.min(x[i]!, y[j]!); }),
  eq: predicate((x, y) => (x === y ? 1 : 0), (n, x, i, s, y, j, t, z, o) => { for (let k = 0; k < n; k++, i += s, j += t) z[o + k] = x[i]! === y[j]! ? 1 : 0; }),
  ne: predicate((x, y) => (x !== y ? 1 : 0), (n, x, i, s, y, j, t, z, o) => { for (let k = 0; k < n; k++, i += s, j += t) z[o + k] = x[i]! !== y[j]! ? 1 : 0; }),
  lt: predicate((x, y) => (x < y ? 1 : 0), (n, x, i, s, y, j, t, z, o) => { for (let k = 0; k < n; k++, i += s, j += t) z[o + k] = x[i]! < y[j]! ? 1 : 0; }),
  le: predicate((x, y) => (x <= y ? 1 : 0), (n, x, i, s, y, j, t, z, o) => { for (let k = 0; k < n; k++, i += s, j += t) z[o + k] = x[i]! <= y[j]! ? 1 : 0; }),
  gt: predicate((x, y) => (x > y ? 1 : 0), (n, x, i, s, y, j, t, z, o) => { for (let k = 0; k < n; k++, i += s, j += t) z[o + k] = x[i]! > y[j]! ? 1 : 0; }),
  ge: predicate((x, y) => (x >= y ? 1 : 0), (n, x, i, s, y, j, t, z, o) => { for (let k = 0; k < n; k++, i += s, j += t) z[o + k] = x[i]! >= y[j]! ? 1 : 0; }),
  logicalAnd: predicate((x, y) => (x !== 0 && y !== 0 ? 1 : 0), (n, x, i, s, y, j, t, z, o) => { for (let k = 0; k < n; k++, i += s, j += t) z[o + k] = x[i] !== 0 && y[j] !== 0 ? 1 : 0; }),
  logicalOr: predicate((x, y) => (x !== 0 || y !== 0 ? 1 : 0), (n, x, i, s, y, j, t, z, o) => { for (let k = 0; k < n; k++, i += s, j += t) z[o + k] = x[i] !== 0 || y[j] !== 0 ? 1 : 0; }),
};

/** xʸ as IEEE 754 has it; JavaScript alone makes 1^NaN and (±1)^±∞ NaN. */
function powerOf(x: number, y: number): number {
  return x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : Math.pow(x, y);
}

/**
 * xʸ modulo 2³² by squaring; for y < 0 it is 1/x^|y| truncated, which is 0 unless x is ±1 (and for x = 0, as
 * for division).
 */
function integerPowerOf(x: number, y: number): number {
  if (y < 0) return x === 1 ? 1 : x === -1 ? (y % 2 === 0 ? 1 : -1) : 0;
  let power = 1;
  for (let base = x, rest = y; rest > 0; rest = Math.floor(rest / 2), base = Math.imul(base, base)) {
    if (rest % 2 === 1) power = Math.imul(power, base);
  }
  return power;
}

/** x − y·⌊x/y⌋: what is left has the divisor's sign, as in Python and PyTorch. */
function remainderOf(x: number, y: number): number {
  const rest = x % y;
  return rest !== 0 && rest < 0 !== y < 0 ? rest + y : rest;
}

/**
 * The function of two elements of a dtype, before rounding: in double precision for floats; integers wrap
 * when they are stored, and a quotient is truncated. Bools are 0 and 1.
 * @example
 * ```ts
 * import { binaryFunction } from '@firsthand/linalg';
 * console.log(binaryFunction('mod', 'float32')(-1, 3)); // 2
 * ```
 */
export function binaryFunction(kind: BinaryKind, dtype: DType): (x: number, y: number) => number {
  const { f, integer = f } = BINARY[kind];
  return DTYPES[dtype].isFloat ? f : integer;
}

/**
 * Applies an elementwise function of two operands.
 * @param kind which function
 * @param a array of any shape, or a number
 * @param b array whose shape broadcasts with a's, or a number
 * @returns a packed array of the broadcast shape; of the operands' type, or bool for comparisons and logic
 * @throws ShapeError if the shapes do not broadcast
 * @throws DTypeError if the types differ, or arithmetic meets bool
 * @example
 * ```ts
 * import { array, binary } from '@firsthand/linalg';
 * const column = array([[1], [2]]);
 * console.log(binary('mul', column, array([1, 10, 100])).toArray()); // [ [ 1, 10, 100 ], [ 2, 20, 200 ] ]
 * ```
 */
export function binary(kind: BinaryKind, a: Operand, b: Operand): NDArray {
  const [left, right] = matchOperands(kind, a, b);
  const { takes, gives, loop, integerLoop } = BINARY[kind];
  checkDomain(kind, left, takes);
  const x = widen(left);
  const y = widen(right);
  const shape = broadcastArrays(kind, [left, right]);
  const strides = [
    broadcastStrides(kind, x.shape, x.strides, shape),
    broadcastStrides(kind, y.shape, y.strides, shape),
  ];
  const dtype = gives === 'bool' ? 'bool' : x.dtype;
  const result = NDArray.packed(allocate(dtype, sizeOf(shape), kind), shape, dtype);
  const run = DTYPES[x.dtype].isFloat ? loop : (integerLoop ?? loop);
  let position = 0;
  forEachRow(shape, strides, [x.offset, y.offset], (length, offsets, steps) => {
    run(length, x.data, offsets[0]!, steps[0]!, y.data, offsets[1]!, steps[1]!, result.data, position);
    position += length;
  });
  return gives === 'bool' ? result : result.astype(left.dtype);
}

/**
 * Takes from `a` where the condition holds and from `b` where it does not; all three broadcast.
 * @param condition bool
 * @param a array, or a number taken in b's type
 * @param b array of a's type, or a number taken in a's type
 * @returns a packed array of the broadcast shape
 * @throws ShapeError if the shapes do not broadcast
 * @throws DTypeError if the condition is not bool, or the types of a and b differ
 */
export function where(condition: NDArray, a: Operand, b: Operand): NDArray {
  checkCount('where', arguments.length, 3, 'where(condition, a, b)');
  if (requireArray('where', condition, 'the condition').dtype !== 'bool') {
    throw new DTypeError({
      operation: 'where',
      problem: `the condition is ${condition.dtype}, not bool`,
      operands: [condition],
      expected: 'bool',
      remedy: "compare, or use astype('bool')",
    });
  }
  const [x, y] = matchOperands('where', a, b);
  const operands = [condition, x, y];
  const shape = broadcastArrays('where', operands);
  const strides = operands.map((operand) => broadcastStrides('where', operand.shape, operand.strides, shape));
  const data = allocate(x.dtype, sizeOf(shape), 'where');
  const words = [condition.data, wordsOf(x.data), wordsOf(y.data), wordsOf(data)] as const;
  let position = 0;
  forEachRow(shape, strides, offsetsOf(operands), (length, offsets, steps) => {
    selectRow(length, words, offsets, steps, position);
    position += length;
  });
  return NDArray.packed(data, shape, x.dtype);
}

function offsetsOf(arrays: readonly NDArray[]): number[] {
  return arrays.map((array) => array.offset);
}

function selectRow(
  n: number,
  [condition, x, y, z]: readonly [TypedArray, TypedArray, TypedArray, TypedArray],
  offsets: readonly number[],
  steps: readonly number[],
  o: number,
): void {
  let [h, i, j] = offsets as [number, number, number];
  const [r, s, t] = steps as [number, number, number];
  for (let k = 0; k < n; k++, h += r, i += s, j += t) z[o + k] = condition[h] !== 0 ? x[i]! : y[j]!;
}

/** A function of two operands, element by element, with broadcasting; see {@link binary}. */
export type BinaryFunction = (a: Operand, b: Operand) => NDArray;

function call(kind: BinaryKind, args: readonly [Operand, Operand]): NDArray {
  checkCount(kind, args.length, 2, `${kind}(a, b)`);
  return binary(kind, ...args);
}

/** a + b. */
export const add: BinaryFunction = (...args) => call('add', args);
/** a − b. */
export const sub: BinaryFunction = (...args) => call('sub', args);
/** a · b. */
export const mul: BinaryFunction = (...args) => call('mul', args);
/** a / b; for integers truncated toward zero, and 0 where b is 0. */
export const div: BinaryFunction = (...args) => call('div', args);
/**
 * aᵇ; 1 wherever a is 1 or b is 0, as IEEE 754 has it. For integers modulo 2³², and a negative exponent
 * truncates to 0 unless a is ±1.
 */
export const pow: BinaryFunction = (...args) => call('pow', args);
/** a − b·⌊a/b⌋, with b's sign; NaN where b is 0, for integers 0. */
export const mod: BinaryFunction = (...args) => call('mod', args);
/** The larger of the two; NaN if either is. */
export const maximum: BinaryFunction = (...args) => call('maximum', args);
/** The smaller of the two; NaN if either is. */
export const minimum: BinaryFunction = (...args) => call('minimum', args);
/** a = b, as bool; NaN equals nothing. */
export const eq: BinaryFunction = (...args) => call('eq', args);
/** a ≠ b, as bool. */
export const ne: BinaryFunction = (...args) => call('ne', args);
/** a < b, as bool. */
export const lt: BinaryFunction = (...args) => call('lt', args);
/** a ≤ b, as bool. */
export const le: BinaryFunction = (...args) => call('le', args);
/** a > b, as bool. */
export const gt: BinaryFunction = (...args) => call('gt', args);
/** a ≥ b, as bool. */
export const ge: BinaryFunction = (...args) => call('ge', args);
/** Whether both differ from 0, as bool. */
export const logicalAnd: BinaryFunction = (...args) => call('logicalAnd', args);
/** Whether at least one differs from 0, as bool. */
export const logicalOr: BinaryFunction = (...args) => call('logicalOr', args);
