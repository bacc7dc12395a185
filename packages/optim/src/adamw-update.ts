/**
 * One AdamW update (Loshchilov & Hutter 2019, algorithm 2) as one operation. With t the new step count:
 * m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², p ← p − η·λ·p − η·(m/(1−β₁ᵗ)) / (√(v/(1−β₂ᵗ)) + ε).
 *
 * 1 − βᵗ is −expm1(t·ln β): in float32 the plain form loses four digits at t = 1. The scalar √(1−β₂ᵗ) is
 * factored out of the quotient (Kingma & Ba 2015, section 2): with c = √(1−β₂ᵗ),
 * (m/(1−β₁ᵗ)) / (√v/c + ε) = (c/(1−β₁ᵗ))·m / (√v + c·ε), one division per element and not two.
 *
 * Moments, step count and learning rate of a float16 parameter are float32: in float16 the square of a small
 * gradient and ε would be 0, and a count would stop at 2048. Only the parameter is rounded.
 */
import { type Composite, computeDType, defineOp, full, sub, Tensor } from '@firsthand/autograd';
import {
  checkCount,
  checkOptions,
  describeOperand,
  describeValue,
  DTYPES,
  DTypeError,
  equalShapes,
  type OperandFacts,
  OptionError,
  type OptionKeys,
  ShapeError,
} from '@firsthand/linalg';
import { widen } from './widen.ts';

/**
 * The state of AdamW for one parameter: running means of its gradient and of its square, and a step count.
 */
export interface AdamWVariables {
  readonly mean: Tensor;
  readonly square: Tensor;
  /** A scalar. */
  readonly step: Tensor;
}

/** Options of {@link adamW}. */
export interface AdamWOptions {
  /** η, the learning rate: a number, or a scalar; 0.001 if not given */
  readonly lr?: number | Tensor | undefined;
  /** β₁ and β₂, the decay rates of the running means; 0.9 and 0.999 if not given */
  readonly betas?: readonly [number, number] | undefined;
  /** ε, added to the root of the mean square; 1e-8 if not given */
  readonly eps?: number | undefined;
  /** λ: each step multiplies the parameter by 1 − η·λ; 0.01 if not given */
  readonly weightDecay?: number | undefined;
}

/** The coefficients of the formula: numbers, or scalars that a compiled step is given at each run. */
export interface AdamWCoefficients<T extends number | Tensor> {
  readonly beta1: T;
  /** 1 − β₁ */
  readonly rest1: T;
  /** ln β₁ */
  readonly log1: T;
  readonly beta2: T;
  readonly rest2: T;
  readonly log2: T;
  readonly eps: T;
  /** λ, or null for none: the parameter is not multiplied. */
  readonly weightDecay: T | null;
}

/** The coefficients for decay rates β₁ and β₂, ε and λ. */
export function coefficientsOf(
  [beta1, beta2]: readonly [number, number],
  eps: number,
  weightDecay: number,
): AdamWCoefficients<number> & { readonly weightDecay: number } {
  return {
    beta1,
    rest1: 1 - beta1,
    log1: Math.log(beta1),
    beta2,
    rest2: 1 - beta2,
    log2: Math.log(beta2),
    eps,
    weightDecay,
  };
}

/** The formula: the new parameter, first moment, second moment and step count. */
export function adamWFormula<T extends number | Tensor>(
  parameter: Tensor,
  gradient: Tensor,
  { mean, square, step }: AdamWVariables,
  rate: Tensor,
  { beta1, rest1, log1, beta2, rest2, log2, eps, weightDecay }: AdamWCoefficients<T>,
): readonly [Tensor, Tensor, Tensor, Tensor] {
  const [p, g] = [widen(parameter), widen(gradient)];
  const count = step.add(1);
  const correction = (log: T): Tensor => count.mul(log).expm1().neg(); // 1 − βᵗ
  const newMean = mean.mul(beta1).add(g.mul(rest1));
  const newSquare = square.mul(beta2).add(g.mul(g).mul(rest2));
  const root = correction(log2).sqrt();
  const size = newSquare.sqrt().add(root.mul(eps));
  const decayed = weightDecay === null ? p : p.mul(sub(1, rate.mul(weightDecay)));
  const moved = decayed.sub(newMean.div(size).mul(rate.mul(root).div(correction(log1))));
  return [moved.cast(parameter.dtype), newMean, newSquare, count];
}

/** What the operation is parameterised by: part of a program's key. */
interface AdamWAttributes {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
}

const operation = /* @__PURE__ */ defineOp({
  name: 'adamW',
  body: (
    parameter: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    step: Tensor,
    rate: Tensor,
    { beta1, beta2, eps, weightDecay }: AdamWAttributes,
  ) => {
    const coefficients = coefficientsOf([beta1, beta2], eps, weightDecay);
    return adamWFormula(parameter, gradient, { mean, square, step }, rate, {
      ...coefficients,
      weightDecay: weightDecay === 0 ? null : weightDecay,
    });
  },
});

/** AdamW as devices know it: inputs (parameter, gradient, mean, square, step, rate), four outputs. */
export const adamWComposite: Composite = operation.composite;

