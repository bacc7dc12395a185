/**
 * Vector functions on arrays, and how far their results are from exact ones: a module that applies an emitter
 * to every vector of an array, points that cover all floats, and the distance from a value known in double
 * precision, in ulp of a float32.
 */
import { setFlagsFromString } from 'node:v8';
import { Code, type Callee, type Local } from '../../src/assembler/code.ts';
import { Module } from '../../src/assembler/module.ts';
import { FLOAT64_IMPORTS, scalarImports, type Float64Import } from '../../src/math/functions.ts';
import type { MathFeatures } from '../../src/math/formula.ts';

/** Here every imported function may be called. */
interface AllFeatures extends MathFeatures {
  readonly imported: (name: Float64Import) => Callee;
}

/** Pushes a function of some vectors. */
export type Emitter = (code: Code, operands: readonly Local[], features: AllFeatures) => void;

/** Whether the engine accepts `f32x4.relaxed_madd`. */
export function hasRelaxed(): boolean {
  const module = new Module({ initial: 0, maximum: 0, shared: false });
  module.function('fused', { params: ['v128'], results: ['v128'] }, (code, [x]) => {
    code.get(x!).get(x!).get(x!).op('f32x4.relaxed_madd');
  });
  return WebAssembly.validate(module.toBytes());
}

/** Asks Node 20 for relaxed SIMD, which later versions have by themselves. */
export function requireRelaxed(): void {
  if (!hasRelaxed()) setFlagsFromString('--experimental-wasm-relaxed-simd');
  if (!hasRelaxed()) throw new Error(`node ${process.version} has no relaxed SIMD`);
}

const PAGE = 65536;
/** Bytes of each array. */
const ROOM = PAGE;

/** An emitter in a loop over arrays. */
export interface Applied {
  /** Float32 elements of each operand; write the operands here. */
  readonly operands: readonly Float32Array<ArrayBuffer>[];
  readonly result: Float32Array<ArrayBuffer>;
  /** Computes all elements. */
  readonly run: () => void;
  /** Bytes of the function's body. */
  readonly codeBytes: number;
}

/**
 * Assembles a loop that applies an emitter of 128-bit vectors to `length` float32 elements, at most 16384, a
 * multiple of 4.
 */
export function apply(emit: Emitter, relaxed: boolean, length: number, arity = 1): Applied {
  const module = new Module({ initial: arity + 1, maximum: arity + 1, shared: false });
  const callees = new Map<Float64Import, Callee>();
  for (const name of Object.keys(FLOAT64_IMPORTS) as Float64Import[]) {
    const params = new Array<'f64'>(FLOAT64_IMPORTS[name]).fill('f64');
    callees.set(name, module.importFunction(name, { params, results: ['f64'] }));
  }
  const features: AllFeatures = { relaxed, imported: (name) => callees.get(name)! };
  module.function(
    'run',
    { params: [], results: [] },
    (code) => {
      const operands = Array.from({ length: arity }, () => code.local('v128'));
      const address = code.local('i32');
      code.repeat(address, 0, 4 * length, 16, () => {
        operands.forEach((operand, i) =>
          code
            .get(address)
            .memory('v128.load', i * ROOM)
            .set(operand),
        );
        code.get(address);
        emit(code, operands, features);
        code.memory('v128.store', arity * ROOM);
      });
    },
    { exported: true },
  );
  const single = new Code(new Array<'v128'>(arity).fill('v128'));
  emit(single, single.params, features);
  const memory = new WebAssembly.Memory({ initial: arity + 1, maximum: arity + 1 });
  const compiled = new WebAssembly.Module(module.toBytes());
  const { exports } = new WebAssembly.Instance(compiled, { env: { memory, ...scalarImports() } });
  const floats = (array: number): Float32Array<ArrayBuffer> =>
    new Float32Array(memory.buffer, array * ROOM, length);
  return {
    operands: Array.from({ length: arity }, (_, i) => floats(i)),
    result: floats(arity),
    run: exports['run'] as () => void,
    codeBytes: single.toBytes().length,
  };
}

/** One ulp of float32 numbers, by the bits of their exponents. */
const UNITS = Array.from({ length: 256 }, (_, exponent) => 2 ** (Math.max(exponent, 1) - 150));

/** How far results are from what they should be. */
export interface Errors {
  /** In ulp, and the operands where it is. */
  worst: number;
  at: readonly number[];
  /** How many results are the float next to the exact value but 0, 1, 2, 3 or more floats away. */
  readonly distances: number[];
  /**
   * Operands of results that are NaN, zero or infinite and should not be, or the other way round, or have the
   * wrong sign; the first few.
   */
  readonly different: string[];
}

export const noErrors = (): Errors => ({ worst: 0, at: [], distances: [0, 0, 0, 0], different: [] });

const pair = new Float32Array(2);
const bits = new Int32Array(pair.buffer);

/** Adds the error of one result to the others. @param exact in double precision */
export function compare(errors: Errors, got: number, exact: number, at: readonly number[]): void {
  pair[0] = exact;
  pair[1] = got;
  const rounded = pair[0];
  if (Object.is(got, rounded) && (got === 0 || !Number.isFinite(got))) errors.distances[0]!++;
  else if (
    got === 0 ||
    rounded === 0 ||
    !Number.isFinite(got) ||
    !Number.isFinite(rounded) ||
    Math.sign(got) !== Math.sign(rounded)
  ) {
    if (errors.different.length < 5) errors.different.push(`f(${at.join(', ')}) = ${got}, not ${rounded}`);
  } else {
    errors.distances[Math.min(3, Math.abs(bits[0]! - bits[1]!))]!++;
    const error = Math.abs(got - exact) / UNITS[(bits[0]! >>> 23) & 255]!;
    if (error > errors.worst) {
      errors.worst = error;
      errors.at = [...at];
    }
  }
}
