/**
 * The n-dimensional array: a typed array and a rule for finding element (i₀, …, iₙ₋₁) in it, offset + Σ
 * iₖ·strideₖ. Indexing, slicing, reshaping, transposing and flipping change the rule and share the data; only
 * `contiguous`, `astype` and a reshape that no strides can say copy it.
 */
import {
  AXIS_KEYS,
  axisOptions,
  checkCount,
  readExchange,
  readSizes,
  type AxisArgument,
  type AxisOptions,
  type ShapeArguments,
} from './arguments.ts';
import { type ArrayData, type Elements, type NestedData, readData } from './data.ts';
import { checkDType, convert, decode, DTYPES, encode, type DType, type TypedArray } from './dtype.ts';
import { printable, ShapeError } from './errors.ts';
import { formatArray, nested, type Nested } from './format.ts';
import { copyInto, pack, type Strided } from './loops.ts';
import { checkNumber, checkOptions, describeValue, isPlain, type OptionKeys } from './options.ts';
import {
  broadcastStrides,
  checkShape,
  equalShapes,
  formatShape,
  normalizeAxes,
  normalizeAxis,
  normalizeIndex,
  reshapeStrides,
  rowMajorStrides,
  sizeOf,
  type Shape,
} from './shape.ts';

/**
 * Which indices of one axis a slice keeps, as in Python: from `start` up to, not including, `stop`, every
 * `step`-th. Negative bounds count from the end; bounds beyond the axis are clipped; a negative step walks
 * backwards. `null` in place of a range keeps the whole axis.
 */
export interface SliceRange {
  readonly start?: number;
  readonly stop?: number;
  readonly step?: number;
}

/**
 * An n-dimensional array.
 * @example
 * ```ts
 * import { arange } from '@firsthand/linalg';
 * const x = arange(6).reshape([2, 3]);
 * x.transpose().set(10, 0, 1); // a view: writes through to x
 * console.log(x.get(1, 0), x.at(1).toArray()); // 10 [ 10, 4, 5 ]
 * ```
 */
export class NDArray implements Strided {
  /** the storage, possibly shared with other arrays and possibly larger than this one */
  readonly data: TypedArray;
  /** sizes of the axes */
  readonly shape: Shape;
  /**
   * elements of `data` between neighbours along each axis; negative in a flipped one, 0 in a broadcast one
   */
  readonly strides: readonly number[];
  /** position in `data` of the first element */
  readonly offset: number;
  /** element type */
  readonly dtype: DType;
  /** number of elements */
  readonly size: number;

  /** @internal use {@link NDArray.fromParts} */
  private constructor(
    data: TypedArray,
    shape: Shape,
    strides: readonly number[],
    offset: number,
    dtype: DType,
  ) {
    this.data = data;
    this.shape = shape;
    this.strides = strides;
    this.offset = offset;
    this.dtype = dtype;
    this.size = sizeOf(shape);
  }

  /**
   * An array over existing storage, which it shares.
   * @throws ShapeError if an element is outside `data`, or `data` is not the storage of `dtype`
   */
  static fromParts(
    data: TypedArray,
    shape: Shape,
    strides: readonly number[],
    offset: number,
    dtype: DType,
  ): NDArray {
    checkShape('fromParts', shape);
    const fail = (problem: string, expected: string): ShapeError =>
      new ShapeError({ operation: 'fromParts', problem, operands: [{ shape, dtype }], expected });
    if (strides.length !== shape.length) {
      throw fail(
        `${strides.length} strides for ${shape.length} axes of ${formatShape(shape)}`,
        'a stride per axis',
      );
    }
    const { constructor } = DTYPES[checkDType('fromParts', dtype)];
    if (!(data instanceof constructor)) {
      throw fail(
        `${dtype} is stored in a ${constructor.name}, not in ${describeValue(data)}`,
        `a ${constructor.name}`,
      );
    }
    let low = offset;
    let high = offset;
    shape.forEach((length, axis) => {
      const reach = (length - 1) * strides[axis]!;
      if (reach < 0) low += reach;
      else high += reach;
    });
    if (!shape.includes(0) && !(low >= 0 && high < data.length)) {
      const parts = `shape ${formatShape(shape)} with strides ${formatShape(strides)} and offset ${offset}`;
      throw fail(
        `${parts} reaches elements ${low} to ${high} of ${data.length}`,
        'elements that are all in the data',
      );
    }
    return new NDArray(data, shape, strides, offset, dtype);
  }

  /**
   * An array over storage that holds exactly its elements in row-major order; it shares the storage.
   * @throws ShapeError as {@link fromParts}
   */
  static packed(data: TypedArray, shape: Shape, dtype: DType): NDArray {
    return NDArray.fromParts(data, shape, rowMajorStrides(shape), 0, dtype);
  }

