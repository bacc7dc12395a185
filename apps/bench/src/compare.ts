/**
 * Compares a contender's results with those of the plain loops, number by number.
 * Near zero, where numbers are the small difference of large ones, their size as a whole sets the scale.
 */

/** Relative to the larger of the expected number and the root mean square of all of them. */
const TOLERANCE = 1e-3;

/**
 * The first difference as text, or null where there is none.
 * @param actual one array for each output
 * @param expected the same, by the plain loops
 */
export function firstDifference(
  actual: readonly Float32Array[],
  expected: readonly Float32Array[],
  tolerance: number = TOLERANCE,
): string | null {
  if (actual.length !== expected.length) return `${actual.length} outputs instead of ${expected.length}`;
  for (const [index, right] of expected.entries()) {
    const values = actual[index]!;
    if (values.length !== right.length)
      return `output ${index} has ${values.length} elements instead of ${right.length}`;
    const scale = rootMeanSquare(right);
    for (let i = 0; i < right.length; i++) {
      const allowed = tolerance * Math.max(Math.abs(right[i]!), scale);
      if (Math.abs(values[i]! - right[i]!) <= allowed) continue;
      return `output ${index}, element ${i} is ${values[i]} instead of ${right[i]}`;
    }
  }
  return null;
}

function rootMeanSquare(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum / Math.max(1, values.length));
}
