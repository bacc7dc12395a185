/**
 * What a list of times says: its median, since a machine that does other things too makes single runs late
 * but never early; the quartiles around it; and how two contenders compare, round by round, so that what
 * slows a whole round slows both.
 */

/** A list of measurements in brief. */
export interface Summary {
  readonly median: number;
  /** The lower quartile. */
  readonly low: number;
  /** The upper quartile. */
  readonly high: number;
  readonly count: number;
}

/**
 * The quantile of the values, linear between neighbours.
 * @param share from 0 to 1
 * @throws RangeError if there are no values
 */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError('there is no quantile of no values');
  const sorted = values.toSorted((a, b) => a - b);
  const position = share * (sorted.length - 1);
  const below = Math.floor(position);
  const [left, right] = [sorted[below]!, sorted[Math.min(below + 1, sorted.length - 1)]!];
  return left + (right - left) * (position - below);
}

/** The middle of the values. @throws RangeError if there are none */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** @throws RangeError if there are no values */
export function summarize(values: readonly number[]): Summary {
  return {
    median: median(values),
    low: quantile(values, 0.25),
    high: quantile(values, 0.75),
    count: values.length,
  };
}

/** Half the distance of the quartiles, as a share of the median: ±3 % is 0.03. */
export function spread({ median: middle, low, high }: Summary): number {
  return (high - low) / 2 / middle;
}

/**
 * How many times as long `other` takes as `own`: the median over the rounds that both ran of the quotient of
 * the rounds' medians.
 * @param ours times by round
 * @param other times by round
 * @throws RangeError if there is no round of both
 */
export function factor(ours: readonly (readonly number[])[], other: readonly (readonly number[])[]): number {
  const common = Math.min(ours.length, other.length);
  return median(Array.from({ length: common }, (_, round) => median(other[round]!) / median(ours[round]!)));
}
