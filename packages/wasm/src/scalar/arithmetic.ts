/**
 * Operations in registers: for each function of one or two operands the instructions for each kind of
 * register, as tables that the type checker holds complete. Their meaning is linalg's: maxima and minima pass
 * NaN on, integers wrap, division by an integer zero gives 0, a remainder has the divisor's sign.
 */
import type { BinaryKind, DType, UnaryKind } from '@firsthand/graph';
import type { Code, Local } from '../assembler/code.ts';
import type { Instruction } from '../assembler/instructions.ts';
import { convert, narrowMask, roundToFloat16 } from './convert.ts';
import {
  emitFunction,
  emitPower,
  emitRemainder,
  isFunction,
  type FloatShape,
  type FunctionKind,
  type Tools,
} from './functions.ts';
import { emitInteger, type IntegerKind } from './integers.ts';
import { REGISTERS, type Register } from './registers.ts';

type PlainUnary = Exclude<UnaryKind, FunctionKind>;
type FloatUnary = (code: Code, x: Local, shape: FloatShape) => void;

const constant = (code: Code, shape: FloatShape, value: number): Code =>
  shape === 'f32x4' ? code.f32x4(value) : code.f64x2(value);
const floatOp =
  (name: 'neg' | 'abs' | 'sqrt' | 'floor' | 'ceil' | 'nearest'): FloatUnary =>
  (code, x, shape) =>
    code.get(x).op(`${shape}.${name}`);

/** Functions of floats that take an instruction or a few; tests leave a mask as wide as the lanes. */
const FLOAT_UNARY: { readonly [K in PlainUnary]: FloatUnary } = {
  neg: floatOp('neg'),
  abs: floatOp('abs'),
  // ±1 where |x| > 0, else x itself: zeros and NaN
  sign: (code, x, shape) => {
    constant(constant(code, shape, 1).get(x), shape, -0)
      .op('v128.and')
      .op('v128.or')
      .get(x);
    constant(code.op(`${shape}.abs`, x), shape, 0)
      .op(`${shape}.gt`)
      .op('v128.bitselect');
  },
  sqrt: floatOp('sqrt'),
  rsqrt: (code, x, shape) => constant(code, shape, 1).op(`${shape}.sqrt`, x).op(`${shape}.div`),
  reciprocal: (code, x, shape) => constant(code, shape, 1).op(`${shape}.div`, x),
  floor: floatOp('floor'),
  ceil: floatOp('ceil'),
  round: floatOp('nearest'),
  logicalNot: (code, x, shape) => constant(code.get(x), shape, 0).op(`${shape}.eq`),
  isNaN: (code, x, shape) => code.op(`${shape}.ne`, x, x),
};

type IntegerUnary = (code: Code, x: Local, isSigned: boolean) => void;
const identity: IntegerUnary = (code, x) => code.get(x);

/** The same for integers; whole numbers are their own floor. */
const INTEGER_UNARY: { readonly [K in PlainUnary]: IntegerUnary | null } = {
  neg: (code, x) => code.op('i32x4.neg', x),
  abs: (code, x, isSigned) => (isSigned ? code.op('i32x4.abs', x) : code.get(x)),
  sign: (code, x, isSigned) =>
    isSigned
      ? code.get(x).i32x4(1).op('i32x4.min_s').i32x4(-1).op('i32x4.max_s')
      : code.get(x).i32x4(1).op('i32x4.min_u'),
  sqrt: null,
  rsqrt: null,
  reciprocal: null,
  floor: identity,
  ceil: identity,
  round: identity,
  logicalNot: (code, x) => code.get(x).i32x4(0).op('i32x4.eq'),
  isNaN: (code) => code.i32x4(0),
};

/** Functions of float16 whose result is a float16 number already. */
const EXACT: ReadonlySet<UnaryKind | BinaryKind> = new Set([
  'neg',
  'abs',
  'sign',
  'floor',
  'ceil',
  'round',
  'maximum',
  'minimum',
]);

/**
 * Pushes f(x).
 * @param dtype the operand's
 */
export function emitUnary(code: Code, kind: UnaryKind, dtype: DType, x: Local, tools: Tools): void {
  const register = REGISTERS[dtype];
  if (isFunction(kind)) {
    if (register !== 'f32' && register !== 'f64') throw new Error(`wasm: ${kind} of ${dtype}`);
    emitFunction(code, kind, register === 'f32' ? 'f32x4' : 'f64x2', x, tools);
  } else if (register === 'f32' || register === 'f64') {
    FLOAT_UNARY[kind](code, x, register === 'f32' ? 'f32x4' : 'f64x2');
    if (register === 'f64' && (kind === 'logicalNot' || kind === 'isNaN')) narrowMask(code);
  } else {
    const rule = INTEGER_UNARY[kind];
    if (rule === null) throw new Error(`wasm: ${kind} of ${dtype}`);
    rule(code, x, register === 'i32');
  }
  if (dtype === 'float16' && !EXACT.has(kind) && kind !== 'logicalNot' && kind !== 'isNaN')
    roundToFloat16(code);
}