  /** number of axes */
  get ndim(): number {
    return this.shape.length;
  }

  /** Whether `data` holds exactly these elements, packed in row-major order. */
  get isContiguous(): boolean {
    if (this.offset !== 0 || this.data.length !== this.size) return false;
    let stride = 1;
    for (let axis = this.ndim - 1; axis >= 0; axis--) {
      if (this.shape[axis] !== 1 && this.strides[axis] !== stride) return this.size === 0;
      stride *= this.shape[axis]!;
    }
    return true;
  }

  /**
   * This array if it {@link isContiguous}, else a packed copy of it: `.data` of the result is the elements in
   * row-major order.
   */
  contiguous(): NDArray {
    checkCount('contiguous', arguments.length, 0, 'x.contiguous()');
    return this.isContiguous ? this : this.copy();
  }

  /** A packed copy with storage of its own. */
  copy(): NDArray {
    checkCount('copy', arguments.length, 0, 'x.copy()');
    return NDArray.packed(pack(this), this.shape, this.dtype);
  }

  /**
   * The elements in another type, packed; this array itself if it already has the type. Float → integer
   * truncates toward zero, saturates, and takes NaN to 0; int32 ↔ uint32 keeps the bits; → bool is `!= 0`.
   */
  astype(dtype: DType): NDArray {
    checkCount('astype', arguments.length, 1, `x.astype('float32')`);
    if (dtype === this.dtype) return this;
    const data = convert(this.contiguous().data, this.dtype, checkDType('astype', dtype));
    return NDArray.packed(data, this.shape, dtype);
  }

  /**
   * One element; a bool as 0 or 1. Negative indices count from the end.
   * @param indices one per axis
   * @throws ShapeError if there are too few or too many, or one is out of range
   */
  get(...indices: number[]): number {
    return decode(this.dtype, this.data[this.position('get', indices)]!);
  }

  /**
   * Overwrites one element, or the sub-array at leading indices, in this array and in every one that shares
   * its data. Values are converted as by {@link astype}; an array broadcasts to the sub-array.
   * @param value a number with an index per axis; or an array, nested numbers or a typed array
   * @throws ShapeError as {@link get} and {@link at}, or if the value does not broadcast
   * @example
   * ```ts
   * import { zeros } from '@firsthand/linalg';
   * const x = zeros([2, 3]);
   * x.set(7, 0, 0);
   * x.set([1, 2, 3], 1);
   * console.log(x.toArray()); // [ [ 7, 0, 0 ], [ 1, 2, 3 ] ]
   * ```
   */
  set(value: NestedData | ArrayData, ...indices: number[]): void {
    if (typeof value === 'number') {
      this.data[this.position('set', indices)] = encode[this.dtype](value);
      return;
    }
    const { dtype } = this;
    if (typeof value === 'boolean' && dtype !== 'bool') checkNumber('set', 'the value', value as never);
    if (indices.length > this.ndim)
      throw this.countError('set', indices.length, 'indices', `at most ${this.ndim}`);
    const target = this.view(
      this.shape.slice(indices.length),
      this.strides.slice(indices.length),
      this.lead('set', indices),
    );
    let source =
      value instanceof NDArray
        ? value.astype(dtype)
        : packedOf(readData('set', value, { dtype, copy: false }));
    if (source.data === this.data) source = source.copy(); // it may overlap
    const strides = broadcastStrides('set', source.shape, source.strides, target.shape, [source, target]);
    copyInto(target, source.view([...target.shape], strides, source.offset));
  }

  private position(operation: string, indices: readonly number[]): number {
    if (indices.length !== this.ndim) {
      throw this.countError(operation, indices.length, 'indices', `${this.ndim}`);
    }
    return this.lead(operation, indices);
  }

  private countError(operation: string, given: number, what: string, wanted: string): ShapeError {
    return new ShapeError({
      operation,
      problem: `${given} ${what} for an array of shape ${formatShape(this.shape)}`,
      operands: [this],
      expected: wanted,
      remedy: `give ${wanted}`,
    });
  }

  /** The offset of the sub-array at the given leading indices. */
  private lead(operation: string, indices: readonly number[]): number {
    let position = this.offset;
    indices.forEach((index, axis) => {
      position += normalizeIndex(operation, index, this.shape[axis]!, axis, [this]) * this.strides[axis]!;
    });
    return position;
  }

  private view(shape: Shape, strides: readonly number[], offset: number): NDArray {
    return new NDArray(this.data, shape, strides, offset, this.dtype);
  }

