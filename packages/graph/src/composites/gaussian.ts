/**
 * e^(−x²/2), the normal density without its constant, accurate to a few ulp for every x: −x²/2 rounded to a
 * float would cost x²/2 ulp. With h the nearest multiple of 2⁻⁸, whose square is
 * exact, x² = h² + (x − h)(x + h), and the second term is small (as in fdlibm's s_erf.c).
 */
import { clamp } from '../operations/derived.ts';
import { call } from '../ir/node.ts';
import { add, exp, mul, neg, sub, unary } from '../operations/ops.ts';
import type { Composite, Node } from '../ir/types.ts';
import { requireFloat } from '../ir/shapes.ts';

/** Largest |x| whose result is not 0: e^(−128) in float32, e^(−800) in float64. */
const REACH = { float16: 16, float32: 16, float64: 40 } as const;
/** Multiples of h per unit: h has 12 bits then, and 14 in float64. */
const STEPS = 2 ** 8;

/**
 * e^δ for |δ| ≤ 2⁻⁵, which (x − h)(x + h)/2 is within reach: in float32 1 + δ + δ²/2 + δ³/6 is as exact as
 * the exponential, and quicker.
 */
const smallExponential = (x: Node): Node =>
  x.dtype === 'float64' ? exp(x) : add(mul(x, add(mul(x, add(mul(x, 1 / 6), 0.5)), 1)), 1);

/** The Gaussian as an operation; called through `gaussian`. */
export const gaussianComposite: Composite = {
  name: 'gaussian',
  infer(_, x) {
    requireFloat('gaussian', x);
    return [{ shape: x.shape, dtype: x.dtype }];
  },
  body(_, x) {
    const reach = REACH[x.dtype as keyof typeof REACH];
    const bounded = clamp(x, -reach, reach);
    const head = mul(unary('round', mul(bounded, STEPS)), 1 / STEPS);
    const rest = mul(sub(bounded, head), add(bounded, head));
    return [mul(exp(mul(mul(head, head), -0.5)), smallExponential(mul(rest, -0.5)))];
  },
  // y = e^(−x²/2): dx = −g·x·y
  vjp([g], [y], _attrs, x) {
    if (g === null || g === undefined) return [null];
    return [neg(mul(g, mul(x, y!)))];
  },
  residuals: (_received, [y], _attrs, x) => [[x, y!]],
};

/** e^(−x²/2) */
export function gaussian(x: Node): Node {
  return call(gaussianComposite, {}, x)[0]!;
}
