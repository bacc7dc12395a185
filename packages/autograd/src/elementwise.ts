/**
 * Elementwise methods of a tensor. Operands broadcast against each other (aligned at the last axis, size 1
 * stretches) and share one dtype; a JavaScript number takes the tensor's. Shapes below are of the result,
 * unless they are said to be of an operand.
 */
import {
  aboutNodes,
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
import { checkChoice, checkCount, checkDType, describeValue, OptionError } from '@firsthand/linalg';
import { operandNode } from './operands.ts';
import { noteNumber } from './trace.ts';
import { Value } from './value.ts';

/** A tensor, or a number of the tensor's dtype. */
export type TensorOperand<T> = T | number;

/**
 * @throws OptionError unless the arguments are numbers (null where a side is open), no more than there are
 * names
 */
function checkNumbers(operation: string, given: ArrayLike<unknown>, names: string): void {
  const list = names.split(', ');
  const call = `x.${operation}(${names})`;
  checkCount(operation, given.length, list.length, call);
  for (let k = 0; k < given.length; k++) {
    const value = given[k];
    if (value === undefined || value === null || typeof value === 'number') continue;
    throw new OptionError({
      operation,
      problem: `${list[k]!} is ${describeValue(value)}`,
      expected: 'a number',
      remedy: `write ${call}`,
    });
  }
}

export abstract class Elementwise<T extends Elementwise<T>> extends Value<T> {
  /** @param given how many arguments the method was called with, of which it takes one */
  protected binary(kind: BinaryKind, other: TensorOperand<T>, given: number): T {
    checkCount(kind, given, 1, `x.${kind}(y)`);
    const x = this.read(kind);
    const y = typeof other === 'number' ? noteNumber(other) : operandNode(other, kind, 'the other operand');
    try {
      return this.wrap(binary(kind, x, y));
    } catch (error) {
      throw aboutNodes(error, typeof y === 'number' ? [x] : [x, y]);
    }
  }
  /** @param given how many arguments the method was called with, of which it takes none */
  protected unary(kind: UnaryKind, given: number): T {
    return this.plain(kind, given, (x) => unary(kind, x));
  }
  /**
   * A function of this tensor alone. @param given how many arguments the method was called with, of which it
   * takes none
   */
  protected plain(operation: string, given: number, fn: (x: Node) => Node): T {
    checkCount(operation, given, 0, `x.${operation}()`);
    return this.derive(operation, fn);
  }
  /** A function of this tensor, which its errors name. */
  protected derive(operation: string, fn: (x: Node) => Node): T {
    const x = this.read(operation);
    try {
      return this.wrap(fn(x));
    } catch (error) {
      throw aboutNodes(error, [x]);
    }
  }

  // ---- arithmetic

  /** this + other */
  add(other: TensorOperand<T>): T {
    return this.binary('add', other, arguments.length);
  }
  /** this − other */
  sub(other: TensorOperand<T>): T {
    return this.binary('sub', other, arguments.length);
  }
  /** this · other, element by element */
  mul(other: TensorOperand<T>): T {
    return this.binary('mul', other, arguments.length);
  }
  /** this / other; integers truncate toward zero, and give 0 for a division by zero */
  div(other: TensorOperand<T>): T {
    return this.binary('div', other, arguments.length);
  }
  /**
   * this to the power of other. Derivatives of every order are right at 0, those beyond a whole exponent
   * being 0. The derivative with respect to the exponent is 0 at the base 0 (exponents ≥ 0), NaN for a
   * negative base.
   */
  pow(other: TensorOperand<T>): T {
    return this.binary('pow', other, arguments.length);
  }
  /**
   * The remainder with the sign of the divisor, as torch.remainder. Its derivative in the divisor is −n,
   * where n is how often that went into this.
   */
  mod(other: TensorOperand<T>): T {
    return this.binary('mod', other, arguments.length);
  }
  /** The larger of two elements; NaN wins. Ties share the gradient equally. */
  maximum(other: TensorOperand<T>): T {
    return this.binary('maximum', other, arguments.length);
  }
  /** The smaller of two elements; NaN wins. Ties share the gradient equally. */
  minimum(other: TensorOperand<T>): T {
    return this.binary('minimum', other, arguments.length);
  }
  neg(): T {
    return this.unary('neg', arguments.length);
  }
  /** |x|, with derivative 0 at 0 */
  abs(): T {
    return this.unary('abs', arguments.length);
  }
  /** −1, 0 or 1 */
  sign(): T {
    return this.unary('sign', arguments.length);
  }
  square(): T {
    return this.plain('square', arguments.length, (x) => mul(x, x));
  }

  // ---- functions (floating point)

  exp(): T {
    return this.unary('exp', arguments.length);
  }
  /** eˣ − 1, exact near 0 */
  expm1(): T {
    return this.unary('expm1', arguments.length);
  }
  log(): T {
    return this.unary('log', arguments.length);
  }
  /** ln(1 + x), exact near 0 */
  log1p(): T {
    return this.unary('log1p', arguments.length);
  }
  sqrt(): T {
    return this.unary('sqrt', arguments.length);
  }
  /** 1/√x */
  rsqrt(): T {
    return this.plain('rsqrt', arguments.length, rsqrt);
  }
  /** 1/x */
  reciprocal(): T {
    return this.plain('reciprocal', arguments.length, reciprocal);
  }
  sin(): T {
    return this.unary('sin', arguments.length);
  }
  cos(): T {
    return this.unary('cos', arguments.length);
  }
  tan(): T {
    return this.unary('tan', arguments.length);
  }
  tanh(): T {
    return this.unary('tanh', arguments.length);
  }
  /** (2/√π) ∫₀ˣ e^(−t²) dt */
  erf(): T {
    return this.unary('erf', arguments.length);
  }
  /** Φ(x), the distribution function of the standard normal, with all its digits far to the left too. */
  normalCdf(): T {
    return this.unary('normalCdf', arguments.length);
  }
  floor(): T {
    return this.unary('floor', arguments.length);
  }
  ceil(): T {
    return this.unary('ceil', arguments.length);
  }
  /** The nearest whole number, halves to even. */
  round(): T {
    return this.unary('round', arguments.length);
  }

  // ---- activations

  /** 1/(1 + e⁻ˣ) */
  sigmoid(): T {
    return this.unary('sigmoid', arguments.length);
  }
  /** max(x, 0), with derivative 0 at 0 */
  relu(): T {
    return this.plain('relu', arguments.length, relu);
  }
  /** x for x > 0, else slope·x */
  leakyRelu(slope = 0.01): T {
    checkNumbers('leakyRelu', arguments, 'slope');
    return this.derive('leakyRelu', (x) => leakyRelu(x, slope));
  }
  /** x for x > 0, else α(eˣ − 1); at 0 the first derivative is α, all higher ones are 0 */
  elu(alpha = 1): T {
    checkNumbers('elu', arguments, 'alpha');
    return this.derive('elu', (x) => elu(x, alpha));
  }
  /** x·Φ(x), exactly or by its tanh approximation (Hendrycks & Gimpel 2016) */
  gelu(approximate: 'none' | 'tanh' = 'none'): T {
    checkCount('gelu', arguments.length, 1, "x.gelu('tanh')");
    checkChoice('gelu', 'the approximation', approximate, ['none', 'tanh']);
    return this.derive('gelu', (x) => gelu(x, approximate));
  }
  /** x·σ(x) */
  silu(): T {
    return this.plain('silu', arguments.length, silu);
  }
  /** ln(1 + eˣ) */
  softplus(): T {
    return this.plain('softplus', arguments.length, softplus);
  }
  /** x limited to [low, high]; null leaves a side open. The gradient passes at the bounds. */
  clamp(low: number | null | undefined, high: number | null = null): T {
    checkNumbers('clamp', arguments, 'low, high');
    return this.derive('clamp', (x) => clamp(x, low ?? null, high));
  }

  // ---- comparison and logic (bool)

  eq(other: TensorOperand<T>): T {
    return this.binary('eq', other, arguments.length);
  }
  ne(other: TensorOperand<T>): T {
    return this.binary('ne', other, arguments.length);
  }
  lt(other: TensorOperand<T>): T {
    return this.binary('lt', other, arguments.length);
  }
  le(other: TensorOperand<T>): T {
    return this.binary('le', other, arguments.length);
  }
  gt(other: TensorOperand<T>): T {
    return this.binary('gt', other, arguments.length);
  }
  ge(other: TensorOperand<T>): T {
    return this.binary('ge', other, arguments.length);
  }
  logicalAnd(other: T): T {
    return this.binary('logicalAnd', other, arguments.length);
  }
  logicalOr(other: T): T {
    return this.binary('logicalOr', other, arguments.length);
  }
  logicalNot(): T {
    return this.plain('logicalNot', arguments.length, logicalNot);
  }
  isNaN(): T {
    return this.unary('isNaN', arguments.length);
  }

  /** this with `value` where the mask holds. mask: bool, broadcasts. */
  maskedFill(mask: T, value: TensorOperand<T>): T {
    checkCount('maskedFill', arguments.length, 2, 'x.maskedFill(mask, value)');
    const x = this.read('maskedFill');
    const m = operandNode(mask, 'maskedFill', 'the mask');
    const y = typeof value === 'number' ? noteNumber(value) : operandNode(value, 'maskedFill', 'the value');
    try {
      return this.wrap(where(m, y, x));
    } catch (error) {
      throw aboutNodes(error, typeof y === 'number' ? [m, x] : [m, x, y]);
    }
  }
  /** this where the condition holds, other elsewhere. condition: bool, broadcasts. */
  where(condition: T, other: TensorOperand<T>): T {
    checkCount('where', arguments.length, 2, 'x.where(condition, other)');
    const x = this.read('where');
    const c = operandNode(condition, 'where', 'the condition');
    const y =
      typeof other === 'number' ? noteNumber(other) : operandNode(other, 'where', 'the other operand');
    try {
      return this.wrap(where(c, x, y));
    } catch (error) {
      throw aboutNodes(error, typeof y === 'number' ? [c, x] : [c, x, y]);
    }
  }

  /** The elements in another dtype: toward zero for integers, `≠ 0` for bool. */
  cast(dtype: DType): T {
    checkCount('cast', arguments.length, 1, "x.cast('float32')");
    checkDType('cast', dtype);
    return this.derive('cast', (x) => cast(x, dtype));
  }
}
