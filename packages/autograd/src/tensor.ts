/**
 * `Tensor`: an n-dimensional array that does not exist yet. Every method adds nodes to a graph, with shapes
 * and dtypes checked at the call; asking for a value runs the graph. Operands broadcast against each other
 * (aligned at the last axis, size 1 stretches) and share one dtype; a JavaScript number takes the tensor's.
 * Axes may be negative, counting from the end.
 */
import {
  aboutNodes,
  all,
  any,
  argReduce,
  argsort,
  at,
  avgPool2d,
  binary,
  cast,
  clamp,
  conv1d,
  conv2d,
  convTranspose2d,
  cumprod,
  cumsum,
  elu,
  expand,
  flip,
  gather,
  gelu,
  indexSelect,
  leakyRelu,
  logSoftmax,
  logicalNot,
  logsumexp,
  matmul,
  maxPool2d,
  mean,
  mul,
  norm,
  operandOf,
  pad,
  permute,
  reciprocal,
  reduce,
  reducedAxes,
  relu,
  reshape,
  roll,
  rsqrt,
  scatterAdd,
  silu,
  slice,
  softmax,
  softplus,
  standardDeviation,
  topk,
  transpose,
  tril,
  triu,
  unary,
  unbind,
  variance,
  where,
} from '@firsthand/graph';
import type {
  ArgReduceKind,
  AvgPool2dOptions,
  BinaryKind,
  Conv1dOptions,
  Conv2dOptions,
  ConvTranspose2dOptions,
  DType,
  MaxPool2dOptions,
  Node,
  ReduceKind,
  Shape,
  UnaryKind,
} from '@firsthand/graph';
import {
  AXIS_KEYS,
  OptionError,
  REDUCE_KEYS,
  ShapeError,
  axisOptions,
  checkChoice,
  checkCount,
  checkDType,
  checkNumber,
  checkShape,
  describeValue,
  formatShape,
  normalizeAxis,
  oneAxisOptions,
  readExchange,
  readSizes,
  sizeOf,
} from '@firsthand/linalg';
import type {
  ArgReduceOptions,
  AxisArgument,
  AxisOptions,
  OneAxis,
  OptionKeys,
  ReduceOptions,
  ShapeArguments,
  SliceRange,
} from '@firsthand/linalg';
import { operandNode } from './operands.ts';
import { noteNumber } from './trace.ts';
import { Value } from './value.ts';

/** A tensor, or a number of the tensor's dtype. */
export type TensorOperand = Tensor | number;

/** Options of `var` and `std`: the divisor is n − correction, 1 by default. */
export interface VarianceOptions extends ReduceOptions {
  readonly correction?: number | undefined;
}

/** Options of `norm`: its order is 1, 2 (default) or Infinity. */
export interface NormOptions extends ReduceOptions {
  readonly order?: number | undefined;
}

/** Along which axis (the last by default) and in which direction (ascending by default). */
export interface SortOptions extends OneAxis {
  readonly descending?: boolean | undefined;
}

/**
 * Along which axis (the last by default), and whether the largest (by default) or the smallest elements are
 * taken.
 */
export interface TopKOptions extends OneAxis {
  readonly largest?: boolean | undefined;
}

/** Elements along an axis, and where they were. */
export interface Sorted {
  readonly values: Tensor;
  readonly indices: Tensor;
}

const SORT_KEYS: OptionKeys<SortOptions> = { axis: true, descending: 'boolean' };
const TOPK_KEYS: OptionKeys<TopKOptions> = { axis: true, largest: 'boolean' };
const VARIANCE_KEYS: OptionKeys<VarianceOptions> = { ...REDUCE_KEYS, correction: 'number' };
const NORM_KEYS: OptionKeys<NormOptions> = { ...REDUCE_KEYS, order: 'number' };

/**
 * An n-dimensional array that is described before it is computed; made by `tensor`, `zeros`, `randn` and
 * their like.
 */
export class Tensor extends Value<Tensor> {
  protected wrap(node: Node, name: string | null = null, inPlace = false): Tensor {
    return new Tensor(node, name, inPlace);
  }

  /**
   * An elementwise operation with another operand. @param given how many arguments the method was called with
   */
  private binary(kind: BinaryKind, other: TensorOperand, given: number): Tensor {
    checkCount(kind, given, 1, `x.${kind}(y)`);
    const x = this.read(kind);
    const y = typeof other === 'number' ? noteNumber(other) : operandNode(other, kind, 'the other operand');
    return this.about([x, y], () => binary(kind, x, y));
  }
  /** An elementwise function. @param given how many arguments the method was called with */
  private unary(kind: UnaryKind, given: number): Tensor {
    return this.plain(kind, given, (x) => unary(kind, x));
  }
  /** A method without arguments. @param given how many it was called with */
  private plain(operation: string, given: number, fn: (x: Node) => Node): Tensor {
    checkCount(operation, given, 0, `x.${operation}()`);
    return this.derive(operation, fn);
  }
  /** A function of this tensor; its errors name the operand. */
  private derive(operation: string, fn: (x: Node) => Node): Tensor {
    const x = this.read(operation);
    return this.about([x], () => fn(x));
  }
  /** A function of several operands; its errors name those that are nodes. */
  private about(operands: readonly (Node | number | null)[], fn: () => Node): Tensor {
    try {
      return this.wrap(fn());
    } catch (error) {
      throw aboutNodes(
        error,
        operands.filter((each) => typeof each === 'object' && each !== null),
      );
    }
  }

  // ---- arithmetic

