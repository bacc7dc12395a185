/** Numbers as WGSL literals. */
import { fromFloat16Bits, toFloat16Bits, type DType } from '@firsthand/linalg';
import { expressionOf, valueType, type Expression, type ValueType } from './expression.ts';

/** The smallest positive float32 that is not subnormal. */
const SMALLEST_NORMAL = 2 ** -126;

/** The largest float32. */
const LARGEST = (2 - 2 ** -23) * 2 ** 127;

/** The shortest decimal that rounds to a float32 and does not exceed the largest one; integers in full. */
function digitsOf(value: number): string {
  if (Number.isSafeInteger(value)) return String(value);
  const rounded = Array.from({ length: 17 }, (_, i) => Number(value.toPrecision(i + 1)));
  return String(rounded.find((x) => Math.fround(x) === value && Math.abs(x) <= LARGEST));
}

/**
 * A float32; NaN, infinities, −0 and subnormal numbers by their bits: WGSL has no literals for them, or
 * flushes them.
 */
function floatText(value: number): string {
  const rounded = Math.fround(value);
  if (Object.is(rounded, 0) || (Math.abs(rounded) >= SMALLEST_NORMAL && Number.isFinite(rounded)))
    return `${digitsOf(rounded)}f`;
  const bits = new Uint32Array(Float32Array.of(rounded).buffer)[0]!;
  return `f32_of_bits(0x${bits.toString(16).padStart(8, '0')}u)`;
}

const TEXT: { readonly [K in ValueType]: (value: number) => string } = {
  f32: floatText,
  i32: (value) => ((value | 0) === -(2 ** 31) ? 'i32(-2147483648)' : `${value | 0}i`),
  u32: (value) => `${value >>> 0}u`,
  bool: (value) => (value === 0 ? 'false' : 'true'),
};

/** The literal of a number in a dtype, rounded to the nearest float. */
export function literal(dtype: DType, value: number): Expression {
  return expressionOf(
    TEXT[valueType(dtype)](dtype === 'float16' ? fromFloat16Bits(toFloat16Bits(value)) : value),
  );
}
