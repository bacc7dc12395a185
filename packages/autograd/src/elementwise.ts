/**
 * Elementwise methods of a tensor. Operands broadcast against each other (aligned at the last axis, size 1 stretches) and share
 * one dtype; a JavaScript number takes the tensor's. Shapes below are of the result, unless they are said to be of an operand.
 */
import {
  binary,
  cast,
  clamp,
  elu,
  gelu,
  leakyRelu,
  logicalNot,
  mul,
  reciprocal,
  relu,
  rsqrt,
  silu,
  softplus,
  unary,
  where,
} from '@firsthand/graph';
import type { BinaryKind, DType, Node, UnaryKind } from '@firsthand/graph';
import { operandNode, Value } from './value.ts';

/** A tensor, or a number of the tensor's dtype. */
export type TensorOperand<T> = T | number;

export abstract class Elementwise<T extends Elementwise<T>> extends Value<T> {
  protected binary(kind: BinaryKind, other: TensorOperand<T>): T {
    return this.wrap(binary(kind, this.read(), typeof other === 'number' ? other : operandNode(other, `${kind}: the other operand`)));
  }
  protected unary(kind: UnaryKind): T {
    return this.wrap(unary(kind, this.read()));
  }
  protected derive(fn: (x: Node) => Node): T {
    return this.wrap(fn(this.read()));
  }

  // ---- arithmetic

  /** this + other */
  add(other: TensorOperand<T>): T {
    return this.binary('add', other);
  }
  /** this − other */
  sub(other: TensorOperand<T>): T {
    return this.binary('sub', other);
  }
  /** this · other, element by element */
  mul(other: TensorOperand<T>): T {
    return this.binary('mul', other);
  }
  /** this / other; integers truncate toward zero, and give 0 for a division by zero */
  div(other: TensorOperand<T>): T {
    return this.binary('div', other);
  }
  /**
   * this to the power of other. Derivatives of every order are right at 0, those beyond a whole exponent being 0. The derivative with respect to the
   * exponent is 0 at the base 0 (exponents ≥ 0), NaN for a negative base.
   */
  pow(other: TensorOperand<T>): T {
    return this.binary('pow', other);
  }
  /** The remainder with the sign of the divisor, as torch.remainder. Its derivative in the divisor is −n, where n is how often that went into this. */
  mod(other: TensorOperand<T>): T {
    return this.binary('mod', other);
  }
  /** The larger of two elements; NaN wins. Ties share the gradient equally. */
  maximum(other: TensorOperand<T>): T {
    return this.binary('maximum', other);
  }
  /** The smaller of two elements; NaN wins. Ties share the gradient equally. */
  minimum(other: TensorOperand<T>): T {
    return this.binary('minimum', other);
  }
  neg(): T {
    return this.unary('neg');
  }
  /** |x|, with derivative 0 at 0 */
  abs(): T {
    return this.unary('abs');
  }
  /** −1, 0 or 1 */
  sign(): T {
    return this.unary('sign');
  }
  square(): T {
    return this.derive((x) => mul(x, x));
  }

  // ---- functions (floating point)

  exp(): T {
    return this.unary('exp');
  }
  /** eˣ − 1, exact near 0 */
  expm1(): T {
    return this.unary('expm1');
  }
  log(): T {
    return this.unary('log');
  }
  /** ln(1 + x), exact near 0 */
  log1p(): T {
    return this.unary('log1p');
  }
  sqrt(): T {
    return this.unary('sqrt');
  }
  /** 1/√x */
  rsqrt(): T {
    return this.derive(rsqrt);
  }
  /** 1/x */
  reciprocal(): T {
    return this.derive(reciprocal);
  }
  sin(): T {
    return this.unary('sin');
  }
  cos(): T {
    return this.unary('cos');
  }
  tan(): T {
    return this.unary('tan');
  }
  tanh(): T {
    return this.unary('tanh');
  }
  /** (2/√π) ∫₀ˣ e^(−t²) dt */
  erf(): T {
    return this.unary('erf');
  }
  floor(): T {
    return this.unary('floor');
  }
  ceil(): T {
    return this.unary('ceil');
  }
  /** The nearest whole number, halves to even. */
  round(): T {
    return this.unary('round');
  }

  // ---- activations

  /** 1/(1 + e⁻ˣ) */
  sigmoid(): T {
    return this.unary('sigmoid');
  }
  /** max(x, 0), with derivative 0 at 0 */
  relu(): T {
    return this.derive(relu);
  }
  /** x for x > 0, else slope·x */
  leakyRelu(slope = 0.01): T {
    return this.derive((x) => leakyRelu(x, slope));
  }
  /** x for x > 0, else α(eˣ − 1); at 0 the first derivative is α, all higher ones are 0 */
  elu(alpha = 1): T {
    return this.derive((x) => elu(x, alpha));
  }
  /** x·Φ(x), exactly or by its tanh approximation (Hendrycks & Gimpel 2016) */
  gelu(approximate: 'none' | 'tanh' = 'none'): T {
    return this.derive((x) => gelu(x, approximate));
  }
  /** x·σ(x) */
  silu(): T {
    return this.derive(silu);
  }
  /** ln(1 + eˣ) */
  softplus(): T {
    return this.derive(softplus);
  }
  /** x limited to [low, high]; null leaves a side open. The gradient passes at the bounds. */
  clamp(low: number | null, high: number | null = null): T {
    return this.derive((x) => clamp(x, low, high));
  }

  // ---- comparison and logic (bool)

  eq(other: TensorOperand<T>): T {
    return this.binary('eq', other);
  }
  ne(other: TensorOperand<T>): T {
    return this.binary('ne', other);
  }
  lt(other: TensorOperand<T>): T {
    return this.binary('lt', other);
  }
  le(other: TensorOperand<T>): T {
    return this.binary('le', other);
  }
  gt(other: TensorOperand<T>): T {
    return this.binary('gt', other);
  }
  ge(other: TensorOperand<T>): T {
    return this.binary('ge', other);
  }
  logicalAnd(other: T): T {
    return this.binary('logicalAnd', other);
  }
  logicalOr(other: T): T {
    return this.binary('logicalOr', other);
  }
  logicalNot(): T {
    return this.derive(logicalNot);
  }
  isNaN(): T {
    return this.unary('isNaN');
  }

  /** this where the condition holds, other elsewhere. condition: bool, broadcasts. */
  where(condition: T, other: TensorOperand<T>): T {
    return this.wrap(
      where(
        operandNode(condition, 'where: the condition'),
        this.read(),
        typeof other === 'number' ? other : operandNode(other, 'where: the other operand'),
      ),
    );
  }

  /** The elements in another dtype: toward zero for integers, `≠ 0` for bool. */
  cast(dtype: DType): T {
    return this.derive((x) => cast(x, dtype));
  }
}