  /** this + other */
  add(other: TensorOperand): Tensor {
    return this.binary('add', other, arguments.length);
  }
  /** this − other */
  sub(other: TensorOperand): Tensor {
    return this.binary('sub', other, arguments.length);
  }
  /** this · other, element by element */
  mul(other: TensorOperand): Tensor {
    return this.binary('mul', other, arguments.length);
  }
  /** this / other; integers truncate toward zero, and give 0 for a division by zero */
  div(other: TensorOperand): Tensor {
    return this.binary('div', other, arguments.length);
  }
  /**
   * this to the power of other. Derivatives of every order are right at 0, those beyond a whole exponent
   * being 0. The derivative with respect to the exponent is 0 at the base 0 (exponents ≥ 0), NaN for a
   * negative base.
   */
  pow(other: TensorOperand): Tensor {
    return this.binary('pow', other, arguments.length);
  }
  /**
   * The remainder with the sign of the divisor, as torch.remainder. Its derivative in the divisor is −n,
   * where n is how often that went into this.
   */
  mod(other: TensorOperand): Tensor {
    return this.binary('mod', other, arguments.length);
  }
  /** The larger of two elements; NaN wins. Ties share the gradient equally. */
  maximum(other: TensorOperand): Tensor {
    return this.binary('maximum', other, arguments.length);
  }
  /** The smaller of two elements; NaN wins. Ties share the gradient equally. */
  minimum(other: TensorOperand): Tensor {
    return this.binary('minimum', other, arguments.length);
  }
  neg(): Tensor {
    return this.unary('neg', arguments.length);
  }
  /** |x|, with derivative 0 at 0 */
  abs(): Tensor {
    return this.unary('abs', arguments.length);
  }
  /** −1, 0 or 1 */
  sign(): Tensor {
    return this.unary('sign', arguments.length);
  }
  square(): Tensor {
    return this.plain('square', arguments.length, (x) => mul(x, x));
  }

  // ---- functions (floating point)

  exp(): Tensor {
    return this.unary('exp', arguments.length);
  }
  /** eˣ − 1, exact near 0 */
  expm1(): Tensor {
    return this.unary('expm1', arguments.length);
  }
  log(): Tensor {
    return this.unary('log', arguments.length);
  }
  /** ln(1 + x), exact near 0 */
  log1p(): Tensor {
    return this.unary('log1p', arguments.length);
  }
  sqrt(): Tensor {
    return this.unary('sqrt', arguments.length);
  }
  /** 1/√x */
  rsqrt(): Tensor {
    return this.plain('rsqrt', arguments.length, rsqrt);
  }
  /** 1/x */
  reciprocal(): Tensor {
    return this.plain('reciprocal', arguments.length, reciprocal);
  }
  sin(): Tensor {
    return this.unary('sin', arguments.length);
  }
  cos(): Tensor {
    return this.unary('cos', arguments.length);
  }
  tan(): Tensor {
    return this.unary('tan', arguments.length);
  }
  tanh(): Tensor {
    return this.unary('tanh', arguments.length);
  }
  /** (2/√π) ∫₀ˣ e^(−t²) dt */
  erf(): Tensor {
    return this.unary('erf', arguments.length);
  }
  /** Φ(x), the distribution function of the standard normal, with all its digits far to the left too. */
  normalCdf(): Tensor {
    return this.unary('normalCdf', arguments.length);
  }
  floor(): Tensor {
    return this.unary('floor', arguments.length);
  }
  ceil(): Tensor {
    return this.unary('ceil', arguments.length);
  }
  /** The nearest whole number, halves to even. */
  round(): Tensor {
    return this.unary('round', arguments.length);
  }

  // ---- activations

  /** 1/(1 + e⁻ˣ) */
  sigmoid(): Tensor {
    return this.unary('sigmoid', arguments.length);
  }
  /** max(x, 0), with derivative 0 at 0 */
  relu(): Tensor {
    return this.plain('relu', arguments.length, relu);
  }
  /** x for x > 0, else slope·x */
  leakyRelu(slope = 0.01): Tensor {
    checkNumbers('leakyRelu', arguments, 'slope');
    return this.derive('leakyRelu', (x) => leakyRelu(x, slope));
  }
  /** x for x > 0, else α(eˣ − 1); at 0 the first derivative is α, all higher ones are 0 */
  elu(alpha = 1): Tensor {
    checkNumbers('elu', arguments, 'alpha');
    return this.derive('elu', (x) => elu(x, alpha));
  }
  /** x·Φ(x), exactly or by its tanh approximation (Hendrycks & Gimpel 2016) */
  gelu(approximate: 'none' | 'tanh' = 'none'): Tensor {
    checkCount('gelu', arguments.length, 1, "x.gelu('tanh')");
    checkChoice('gelu', 'the approximation', approximate, ['none', 'tanh']);
    return this.derive('gelu', (x) => gelu(x, approximate));
  }
  /** x·σ(x) */
  silu(): Tensor {
    return this.plain('silu', arguments.length, silu);
  }
  /** ln(1 + eˣ) */
  softplus(): Tensor {
    return this.plain('softplus', arguments.length, softplus);
  }
  /** x limited to [low, high]; null leaves a side open. The gradient passes at the bounds. */
  clamp(low: number | null | undefined, high: number | null = null): Tensor {
    checkNumbers('clamp', arguments, 'low, high');
    return this.derive('clamp', (x) => clamp(x, low ?? null, high));
  }

  // ---- comparison and logic (bool)

