/**
 * The functions that are more than a few instructions, for each shape of floats: float32 by the formulas of
 * `math`, float64 lane by lane by imported functions.
 */
import type { Scalar } from '@firsthand/compiler';
import type { UnaryKind } from '@firsthand/graph';
import { DTYPES } from '@firsthand/linalg';
import type { Callee, Code, Local } from '../assembler/code.ts';
import type { Module, Signature } from '../assembler/module.ts';
import type { Features } from '../engine/features.ts';
import {
  emitFloat64,
  FLOAT32_FUNCTIONS,
  FLOAT32_IMPORTS,
  type Float64Import,
  type FunctionKind,
} from '../math/functions.ts';
import type { MathFeatures } from '../math/formula.ts';
import { emitPow32 } from '../math/power.ts';

export type { FunctionKind } from '../math/functions.ts';

/** What code is emitted with. */
export interface Tools {
  readonly features: Features;
  /** The imported functions that the kernel needs. */
  readonly functions: ReadonlyMap<Float64Import, Callee>;
  /** The module, in which a kernel may define functions that it calls. */
  readonly module: Module;
  /**
   * Whether functions of float32 are called, not inlined: for code that runs so rarely that emitting and
   * compiling each copy takes longer than all calls.
   */
  readonly callsFunctions?: boolean;
}

/** The shapes of floats in registers. */
export type FloatShape = 'f32x4' | 'f64x2';

/** Whether a kind is one of the functions here. */
export function isFunction(kind: UnaryKind): kind is FunctionKind {
  return kind in FLOAT32_FUNCTIONS;
}

/**
 * The functions that a module must import for an expression, not counting its operands; for most there are
 * none.
 */
export function importsOf(scalar: Scalar): readonly Float64Import[] {
  if (scalar.op === 'unary' && isFunction(scalar.kind))
    return scalar.dtype === 'float64' ? [scalar.kind] : FLOAT32_IMPORTS[scalar.kind];
  if (scalar.op !== 'binary' || !DTYPES[scalar.dtype].isFloat) return [];
  if (scalar.kind === 'mod') return ['mod'];
  return scalar.kind === 'pow' && scalar.dtype === 'float64' ? ['pow'] : [];
}

function calleeOf({ functions }: Tools, name: Float64Import): Callee {
  const callee = functions.get(name);
  if (callee === undefined) throw new Error(`wasm: the function ${name} has not been imported`);
  return callee;
}

function mathFeatures(tools: Tools): MathFeatures {
  return { relaxed: tools.features.relaxedSimd, imported: (name) => calleeOf(tools, name) };
}

/** Pushes f(x). */
export function emitFunction(
  code: Code,
  kind: FunctionKind,
  shape: FloatShape,
  x: Local,
  tools: Tools,
): void {
  if (shape === 'f64x2') emitFloat64(code, calleeOf(tools, kind), [x]);
  else
    emitFloat32(code, kind, [x], tools, (inner, [y]) =>
      FLOAT32_FUNCTIONS[kind](inner, y!, mathFeatures(tools)),
    );
}

/** Emits a function of vectors, or a call of it. */
function emitFloat32(
  code: Code,
  name: FunctionKind | 'pow',
  operands: readonly Local[],
  { callsFunctions = false, module }: Tools,
  emit: (code: Code, operands: readonly Local[]) => void,
): void {
  if (!callsFunctions) {
    emit(code, operands);
    return;
  }
  const signature: Signature = { params: operands.map(() => 'v128'), results: ['v128'] };
  for (const operand of operands) code.get(operand);
  code.call(module.shared(name, signature, emit));
}

/**
 * The kind of a function of float32 that can be emitted for several vectors at once; null for all other
 * expressions.
 */
export function interleavedKind(scalar: Scalar): FunctionKind | null {
  if (scalar.op !== 'unary' || scalar.dtype !== 'float32' || !isFunction(scalar.kind)) return null;
  return FLOAT32_FUNCTIONS[scalar.kind].interleaved === undefined ? null : scalar.kind;
}

/** Computes f of several vectors of float32 into locals. `kind` is one that `interleavedKind` gives. */
export function emitInterleaved(
  code: Code,
  kind: FunctionKind,
  xs: readonly Local[],
  results: readonly Local[],
  tools: Tools,
): void {
  const { interleaved } = FLOAT32_FUNCTIONS[kind];
  if (interleaved === undefined) throw new Error(`wasm: ${kind} takes one vector at a time`);
  interleaved(code, xs, results, mathFeatures(tools));
}

/** Pushes aᵇ. */
export function emitPower(code: Code, shape: FloatShape, a: Local, b: Local, tools: Tools): void {
  if (shape === 'f64x2') emitFloat64(code, calleeOf(tools, 'pow'), [a, b]);
  else
    emitFloat32(code, 'pow', [a, b], tools, (inner, [x, y]) => emitPow32(inner, x!, y!, mathFeatures(tools)));
}

/**
 * Pushes the remainder of a/b, which has b's sign. That of float32 numbers is exact in float64.
 */
export function emitRemainder(code: Code, shape: FloatShape, a: Local, b: Local, tools: Tools): void {
  const callee = calleeOf(tools, 'mod');
  if (shape === 'f64x2') {
    emitFloat64(code, callee, [a, b]);
    return;
  }
  code.f32x4(0);
  for (let lane = 0; lane < 4; lane++) {
    for (const operand of [a, b]) code.get(operand).lane('f32x4.extract_lane', lane).op('f64.promote_f32');
    code.call(callee).op('f32.demote_f64').lane('f32x4.replace_lane', lane);
  }
}