  /**
   * The part of the array at the given indices, as a view: of a matrix, `at(i)` is row i, and `at(null, j)`
   * column j. An index drops its axis, negative ones count from the end; a range keeps it, and so does null,
   * with all of it.
   * @param indices one per leading axis
   * @throws ShapeError if there are more indices than axes, or one is out of range
   */
  at(...indices: readonly (number | SliceRange | null)[]): NDArray {
    if (indices.length > this.ndim) {
      throw this.countError('at', indices.length, 'indices', `at most ${this.ndim}`);
    }
    return this.indexed('at', indices);
  }

  /**
   * The slice of the array by the given ranges, as a view. Axes without a range are whole.
   * @param ranges one per leading axis
   * @throws ShapeError if there are more ranges than axes, a bound is not a whole number, or a step is 0
   * @example
   * ```ts
   * import { arange } from '@firsthand/linalg';
   * const x = arange(12).reshape([3, 4]);
   * console.log(x.slice({ start: 1 }, { step: -2 }).toArray()); // [ [ 7, 5 ], [ 11, 9 ] ]
   * ```
   */
  slice(...ranges: (SliceRange | null)[]): NDArray {
    if (ranges.length > this.ndim) {
      throw this.countError('slice', ranges.length, 'ranges', `at most ${this.ndim}`);
    }
    // Refuses numbers: an index, which drops its axis, is for `at`.
    const checked = ranges.map((range) => checkOptions('slice', range ?? {}, RANGE_KEYS));
    return this.indexed('slice', checked);
  }

  /** The view of the elements at an index, which drops its axis, or in a range, for each leading axis. */
  private indexed(operation: string, indices: readonly (number | SliceRange | null)[]): NDArray {
    const shape: number[] = [];
    const strides: number[] = [];
    let offset = this.offset;
    this.shape.forEach((length, axis) => {
      const index = indices[axis] ?? {};
      const stride = this.strides[axis]!;
      if (typeof index === 'number' || !isPlain(index)) {
        offset += normalizeIndex(operation, index as number, length, axis, [this]) * stride;
        return;
      }
      const { first, count, step } = resolveRange(operation, index, length);
      if (count > 0) offset += first * stride;
      shape.push(count);
      strides.push(stride * step);
    });
    return this.view(shape, strides, offset);
  }

  /**
   * The same elements in row-major order under another shape: a view where strides can say it, else a packed
   * copy.
   * @param sizes an array or numbers: `reshape([3, 2])`, `reshape(3, 2)`; at most one may be -1 and is
   *   inferred
   * @throws ShapeError if the number of elements differs
   */
  reshape(...sizes: ShapeArguments): NDArray {
    const shape = readSizes('reshape', sizes);
    const target = [...shape];
    const fail = (problem: string, expected: string): ShapeError =>
      new ShapeError({
        operation: 'reshape',
        problem: `${formatShape(this.shape)} has ${this.size} elements, ${problem}`,
        operands: [this],
        expected,
      });
    const unknown = target.indexOf(-1);
    if (unknown >= 0) {
      target[unknown] = 1;
      const known = sizeOf(target);
      target[unknown] = known === 0 ? 0 : this.size / known;
      if (known === 0 || !Number.isInteger(target[unknown])) {
        throw fail(
          `so no size fits -1 in ${formatShape(shape)}`,
          `other sizes whose product divides ${this.size}`,
        );
      }
    }
    checkShape('reshape', target);
    if (sizeOf(target) !== this.size) {
      const problem = `${formatShape(shape)} has ${sizeOf(target)} (${this.size} ≠ ${sizeOf(target)})`;
      throw fail(problem, `sizes whose product is ${this.size}`);
    }
    const strides = reshapeStrides(this.shape, this.strides, target);
    if (strides !== null) return this.view(target, strides, this.offset);
    return NDArray.packed(pack(this), target, this.dtype);
  }

  /**
   * The axes in another order, as a view: axis k of the result is axis `axes[k]` of this array.
   * @param axes an array or numbers: `permute([2, 0, 1])`, `permute(2, 0, 1)`
   * @throws ShapeError unless every axis is named once
   */
  permute(...axes: ShapeArguments): NDArray {
    const list = readSizes('permute', axes);
    const order = normalizeAxes('permute', list, this.ndim, [this]);
    if (list.length !== this.ndim) {
      const problem = `axes ${formatShape(list)} must name each axis of ${formatShape(this.shape)} once`;
      throw new ShapeError({ operation: 'permute', problem, operands: [this], expected: 'each axis once' });
    }
    const shape = order.map((axis) => this.shape[axis]!);
    const strides = order.map((axis) => this.strides[axis]!);
    return this.view(shape, strides, this.offset);
  }

