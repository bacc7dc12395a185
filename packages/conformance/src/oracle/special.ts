/**
 * The error function by its Maclaurin series, erf x = (2/√π) Σ (−1)ⁿ x²ⁿ⁺¹ / (n!(2n+1)), and beyond |x| = 3
 * by the continued fraction of its complement (Abramowitz & Stegun 7.1.5, 7.1.14). Slow, and independent of
 * the packages' rational approximations.
 */
export function erf(x: number): number {
  const size = Math.abs(x);
  if (!(size > 0)) return x;
  if (size > 6) return Math.sign(x);
  return size < 3 ? series(x) : Math.sign(x) * (1 - tail(size));
}

function series(x: number): number {
  let term = x;
  let total = x;
  for (let n = 1; n < 120; n++) {
    term *= (-x * x) / n;
    total += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * total;
}

/**
 * Φ(x) = (1 + erf(x/√2))/2, and left of −1 by the continued fraction φ(x)/(z + 1/(z + 2/(z + …))), z = −x
 * (Abramowitz & Stegun 26.2.14), which keeps its digits. The exponential is of x² in two parts, the first of
 * them exact.
 */
export function normalCdf(x: number): number {
  if (!(x < -1)) return (1 + erf(x / Math.SQRT2)) / 2;
  let fraction = -x;
  for (let n = 900; n >= 1; n--) fraction = -x + n / fraction;
  return x < -39 ? 0 : gaussian(x) / Math.sqrt(2 * Math.PI) / fraction;
}

/** e^(−x²/2) */
export function gaussian(x: number): number {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? x : 0;
  const head = Math.fround(x);
  return Math.exp(-head * head * 0.5) * Math.exp((head - x) * (head + x) * 0.5);
}

/** erfc x = e^(−x²)/√π · 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + …)))) */
function tail(x: number): number {
  let fraction = x;
  for (let n = 120; n >= 1; n--) fraction = x + n / 2 / fraction;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / fraction;
}
