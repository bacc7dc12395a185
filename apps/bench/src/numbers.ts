/** Numbers as the tables show them. */
import { formatPercent as percent } from '@firsthand/kit/numbers';

/** A positive number in three digits: 1139, 27.1, 0.46, 0.0161. */
export function formatNumber(value: number): string {
  if (value >= 100) return value.toFixed(0);
  if (value >= 10) return value.toFixed(1);
  return value >= 0.1 ? value.toFixed(2) : value.toPrecision(2);
}

/** A share of 1: 3 %. */
export function formatPercent(share: number): string {
  return percent(share, 0);
}

/** How many times: 2.0×. */
export function formatFactor(factor: number): string {
  return `${factor >= 100 ? factor.toFixed(0) : factor >= 10 ? factor.toFixed(1) : factor.toFixed(2)}×`;
}