  /**
   * Two axes exchanged, as a view; by default the last two, which transposes a matrix or each matrix of a
   * batch.
   * @throws ShapeError if an axis is out of range, which the defaults are for fewer than two axes
   * @throws OptionError for an order of axes, which is `permute`'s
   */
  transpose(...axes: readonly [first?: number, second?: number]): NDArray {
    const [first, second] = readExchange('transpose', axes);
    const a = normalizeAxis('transpose', first, this.ndim, [this]);
    const b = normalizeAxis('transpose', second, this.ndim, [this]);
    const order = normalizeAxes('transpose', undefined, this.ndim);
    order[a] = b;
    order[b] = a;
    return this.permute(order);
  }

  /**
   * The given axes (all, if none are given) walked backwards, as a view.
   * @param axis a number, an array of numbers, or { axis }
   * @throws ShapeError if an axis is out of range or named twice
   */
  flip(axis?: AxisArgument<AxisOptions>): NDArray {
    checkCount('flip', arguments.length, 1, 'x.flip([0, 1])');
    const flipped = normalizeAxes('flip', axisOptions<AxisOptions>('flip', axis, AXIS_KEYS).axis, this.ndim, [
      this,
    ]);
    return this.slice(...this.shape.map((_, axis) => (flipped.includes(axis) ? { step: -1 } : null)));
  }

  /**
   * This array repeated to a broader shape, as a view with stride 0 along the repeated axes. Writing to one
   * element of it writes to all that repeat it.
   * @param sizes an array or numbers: `broadcastTo([2, 3])`, `broadcastTo(2, 3)`
   * @throws ShapeError if it does not broadcast to `shape`
   */
  broadcastTo(...sizes: ShapeArguments): NDArray {
    const shape = readSizes('broadcastTo', sizes);
    if (equalShapes(shape, this.shape)) return this;
    const target = [...checkShape('broadcastTo', shape)];
    return this.view(
      target,
      broadcastStrides('broadcastTo', this.shape, this.strides, target, [this]),
      this.offset,
    );
  }

  /** Nested arrays of numbers, or of booleans for bool; a plain number or boolean for a scalar. */
  toArray(): Nested {
    checkCount('toArray', arguments.length, 0, 'x.toArray()');
    return nested(this.contiguous().data, this.shape, this.dtype);
  }

  /** The elements as numpy prints them, with an ellipsis where an array has more than 1000. */
  toString(): string {
    return formatArray(this, this.dtype);
  }

  /**
   * What `JSON.stringify` writes: nested arrays, which {@link array} reads again. JSON has no NaN and no
   * infinities, and writes null for them.
   */
  toJSON(): Nested {
    return this.toArray();
  }

  /** What bundlers cannot shorten: the name in error messages. */
  get [Symbol.toStringTag](): string {
    return 'NDArray';
  }

  /**
   * Text is what {@link toString} gives. JavaScript has no operators for arrays.
   * @throws TypeError where a number is wanted
   */
  [Symbol.toPrimitive](hint: string): string {
    return printable('an array', 'add(a, b) for a + b, and a.get() for the number in it', hint, this);
  }

  static {
    // How Node's console asks an object for its text; declarations cannot spell a registered symbol.
    Object.defineProperty(this.prototype, Symbol.for('nodejs.util.inspect.custom'), {
      value(this: NDArray) {
        return `NDArray ${this.dtype} ${formatShape(this.shape)}\n${this.toString()}`;
      },
    });
  }
}

const packedOf = ({ data, shape, dtype }: Elements): NDArray => NDArray.packed(data, shape, dtype);

const RANGE_KEYS: OptionKeys<SliceRange> = { start: true, stop: true, step: true };

/**
 * The first index, the number of indices and the step of a range over an axis of the given length.
 * @throws ShapeError if a bound is not a whole number, or the step is 0
 * @throws OptionError for a key that does not exist
 */
export function resolveRange(
  operation: string,
  given: SliceRange,
  length: number,
): { first: number; count: number; step: number } {
  const range = checkOptions(operation, given, RANGE_KEYS);
  const step = range.step ?? 1;
  const bounds = [range.start ?? 0, range.stop ?? 0, step];
  if (step === 0 || !bounds.every(Number.isInteger)) {
    const problem = `bounds and step are whole numbers and a step is not 0: ${JSON.stringify(range)}`;
    throw new ShapeError({ operation, problem, expected: 'whole numbers, and a step that is not 0' });
  }
  const lowest = step > 0 ? 0 : -1; // walking backwards, -1 is the position before the first element
  const clip = (bound: number): number =>
    Math.min(Math.max(bound < 0 ? bound + length : bound, lowest), length + lowest);
  const first = range.start === undefined ? (step > 0 ? 0 : length - 1) : clip(range.start);
  const stop = range.stop === undefined ? (step > 0 ? length : -1) : clip(range.stop);
  return { first, count: Math.max(0, Math.ceil((stop - first) / step)), step };
}