  eq(other: TensorOperand): Tensor {
    return this.binary('eq', other, arguments.length);
  }
  ne(other: TensorOperand): Tensor {
    return this.binary('ne', other, arguments.length);
  }
  lt(other: TensorOperand): Tensor {
    return this.binary('lt', other, arguments.length);
  }
  le(other: TensorOperand): Tensor {
    return this.binary('le', other, arguments.length);
  }
  gt(other: TensorOperand): Tensor {
    return this.binary('gt', other, arguments.length);
  }
  ge(other: TensorOperand): Tensor {
    return this.binary('ge', other, arguments.length);
  }
  logicalAnd(other: Tensor): Tensor {
    return this.binary('logicalAnd', other, arguments.length);
  }
  logicalOr(other: Tensor): Tensor {
    return this.binary('logicalOr', other, arguments.length);
  }
  logicalNot(): Tensor {
    return this.plain('logicalNot', arguments.length, logicalNot);
  }
  isNaN(): Tensor {
    return this.unary('isNaN', arguments.length);
  }

  /** this with `value` where the mask holds. mask: bool, broadcasts. */
  maskedFill(mask: Tensor, value: TensorOperand): Tensor {
    checkCount('maskedFill', arguments.length, 2, 'x.maskedFill(mask, value)');
    const x = this.read('maskedFill');
    const m = operandNode(mask, 'maskedFill', 'the mask');
    const y = typeof value === 'number' ? noteNumber(value) : operandNode(value, 'maskedFill', 'the value');
    return this.about([m, x, y], () => where(m, y, x));
  }
  /** this where the condition holds, other elsewhere. condition: bool, broadcasts. */
  where(condition: Tensor, other: TensorOperand): Tensor {
    checkCount('where', arguments.length, 2, 'x.where(condition, other)');
    const x = this.read('where');
    const c = operandNode(condition, 'where', 'the condition');
    const y =
      typeof other === 'number' ? noteNumber(other) : operandNode(other, 'where', 'the other operand');
    return this.about([c, x, y], () => where(c, x, y));
  }

  /** The elements in another dtype: toward zero for integers, `≠ 0` for bool. */
  cast(dtype: DType): Tensor {
    checkCount('cast', arguments.length, 1, "x.cast('float32')");
    checkDType('cast', dtype);
    return this.derive('cast', (x) => cast(x, dtype));
  }

  // ---- reductions: over all axes by default, else over a number, an array of numbers, or { axis, keepDims
  // }; a tensor of no axes has an axis 0, or −1, of one element

  /** @param given how many arguments the method was called with */
  private over<O extends ReduceOptions>(
    operation: string,
    axis: AxisArgument<O> | undefined,
    keys: OptionKeys<O>,
    given: number,
    fn: (x: Node, options: O) => Node,
  ): Tensor {
    if (given > 1) checkCount(operation, given, 1, `x.${operation}({ ${Object.keys(keys).join(', ')} })`);
    const options = axisOptions(operation, axis, keys);
    return this.derive(operation, (x) => fn(x, options));
  }
  private reduce(kind: ReduceKind, axis: AxisArgument | undefined, given: number): Tensor {
    return this.over(kind, axis, REDUCE_KEYS, given, (x, options) => reduce(kind, x, options));
  }
  private argReduce(
    kind: ArgReduceKind,
    axis: AxisArgument<ArgReduceOptions> | undefined,
    given: number,
  ): Tensor {
    checkCount(kind, given, 1, `x.${kind}({ axis, keepDims })`);
    const options = oneAxisOptions<ArgReduceOptions>(kind, axis, REDUCE_KEYS);
    return this.derive(kind, (x) => argReduce(kind, x, options));
  }
  /** @param given how many arguments the method was called with */
  private along(
    operation: string,
    axis: AxisArgument<OneAxis> | undefined,
    given: number,
  ): number | undefined {
    checkCount(operation, given, 1, `x.${operation}(axis)`);
    return oneAxisOptions(operation, axis, AXIS_KEYS).axis;
  }

