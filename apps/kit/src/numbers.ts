/**
 * Numbers as a person reads them: grouped digits, percent, durations. All in English notation, so that a log
 * reads the same everywhere.
 */

const grouped = /* @__PURE__ */ new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** A whole number with its thousands apart: 60,000. */
export function formatCount(count: number): string {
  return grouped.format(count);
}

/** A share of 1 as a percentage: 97.65 %. */
export function formatPercent(share: number, digits = 2): string {
  return `${(100 * share).toFixed(digits)} %`;
}

/** A duration in seconds: 0.4 s, 48 s, 2 min 05 s. */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
}

/** A positive measure over many magnitudes, in three significant digits: 0.0312, 4.21e-5. */
export function formatMagnitude(value: number): string {
  return value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(2) : value.toPrecision(3);
}

/** “1 epoch”, “2 epochs”. */
export function formatPlural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** A duration on a clock, in minutes and seconds, whose width does not jump: 0:48, 12:05. */
export function formatClock(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–:––';
  const whole = Math.ceil(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
