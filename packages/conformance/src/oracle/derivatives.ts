/**
 * Derivatives of orders 0 to 4 in closed form, in doubles: [f, f′, f″, f‴, f⁗] at a point. What is made of
 * others follows from the rules of Leibniz, (uv)⁽ⁿ⁾ = Σ C(n, k) u⁽ᵏ⁾v⁽ⁿ⁻ᵏ⁾, and of Faà di Bruno for f(u(x)).
 */
import { erf } from './special.ts';

/** f, f′, f″, f‴, f⁗ */
export type Jet = readonly [number, number, number, number, number];
export type Derivatives = (x: number) => Jet;

const ORDERS = [0, 1, 2, 3, 4] as const;
const jet = (nth: (order: number) => number): Jet => ORDERS.map(nth) as unknown as Jet;
const factorial = (n: number): number => (n <= 1 ? 1 : n * factorial(n - 1));
const choose = (n: number, k: number): number => factorial(n) / (factorial(k) * factorial(n - k));
/** p(p − 1)…(p − n + 1) */
const falling = (p: number, n: number): number =>
  Array.from({ length: n }, (_, i) => p - i).reduce((a, b) => a * b, 1);

export const constantThen = (value: number, slope: number): Jet => [value, slope, 0, 0, 0];

/** xᵖ: p(p − 1)…·xᵖ⁻ⁿ, which is 0 for orders beyond a whole p ≥ 0, at every x. */
export const powerOf =
  (p: number): Derivatives =>
  (x) =>
    jet((n) => (falling(p, n) === 0 ? 0 : falling(p, n) * x ** (p - n)));

/** aˣ, a > 0 */
export const exponentialOf =
  (a: number): Derivatives =>
  (x) =>
    jet((n) => Math.log(a) ** n * a ** x);

export const ofExp: Derivatives = (x) => jet(() => Math.exp(x));
export const ofExpm1: Derivatives = (x) => jet((n) => (n === 0 ? Math.expm1(x) : Math.exp(x)));
const reciprocals = (x: number, n: number): number => (n % 2 === 1 ? 1 : -1) * factorial(n - 1) * x ** -n;
export const ofLog: Derivatives = (x) => jet((n) => (n === 0 ? Math.log(x) : reciprocals(x, n)));
export const ofLog1p: Derivatives = (x) => jet((n) => (n === 0 ? Math.log1p(x) : reciprocals(1 + x, n)));
export const ofSin: Derivatives = (x) => [Math.sin(x), Math.cos(x), -Math.sin(x), -Math.cos(x), Math.sin(x)];
export const ofCos: Derivatives = (x) => [Math.cos(x), -Math.sin(x), -Math.cos(x), Math.sin(x), Math.cos(x)];

export const ofTan: Derivatives = (x) => {
  const y = Math.tan(x);
  const s = 1 + y * y;
  return [y, s, 2 * y * s, s * (2 + 6 * y * y), y * s * (16 + 24 * y * y)];
};

export const ofTanh: Derivatives = (x) => {
  const y = Math.tanh(x);
  const s = 1 / Math.cosh(x) ** 2; // 1 − y² without its cancellation
  return [y, s, -2 * y * s, s * (6 * y * y - 2), y * s * (16 - 24 * y * y)];
};

export const ofSigmoid: Derivatives = (x) => {
  const y = 1 / (1 + Math.exp(-x));
  const s = 0.25 / Math.cosh(x / 2) ** 2; // y(1 − y)
  const odd = -Math.tanh(x / 2); // 1 − 2y
  return [y, s, s * odd, s * (1 - 6 * s), s * odd * (1 - 12 * s)];
};

/** φ and its derivatives by Hermite's polynomials. */
const ofNormalDensity = (x: number): Jet => {
  const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  if (density === 0) return [0, 0, 0, 0, 0];
  return [
    density,
    -x * density,
    (x * x - 1) * density,
    (3 * x - x ** 3) * density,
    (x ** 4 - 6 * x * x + 3) * density,
  ];
};

export const ofErf: Derivatives = (x) => {
  const scale = Math.SQRT2; // erf′(x) = 2√2·φ(√2·x)
  const density = ofNormalDensity(x * scale);
  return jet((n) => (n === 0 ? erf(x) : 2 * scale ** n * density[n - 1]!));
};

/** (x·f)⁽ⁿ⁾ = x·f⁽ⁿ⁾ + n·f⁽ⁿ⁻¹⁾ */
const timesX = (x: number, f: Jet): Jet => jet((n) => x * f[n]! + (n === 0 ? 0 : n * f[n - 1]!));

/** x·Φ(x) */
export const ofGelu: Derivatives = (x) => {
  const density = ofNormalDensity(x);
  return timesX(
    x,
    jet((n) => (n === 0 ? (1 + erf(x / Math.SQRT2)) / 2 : density[n - 1]!)),
  );
};
export const ofSilu: Derivatives = (x) => timesX(x, ofSigmoid(x));
export const ofSoftplus: Derivatives = (x) =>
  jet((n) => (n === 0 ? Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))) : ofSigmoid(x)[n - 1]!));

/** f(u(x)) from the derivatives of f at u, and those of u at x. */
function chain([f0, f1, f2, f3, f4]: Jet, [, u1, u2, u3, u4]: Jet): Jet {
  return [
    f0,
    f1 * u1,
    f2 * u1 ** 2 + f1 * u2,
    f3 * u1 ** 3 + 3 * f2 * u1 * u2 + f1 * u3,
    f4 * u1 ** 4 + 6 * f3 * u1 ** 2 * u2 + f2 * (3 * u2 ** 2 + 4 * u1 * u3) + f1 * u4,
  ];
}

/** x/2·(1 + tanh u) with u = √(2/π)(x + 0.044715 x³) */
export const ofGeluTanh: Derivatives = (x) => {
  const c = Math.sqrt(2 / Math.PI);
  const k = 0.044715;
  const u = c * (x + k * x ** 3);
  const outer = chain(ofTanh(u), [u, c * (1 + 3 * k * x * x), 6 * c * k * x, 6 * c * k, 0]);
  return timesX(
    x,
    jet((n) => ((n === 0 ? 1 : 0) + outer[n]!) / 2),
  );
};

/**
 * α(eˣ − 1) below 0, x above; at 0 the first derivative of the left side, and the higher ones of the right.
 */
export const eluOf =
  (alpha: number): Derivatives =>
  (x) => {
    if (x > 0) return constantThen(x, 1);
    if (x === 0) return constantThen(0, alpha);
    return jet((n) => alpha * ofExpm1(x)[n]!);
  };

/** Coefficients of b(b − 1)…(b − n + 1) in powers of b. */
const FALLING: readonly (readonly number[])[] = [[1], [0, 1], [0, -1, 1], [0, 2, -3, 1]];

/** The m-th derivative of a polynomial in b. */
function polynomialAt(coefficients: readonly number[], b: number, m: number): number {
  return coefficients.reduce(
    (total, c, power) => (power < m ? total : total + c * falling(power, m) * b ** (power - m)),
    0,
  );
}

/**
 * ∂ⁱ/∂aⁱ ∂ʲ/∂bʲ aᵇ for a > 0 and i ≤ 3: the j-th derivative of b(b − 1)…(b − i + 1) · a^(b − i) by Leibniz.
 */
export function powerPartial(i: number, j: number, a: number, b: number): number {
  let total = 0;
  for (let m = 0; m <= j; m++)
    total += choose(j, m) * polynomialAt(FALLING[i]!, b, m) * Math.log(a) ** (j - m);
  return total * a ** (b - i);
}