  /**
   * Σ x; a bool counts (int32).
   * @example
   * ```ts
   * import { tensor } from '@firsthand/autograd';
   * const x = tensor([[1, 2], [3, 4]]);
   * console.log(await x.sum(1).toArray(), await x.sum([0, 1]).item()); // [ 3, 7 ] 10
   * console.log(await x.sum({ axis: 1, keepDims: true }).toArray()); // [ [ 3 ], [ 7 ] ]
   * ```
   */
  sum(axis?: AxisArgument): Tensor {
    return this.reduce('sum', axis, arguments.length);
  }
  /** Π x; of a bool, int32 */
  prod(axis?: AxisArgument): Tensor {
    return this.reduce('prod', axis, arguments.length);
  }
  /**
   * The largest element; NaN wins; of a bool, a bool. Ties share the gradient equally. @throws ShapeError for
   * an empty axis
   */
  max(axis?: AxisArgument): Tensor {
    return this.reduce('max', axis, arguments.length);
  }
  /**
   * The smallest element; NaN wins; of a bool, a bool. Ties share the gradient equally. @throws ShapeError
   * for an empty axis
   */
  min(axis?: AxisArgument): Tensor {
    return this.reduce('min', axis, arguments.length);
  }
  mean(axis?: AxisArgument): Tensor {
    return this.over('mean', axis, REDUCE_KEYS, arguments.length, mean);
  }
  /** Σ (x − mean)² / (n − correction); correction 1 by default. */
  var(axis?: AxisArgument<VarianceOptions>): Tensor {
    return this.over('var', axis, VARIANCE_KEYS, arguments.length, variance);
  }
  /** √var, with derivative 0 where all elements are equal. */
  std(axis?: AxisArgument<VarianceOptions>): Tensor {
    return this.over('std', axis, VARIANCE_KEYS, arguments.length, standardDeviation);
  }
  /**
   * The 1-, 2- (default) or ∞-norm, `norm({ order: 1 })`; derivative 0 at the origin. A number is the axis.
   */
  norm(axis?: AxisArgument<NormOptions>): Tensor {
    return this.over('norm', axis, NORM_KEYS, arguments.length, norm);
  }
  /** int32 index of the first largest element, along one axis or of all elements in row-major order. */
  argmax(axis?: AxisArgument<ArgReduceOptions>): Tensor {
    return this.argReduce('argmax', axis, arguments.length);
  }
  /** int32 index of the first smallest element, along one axis or of all elements in row-major order. */
  argmin(axis?: AxisArgument<ArgReduceOptions>): Tensor {
    return this.argReduce('argmin', axis, arguments.length);
  }
  /** True where any element is. */
  any(axis?: AxisArgument): Tensor {
    return this.over('any', axis, REDUCE_KEYS, arguments.length, any);
  }
  /** True where all elements are. */
  all(axis?: AxisArgument): Tensor {
    return this.over('all', axis, REDUCE_KEYS, arguments.length, all);
  }
  /**
   * Running products along an axis: y[i] = x[0] · … · x[i]; of a bool, int32. Derivatives of every order are
   * exact at zeros, too.
   */
  cumprod(axis: AxisArgument<OneAxis>): Tensor {
    const along = requireAxis('cumprod', this.along('cumprod', axis, arguments.length));
    return this.derive('cumprod', (x) => cumprod(x, along));
  }
  /** Running sums along an axis; a bool counts (int32). */
  cumsum(axis: AxisArgument<OneAxis>): Tensor {
    const along = requireAxis('cumsum', this.along('cumsum', axis, arguments.length));
    return this.derive('cumsum', (x) => cumsum(x, along));
  }
  /** ln Σ eˣ without overflow. */
  logsumexp(axis?: AxisArgument): Tensor {
    return this.over('logsumexp', axis, REDUCE_KEYS, arguments.length, (x, options) =>
      logsumexp(x, reducedAxes('logsumexp', options.axis, x.shape.length), options.keepDims),
    );
  }
  /** eˣ / Σ eˣ along one axis, the last by default; a row that is −∞ throughout gives 0. */
  softmax(axis?: AxisArgument<OneAxis>): Tensor {
    const along = this.along('softmax', axis, arguments.length);
    return this.derive('softmax', (x) => softmax(x, along));
  }
  /** ln softmax, without overflow. */
  logSoftmax(axis?: AxisArgument<OneAxis>): Tensor {
    const along = this.along('logSoftmax', axis, arguments.length);
    return this.derive('logSoftmax', (x) => logSoftmax(x, along));
  }

  // ---- order

  /**
   * The elements in order along an axis, stable, NaN last, with their int32 positions.
   * @param axis a number, or { axis, descending }
   * @example
   * ```ts
   * import { tensor } from '@firsthand/autograd';
   * const { values, indices } = tensor([3, 1, 2]).sort({ descending: true });
   * console.log(await values.toArray(), await indices.toArray()); // [ 3, 2, 1 ] [ 0, 2, 1 ]
   * ```
   */
  sort(axis?: AxisArgument<SortOptions>): Sorted {
    checkCount('sort', arguments.length, 1, 'x.sort({ axis, descending })');
    const { axis: along = -1, descending = false } = oneAxisOptions<SortOptions>('sort', axis, SORT_KEYS);
    const indices = this.derive('sort', (x) => argsort(x, along, descending));
    return { values: this.derive('sort', (x) => gather(x, indices.read(), along)), indices };
  }
  /**
   * The `count` largest (or smallest) elements along an axis, in order, with their int32 positions.
   * @param axis a number, or { axis, largest }
   */
  topk(count: number, axis?: AxisArgument<TopKOptions>): Sorted {
    checkCount('topk', arguments.length, 2, 'x.topk(count, { axis, largest })');
    checkNumber('topk', 'the count', count);
    const { axis: along = -1, largest = true } = oneAxisOptions<TopKOptions>('topk', axis, TOPK_KEYS);
    const x = this.read('topk');
    try {
      const { values, indices } = topk(x, count, along, largest);
      return { values: this.wrap(values), indices: this.wrap(indices) };
    } catch (error) {
      throw aboutNodes(error, [x]);
    }
  }

  // ---- products

  /**
   * Matrix product over the last two axes; leading axes broadcast, one-dimensional operands act as row and
   * column. this: (…, m, k), other: (…, k, n). Result: (…, m, n).
   * @throws ShapeError if the inner sizes differ
   */
  matmul(other: Tensor): Tensor {
    checkCount('matmul', arguments.length, 1, 'x.matmul(y)');
    const [x, y] = [this.read('matmul'), operandNode(other, 'matmul', 'the other operand')];
    return this.about([x, y], () => matmul(x, y));
  }

  // ---- convolution and pooling

  /** A convolution of this with a weight and perhaps a bias. */
  private convolve<O>(
    name: string,
    fn: (x: Node, weight: Node, bias: Node | null, options?: O) => Node,
    weight: Tensor,
    bias: Tensor | null,
    options: O | undefined,
    given: number,
  ): Tensor {
    checkCount(name, given, 3, `x.${name}(weight, bias, options)`);
    const added =
      bias === null
        ? null
        : operandNode(bias, name, 'the bias (null where there is none, and the options after it)');
    const [x, w] = [this.read(name), operandNode(weight, name, 'the weight')];
    return this.about([x, w, added], () => fn(x, w, added, options));
  }

