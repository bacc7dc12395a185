/** What the settings of optimizers and schedules must satisfy: numbers in a range, checked where they come in. */
import { FirsthandError } from '@firsthand/linalg';

/** @throws FirsthandError unless the value is a number, low or more, and below `high` if given */
export function requireAtLeast(operation: string, setting: string, value: number, low: number, high: number = Infinity): void {
  if (value >= low && value < high) return;
  throw new FirsthandError(
    `${operation}: ${setting} is a number from ${low}${high === Infinity ? '' : ` up to, not including, ${high}`}, got ${value}`,
  );
}
