/**
 * Facts about float32 and float64 that formulas rest on: where the exponent's bits are, which numbers are
 * ordinary, how a sum rounds to an integer, and ln 2 in parts.
 */

/** The sign's bit; as a float32 it is −0. */
export const SIGN_BIT: number = 0x80000000;
/** The bits of the sign and of the exponent. */
export const EXPONENT_MASK: number = 0xff800000;
/** The lowest bit of the exponent. */
export const EXPONENT_BIT: number = 23;
/** What the exponent's bits say for 2⁰. */
export const BIAS: number = 127;

/** The largest finite float32. */
export const LARGEST: number = (2 - 2 ** -23) * 2 ** 127;
/** The smallest positive float32 with 24 digits; below are the subnormals, down to `SMALLEST`. */
export const SMALLEST_NORMAL: number = 2 ** -126;
/** The smallest positive float32. */
export const SMALLEST: number = 2 ** -149;

/**
 * Added to a float32 below 2²², it leaves the nearest integer in the lowest bits of the sum, whose unit is 1;
 * subtracted again, it leaves that integer as a float.
 */
export const ROUNDER32: number = 1.5 * 2 ** 23;
/** The same for a float64 below 2⁵¹. */
export const ROUNDER64: number = 1.5 * 2 ** 52;

/**
 * ln 2 in two parts, the first of 16 bits, so that its product with an integer below 2⁸ is exact (Cody and
 * Waite).
 */
export const LN2: readonly [number, number] = [45426 * 2 ** -16, 1.42860684e-6];