  /**
   * Convolution along one axis, without turning the kernel around. this: (N, C, L), weight: (O, C/groups, K),
   * bias: (O). Result: (N, O, L′), L′ = ⌊(L + 2·padding − dilation·(K − 1) − 1)/stride⌋ + 1.
   * @throws ShapeError if channels, groups or sizes do not fit; DTypeError unless all are of one
   *   floating-point dtype
   * @example
   * ```ts
   * import { tensor } from '@firsthand/autograd';
   * const x = tensor([[[1, 2, 4, 8]]]); // (1, 1, 4)
   * const differences = tensor([[[-1, 1]]]); // (1, 1, 2)
   * console.log(await x.conv1d(differences).toArray()); // [ [ [ 1, 2, 4 ] ] ]
   * const strided = x.conv1d(differences, null, { stride: 2, padding: 1 });
   * console.log(await strided.toArray()); // [ [ [ 1, 2, -8 ] ] ]
   * ```
   */
  conv1d(weight: Tensor, bias: Tensor | null = null, options?: Conv1dOptions): Tensor {
    return this.convolve('conv1d', conv1d, weight, bias, options, arguments.length);
  }

  /**
   * Convolution along two axes, without turning the kernel around. this: (N, C, H, W), weight: (O, C/groups,
   * KH, KW), bias: (O). Result: (N, O, H′, W′), H′ = ⌊(H + 2·padding − dilation·(KH − 1) − 1)/stride⌋ + 1.
   * @throws ShapeError if channels, groups or sizes do not fit; DTypeError unless all are of one
   *   floating-point dtype
   * @example
   * ```ts
   * import { ones, tensor } from '@firsthand/autograd';
   * const x = tensor([[[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]]); // (1, 1, 3, 3)
   * const y = x.conv2d(ones([1, 1, 2, 2]), tensor([0.5])); // (1, 1, 2, 2)
   * console.log(await y.squeeze().toArray()); // [ [ 12.5, 16.5 ], [ 24.5, 28.5 ] ]
   * console.log(x.conv2d(ones([4, 1, 3, 3]), null, { padding: 1, stride: [1, 2] }).shape); // [ 1, 4, 3, 2 ]
   * ```
   */
  conv2d(weight: Tensor, bias: Tensor | null = null, options?: Conv2dOptions): Tensor {
    return this.convolve('conv2d', conv2d, weight, bias, options, arguments.length);
  }

  /**
   * The transpose of a convolution along two axes: what its gradient does. this: (N, C, H, W), weight: (C,
   * O/groups, KH, KW), bias: (O). Result: (N, O, H′, W′), H′ = (H − 1)·stride − 2·padding + dilation·(KH − 1)
   * + 1 + outputPadding.
   * @throws ShapeError if channels, groups or sizes do not fit; DTypeError unless all are of one
   *   floating-point dtype
   * @example
   * ```ts
   * import { tensor } from '@firsthand/autograd';
   * const x = tensor([[[[1, 2]]]]); // (1, 1, 1, 2)
   * const weight = tensor([[[[1, 10], [3, 30]]]]); // (1, 1, 2, 2)
   * console.log(await x.convTranspose2d(weight).squeeze().toArray()); // [ [ 1, 12, 20 ], [ 3, 36, 60 ] ]
   * const strided = x.convTranspose2d(weight, null, { stride: 2, outputPadding: [0, 1] });
   * console.log(strided.shape); // [ 1, 1, 2, 5 ]
   * ```
   */
  convTranspose2d(weight: Tensor, bias: Tensor | null = null, options?: ConvTranspose2dOptions): Tensor {
    return this.convolve('convTranspose2d', convTranspose2d, weight, bias, options, arguments.length);
  }

  /**
   * The largest element of each window; NaN wins. The first of equals, in row-major order, has the gradient.
   * this: (N, C, H, W). Result: (N, C, H′, W′), H′ = ⌊(H + 2·padding − dilation·(KH − 1) − 1)/stride⌋ + 1.
   * Padding is −∞.
   * @throws ShapeError if a window does not fit, or padding is more than half of the kernel; DTypeError for
   *   integers
   * @example
   * ```ts
   * import { tensor } from '@firsthand/autograd';
   * const x = tensor([[[[1, 2, 3, 4], [8, 7, 6, 5]]]]); // (1, 1, 2, 4)
   * console.log(await x.maxPool2d(2).squeeze().toArray()); // [ 8, 6 ]
   * console.log(await x.maxPool2d([1, 3], { stride: 1 }).squeeze().toArray()); // [ [ 3, 4 ], [ 8, 7 ] ]
   * ```
   */
  maxPool2d(kernel: number | readonly [number, number], options?: MaxPool2dOptions): Tensor {
    checkCount('maxPool2d', arguments.length, 2, 'x.maxPool2d(kernel, { stride, padding, dilation })');
    return this.derive('maxPool2d', (x) => maxPool2d(x, kernel, options));
  }

