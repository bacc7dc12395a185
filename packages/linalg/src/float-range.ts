/**
 * The numbers of a float type inside an interval of real numbers. Rounding a number of [low, high) to its
 * type may leave the interval; these are the ends to which such a number is brought back.
 */
import { allocate, decode, encode, type DType } from './dtype.ts';

/** The element types that hold fractions. */
export type FloatType = Extract<DType, `float${string}`>;

/** The number of the type that is nearest to x. */
export function roundToFloat(x: number, dtype: FloatType): number {
  const element = allocate(dtype, 1);
  element[0] = encode[dtype](x);
  return decode(dtype, element[0]);
}

/**
 * The next number of the type above (direction 1) or below (−1) a number of the type. Bits count magnitudes,
 * the subnormal ones included.
 */
function neighbour(x: number, dtype: FloatType, direction: 1 | -1): number {
  const element = allocate(dtype, 1);
  element[0] = encode[dtype](x === 0 ? 0 : x);
  const { buffer } = element;
  const bits =
    dtype === 'float16'
      ? new Int16Array(buffer)
      : dtype === 'float32'
        ? new Int32Array(buffer)
        : new BigInt64Array(buffer);
  if (x === 0) {
    bits[0] = bits instanceof BigInt64Array ? 1n : 1;
    return direction * decode(dtype, element[0]);
  }
  const step = x > 0 === direction > 0 ? 1 : -1;
  if (bits instanceof BigInt64Array) bits[0]! += BigInt(step);
  else bits[0]! += step;
  return decode(dtype, element[0]);
}

/**
 * The smallest and the largest number of a float type in an interval.
 * @param low the lower end, which belongs to the interval; may be −∞
 * @param high the upper end, which belongs to the interval if it is closed; may be ∞
 * @param closed whether the interval is [low, high]; otherwise it is [low, high), and what `high` is rounded
 *   to belongs to it only if nothing else does
 * @returns null if the type has no number there
 */
export function floatsWithin(
  low: number,
  high: number,
  dtype: FloatType,
  closed: boolean,
): { least: number; largest: number } | null {
  const [from, to] = [roundToFloat(low, dtype), roundToFloat(high, dtype)];
  const least = from < low ? neighbour(from, dtype, 1) : from;
  if (closed) {
    const largest = to > high ? neighbour(to, dtype, -1) : to;
    return least <= largest ? { least, largest } : null;
  }
  const largest = neighbour(to, dtype, -1);
  if (least <= largest) return { least, largest };
  return least <= to && to < high ? { least, largest: to } : null;
}
