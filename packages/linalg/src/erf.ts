/**
 * The error function, erf(x) = 2/√π ∫₀ˣ e^(−t²) dt, to within one ulp of a double, and the
 * normal distribution function to within a few. Four rational approximations P/Q, one per range of |x|;
 * method and coefficients are those of fdlibm's s_erf.c (Copyright 1993 Sun Microsystems, Inc., freely
 * granted provided that this notice is preserved). Polynomials by Horner's rule, highest power first.
 */

/** erf(1) rounded to 24 bits, about which the second range expands. */
const ERF_OF_ONE = 8.45062911510467529297e-1;

/** erf(x); odd, ±1 at ±∞, NaN at NaN. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a < 0.84375) {
    // erf(x) = x + x·P(x²)/Q(x²); below 2⁻²⁸ the series' first term is exact
    const z = a < 2 ** -28 ? 0 : x * x;
    let p = -2.37630166566501626084e-5;
    p = -5.77027029648944159157e-3 + z * p;
    p = -2.84817495755985104766e-2 + z * p;
    p = -3.2504210724700149937e-1 + z * p;
    p = 1.28379167095512558561e-1 + z * p;
    let q = -3.9602282787753681232e-6;
    q = 1.32494738004321644526e-4 + z * q;
    q = 5.08130628187576562776e-3 + z * q;
    q = 6.50222499887672944485e-2 + z * q;
    q = 3.97917223959155352819e-1 + z * q;
    q = 1 + z * q;
    return x + x * (p / q);
  }
  if (a >= 6) return Math.sign(x);
  const magnitude = a < 1.25 ? nearOne(a - 1) : 1 - complement(a);
  return x < 0 ? -magnitude : magnitude; // NaN falls through every comparison and arrives here as NaN
}

/**
 * Φ(x) = ½(1 + erf(x/√2)) = 1/√2π ∫ e^(−t²/2) dt up to x: 0 at −∞, 1 at ∞, NaN at NaN. Below 0 it is half the
 * complement of erf, of which no digits cancel, and whose exponential is of x itself: rounding x/√2 would
 * cost x² ulps.
 */
export function normalCdf(x: number): number {
  const a = Math.abs(x) * Math.SQRT1_2;
  if (a < 0.84375) return 0.5 + 0.5 * erf(x * Math.SQRT1_2);
  // NaN arrives here.
  const upper = a < 1.25 ? 0.5 * (1 - nearOne(a - 1)) : 0.5 * normalComplement(Math.abs(x));
  return x < 0 ? upper : 1 - upper;
}

/** 1 − erf(z/√2) for z ≥ 1.25·√2: `complement` of a = z/√2, where a² = z²/2. */
function normalComplement(z: number): number {
  if (z > 39) return 0; // less than the smallest double
  const s = 2 / (z * z);
  const ratio = z < Math.SQRT2 / 0.35 ? lowTail(s) : highTail(s);
  const head = Math.fround(z);
  return (
    (Math.exp(-0.5 * head * head - 0.5625) * Math.exp(0.5 * (head - z) * (head + z) + ratio)) /
    (z * Math.SQRT1_2)
  );
}

/** erf(1 + s) for s in [−0.15625, 0.25]. */
function nearOne(s: number): number {
  let p = -2.166375594868790843e-3;
  p = 3.54783043256182359371e-2 + s * p;
  p = -1.10894694282396677476e-1 + s * p;
  p = 3.18346619901161753674e-1 + s * p;
  p = -3.72207876035701323847e-1 + s * p;
  p = 4.14856118683748331666e-1 + s * p;
  p = -2.36211856075265944077e-3 + s * p;
  let q = 1.1984499846799107417e-2;
  q = 1.36370839120290507362e-2 + s * q;
  q = 1.26171219808761642112e-1 + s * q;
  q = 7.18286544141962662868e-2 + s * q;
  q = 5.40397917702171048937e-1 + s * q;
  q = 1.06420880400844228286e-1 + s * q;
  q = 1 + s * q;
  return ERF_OF_ONE + p / q;
}

/** 1 − erf(a) = e^(−a² − 0.5625 + P(1/a²)/Q(1/a²)) / a for a in [1.25, 6). */
function complement(a: number): number {
  const s = 1 / (a * a);
  const ratio = a < 1 / 0.35 ? lowTail(s) : highTail(s);
  const head = Math.fround(a); // −a² = −head² + (head − a)(head + a), where head² is exact
  return (Math.exp(-head * head - 0.5625) * Math.exp((head - a) * (head + a) + ratio)) / a;
}

function lowTail(s: number): number {
  let p = -9.81432934416914548592;
  p = -8.12874355063065934246e1 + s * p;
  p = -1.84605092906711035994e2 + s * p;
  p = -1.62396669462573470355e2 + s * p;
  p = -6.23753324503260060396e1 + s * p;
  p = -1.05586262253232909814e1 + s * p;
  p = -6.93858572707181764372e-1 + s * p;
  p = -9.86494403484714822705e-3 + s * p;
  let q = -6.04244152148580987438e-2;
  q = 6.57024977031928170135 + s * q;
  q = 1.08635005541779435134e2 + s * q;
  q = 4.29008140027567833386e2 + s * q;
  q = 6.45387271733267880336e2 + s * q;
  q = 4.34565877475229228821e2 + s * q;
  q = 1.376577541435190426e2 + s * q;
  q = 1.96512716674392571292e1 + s * q;
  q = 1 + s * q;
  return p / q;
}

function highTail(s: number): number {
  let p = -4.83519191608651397019e2;
  p = -1.02509513161107724954e3 + s * p;
  p = -6.37566443368389627722e2 + s * p;
  p = -1.60636384855821916062e2 + s * p;
  p = -1.77579549177547519889e1 + s * p;
  p = -7.99283237680523006574e-1 + s * p;
  p = -9.86494292470009928597e-3 + s * p;
  let q = -2.24409524465858183362e1;
  q = 4.74528541206955367215e2 + s * q;
  q = 2.55305040643316442583e3 + s * q;
  q = 3.19985821950859553908e3 + s * q;
  q = 1.53672958608443695994e3 + s * q;
  q = 3.25792512996573918826e2 + s * q;
  q = 3.03380607434824582924e1 + s * q;
  q = 1 + s * q;
  return p / q;
}