  /**
   * The mean of each window. this: (N, C, H, W). Result: (N, C, H′, W′), H′ = ⌊(H + 2·padding − KH)/stride⌋ +
   * 1. Zeros around the tensor count as elements, unless `countIncludePad` is false.
   * @throws ShapeError if a window does not fit, or padding is more than half of the kernel; DTypeError for
   *   integers
   * @example
   * ```ts
   * import { tensor } from '@firsthand/autograd';
   * const x = tensor([[[[1, 2, 3, 4], [5, 6, 7, 8]]]]); // (1, 1, 2, 4)
   * console.log(await x.avgPool2d(2).squeeze().toArray()); // [ 3.5, 5.5 ]
   * const padded = x.avgPool2d(2, { padding: [0, 1], countIncludePad: false });
   * console.log(await padded.squeeze().toArray()); // [ 3, 4.5, 6 ]
   * ```
   */
  avgPool2d(kernel: number | readonly [number, number], options?: AvgPool2dOptions): Tensor {
    checkCount('avgPool2d', arguments.length, 2, 'x.avgPool2d(kernel, { stride, padding, countIncludePad })');
    return this.derive('avgPool2d', (x) => avgPool2d(x, kernel, options));
  }

  // ---- movement: no elements are copied

  /** Two axes exchanged, the last two by default. For an order of all axes there is `permute`. */
  transpose(...axes: readonly [first?: number, second?: number]): Tensor {
    const [first, second] = readExchange('transpose', axes);
    return this.derive('transpose', (x) => transpose(x, first, second));
  }
  /**
   * The axes in another order: `permute(2, 0, 1)` or `permute([2, 0, 1])`. @throws ShapeError unless each is
   * named once
   */
  permute(...axes: ShapeArguments): Tensor {
    const order = readSizes('permute', axes);
    return this.derive('permute', (x) => permute(x, order));
  }
  /**
   * The same elements in another shape, `reshape(3, 2)` or `reshape([3, 2])`; one size may be −1 and is
   * computed. @throws ShapeError
   */
  reshape(...shape: ShapeArguments): Tensor {
    const sizes = readSizes('reshape', shape);
    return this.derive('reshape', (x) => reshape(x, inferSize(x.shape, sizes)));
  }
  /** Axes `start` to `end` (inclusive) merged into one. */
  flatten(start = 0, end = -1): Tensor {
    checkCount('flatten', arguments.length, 2, 'x.flatten(start, end)');
    return this.derive('flatten', (x) => {
      if (x.shape.length === 0) return reshape(x, [1]);
      const from = normalizeAxis('flatten', start, x.shape.length);
      const to = normalizeAxis('flatten', end, x.shape.length) + 1;
      return reshape(x, [...x.shape.slice(0, from), sizeOf(x.shape.slice(from, to)), ...x.shape.slice(to)]);
    });
  }
  /**
   * Without the named axes of size 1, `squeeze(0)` or `squeeze([0, 2])`; without all of them by default.
   * @throws ShapeError for another size
   */
  squeeze(axis?: AxisArgument<AxisOptions>): Tensor {
    checkCount('squeeze', arguments.length, 1, 'x.squeeze([0, 2])');
    const { axis: axes } = axisOptions<AxisOptions>('squeeze', axis, AXIS_KEYS);
    return this.derive('squeeze', (x) => {
      const ones =
        axes === undefined
          ? x.shape.flatMap((size, each) => (size === 1 ? [each] : []))
          : reducedAxes('squeeze', axes, x.shape.length);
      const wide = ones.find((each) => x.shape[each] !== 1);
      if (wide !== undefined) {
        const problem = `axis ${wide} of ${formatShape(x.shape)} has size ${x.shape[wide]}, not 1`;
        throw new ShapeError({ operation: 'squeeze', problem, expected: '1' });
      }
      return reshape(
        x,
        x.shape.filter((_, each) => !ones.includes(each)),
      );
    });
  }
  /** With a new axis of size 1, or several; they are counted in the result. */
  unsqueeze(axis: AxisArgument<AxisOptions>): Tensor {
    checkCount('unsqueeze', arguments.length, 1, 'x.unsqueeze(axis)');
    const { axis: axes } = axisOptions<AxisOptions>('unsqueeze', axis, AXIS_KEYS);
    if (axes === undefined) {
      throw new OptionError({
        operation: 'unsqueeze',
        problem: 'no axis is given',
        expected: 'an axis',
        remedy: 'write x.unsqueeze(0)',
      });
    }
    return this.derive('unsqueeze', (x) => {
      const added = reducedAxes(
        'unsqueeze',
        axes,
        x.shape.length + (typeof axes === 'number' ? 1 : axes.length),
      );
      return reshape(
        x,
        added.reduce<Shape>((shape, at) => shape.toSpliced(at, 0, 1), x.shape),
      );
    });
  }
  /**
   * Axes of size 1 stretched, and leading axes added, to reach the shape: `expand(2, 3)` or `expand([2, 3])`.
   * @throws ShapeError
   */
  expand(...shape: ShapeArguments): Tensor {
    const sizes = readSizes('expand', shape);
    return this.derive('expand', (x) => expand(x, sizes));
  }
  /**
   * The order of the elements reversed along the named axes, `flip(0)` or `flip([0, 1])`; along all by
   * default.
   */
  flip(axis?: AxisArgument<AxisOptions>): Tensor {
    checkCount('flip', arguments.length, 1, 'x.flip([0, 1])');
    const { axis: axes } = axisOptions<AxisOptions>('flip', axis, AXIS_KEYS);
    return this.derive('flip', (x) => flip(x, axes));
  }
  /**
   * Zeros around the elements. widths: [before, after] of each axis. @throws ShapeError unless there is a
   * pair for each
   */
  pad(widths: readonly (readonly [number, number])[]): Tensor {
    checkCount('pad', arguments.length, 1, 'x.pad([[before, after], …])');
    if (
      !Array.isArray(widths) ||
      !widths.every((width: unknown) => Array.isArray(width) && width.length === 2)
    ) {
      const problem = `the widths are ${Array.isArray(widths) ? formatShape(widths as number[]) : describeValue(widths)}`;
      throw new ShapeError({
        operation: 'pad',
        problem,
        operands: [operandOf(this.read())],
        expected: 'a pair [before, after] for each axis',
      });
    }
    return this.derive('pad', (x) =>
      pad(
        x,
        widths.map(([before]) => before),
        widths.map(([, after]) => after),
      ),
    );
  }
  /**
   * Elements start, start + step, … before stop along one axis; negative bounds count from the end. Along
   * several axes: `at`.
   */
  slice(axis: number, start: number, stop: number = Infinity, step = 1): Tensor {
    checkCount('slice', arguments.length, 4, 'x.slice(axis, start, stop, step)');
    if (typeof axis !== 'number') {
      const problem = `the axis is ${describeValue(axis)}`;
      throw new OptionError({
        operation: 'slice',
        problem,
        expected: 'a number',
        remedy: 'write x.at({ start, stop }, …) for ranges of several axes',
      });
    }
    checkNumber('slice', 'the start', start);
    checkNumber('slice', 'the stop', stop);
    checkNumber('slice', 'the step', step);
    return this.derive('slice', (x) => slice(x, axis, start, stop, step));
  }
  /**
   * The part at the given indices, one for each leading axis: a number drops its axis, a range
   * `{ start, stop, step }` keeps it, and so does null, with all of it. Negative numbers count from the end,
   * a negative step walks backward.
   * @throws ShapeError if there are more indices than axes, or one is out of range
   * @example
   * ```ts
   * import { arange } from '@firsthand/autograd';
   * const x = arange(12).reshape(3, 4);
   * console.log(await x.at(-1).toArray()); // [ 8, 9, 10, 11 ]
   * console.log(await x.at(null, 1).toArray()); // [ 1, 5, 9 ]
   * console.log(await x.at({ start: 1 }, { step: -2 }).toArray()); // [ [ 7, 5 ], [ 11, 9 ] ]
   * ```
   */
  at(...indices: readonly (number | SliceRange | null)[]): Tensor {
    return this.derive('at', (x) => at(x, indices));
  }
  /** The part at one index of an axis, which it drops. @throws ShapeError if it is out of range */
  select(axis: number, index: number): Tensor {
    checkCount('select', arguments.length, 2, 'x.select(axis, index)');
    const along = normalizeAxis('select', axis, this.ndim, [operandOf(this.read())]);
    return this.derive('select', (x) => at(x, [...new Array<null>(along).fill(null), index], 'select'));
  }
  /** `length` elements from `start` on, along one axis. @throws ShapeError if they are not all there */
  narrow(axis: number, start: number, length: number): Tensor {
    checkCount('narrow', arguments.length, 3, 'x.narrow(axis, start, length)');
    return this.derive('narrow', (x) => {
      const extent = x.shape[normalizeAxis('narrow', axis, x.shape.length)]!;
      if (!(start >= 0 && length >= 0 && start + length <= extent)) {
        const problem = `${length} elements from ${start} are not all in axis ${axis} of ${formatShape(x.shape)}`;
        throw new ShapeError({ operation: 'narrow', problem, expected: `a range within [0, ${extent})` });
      }
      return slice(x, axis, start, start + length);
    });
  }
  /**
   * The slices at each index of an axis (the first by default), without that axis: the steps of a sequence.
   * For x (T, B, C) there are T of shape (B, C).
   * @example
   * ```ts
   * import { stack, tensor } from '@firsthand/autograd';
   * const x = tensor([[1, 2, 3], [4, 5, 6]]);
   * const sums = x.unbind({ axis: 1 }).map((column) => column.sum());
   * console.log(await stack(sums).toArray()); // [ 5, 7, 9 ]
   * ```
   */
  unbind(axis?: AxisArgument<OneAxis>): Tensor[] {
    checkCount('unbind', arguments.length, 1, 'x.unbind(axis)');
    const options = oneAxisOptions('unbind', axis, AXIS_KEYS);
    return unbind(this.read(), options.axis ?? 0).map((part) => this.wrap(part));
  }
  /**
   * Pieces along an axis, the first by default: of the given sizes, or of one size, of which the last may
   * have less.
   * @param axis a number or { axis }
   * @throws ShapeError unless the sizes add up to the axis
   */
  split(sizes: readonly number[] | number, axis?: AxisArgument<OneAxis>): Tensor[] {
    checkCount('split', arguments.length, 2, 'x.split(sizes, axis)');
    const along = this.axisFor('split', axis);
    return this.parts(
      'split',
      typeof sizes === 'number' ? equalSizes('split', this, along, sizes) : sizes,
      along,
    );
  }
  /**
   * At most `count` pieces of equal size along an axis, the first by default; the last one may be smaller.
   * @param axis a number or { axis }
   */
  chunk(count: number, axis?: AxisArgument<OneAxis>): Tensor[] {
    checkCount('chunk', arguments.length, 2, 'x.chunk(count, axis)');
    const along = this.axisFor('chunk', axis);
    if (!Number.isInteger(count) || count < 1) {
      const problem = `needs a whole number of pieces, 1 or more, got ${typeof count === 'number' ? count : describeValue(count)}`;
      throw new ShapeError({
        operation: 'chunk',
        problem,
        operands: [operandOf(this.read())],
        expected: 'a whole number of pieces, 1 or more',
      });
    }
    return this.parts(
      'chunk',
      equalSizes('chunk', this, along, Math.max(1, Math.ceil(this.shape[along]! / count))),
      along,
    );
  }
  /** The axis that pieces are taken along, the first by default. */
  private axisFor(operation: string, axis: AxisArgument<OneAxis> | undefined): number {
    const along = oneAxisOptions(operation, axis, AXIS_KEYS).axis ?? 0;
    return normalizeAxis(operation, along, this.ndim, [operandOf(this.read(operation))]);
  }
  private parts(operation: string, sizes: readonly number[], along: number): Tensor[] {
    const total = readSizes(operation, [sizes]).reduce((sum, size) => sum + size, 0);
    if (total !== this.shape[along]) {
      throw new ShapeError({
        operation,
        problem: `sizes ${sizes.join(' + ')} are ${total}, axis ${along} has ${this.shape[along]}`,
        operands: [operandOf(this.read())],
        expected: `sizes that add up to ${this.shape[along]}`,
      });
    }
    let start = 0;
    return sizes.map((size) => {
      const part = this.narrow(along, start, size);
      start += size;
      return part;
    });
  }
  /**
   * Elements shifted along an axis, or by a shift each along several; what leaves at one end enters at the
   * other.
   */
  roll(shift: number | readonly number[], axis: AxisArgument<AxisOptions>): Tensor {
    checkCount('roll', arguments.length, 2, 'x.roll(shift, axis)');
    const { axis: given = [] } = axisOptions<AxisOptions>('roll', axis, AXIS_KEYS);
    const [shifts, axes] = [[shift].flat(), [given].flat()];
    for (const each of shifts) checkNumber('roll', 'the shift', each);
    if (axes.length === 0 || shifts.length !== axes.length) {
      const problem = `${shifts.length} shifts along ${axes.length} axes`;
      throw new OptionError({
        operation: 'roll',
        problem,
        expected: 'a shift for each axis',
        remedy: 'write x.roll(1, 0)',
      });
    }
    return this.derive('roll', (x) => axes.reduce((rolled, each, k) => roll(rolled, shifts[k]!, each), x));
  }
  /** The lower triangle of the last two axes, zeros above it. */
  tril(diagonal = 0): Tensor {
    checkCount('tril', arguments.length, 1, 'x.tril(diagonal)');
    checkNumber('tril', 'the diagonal', diagonal);
    return this.derive('tril', (x) => tril(x, diagonal));
  }
  /** The upper triangle of the last two axes, zeros below it. */
  triu(diagonal = 0): Tensor {
    checkCount('triu', arguments.length, 1, 'x.triu(diagonal)');
    checkNumber('triu', 'the diagonal', diagonal);
    return this.derive('triu', (x) => triu(x, diagonal));
  }

