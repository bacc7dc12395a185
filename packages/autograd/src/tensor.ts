/**
 * `Tensor`: an n-dimensional array that does not exist yet. Every method adds nodes to a graph, with shapes
 * and dtypes checked at the call; asking for a value runs the graph. Axes may be negative, counting from the
 * end.
 */
import {
  aboutNodes,
  at,
  expand,
  flip,
  gather,
  indexSelect,
  matmul,
  operandOf,
  pad,
  permute,
  reducedAxes,
  reshape,
  roll,
  scatterAdd,
  slice,
  transpose,
  tril,
  triu,
  unbind,
} from '@firsthand/graph';
import type { Node, Shape } from '@firsthand/graph';
import {
  AXIS_KEYS,
  axisOptions,
  checkCount,
  checkNumber,
  checkShape,
  describeValue,
  formatShape,
  normalizeAxis,
  oneAxisOptions,
  OptionError,
  readExchange,
  readSizes,
  ShapeError,
  sizeOf,
} from '@firsthand/linalg';
import type { AxisArgument, AxisOptions, OneAxis, ShapeArguments, SliceRange } from '@firsthand/linalg';
import { Axes, type SortedOf } from './axes.ts';
import { operandNode } from './operands.ts';

/** Elements along an axis, and where they were. */
export type Sorted = SortedOf<Tensor>;

/**
 * An n-dimensional array that is described before it is computed; made by `tensor`, `zeros`, `randn` and
 * their like.
 */
export class Tensor extends Axes<Tensor> {
  protected wrap(node: Node, name: string | null = null, inPlace = false): Tensor {
    return new Tensor(node, name, inPlace);
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
  /** A tensor computed of several nodes, which its errors name. */
  private about(nodes: readonly Node[], fn: () => Node): Tensor {
    try {
      return this.wrap(fn());
    } catch (error) {
      throw aboutNodes(error, nodes);
    }
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
    return this.pieces(
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
    return this.pieces(
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
  private pieces(operation: string, sizes: readonly number[], along: number): Tensor[] {
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
      const piece = this.narrow(along, start, size);
      start += size;
      return piece;
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
   * Whole slices at the given positions of one axis; the index's axes take that axis's place. index:
   * integers.
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
