/** Numbers as WGSL writes them. */
import { fromFloat16Bits, toFloat16Bits, type DType } from '@firsthand/linalg';
import { expressionOf, valueType, type Expression, type ValueType } from './expression.ts';

/** The smallest positive float32 that is not subnormal. */
const SMALLEST_NORMAL = 2 ** -126;

/** The fewest digits that round to a float32. */
function digitsOf(value: number): string {
  for (let count = 1; ; count++) {
    const digits = String(Number(value.toPrecision(count)));
    if (Math.fround(Number(digits)) === value) return digits;
  }
}

/** A float32; NaN, infinities, −0 and subnormal numbers by their bits, because WGSL has no literals for them, or may take them for 0. */
function floatText(value: number): string {
  const rounded = Math.fround(value);
  if (Object.is(rounded, 0) || (Math.abs(rounded) >= SMALLEST_NORMAL && Number.isFinite(rounded))) return `${digitsOf(rounded)}f`;
  const bits = new Uint32Array(Float32Array.of(rounded).buffer)[0]!;
  return `f32_of_bits(0x${bits.toString(16).padStart(8, '0')}u)`;
}

const TEXT: { readonly [K in ValueType]: (value: number) => string } = {
  f32: floatText,
  i32: (value) => ((value | 0) === -(2 ** 31) ? 'i32(-2147483648)' : `${value | 0}i`),
  u32: (value) => `${value >>> 0}u`,
  bool: (value) => (value === 0 ? 'false' : 'true'),
};

/** The element of a dtype that a number is or, among floats, is nearest to. */
export function literal(dtype: DType, value: number): Expression {
  return expressionOf(TEXT[valueType(dtype)](dtype === 'float16' ? fromFloat16Bits(toFloat16Bits(value)) : value));
}
