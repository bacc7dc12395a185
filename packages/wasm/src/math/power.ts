/**
 * Powers in float32: 2 to the y·log₂|x|. The product may be 150, and the result needs 24 bits of its
 * fraction: logarithm and product are float64. Zeros, infinities, NaN and negative numbers (IEEE 754) are
 * corrected by code that is skipped where all x are positive, normal and finite and all y are finite.
 */
import type { Code, Local } from '../assembler/code.ts';
import { NARROW } from './exponential.ts';
import {
  BIAS,
  EXPONENT_BIT,
  EXPONENT_MASK,
  LARGEST,
  ROUNDER64,
  SIGN_BIT,
  SMALLEST_NORMAL,
} from './float-format.ts';
import { Formula, HALVES, type MathFeatures, type Term } from './formula.ts';

/** The bits of √½, below which a mantissa is taken twice as large and its exponent one less. */
const ROOT_HALF = 0x3f3504f3;
/** log₂((1 + s)/(1 − s))/s in powers of s², for mantissas from √½ to √2, to 2⁻³⁷. */
const LOG2 = [
  2.885390081790085, 0.9617966733430049, 0.5770835847474597, 0.4116727321114733, 0.340729867970588,
] as const;

/**
 * Pushes xʸ, as IEEE 754 has it: 1 where y = 0 or x = 1, whatever the other is, and where x = −1
 * and y = ±∞. At most 1.1 ulp.
 * @param x four float32, not changed
 * @param y four float32, not changed
 */
export function emitPow32(code: Code, x: Local, y: Local, features: MathFeatures): void {
  const f = new Formula(code, 'f32x4', features);
  const magnitude = f.local(f.op('f32x4.abs', x));
  const usual = f.and(
    f.and(f.compare('ge', x, SMALLEST_NORMAL), f.compare('le', x, LARGEST)),
    f.compare('le', f.op('f32x4.abs', y), LARGEST),
  );
  const special = f.local(f.op('v128.not', usual));
  const base = f.local(magnitude);
  const extra = f.local(0);
  f.whereAny(special, () => {
    const subnormal = f.local(f.compare('lt', magnitude, SMALLEST_NORMAL));
    f.assign(base, f.select(subnormal, f.mul(magnitude, 2 ** 24), magnitude));
    f.assign(extra, f.and(subnormal, f.bits(24 << EXPONENT_BIT)));
  });
  const exponent = f.local(f.and(f.op('i32x4.sub', base, f.bits(ROOT_HALF)), f.bits(EXPONENT_MASK)));
  const mantissa = f.local(f.op('i32x4.sub', base, exponent));
  const result = f.local(exponential(f, mantissa, f.local(f.op('i32x4.sub', exponent, extra)), y));
  f.whereAny(special, () => f.assign(result, atEdges(f, x, y, magnitude, result)));
  f.put(result);
  f.release();
}

/** (2^(exponent/2²³)·mantissa)ʸ. */
function exponential(f: Formula, mantissa: Local, exponent: Local, y: Local): Term {
  const wide = new Formula(f.code, 'f64x2', f.features);
  const halves = HALVES.map((half) => {
    const m = wide.local(wide.op('f64x2.promote_low_f32x4', f.half(mantissa, half)));
    const s = wide.local(wide.div(wide.sub(m, 1), wide.add(m, 1)));
    const square = wide.local(wide.mul(s, s));
    const wholePart = wide.op('f64x2.convert_low_i32x4_s', f.half(exponent, half));
    const log2 = wide.multiplyAdd(wholePart, 2 ** -EXPONENT_BIT, wide.mul(s, wide.polynomial(square, LOG2)));
    const product = wide.mul(log2, wide.op('f64x2.promote_low_f32x4', f.half(y, half)));
    const bounded = wide.local(wide.max(wide.min(product, 200), -200)); // the results beyond are ∞ and 0
    const rounded = wide.local(wide.add(bounded, ROUNDER64));
    const rest = wide.mul(wide.sub(bounded, wide.sub(rounded, ROUNDER64)), Math.LN2);
    return { rounded, rest: wide.local(wide.op('f32x4.demote_f64x2_zero', rest)) };
  });
  const k = f.local(f.shuffle(halves[0]!.rounded, halves[1]!.rounded, [0, 2, 4, 6]));
  const r = f.local(f.shuffle(halves[0]!.rest, halves[1]!.rest, [0, 1, 4, 5]));
  wide.release();
  const square = f.local(f.mul(r, r));
  const fraction = f.add(f.multiplyAdd(square, f.twoPolynomials(r, square, NARROW), r), 1);
  const part = f.local(f.shift('shr_s', k, 1)); // 2ᵏ as two factors: a subnormal result is rounded once
  const other = f.op('i32x4.add', f.op('i32x4.sub', k, part), f.bits(BIAS));
  return f.mul(
    f.op('i32x4.add', fraction, f.shift('shl', part, EXPONENT_BIT)),
    f.shift('shl', other, EXPONENT_BIT),
  );
}

/**
 * The result where it is |x|ʸ only for finite |x| other than 0, and finite y. A mask is a NaN, which survives
 * `or`.
 */
function atEdges(f: Formula, x: Local, y: Local, magnitude: Local, result: Local): Term {
  const infinite = f.local(f.compare('eq', magnitude, Infinity));
  const extreme = f.or(infinite, f.compare('eq', magnitude, 0));
  const limit = f.and(f.xor(infinite, f.compare('lt', y, 0)), Infinity);
  const whole = f.local(f.compare('eq', f.op('f32x4.nearest', y), y));
  const half = f.local(f.mul(y, 0.5));
  const odd = f.op('v128.andnot', whole, f.compare('eq', f.op('f32x4.nearest', half), half));
  const signed = f.or(f.select(extreme, limit, result), f.and(f.and(x, f.bits(SIGN_BIT)), odd));
  const complex = f.op('v128.andnot', f.and(f.compare('lt', x, 0), f.compare('gt', x, -Infinity)), whole);
  const notANumber = f.or(complex, f.or(f.compare('ne', x, x), f.compare('ne', y, y)));
  const unit = f.and(f.compare('eq', magnitude, 1), f.compare('eq', f.op('f32x4.abs', y), Infinity));
  const one = f.or(unit, f.or(f.compare('eq', y, 0), f.compare('eq', x, 1)));
  return f.select(one, 1, f.or(signed, notANumber));
}
