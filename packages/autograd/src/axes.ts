/**
 * Methods of a tensor along its axes: reductions, running sums and products, softmax, order. A reduction is
 * over all axes by default, else over a number, an array of numbers, or { axis, keepDims }; a tensor of no
 * axes has an axis 0, or −1, of one element.
 */
import {
  aboutNodes,
  all,
  any,
  argReduce,
  argsort,
  cumprod,
  cumsum,
  gather,
  logSoftmax,
  logsumexp,
  mean,
  norm,
  reduce,
  reducedAxes,
  softmax,
  standardDeviation,
  topk,
  variance,
} from '@firsthand/graph';
import type { ArgReduceKind, Node, ReduceKind } from '@firsthand/graph';
import {
  AXIS_KEYS,
  axisOptions,
  checkCount,
  checkNumber,
  oneAxisOptions,
  OptionError,
  REDUCE_KEYS,
} from '@firsthand/linalg';
import type { ArgReduceOptions, AxisArgument, OneAxis, OptionKeys, ReduceOptions } from '@firsthand/linalg';
import { Spatial } from './spatial.ts';

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
export interface SortedOf<T> {
  readonly values: T;
  readonly indices: T;
}

const SORT_KEYS: OptionKeys<SortOptions> = { axis: true, descending: 'boolean' };
const TOPK_KEYS: OptionKeys<TopKOptions> = { axis: true, largest: 'boolean' };
const VARIANCE_KEYS: OptionKeys<VarianceOptions> = { ...REDUCE_KEYS, correction: 'number' };
const NORM_KEYS: OptionKeys<NormOptions> = { ...REDUCE_KEYS, order: 'number' };

export abstract class Axes<T extends Axes<T>> extends Spatial<T> {
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
  sort(axis?: AxisArgument<SortOptions>): SortedOf<T> {
    checkCount('sort', arguments.length, 1, 'x.sort({ axis, descending })');
    const { axis: along = -1, descending = false } = oneAxisOptions<SortOptions>('sort', axis, SORT_KEYS);
    const indices = this.derive('sort', (x) => argsort(x, along, descending));
    return { values: this.derive('sort', (x) => gather(x, indices.read(), along)), indices };
  }
  /**
   * The `count` largest (or smallest) elements along an axis, in order, with their int32 positions.
   * @param axis a number, or { axis, largest }
   */
  topk(count: number, axis?: AxisArgument<TopKOptions>): SortedOf<T> {
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

  // ---- reductions: over all axes by default, else over a number, an array of numbers, or { axis, keepDims
  // }; a tensor of no axes has an axis 0, or −1, of one element

  /** @param given how many arguments the method was called with */
  private over<O extends ReduceOptions>(
    operation: string,
    axis: AxisArgument<O> | undefined,
    keys: OptionKeys<O>,
    given: number,
    fn: (x: Node, options: O) => Node,
  ): T {
    if (given > 1) checkCount(operation, given, 1, `x.${operation}({ ${Object.keys(keys).join(', ')} })`);
    const options = axisOptions(operation, axis, keys);
    return this.derive(operation, (x) => fn(x, options));
  }
  private reduce(kind: ReduceKind, axis: AxisArgument | undefined, given: number): T {
    return this.over(kind, axis, REDUCE_KEYS, given, (x, options) => reduce(kind, x, options));
  }
  private argReduce(kind: ArgReduceKind, axis: AxisArgument<ArgReduceOptions> | undefined, given: number): T {
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
  sum(axis?: AxisArgument): T {
    return this.reduce('sum', axis, arguments.length);
  }
  /** Π x; of a bool, int32 */
  prod(axis?: AxisArgument): T {
    return this.reduce('prod', axis, arguments.length);
  }
  /**
   * The largest element; NaN wins; of a bool, a bool. Ties share the gradient equally. @throws ShapeError for
   * an empty axis
   */
  max(axis?: AxisArgument): T {
    return this.reduce('max', axis, arguments.length);
  }
  /**
   * The smallest element; NaN wins; of a bool, a bool. Ties share the gradient equally. @throws ShapeError
   * for an empty axis
   */
  min(axis?: AxisArgument): T {
    return this.reduce('min', axis, arguments.length);
  }
  mean(axis?: AxisArgument): T {
    return this.over('mean', axis, REDUCE_KEYS, arguments.length, mean);
  }
  /** Σ (x − mean)² / (n − correction); correction 1 by default. */
  var(axis?: AxisArgument<VarianceOptions>): T {
    return this.over('var', axis, VARIANCE_KEYS, arguments.length, variance);
  }
  /** √var, with derivative 0 where all elements are equal. */
  std(axis?: AxisArgument<VarianceOptions>): T {
    return this.over('std', axis, VARIANCE_KEYS, arguments.length, standardDeviation);
  }
  /**
   * The 1-, 2- (default) or ∞-norm, `norm({ order: 1 })`; derivative 0 at the origin. A number is the axis.
   */
  norm(axis?: AxisArgument<NormOptions>): T {
    return this.over('norm', axis, NORM_KEYS, arguments.length, norm);
  }
  /** int32 index of the first largest element, along one axis or of all elements in row-major order. */
  argmax(axis?: AxisArgument<ArgReduceOptions>): T {
    return this.argReduce('argmax', axis, arguments.length);
  }
  /** int32 index of the first smallest element, along one axis or of all elements in row-major order. */
  argmin(axis?: AxisArgument<ArgReduceOptions>): T {
    return this.argReduce('argmin', axis, arguments.length);
  }
  /** True where any element is. */
  any(axis?: AxisArgument): T {
    return this.over('any', axis, REDUCE_KEYS, arguments.length, any);
  }
  /** True where all elements are. */
  all(axis?: AxisArgument): T {
    return this.over('all', axis, REDUCE_KEYS, arguments.length, all);
  }
  /**
   * Running products along an axis: y[i] = x[0] · … · x[i]; of a bool, int32. Derivatives of every order are
   * exact at zeros, too.
   */
  cumprod(axis: AxisArgument<OneAxis>): T {
    const along = requireAxis('cumprod', this.along('cumprod', axis, arguments.length));
    return this.derive('cumprod', (x) => cumprod(x, along));
  }
  /** Running sums along an axis; a bool counts (int32). */
  cumsum(axis: AxisArgument<OneAxis>): T {
    const along = requireAxis('cumsum', this.along('cumsum', axis, arguments.length));
    return this.derive('cumsum', (x) => cumsum(x, along));
  }
  /** ln Σ eˣ without overflow. */
  logsumexp(axis?: AxisArgument): T {
    return this.over('logsumexp', axis, REDUCE_KEYS, arguments.length, (x, options) =>
      logsumexp(x, reducedAxes('logsumexp', options.axis, x.shape.length), options.keepDims),
    );
  }
  /** eˣ / Σ eˣ along one axis, the last by default; a row that is −∞ throughout gives 0. */
  softmax(axis?: AxisArgument<OneAxis>): T {
    const along = this.along('softmax', axis, arguments.length);
    return this.derive('softmax', (x) => softmax(x, along));
  }
  /** ln softmax, without overflow. */
  logSoftmax(axis?: AxisArgument<OneAxis>): T {
    const along = this.along('logSoftmax', axis, arguments.length);
    return this.derive('logSoftmax', (x) => logSoftmax(x, along));
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
