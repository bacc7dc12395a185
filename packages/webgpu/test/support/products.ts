// Matrix products run as shaders and in the interpreter, which adds up in double precision.
import { printKernel, runKernel, type ContractKernel, type Index } from '@firsthand/compiler';
import type { DType, TypedArray } from '@firsthand/linalg';
import fc from 'fast-check';
import { expect } from 'vitest';
import { planMatmul } from '../../src/matmul/plan-matmul.ts';
import type { AdapterProfile } from '../../src/emit/profile.ts';
import type { OperandLayout, Shader } from '../../src/emit/shader.ts';
import { affine, filled, PROFILES, scattered } from './kernels.ts';
import { productKernel, type Product } from './product-kernel.ts';
import { plainLayout, runShaders } from './run-shader.ts';

/** A product whose indices are not linear: a is read in pairs of rows, b by quotients along k and n. */
export function withQuotients(): ContractKernel {
  const pairs = affine(0, [1, 1]);
  const quotient = (of: Index, by: number, coefficient: number): Index['terms'][0] => ({
    coefficient,
    atom: { kind: 'quotient', of, by },
  });
  const a: Index = {
    offset: 30,
    terms: [
      ...affine(0, [3, 1]).terms,
      quotient(pairs, 2, 15),
      { coefficient: 7, atom: { kind: 'remainder', of: pairs, by: 2 } },
    ],
  };
  const b: Index = {
    offset: 40,
    terms: [
      ...affine(0, [0, 3]).terms,
      quotient(affine(2, [3, 1]), 4, 5),
      quotient(affine(-4, [2, 1]), 3, 8),
    ],
  };
  return {
    ...productKernel({ batch: [2], m: 11, k: 15, n: 21 }),
    a: { operand: 0, index: a },
    b: { operand: 1, index: b },
  };
}

/** Any product of some thousand numbers. */
export const products: fc.Arbitrary<Product> = fc.record({
  batch: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 }),
  m: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 70 })),
  n: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 70 })),
  k: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 70 })),
  dtype: fc.constantFrom<DType>('float32', 'float32', 'int32', 'uint32'),
  transposed: fc.constantFrom('', 'a', 'b', 'ab', 'c', 'bc'),
  shared: fc.constantFrom('', '', 'a', 'b'),
  offset: fc.nat({ max: 4 }),
  gap: fc.constantFrom(0, 0, 1, 4),
});

/** Numbers for every operand: between −1 and 1, and of all 32 bits for integers. */
export function arraysFor({ operands }: ContractKernel): TypedArray[] {
  return operands.map(({ dtype, length }, operand) => {
    const numbers = scattered(length, -1, 1, operand + 1);
    if (dtype === 'float32') return filled(dtype, numbers);
    return filled(
      dtype,
      numbers.map((each) => Math.floor((dtype === 'uint32' ? each + 1 : each) * 2 ** 31)),
    );
  });
}

/** Emits the shaders of a product. */
export type Emitter = (kernel: ContractKernel, layout: OperandLayout) => readonly Shader[];

/** Emits what is planned for an adapter. */
export const plannedFor =
  (profile: AdapterProfile): Emitter =>
  (kernel, layout) =>
    planMatmul(kernel, profile).emit(layout);

const inSoftware: readonly Emitter[] = [
  PROFILES.software,
  { ...PROFILES.software, subgroups: { least: 4, most: 4, directive: true } },
].map(plannedFor);

/**
 * All shaders agree with the interpreter: exactly for integers, up to the roundings of k summands for floats.
 */
export async function expectProduct(
  kernel: ContractKernel,
  {
    arrays = arraysFor(kernel),
    emitters = inSoftware,
  }: { readonly arrays?: readonly TypedArray[]; readonly emitters?: readonly Emitter[] } = {},
): Promise<void> {
  const expected = arrays.map((array) => array.slice());
  runKernel(kernel, expected);
  const bound = kernel.dtype === 'float32' ? 2 ** -22 * Math.sqrt(kernel.k) : 0;
  for (const emit of emitters) {
    const shaders = emit(kernel, plainLayout(kernel.operands));
    const actual = await runShaders(shaders, kernel.operands, arrays);
    actual.forEach((array, operand) => {
      const wanted = expected[operand]!;
      const wrong = array.findIndex((value, index) => {
        const other = wanted[index]!;
        return !(Object.is(value, other) || Math.abs(value - other) <= bound * (1 + Math.abs(other)));
      });
      if (wrong < 0) return;
      const what = `operand ${operand} [${wrong}] is ${array[wrong]}, expected ${wanted[wrong]}`;
      expect.fail([what, printKernel(kernel), ...shaders.map(({ wgsl }) => wgsl)].join('\n'));
    });
  }
}
