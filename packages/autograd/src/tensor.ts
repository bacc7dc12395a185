/**
 * `Tensor`: an n-dimensional array that does not exist yet. Every method adds nodes to a graph, with shapes and dtypes checked at
 * the call; asking for a value runs the graph. Axes may be negative, counting from the end.
 */
import {
  all,
  any,
  argReduce,
  cumprod,
  cumsum,
  expand,
  flip,
  gather,
  indexSelect,
  logSoftmax,
  logsumexp,
  matmul,
  mean,
  norm,
  pad,
  permute,
  reduce,
  reducedAxes,
  reshape,
  roll,
  scatterAdd,
  slice,
  softmax,
  standardDeviation,
  transpose,
  tril,
  triu,
  variance,
} from '@firsthand/graph';
import type { Node, ReduceKind, ReduceOptions, Shape } from '@firsthand/graph';
import { checkShape, formatShape, normalizeAxis, ShapeError, sizeOf } from '@firsthand/linalg';
import { Spatial } from './spatial.ts';
import { operandNode } from './value.ts';

/** Options of `argmax` and `argmin`: one axis, or all elements in row-major order. */
export interface ArgReduceOptions {
  readonly axis?: number | undefined;
  readonly keepDims?: boolean;
}

/** An n-dimensional array that is described before it is computed; made by `tensor`, `zeros`, `randn` and their like. */
export class Tensor extends Spatial<Tensor> {
  protected wrap(node: Node, name: string | null = null, inPlace = false): Tensor {
    return new Tensor(node, name, inPlace);
  }

  // ---- products

  /**
   * Matrix product over the last two axes; leading axes broadcast, one-dimensional operands act as row and column.
   * this: (…, m, k), other: (…, k, n). Result: (…, m, n).
   * @throws ShapeError if the inner sizes differ
   */
  matmul(other: Tensor): Tensor {
    return this.wrap(matmul(this.read(), operandNode(other, 'matmul: the other operand')));
  }

  // ---- movement: no elements are copied

