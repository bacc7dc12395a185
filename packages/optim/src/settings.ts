/** Checks of the settings of optimizers and schedules: numbers in a range. */
import { describeValue, FirsthandError } from '@firsthand/linalg';

/** @throws FirsthandError unless the value is a number, low or more, and below `high` if given */
export function requireAtLeast(
  operation: string,
  setting: string,
  value: number,
  low: number,
  high: number = Infinity,
): void {
  if (typeof value === 'number' && value >= low && value < high) return;
  const expected = `a number from ${low}${high === Infinity ? '' : ` up to, not including, ${high}`}`;
  const found = typeof value === 'number' ? value : describeValue(value);
  throw new FirsthandError({ operation, problem: `${setting} is ${expected}, got ${found}`, expected });
}
