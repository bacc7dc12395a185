/**
 * What is known of the digits and of a reading before anything is computed: sizes, and which probability is
 * the highest.
 */

/** Images and the digits that they show. */
export interface Digits {
  readonly count: number;
  /** (count · 28 · 28) bytes: 0 is background, 255 is ink. */
  readonly pixels: Uint8Array;
  /** (count) */
  readonly labels: Uint8Array;
}

export const CLASSES = 10;
/** Pixels of an image, 28 · 28. */
export const PIXELS = 784;

/** The class with the highest probability, the first of several. */
export function likeliest(probabilities: ArrayLike<number>): number {
  let best = 0;
  for (let digit = 1; digit < probabilities.length; digit++)
    if (probabilities[digit]! > probabilities[best]!) best = digit;
  return best;
}
