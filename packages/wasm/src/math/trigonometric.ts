/**
 * Sine, cosine and tangent in float32. The angle less the nearest multiple of π/2 is computed in float64,
 * from π/2 in two parts (Cody and Waite, "Software Manual for the Elementary Functions", 1980; the parts are
 * those of fdlibm's e_rem_pio2.c), which keeps all digits even where it nearly vanishes; polynomials of the
 * rest are minimax, found as those of `exponential.ts`. Beyond 2²⁰ the lanes are computed one by one, by
 * imported functions.
 */
import type { Local } from '../assembler/code.ts';
import { ROUNDER64, SIGN_BIT } from './float-format.ts';
import { float32Function, Formula, HALVES, type Term, type VectorFunction } from './formula.ts';

/** π/2 in two parts, the first of 33 bits: its product with an integer of 20 bits is exact in float64. */
const HALF_PI = [1.57079632673412561417, 6.07710050650619224932e-11] as const;
/** Up to here the nearest multiple of π/2 is one of 20 bits. */
const REDUCIBLE = 2 ** 20;

/** (sin r/r − 1)/r² for |r| ≤ π/4, to 2⁻²⁷ of sin r. */
const SINE = [-0.166666552, 0.00833218917, -0.000195182889] as const;
/** cos r for |r| ≤ π/4 in powers of r², to 2⁻³¹. */
const COSINE = [1, -0.5, 0.0416666605, -0.00138879206, 2.44930434e-5] as const;
/** (tan r/r − 1)/r² for |r| ≤ π/4, to 2⁻²⁵ of tan r. */
const TANGENT = [0.333331555, 0.133388355, 0.0534081981, 0.0244414154, 0.00310143386, 0.00939655676] as const;

/**
 * x = quadrant·π/2 + rest with |rest| ≤ π/4.
 * @param use what to make of the rest: from a vector of two float64 to one
 * @returns the quadrant, an integer modulo 2³², and use(rest) in float32
 */
function reduce(
  f: Formula,
  x: Local,
  use: (wide: Formula, rest: Term) => Term,
): { readonly quadrant: Local; readonly used: Local } {
  const wide = new Formula(f.code, 'f64x2', f.features);
  const halves = HALVES.map((half) => {
    const angle = wide.local(wide.op('f64x2.promote_low_f32x4', f.half(x, half)));
    const rounded = wide.local(wide.multiplyAdd(angle, 2 / Math.PI, ROUNDER64));
    const quadrant = wide.local(wide.sub(rounded, ROUNDER64));
    const rest = wide.multiplyAdd(quadrant, -HALF_PI[1], wide.multiplyAdd(quadrant, -HALF_PI[0], angle));
    return { rounded, used: wide.local(wide.op('f32x4.demote_f64x2_zero', use(wide, rest))) };
  });
  const quadrant = f.local(f.shuffle(halves[0]!.rounded, halves[1]!.rounded, [0, 2, 4, 6]));
  const used = f.local(f.shuffle(halves[0]!.used, halves[1]!.used, [0, 1, 4, 5]));
  wide.release();
  return { quadrant, used };
}

/** sin(rest) and cos(rest). */
function sineAndCosine(
  f: Formula,
  x: Local,
): { readonly quadrant: Local; readonly sine: Term; readonly cosine: Term } {
  const { quadrant, used: rest } = reduce(f, x, (_, wideRest) => wideRest);
  const square = f.local(f.mul(rest, rest));
  const cube = f.add(f.mul(square, rest), 0); // +0 even for −0, after which −0 + (−⅙)·0 is −0
  return {
    quadrant,
    sine: f.multiplyAdd(cube, f.polynomial(square, SINE), rest),
    cosine: f.polynomial(square, COSINE),
  };
}

/** All bits of the lanes whose quadrant is odd. */
const odd = (f: Formula, quadrant: Term): Term => f.shift('shr_s', f.shift('shl', quadrant, 31), 31);
/** The sign bit of the lanes whose quadrant is 2 or 3, modulo 4. */
const opposite = (f: Formula, quadrant: Term): Term => f.and(f.shift('shl', quadrant, 30), f.bits(SIGN_BIT));

/**
 * Replaces the lanes where |x| is large: there the function is imported, and is called for one number at a
 * time.
 */
function withLarge(f: Formula, name: 'sin' | 'cos' | 'tan', x: Local, usual: Term): Term {
  const result = f.local(usual);
  const large = f.local(f.compare('gt', f.op('f32x4.abs', x), REDUCIBLE));
  f.whereAny(large, () => {
    const { code } = f;
    const imported = f.local(x);
    for (let lane = 0; lane < 4; lane++) {
      code
        .get(imported)
        .get(x)
        .lane('f32x4.extract_lane', lane)
        .op('f64.promote_f32')
        .call(f.features.imported(name));
      code.op('f32.demote_f64').lane('f32x4.replace_lane', lane).set(imported);
    }
    f.assign(result, f.select(large, imported, result));
  });
  return result;
}

/** sin x; NaN at ±∞. At most 1.6 ulp. */
export const sin: VectorFunction = float32Function((f, x) => {
  const { quadrant, sine, cosine } = sineAndCosine(f, x);
  return withLarge(f, 'sin', x, f.xor(f.select(odd(f, quadrant), cosine, sine), opposite(f, quadrant)));
});

/** cos x; NaN at ±∞. At most 1.6 ulp. */
export const cos: VectorFunction = float32Function((f, x) => {
  const { quadrant, sine, cosine } = sineAndCosine(f, x);
  const next = f.op('i32x4.add', quadrant, f.bits(1));
  return withLarge(f, 'cos', x, f.xor(f.select(odd(f, quadrant), sine, cosine), opposite(f, next)));
});

/**
 * tan x, which is −1/tan(rest) in odd quadrants; NaN at ±∞. The polynomial is float64 too, lest three
 * roundings add up. At most 1.9 ulp.
 */
export const tan: VectorFunction = float32Function((f, x) => {
  const { quadrant, used: near } = reduce(f, x, (wide, rest) => {
    const r = wide.local(rest);
    const square = wide.local(wide.mul(r, r));
    return wide.multiplyAdd(wide.mul(square, r), wide.polynomial(square, TANGENT), r);
  });
  return withLarge(f, 'tan', x, f.select(odd(f, quadrant), f.div(-1, near), near));
});