  /** Two axes exchanged, the last two by default. */
  transpose(first = -2, second = -1): Tensor {
    return this.derive((x) => transpose(x, first, second));
  }
  /** The axes in another order. */
  permute(...axes: readonly number[]): Tensor {
    return this.derive((x) => permute(x, axes));
  }
  /** The same elements in another shape; one size may be −1 and is computed. @throws ShapeError */
  reshape(...shape: readonly number[]): Tensor {
    return this.derive((x) => reshape(x, inferSize(x.shape, shape)));
  }
  /** Axes `start` to `end` (inclusive) merged into one. */
  flatten(start = 0, end = -1): Tensor {
    return this.derive((x) => {
      if (x.shape.length === 0) return reshape(x, [1]);
      const from = normalizeAxis('flatten', start, x.shape.length);
      const to = normalizeAxis('flatten', end, x.shape.length) + 1;
      return reshape(x, [...x.shape.slice(0, from), sizeOf(x.shape.slice(from, to)), ...x.shape.slice(to)]);
    });
  }
  /** Without the named axes of size 1; without all of them by default. */
  squeeze(...axes: readonly number[]): Tensor {
    return this.derive((x) => {
      const ones =
        axes.length > 0 ? reducedAxes('squeeze', axes, x.shape.length) : x.shape.flatMap((size, axis) => (size === 1 ? [axis] : []));
      const wide = ones.find((axis) => x.shape[axis] !== 1);
      if (wide !== undefined) throw new ShapeError(`squeeze: axis ${wide} of ${formatShape(x.shape)} has size ${x.shape[wide]}, not 1`);
      return reshape(
        x,
        x.shape.filter((_, axis) => !ones.includes(axis)),
      );
    });
  }
  /** With a new axis of size 1. */
  unsqueeze(axis: number): Tensor {
    return this.derive((x) => {
      const at = normalizeAxis('unsqueeze', axis, x.shape.length + 1);
      return reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]);
    });
  }
  /** Axes of size 1 stretched, and leading axes added, to reach `shape`. */
  expand(...shape: readonly number[]): Tensor {
    return this.derive((x) => expand(x, shape));
  }
  /** The order of the elements reversed along the named axes; along all by default. */
  flip(axis?: number | readonly number[]): Tensor {
    return this.derive((x) => flip(x, axis));
  }
  /** Zeros around the elements. widths: [before, after] of each axis. */
  pad(widths: readonly (readonly [number, number])[]): Tensor {
    return this.derive((x) =>
      pad(
        x,
        widths.map(([before]) => before),
        widths.map(([, after]) => after),
      ),
    );
  }
  /** Elements start, start + step, … before stop along one axis; negative bounds count from the end. */
  slice(axis: number, start: number, stop: number = Infinity, step = 1): Tensor {
    return this.derive((x) => slice(x, axis, start, stop, step));
  }
  /** `length` elements from `start` on, along one axis. @throws ShapeError if they are not all there */
  narrow(axis: number, start: number, length: number): Tensor {
    return this.derive((x) => {
      const extent = x.shape[normalizeAxis('narrow', axis, x.shape.length)]!;
      if (!(start >= 0 && length >= 0 && start + length <= extent)) {
        throw new ShapeError(`narrow: ${length} elements from ${start} are not all in axis ${axis} of ${formatShape(x.shape)}`);
      }
      return slice(x, axis, start, start + length);
    });
  }
  /** Elements shifted along an axis; what leaves at one end enters at the other. */
  roll(shift: number, axis: number): Tensor {
    return this.derive((x) => roll(x, shift, axis));
  }
  /** The lower triangle of the last two axes, zeros above it. */
  tril(diagonal = 0): Tensor {
    return this.derive((x) => tril(x, diagonal));
  }
  /** The upper triangle of the last two axes, zeros below it. */
  triu(diagonal = 0): Tensor {
    return this.derive((x) => triu(x, diagonal));
  }

  // ---- indexing

  /** Whole slices at the given positions of one axis; the index's axes take that axis's place. index: integers. */
  indexSelect(axis: number, index: Tensor): Tensor {
    return this.wrap(indexSelect(this.read(), operandNode(index, 'indexSelect: the index'), axis));
  }
  /** out[…, i, …] = this[…, index[…, i, …], …]. index: this shape, but for `axis`. Out of range reads NaN, or 0 for integers. */
  gather(axis: number, index: Tensor): Tensor {
    return this.wrap(gather(this.read(), operandNode(index, 'gather: the index'), axis));
  }
  /** A copy with `source` added at `index` along one axis; an index out of range is dropped. */
  scatterAdd(axis: number, index: Tensor, source: Tensor): Tensor {
    return this.wrap(
      scatterAdd(this.read(), operandNode(index, 'scatterAdd: the index'), operandNode(source, 'scatterAdd: the source'), axis),
    );
  }

  // ---- reductions: over all axes by default; a tensor of no axes has an axis 0, or −1, of one element

  private reduce(kind: ReduceKind, options?: ReduceOptions): Tensor {
    return this.derive((x) => reduce(kind, x, options));
  }
  /** Σ x; a bool counts (int32). */
  sum(options?: ReduceOptions): Tensor {
    return this.reduce('sum', options);
  }
  /** Π x; of a bool, int32 */
  prod(options?: ReduceOptions): Tensor {
    return this.reduce('prod', options);
  }
  /** The largest element; NaN wins; of a bool, a bool. Ties share the gradient equally. @throws ShapeError for an empty axis */
  max(options?: ReduceOptions): Tensor {
    return this.reduce('max', options);
  }
  /** The smallest element; NaN wins; of a bool, a bool. Ties share the gradient equally. @throws ShapeError for an empty axis */
  min(options?: ReduceOptions): Tensor {
    return this.reduce('min', options);
  }
  mean(options?: ReduceOptions): Tensor {
    return this.derive((x) => mean(x, options));
  }
  /** Σ (x − mean)² / (n − correction); correction 1 by default. */
  var(options?: ReduceOptions & { readonly correction?: number }): Tensor {
    return this.derive((x) => variance(x, options));
  }
  /** √var, with derivative 0 where all elements are equal. */
  std(options?: ReduceOptions & { readonly correction?: number }): Tensor {
    return this.derive((x) => standardDeviation(x, options));
  }
  /** The 1-, 2- (default) or ∞-norm; derivative 0 at the origin. */
  norm(options?: ReduceOptions & { readonly order?: number }): Tensor {
    return this.derive((x) => norm(x, options));
  }
  /** int32 index of the first largest element. */
  argmax(options?: ArgReduceOptions): Tensor {
    return this.derive((x) => argReduce('argmax', x, options));
  }
  /** int32 index of the first smallest element. */
  argmin(options?: ArgReduceOptions): Tensor {
    return this.derive((x) => argReduce('argmin', x, options));
  }
  /** True where any element is. */
  any(options?: ReduceOptions): Tensor {
    return this.derive((x) => any(x, options));
  }
  /** True where all elements are. */
  all(options?: ReduceOptions): Tensor {
    return this.derive((x) => all(x, options));
  }
  /** Running products along an axis: y[i] = x[0] · … · x[i]; of a bool, int32. Derivatives of every order are exact at zeros, too. */
  cumprod(axis: number): Tensor {
    return this.derive((x) => cumprod(x, axis));
  }
  /** Running sums along an axis; a bool counts (int32). */
  cumsum(axis: number): Tensor {
    return this.derive((x) => cumsum(x, axis));
  }
  /** ln Σ eˣ without overflow. */
  logsumexp({ axis, keepDims = false }: ReduceOptions = {}): Tensor {
    return this.derive((x) => logsumexp(x, reducedAxes('logsumexp', axis, x.shape.length), keepDims));
  }
  /** eˣ / Σ eˣ along one axis; a row that is −∞ throughout gives 0. */
  softmax(axis = -1): Tensor {
    return this.derive((x) => softmax(x, axis));
  }
  /** ln softmax, without overflow. */
  logSoftmax(axis = -1): Tensor {
    return this.derive((x) => logSoftmax(x, axis));
  }
}

function inferSize(from: Shape, shape: Shape): Shape {
  const unknown = shape.indexOf(-1);
  if (unknown < 0) return shape;
  const rest = checkShape('reshape', shape.toSpliced(unknown, 1));
  const size = sizeOf(from) / sizeOf(rest);
  if (!Number.isInteger(size)) {
    throw new ShapeError(`reshape: ${formatShape(from)} has ${sizeOf(from)} elements, so no size fits −1 in ${formatShape(shape)}`);
  }
  return shape.with(unknown, size);
}