  // ---- indexing

  /**
   * Whole slices at the given positions of one axis, which the axes of `index` replace. index: integers.
   */
  indexSelect(axis: number, index: Tensor): Tensor {
    checkCount('indexSelect', arguments.length, 2, 'x.indexSelect(axis, index)');
    const [x, at] = [this.read('indexSelect'), operandNode(index, 'indexSelect', 'the index')];
    return this.about([x, at], () => indexSelect(x, at, axis));
  }
  /**
   * out[…, i, …] = this[…, index[…, i, …], …]. index: this shape, but for `axis`. Out of range reads NaN, or
   * 0 for integers.
   */
  gather(axis: number, index: Tensor): Tensor {
    checkCount('gather', arguments.length, 2, 'x.gather(axis, index)');
    const [x, at] = [this.read('gather'), operandNode(index, 'gather', 'the index')];
    return this.about([x, at], () => gather(x, at, axis));
  }
  /** A copy with `source` added at `index` along one axis; an index out of range is dropped. */
  scatterAdd(axis: number, index: Tensor, source: Tensor): Tensor {
    checkCount('scatterAdd', arguments.length, 3, 'x.scatterAdd(axis, index, source)');
    const [x, at] = [this.read('scatterAdd'), operandNode(index, 'scatterAdd', 'the index')];
    const added = operandNode(source, 'scatterAdd', 'the source');
    return this.about([x, at, added], () => scatterAdd(x, at, added, axis));
  }
}

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

