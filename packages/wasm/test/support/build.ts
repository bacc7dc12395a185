// Short ways to write kernels down by hand, and numbers on which functions go wrong.
import type { Atom, Index, LoopKernel, Operand, Scalar, Store, Term } from '@firsthand/compiler';
import { allocate, DTYPES, toFloat16Bits, type DType, type TypedArray } from '@firsthand/linalg';

/** offset + Σ factor·axis */
export function affine(
  offset: number,
  ...terms: readonly (readonly [axis: number, factor: number])[]
): Index {
  return {
    offset,
    terms: terms.map(([axis, factor]): Term => ({ coefficient: factor, atom: { kind: 'axis', axis } })),
  };
}

/** ⌊of/by⌋ or of mod by */
export function divided(
  kind: 'quotient' | 'remainder',
  of: Index,
  by: number,
  factor = 1,
  offset = 0,
): Index {
  const atom: Atom = { kind, of, by };
  return { offset, terms: [{ coefficient: factor, atom }] };
}

export function load(operand: number, dtype: DType, index: Index): Scalar {
  return { op: 'load', dtype, operand, index };
}

export function constant(dtype: DType, value: number): Scalar {
  return { op: 'const', dtype, value };
}

/** The operands of kernels: all but the last `written` are read. */
export function operandsOf(specs: readonly (readonly [DType, number])[], written = 1): Operand[] {
  return specs.map(([dtype, length], position) => ({
    dtype,
    length,
    access: position < specs.length - written ? 'read' : 'write',
  }));
}

/** A kernel that stores values and reduces nothing. The last extent is the columns'. */
export function mapKernel(
  operands: readonly Operand[],
  extents: readonly number[],
  stores: readonly Store[],
): LoopKernel {
  return {
    kind: 'loop',
    operands,
    rows: extents.slice(0, -1),
    columns: extents.slice(-1),
    reductions: [],
    passes: [{ reductions: [], stores }],
    rowStores: [],
  };
}

/** The offset in row-major order of an array with these extents. */
export function rowMajor(extents: readonly number[], offset = 0): Index {
  let factor = 1;
  const terms: [number, number][] = [];
  for (let axis = extents.length - 1; axis >= 0; axis--) {
    terms.unshift([axis, factor]);
    factor *= extents[axis]!;
  }
  return affine(offset, ...terms);
}

const [nan, inf] = [NaN, Infinity];
/** Numbers on which functions go wrong, for each dtype. */
export const SPECIAL: { readonly [K in DType]: readonly number[] } = {
  float32: [
    0,
    -0,
    1,
    -1,
    0.5,
    -0.5,
    1.5,
    -1.5,
    2.5,
    -2.5,
    3,
    -7,
    1e-30,
    1e-40,
    -1e-45,
    1e30,
    -3e38,
    2 ** 24 + 2,
    0.1,
    88,
    -104,
    inf,
    -inf,
    nan,
  ],
  float64: [
    0,
    -0,
    1,
    -1,
    0.5,
    -0.5,
    1.5,
    -1.5,
    2.5,
    -2.5,
    3,
    -7,
    1e-300,
    -5e-324,
    1e300,
    2 ** 53,
    0.1,
    700,
    -746,
    inf,
    -inf,
    nan,
  ],
  float16: [
    0,
    -0,
    1,
    -1,
    0.5,
    -0.5,
    1.5,
    -1.5,
    2.5,
    -2.5,
    3,
    -7,
    6e-8,
    -6e-8,
    6.1e-5,
    5.96e-5,
    65504,
    -65504,
    1000,
    0.1,
    inf,
    -inf,
    nan,
  ],
  int32: [
    0,
    1,
    -1,
    2,
    -2,
    3,
    -3,
    7,
    -7,
    31,
    255,
    65536,
    1e9,
    -1e9,
    2 ** 31 - 1,
    -(2 ** 31),
    46341,
    -(2 ** 31) + 1,
  ],
  uint32: [0, 1, 2, 3, 7, 31, 255, 65536, 1e9, 2 ** 31 - 1, 2 ** 31, 4e9, 2 ** 32 - 1, 65537],
  bool: [0, 1, 1, 0, 1],
};

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

/** Every dtype. */
export const EVERY_DTYPE: readonly DType[] = Object.keys(DTYPES) as DType[];
