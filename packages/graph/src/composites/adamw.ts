/**
 * One AdamW update (Loshchilov & Hutter 2019, algorithm 2) as one operation, so that a parameter's update is
 * one node. With t the new step count: m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², p ← p − η·λ·p − η·(m/(1−β₁ᵗ)) /
 * (√(v/(1−β₂ᵗ)) + ε). 1 − βᵗ is −expm1(t·ln β): in float32 the plain form loses four digits at t = 1. The
 * root of 1−β₂ᵗ, a single number, is drawn out of the quotient, as in section 2 of Kingma & Ba 2015: with c =
 * √(1−β₂ᵗ), (m/(1−β₁ᵗ)) / (√v/c + ε) = (c/(1−β₁ᵗ))·m / (√v + c·ε), which divides each element once and not
 * twice.
 */
import { DTypeError, equalShapes, ShapeError } from '@firsthand/linalg';
import { call, computeDType } from '../ir/node.ts';
import { add, div, mul, neg, sqrt, sub, unary } from '../operations/ops.ts';
import type { Attrs, Composite, Node } from '../ir/types.ts';
import { describe, operandOf, requireFloat, requireSameDType, shapesDiffer } from '../ir/shapes.ts';

/** The decay rates of the two moments, the term that keeps the quotient finite, and the weight decay λ. */
export interface AdamWAttrs extends Attrs {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
}

/** AdamW as an operation with four outputs; called through `adamW`. */
export const adamWComposite: Composite<AdamWAttrs> = {
  name: 'adamW',
  infer(_, parameter, gradient, mean, square, step, rate) {
    requireFloat('adamW', parameter);
    requireSameDType('adamW', parameter, gradient);
    for (const each of [gradient, mean, square]) {
      if (!equalShapes(parameter.shape, each.shape)) throw shapesDiffer('adamW', [parameter, each]);
    }
    for (const scalar of [step, rate]) {
      if (scalar.shape.length === 0) continue;
      throw new ShapeError({
        operation: 'adamW',
        operands: [operandOf(scalar)],
        expected: 'a step and a learning rate that are scalars',
      });
    }
    const { shape, dtype } = parameter;
    const kept = computeDType(dtype);
    for (const each of [mean, square, step, rate]) {
      if (each.dtype === kept) continue;
      const problem = `moments, step and learning rate of ${describe(parameter)} are ${kept}, got ${describe(each)}`;
      const operands = [parameter, each].map(operandOf);
      throw new DTypeError({ operation: 'adamW', problem, operands, expected: kept, remedy: 'cast it' });
    }
    return [
      { shape, dtype },
      { shape, dtype: kept },
      { shape, dtype: kept },
      { shape: [], dtype: kept },
    ];
  },
  body({ beta1, beta2, eps, weightDecay }, parameter, gradient, mean, square, step, rate) {
    const count = add(step, 1);
    const correction = (beta: number): Node => neg(unary('expm1', mul(count, Math.log(beta))));
    const newMean = add(mul(mean, beta1), mul(gradient, 1 - beta1));
    const newSquare = add(mul(square, beta2), mul(mul(gradient, gradient), 1 - beta2));
    const root = sqrt(correction(beta2));
    const size = add(sqrt(newSquare), mul(root, eps));
    const decayed = weightDecay === 0 ? parameter : mul(parameter, sub(1, mul(rate, weightDecay)));
    const updated = sub(decayed, mul(div(newMean, size), div(mul(rate, root), correction(beta1))));
    return [updated, newMean, newSquare, count];
  },
};

/**
 * The new parameter, first moment, second moment and step count. step and rate: scalars. Moments, step and
 * rate have the parameter's dtype, or float32 for a float16 parameter: in float16 the square of a small
 * gradient and ε would be 0, and a count would stop at 2048. The parameter alone is rounded.
 */
export function adamW(
  parameter: Node,
  gradient: Node,
  mean: Node,
  square: Node,
  step: Node,
  rate: Node,
  attrs: AdamWAttrs,
): readonly Node[] {
  return call(adamWComposite, attrs, parameter, gradient, mean, square, step, rate);
}
