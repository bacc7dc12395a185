/**
 * IEEE 754 binary16 as 16 stored bits: 1 sign, 5 exponent (bias 15) and 10 fraction bits, so a normal number
 * is (−1)^s · 2^(e−15) · (1 + f/1024) and a subnormal one (e = 0) is (−1)^s · 2⁻²⁴ · f. There is no
 * arithmetic on it: values widen to float32 and are rounded back.
 */

/**
 * Rounds to the nearest integer, ties to the even one (IEEE 754 roundToIntegralTiesToEven).
 * @param x any number; NaN, infinities and −0 pass through
 */
export function roundHalfEven(x: number): number {
  const up = Math.round(x); // ties go towards +∞ here
  return up - x === 0.5 && up % 2 !== 0 ? up - 1 : up;
}

/**
 * The binary16 nearest to a number, ties to even; magnitudes from 65520 become infinity.
 * @param x any number
 * @returns the 16 bits as an integer in [0, 65535]; NaN gives 0x7e00
 */
export function toFloat16Bits(x: number): number {
  if (x !== x) return 0x7e00;
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(x);
  if (magnitude >= 65520) return sign | 0x7c00;
  if (magnitude < 2 ** -14) return sign | roundHalfEven(magnitude * 2 ** 24);
  // One too high just below a power of two, to which such a number is rounded anyway.
  const exponent = Math.floor(Math.log2(magnitude));
  // In [1024, 2048]; 2048 carries into the exponent below.
  const significand = roundHalfEven(magnitude * 2 ** (10 - exponent));
  return sign | (((exponent + 15) << 10) + significand - 1024);
}

/**
 * The number that 16 bits stand for; exact, since every binary16 is a float32.
 * @param bits an integer in [0, 65535]
 */
export function fromFloat16Bits(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * 2 ** (exponent - 15) * (1 + fraction / 1024);
}
