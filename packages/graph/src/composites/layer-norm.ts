/**
 * Layer normalisation (Ba, Kiros & Hinton 2016) over the last axes: y = (x − μ)·r·w + b with μ the mean, r =
 * 1/√(σ² + ε) and σ² the biased variance of each row. μ and r are outputs too, so that the gradient need not
 * compute them again.
 */
import { equalShapes, ShapeError, sizeOf } from '@firsthand/linalg';
import { mean, sumTo, variance } from '../operations/derived.ts';
import { call } from '../ir/node.ts';
import { add, div, expand, mul, rsqrt, sub } from '../operations/ops.ts';
import type { Attrs, Composite, Node } from '../ir/types.ts';
import { describe, operandOf, requireFloat, requireSameDType } from '../ir/shapes.ts';

interface LayerNormAttrs extends Attrs {
  readonly eps: number;
}

const rowAxes = (
  x: { readonly shape: readonly number[] },
  weight: { readonly shape: readonly number[] },
): number[] => weight.shape.map((_, axis) => x.shape.length - weight.shape.length + axis);

/** Layer normalisation as an operation with its statistics as further outputs; called through `layerNorm`. */
export const layerNormComposite: Composite<LayerNormAttrs> = {
  name: 'layerNorm',
  infer(_, x, weight, bias) {
    requireFloat('layerNorm', x);
    requireSameDType('layerNorm', x, weight);
    requireSameDType('layerNorm', x, bias);
    const rank = weight.shape.length;
    if (
      rank === 0 ||
      !equalShapes(x.shape.slice(x.shape.length - rank), weight.shape) ||
      !equalShapes(weight.shape, bias.shape)
    ) {
      const expected = `the last axes of ${describe(x)}`;
      const problem = `weight ${describe(weight)} and bias ${describe(bias)} must have ${expected}`;
      throw new ShapeError({
        operation: 'layerNorm',
        problem,
        operands: [x, weight, bias].map(operandOf),
        expected,
      });
    }
    const axes = rowAxes(x, weight);
    const statistics = {
      shape: x.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent)),
      dtype: x.dtype,
    };
    return [{ shape: x.shape, dtype: x.dtype }, statistics, statistics];
  },
  body({ eps }, x, weight, bias) {
    const axis = rowAxes(x, weight);
    const centre = mean(x, { axis, keepDims: true });
    const scale = rsqrt(add(variance(x, { axis, keepDims: true, correction: 0 }), eps));
    return [add(mul(mul(sub(x, centre), scale), weight), bias), centre, scale];
  },
  // With n = (x − μ)·r, h = g·w and N elements in a row: dx = r·(h − mean(h) − n·mean(h·n)), dw = Σ g·n, db =
  // Σ g over rows. This rule reads μ and r, so second derivatives reach them: dx += gμ/N, and dx −= gr·r²·n/N
  // since ∂r/∂x = −r²·n/N.
  vjp([g, centreGradient, scaleGradient], outs, _attrs, x, weight) {
    const axis = rowAxes(x, weight);
    const scale = outs[2]!;
    const normal = mul(sub(x, outs[1]!), scale);
    const count = sizeOf(weight.shape);
    const terms: Node[] = [];
    if (g !== null && g !== undefined) {
      const h = mul(g, weight);
      const inner = sub(
        sub(h, mean(h, { axis, keepDims: true })),
        mul(normal, mean(mul(h, normal), { axis, keepDims: true })),
      );
      terms.push(mul(scale, inner));
    }
    if (centreGradient !== null && centreGradient !== undefined)
      terms.push(expand(div(centreGradient, count), x.shape));
    if (scaleGradient !== null && scaleGradient !== undefined)
      terms.push(mul(normal, div(mul(scaleGradient, mul(scale, scale)), -count)));
    const dx = terms.length === 0 ? null : terms.reduce((a, b) => add(a, b));
    if (g === null || g === undefined) return [dx, null, null];
    return [dx, sumTo(mul(g, normal), weight.shape), sumTo(g, weight.shape)];
  },
  residuals([result, , scale], [, centre, reciprocal], _attrs, x, weight) {
    const normal = [x, centre!, reciprocal!];
    if (result === true) return [[...normal, weight], normal, []];
    return [scale === true ? normal : [], null, null];
  },
};

/** x: (…, normalised axes); weight, bias: (normalised axes). */
export function layerNorm(x: Node, weight: Node, bias: Node, eps = 1e-5): Node {
  return call(layerNormComposite, { eps }, x, weight, bias)[0]!;
}