type CompareKind = 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge';
const COMPARE: { readonly [K in CompareKind]: { readonly [R in Register]: Instruction } } = {
  eq: { f32: 'f32x4.eq', f64: 'f64x2.eq', i32: 'i32x4.eq', u32: 'i32x4.eq', mask: 'i32x4.eq' },
  ne: { f32: 'f32x4.ne', f64: 'f64x2.ne', i32: 'i32x4.ne', u32: 'i32x4.ne', mask: 'i32x4.ne' },
  lt: { f32: 'f32x4.lt', f64: 'f64x2.lt', i32: 'i32x4.lt_s', u32: 'i32x4.lt_u', mask: 'i32x4.lt_u' },
  le: { f32: 'f32x4.le', f64: 'f64x2.le', i32: 'i32x4.le_s', u32: 'i32x4.le_u', mask: 'i32x4.le_u' },
  gt: { f32: 'f32x4.gt', f64: 'f64x2.gt', i32: 'i32x4.gt_s', u32: 'i32x4.gt_u', mask: 'i32x4.gt_u' },
  ge: { f32: 'f32x4.ge', f64: 'f64x2.ge', i32: 'i32x4.ge_s', u32: 'i32x4.ge_u', mask: 'i32x4.ge_u' },
};

/** The arithmetic that is one instruction for floats and for integers. */
export type InstructionKind = Exclude<BinaryKind, CompareKind | IntegerKind | 'logicalAnd' | 'logicalOr'>;
const INSTRUCTIONS: { readonly [K in InstructionKind]: { readonly [R in Register]: Instruction | null } } = {
  add: { f32: 'f32x4.add', f64: 'f64x2.add', i32: 'i32x4.add', u32: 'i32x4.add', mask: null },
  sub: { f32: 'f32x4.sub', f64: 'f64x2.sub', i32: 'i32x4.sub', u32: 'i32x4.sub', mask: null },
  mul: { f32: 'f32x4.mul', f64: 'f64x2.mul', i32: 'i32x4.mul', u32: 'i32x4.mul', mask: null },
  maximum: { f32: 'f32x4.max', f64: 'f64x2.max', i32: 'i32x4.max_s', u32: 'i32x4.max_u', mask: 'v128.or' },
  minimum: { f32: 'f32x4.min', f64: 'f64x2.min', i32: 'i32x4.min_s', u32: 'i32x4.min_u', mask: 'v128.and' },
};

/** The instruction of an operation that is one. */
export function instructionOf(kind: InstructionKind, dtype: DType): Instruction {
  const name = INSTRUCTIONS[kind][REGISTERS[dtype]];
  if (name === null) throw new Error(`wasm: ${kind} of ${dtype}`);
  return name;
}

const isCompare = (kind: BinaryKind): kind is CompareKind => kind in COMPARE;
const isInstruction = (kind: BinaryKind): kind is InstructionKind => kind in INSTRUCTIONS;

/**
 * Pushes f(a, b).
 * @param dtype the operands'
 */
export function emitBinary(
  code: Code,
  kind: BinaryKind,
  dtype: DType,
  a: Local,
  b: Local,
  tools: Tools,
): void {
  const register = REGISTERS[dtype];
  if (isCompare(kind)) {
    code.get(a).get(b).op(COMPARE[kind][register]);
    if (register === 'f64') narrowMask(code);
    return;
  }
  if (kind === 'logicalAnd' || kind === 'logicalOr') {
    for (const operand of [a, b]) convert(code.get(operand), dtype, 'bool');
    code.op(kind === 'logicalAnd' ? 'v128.and' : 'v128.or');
    return;
  }
  if (isInstruction(kind)) {
    code.get(a).get(b).op(instructionOf(kind, dtype));
  } else if (register === 'i32' || register === 'u32') {
    emitInteger(code, kind, register === 'i32', a, b);
  } else if (register === 'mask') {
    throw new Error(`wasm: ${kind} of bool`);
  } else {
    const shape = register === 'f32' ? 'f32x4' : 'f64x2';
    if (kind === 'div') code.op(`${shape}.div`, a, b);
    else if (kind === 'pow') emitPower(code, shape, a, b, tools);
    else emitRemainder(code, shape, a, b, tools);
  }
  if (dtype === 'float16' && !EXACT.has(kind)) roundToFloat16(code);
}

/**
 * Pushes max(x, c) or min(x, c), for a number c. `pmax` is one machine instruction, and with x
 * first it passes NaN on; only zeros of different sign it takes for equal, so that +0 as the larger of two
 * zeros must be made by an addition.
 */
export function emitBound(
  code: Code,
  kind: 'maximum' | 'minimum',
  shape: FloatShape,
  x: Local,
  bound: number,
): void {
  constant(code.get(x), shape, bound);
  if (kind === 'maximum') {
    code.op(`${shape}.pmax`);
    if (Object.is(bound, 0)) constant(code, shape, 0).op(`${shape}.add`);
  } else {
    code.op(bound === 0 ? `${shape}.min` : `${shape}.pmin`);
  }
}