/** The operation on operands that fit each other, as an optimizer's do. */
export function adamWStep(
  parameter: Tensor,
  gradient: Tensor,
  { mean, square, step }: AdamWVariables,
  rate: Tensor,
  settings: {
    readonly betas: readonly [number, number];
    readonly eps: number;
    readonly weightDecay: number;
  },
): AdamWVariables & { readonly parameter: Tensor } {
  // The settings of an optimizer are guarded: a read of its learning rate would be a guard on that number.
  const {
    betas: [beta1, beta2],
    eps,
    weightDecay,
  } = settings;
  const attributes = { beta1, beta2, eps, weightDecay };
  const values = operation(parameter, gradient, mean, square, step, rate, attributes);
  return { parameter: values[0], mean: values[1], square: values[2], step: values[3] };
}

const KEYS: OptionKeys<AdamWOptions> = { lr: true, betas: true, eps: 'number', weightDecay: 'number' };

/**
 * One step of Adam with decoupled weight decay (Loshchilov & Hutter 2019) as a function: nothing is updated,
 * the new values are returned. Running means begin at 0, and so does the step count.
 * @param gradient of the parameter's shape
 * @returns the new parameter, and the new variables
 * @throws ShapeError, DTypeError if they do not fit each other
 * @example
 * ```ts
 * import { tensor, zerosLike } from '@firsthand/autograd';
 * import { adamW } from '@firsthand/optim';
 * const w = tensor([3, -4]);
 * const start = { mean: zerosLike(w), square: zerosLike(w), step: tensor(0) };
 * const { parameter, step } = adamW(w, w.mul(2), start, { lr: 0.5, weightDecay: 0 });
 * console.log(await parameter.toArray(), await step.item()); // [ 2.5, -3.5 ] 1
 * ```
 */
export function adamW(
  parameter: Tensor,
  gradient: Tensor,
  variables: AdamWVariables,
  options?: AdamWOptions,
): AdamWVariables & { readonly parameter: Tensor } {
  checkCount(
    'adamW',
    arguments.length,
    4,
    'adamW(parameter, gradient, variables, { lr, betas, eps, weightDecay })',
  );
  const {
    lr = 1e-3,
    betas = [0.9, 0.999],
    eps = 1e-8,
    weightDecay = 0.01,
  } = checkOptions('adamW', options, KEYS);
  if (!Array.isArray(betas) || betas.length !== 2) {
    throw new OptionError({
      operation: 'adamW',
      problem: `betas is ${describeValue(betas)}`,
      expected: 'two numbers, [β₁, β₂]',
    });
  }
  const { mean, square, step } = variables ?? {};
  for (const [name, each] of Object.entries({ parameter, gradient, mean, square, step }))
    requireTensor(`the ${name}`, each);
  const rate = typeof lr === 'number' ? full([], lr, { dtype: step.dtype, device: parameter.device }) : lr;
  requireTensor('lr', rate);
  requireFitting(parameter, gradient, [mean, square], [step, rate]);
  return adamWStep(parameter, gradient, variables, rate, { betas, eps, weightDecay });
}

/** @throws DTypeError for what is no tensor, which calls from JavaScript can bring about */
function requireTensor(title: string, value: unknown): void {
  if (value instanceof Tensor) return;
  throw new DTypeError({
    operation: 'adamW',
    problem: `${title} is of type ${value === null ? 'null' : typeof value}, where a tensor is wanted`,
    expected: 'a tensor',
    remedy: 'make one with tensor(…)',
  });
}

const factsOf = ({ name, shape, dtype }: Tensor): OperandFacts => ({ name, shape, dtype });

/** @throws ShapeError, DTypeError unless gradient, moments and scalars fit the parameter */
function requireFitting(
  parameter: Tensor,
  gradient: Tensor,
  moments: readonly Tensor[],
  scalars: readonly Tensor[],
): void {
  if (!DTYPES[parameter.dtype].isFloat) {
    throw new DTypeError({
      operation: 'adamW',
      operands: [factsOf(parameter)],
      expected: 'a floating-point operand',
      remedy: "use cast('float32')",
    });
  }
  if (gradient.dtype !== parameter.dtype) {
    throw new DTypeError({
      operation: 'adamW',
      problem: `operands have different dtypes: ${describeOperand(factsOf(parameter))} and ${describeOperand(factsOf(gradient))}`,
      operands: [parameter, gradient].map(factsOf),
      expected: parameter.dtype,
      remedy: 'cast one of them',
    });
  }
  for (const each of [gradient, ...moments]) {
    if (equalShapes(parameter.shape, each.shape)) continue;
    throw new ShapeError({
      operation: 'adamW',
      problem: `shapes differ: ${describeOperand(factsOf(parameter))} and ${describeOperand(factsOf(each))}`,
      operands: [parameter, each].map(factsOf),
      expected: 'operands of one shape',
    });
  }
  for (const scalar of scalars) {
    if (scalar.shape.length === 0) continue;
    throw new ShapeError({
      operation: 'adamW',
      operands: [factsOf(scalar)],
      expected: 'a step and a learning rate that are scalars',
    });
  }
  const expected = computeDType(parameter.dtype);
  for (const each of [...moments, ...scalars]) {
    if (each.dtype === expected) continue;
    throw new DTypeError({
      operation: 'adamW',
      problem: `moments, step and learning rate of ${describeOperand(factsOf(parameter))} are ${expected}, got ${describeOperand(factsOf(each))}`,
      operands: [parameter, each].map(factsOf),
      expected,
      remedy: 'cast it',
    });
  }
}
