// Kernels as shaders, beside the compiler's interpreter, which evaluates the same kernel in plain loops and
// double precision; and short ways to write kernels down by hand.
import { tensor, type Tensor } from '@firsthand/autograd';
import {
  compileProgram,
  printKernel,
  runKernel,
  type Index,
  type Kernel,
  type KernelKind,
  type Operand,
  type Scalar,
  type Term,
} from '@firsthand/compiler';
import { closeProgram, keyOf } from '@firsthand/graph';
import {
  allocate,
  fromFloat16Bits,
  sizeOf,
  toFloat16Bits,
  type DType,
  type TypedArray,
} from '@firsthand/linalg';
import { expect } from 'vitest';
import type { Shader } from '../../src/emit/shader.ts';
import { planKernel } from '../../src/kernels/plan-kernel.ts';
import type { AdapterProfile } from '../../src/emit/profile.ts';
import { plainLayout, runShaders } from './run-shader.ts';

const LIMITS = { maxBindings: 8, maxInvocations: 256, workgroupBytes: 16384 } as const;
/** Adapters that kernels are chosen for. What is written for either runs on any. */
export const PROFILES: { readonly [K in 'software' | 'hardware']: AdapterProfile } = {
  software: { name: 'software', isSoftware: true, subgroups: null, ...LIMITS },
  hardware: { name: 'hardware', isSoftware: false, subgroups: null, ...LIMITS },
};

/** Every dtype that WGSL has. */
export const DTYPES_OF_WGSL: readonly DType[] = ['float32', 'float16', 'int32', 'uint32', 'bool'];

/** By how much results may differ from the interpreter's: relative to its result, and at least so much. */
export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
}

const EXACT: Tolerance = { relative: 0, absolute: 0 };

/** The numbers that an array stands for. */
function numbersOf(array: TypedArray, dtype: DType): number[] {
  return Array.from(array, (stored) => (dtype === 'float16' ? fromFloat16Bits(stored) : stored));
}

function differs(actual: number, expected: number, { relative, absolute }: Tolerance): boolean {
  if (Number.isNaN(expected)) return !Number.isNaN(actual);
  if (actual === expected) return false;
  return (
    !Number.isFinite(expected) || !(Math.abs(actual - expected) <= absolute + relative * Math.abs(expected))
  );
}

/** The shaders of a kernel whose operands have a buffer each. */
export function shadersOf(kernel: Kernel, profile: AdapterProfile): readonly Shader[] {
  return planKernel(kernel, profile).emit(plainLayout(kernel.operands));
}

/** Runs the shaders of a kernel on copies of arrays, one per operand. */
export function runOnGPU(
  kernel: Kernel,
  arrays: readonly TypedArray[],
  profile: AdapterProfile,
): Promise<TypedArray[]> {
  const { scratch } = planKernel(kernel, profile);
  return runShaders(shadersOf(kernel, profile), kernel.operands, arrays, scratch / 4);
}

/**
 * Runs a kernel as shaders for each profile and in the interpreter, and compares all arrays; without a
 * tolerance they must be equal, but for signs of zeros.
 */
export async function expectSame(
  kernel: Kernel,
  arrays: readonly TypedArray[],
  tolerance: Tolerance = EXACT,
  profiles: readonly AdapterProfile[] = Object.values(PROFILES),
): Promise<void> {
  const expected = arrays.map((array) => array.slice());
  runKernel(kernel, expected);
  for (const profile of profiles) {
    const actual = await runOnGPU(kernel, arrays, profile);
    kernel.operands.forEach(({ dtype }, operand) => {
      const [got, wanted] = [numbersOf(actual[operand]!, dtype), numbersOf(expected[operand]!, dtype)];
      const wrong = wanted.findIndex((value, index) => differs(got[index]!, value, tolerance));
      if (wrong < 0) return;
      const text = shadersOf(kernel, profile).map(({ wgsl }) => wgsl);
      expect.fail(
        [
          `${profile.name}: operand ${operand} [${wrong}] is ${got[wrong]}, expected ${wanted[wrong]}`,
          printKernel(kernel),
          ...text,
        ].join('\n'),
      );
    });
  }
}

/**
 * The kernels of one kind in the plan of a program that gives `build`'s values, over inputs of some dtypes
 * and shapes.
 */
export function kernelsOf<K extends KernelKind>(
  kind: K,
  build: (...inputs: Tensor[]) => readonly Tensor[],
  ...inputs: readonly (readonly [DType, readonly number[]])[]
): readonly Extract<Kernel, { readonly kind: K }>[] {
  const tensors = inputs.map(([dtype, shape]) => tensor(allocate(dtype, sizeOf(shape)), { shape, dtype }));
  const request = { effects: [], roots: build(...tensors).map((value) => value.read()) };
  const { kernels } = compileProgram(closeProgram(request, keyOf(request)), {
    float64: false,
    plan: () => ({ scratch: 0 }),
  });
  return kernels.flatMap(({ kernel }) =>
    kernel.kind === kind ? [kernel as Extract<Kernel, { readonly kind: K }>] : [],
  );
}

/** offset + Σ coefficient·axis */
export function affine(
  offset: number,
  ...terms: readonly (readonly [axis: number, coefficient: number])[]
): Index {
  return {
    offset,
    terms: terms.map(([axis, coefficient]): Term => ({ coefficient, atom: { kind: 'axis', axis } })),
  };
}

/** The element of an operand. */
export function load(operand: number, dtype: DType, index: Index): Scalar {
  return { op: 'load', dtype, operand, index };
}

/** The operands of kernels: all but the last `written` are read. */
export function operandsOf(specs: readonly (readonly [DType, number])[], written = 1): Operand[] {
  return specs.map(([dtype, length], operand) => ({
    dtype,
    length,
    access: operand < specs.length - written ? 'read' : 'write',
  }));
}

/** The row-major index into an array with these extents. */
export function rowMajor(extents: readonly number[], offset = 0): Index {
  const terms = extents.map((_, axis): [number, number] => [
    axis,
    extents.slice(axis + 1).reduce((a, b) => a * b, 1),
  ]);
  return affine(offset, ...terms);
}

/** An array of a dtype with numbers in it, repeated as often as needed; of bool, whether they are odd. */
export function filled(
  dtype: DType,
  numbers: readonly number[],
  length: number = numbers.length,
): TypedArray {
  const array = allocate(dtype, length);
  for (let index = 0; index < length; index++) {
    const value = numbers[index % numbers.length]!;
    array[index] =
      dtype === 'float16' ? toFloat16Bits(value) : dtype === 'bool' ? Math.trunc(value) & 1 : value;
  }
  return array;
}

/** Numbers that look random: an even sequence, scaled. */
export function scattered(length: number, low = -2, high = 2, seed = 1): number[] {
  return Array.from(
    { length },
    (_, index) => low + (high - low) * (((index + 1) * 0.6180339887498949 + seed * 0.7548776662466927) % 1),
  );
}