/** @throws OptionError for an operation that has no axis by default */
function requireAxis(operation: string, axis: number | undefined): number {
  if (axis !== undefined) return axis;
  throw new OptionError({
    operation,
    problem: 'no axis is given',
    expected: 'an axis',
    remedy: `write x.${operation}(0)`,
  });
}

/** How an axis is divided into pieces of one size, the last of which may have less. */
function equalSizes(operation: string, x: Tensor, axis: number, size: number): number[] {
  if (!Number.isInteger(size) || size < 1) {
    const expected = 'a whole number of at least 1';
    throw new ShapeError({ operation, problem: `pieces of size ${size}`, operands: [x], expected });
  }
  const extent = x.shape[axis]!;
  const sizes: number[] = [];
  for (let start = 0; start < extent; start += size) sizes.push(Math.min(size, extent - start));
  return sizes.length === 0 ? [0] : sizes;
}

function inferSize(from: Shape, shape: Shape): Shape {
  const unknown = shape.indexOf(-1);
  if (unknown < 0) return shape;
  const rest = checkShape('reshape', shape.toSpliced(unknown, 1));
  const size = sizeOf(from) / sizeOf(rest);
  if (!Number.isInteger(size)) {
    const problem = `${formatShape(from)} has ${sizeOf(from)} elements, so no size fits −1 in ${formatShape(shape)}`;
    throw new ShapeError({
      operation: 'reshape',
      problem,
      expected: `other sizes whose product divides ${sizeOf(from)}`,
    });
  }
  return shape.with(unknown, size);
}
