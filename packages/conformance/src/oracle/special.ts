/**
 * The error function by its Maclaurin series, erf x = (2/√π) Σ (−1)ⁿ x²ⁿ⁺¹ / (n!(2n+1)), and beyond |x| = 3 by the continued
 * fraction of its complement (Abramowitz & Stegun 7.1.5, 7.1.14). Slow, and independent of the packages' rational approximations.
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

/** erfc x = e^(−x²)/√π · 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + …)))) */
function tail(x: number): number {
  let fraction = x;
  for (let n = 120; n >= 1; n--) fraction = x + n / 2 / fraction;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / fraction;
}
