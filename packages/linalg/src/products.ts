/**
 * Products and sizes of vectors, matrices and tensors, each said in terms of matmul, an elementwise product
 * or a reduction.
 */
import { axisOptions, checkCount, REDUCE_KEYS, type AxisArgument, type ReduceOptions } from './arguments.ts';
import { binary, where } from './binary.ts';
import { zeros } from './create.ts';
import { ShapeError } from './errors.ts';
import { matmul } from './matmul.ts';
import { NDArray } from './ndarray.ts';
import { checkDomain, requireArray, scalar, widen } from './operands.ts';
import { describeValue, type OptionKeys } from './options.ts';
import { reduce } from './reduce.ts';
import { formatShape, normalizeAxes, sizeOf } from './shape.ts';
import { unary } from './unary.ts';

function checkVectors(operation: string, a: NDArray, b: NDArray): void {
  const operands = [requireArray(operation, a, 'a'), requireArray(operation, b, 'b')];
  if (a.ndim !== 1 || b.ndim !== 1) {
    const problem = `takes two vectors, not ${formatShape(a.shape)} and ${formatShape(b.shape)}`;
    throw new ShapeError({
      operation,
      problem,
      operands,
      expected: 'operands of one axis each',
      remedy: 'use matmul, or reshape',
    });
  }
}

/**
 * The inner product of two vectors, Σ aᵢ·bᵢ.
 * @param a shape [N]
 * @param b shape [N]
 * @returns shape []
 * @throws ShapeError unless both are vectors of one length
 */
export function dot(a: NDArray, b: NDArray): NDArray {
  checkCount('dot', arguments.length, 2, 'dot(a, b)');
  checkVectors('dot', a, b);
  if (a.size !== b.size) {
    const problem = `sizes differ: ${formatShape(a.shape)} · ${formatShape(b.shape)} (${a.size} ≠ ${b.size})`;
    throw new ShapeError({ operation: 'dot', problem, operands: [a, b], expected: 'vectors of one length' });
  }
  return matmul(a, b);
}

/**
 * The outer product of two vectors, Cᵢⱼ = aᵢ·bⱼ.
 * @param a shape [M]
 * @param b shape [N]
 * @returns shape [M, N]
 * @throws ShapeError unless both are vectors
 */
export function outer(a: NDArray, b: NDArray): NDArray {
  checkCount('outer', arguments.length, 2, 'outer(a, b)');
  checkVectors('outer', a, b);
  return binary('mul', a.reshape([a.size, 1]), b);
}

/**
 * Sums the product of two arrays over pairs of axes.
 * @param axes how many: the last of a with the first of b; or which: a's, and b's in the same order
 * @returns a's other axes, then b's other axes
 * @throws ShapeError if paired sizes differ
 */
export function tensordot(
  a: NDArray,
  b: NDArray,
  axes: number | readonly [readonly number[], readonly number[]] = 2,
): NDArray {
  checkCount('tensordot', arguments.length, 3, 'tensordot(a, b, axes)');
  const operands = [requireArray('tensordot', a, 'a'), requireArray('tensordot', b, 'b')];
  const isCount =
    typeof axes === 'number' && Number.isInteger(axes) && axes >= 0 && axes <= Math.min(a.ndim, b.ndim);
  const isPair = Array.isArray(axes) && axes.length === 2 && axes.every(Array.isArray);
  if (!isCount && !isPair) {
    const what = typeof axes === 'number' ? axes : describeValue(axes);
    const problem = `cannot pair ${what} axes of ${formatShape(a.shape)} and ${formatShape(b.shape)}`;
    throw new ShapeError({
      operation: 'tensordot',
      problem,
      operands,
      expected: 'how many axes, or two lists of axes',
    });
  }
  const range = (start: number, count: number): number[] =>
    Array.from({ length: count }, (_, i) => start + i);
  const [first, second] = typeof axes === 'number' ? [range(a.ndim - axes, axes), range(0, axes)] : axes;
  const summedA = normalizeAxes('tensordot', first, a.ndim, operands);
  const summedB = normalizeAxes('tensordot', second, b.ndim, operands);
  const sizesA = summedA.map((axis) => a.shape[axis]!);
  const sizesB = summedB.map((axis) => b.shape[axis]!);
  if (formatShape(sizesA) !== formatShape(sizesB)) {
    throw new ShapeError({
      operation: 'tensordot',
      problem: `paired sizes differ: ${formatShape(sizesA)} and ${formatShape(sizesB)} of ${formatShape(a.shape)} · ${formatShape(b.shape)}`,
      operands,
      expected: 'pairs of axes of one size',
    });
  }
  const parallelA = range(0, a.ndim).filter((axis) => !summedA.includes(axis));
  const parallelB = range(0, b.ndim).filter((axis) => !summedB.includes(axis));
  const shapeA = parallelA.map((axis) => a.shape[axis]!);
  const shapeB = parallelB.map((axis) => b.shape[axis]!);
  const inner = sizeOf(sizesA);
  const left = a.permute([...parallelA, ...summedA]).reshape([sizeOf(shapeA), inner]);
  const right = b.permute([...summedB, ...parallelB]).reshape([inner, sizeOf(shapeB)]);
  return matmul(left, right).reshape([...shapeA, ...shapeB]);
}

/**
 * The Kronecker product: each element of a becomes the block of b multiplied by it.
 * @returns sizes multiplied axis by axis; the array with fewer axes gets leading ones
 */
export function kron(a: NDArray, b: NDArray): NDArray {
  checkCount('kron', arguments.length, 2, 'kron(a, b)');
  const ndim = Math.max(requireArray('kron', a, 'a').ndim, requireArray('kron', b, 'b').ndim);
  const lead = (x: NDArray): number[] => [...new Array<number>(ndim - x.ndim).fill(1), ...x.shape];
  const [shapeA, shapeB] = [lead(a), lead(b)];
  const product = binary(
    'mul',
    a.reshape(shapeA.flatMap((length) => [length, 1])),
    b.reshape(shapeB.flatMap((length) => [1, length])),
  );
  return product.reshape(shapeA.map((length, axis) => length * shapeB[axis]!));
}

/**
 * The diagonal of each matrix, as a view.
 * @param x shape […batch, M, N]
 * @returns shape […batch, min(M, N)]
 * @throws ShapeError for fewer than two axes
 */
export function diagonal(x: NDArray): NDArray {
  checkCount('diagonal', arguments.length, 1, 'diagonal(x)');
  return diagonalOf('diagonal', x);
}

function diagonalOf(operation: string, x: NDArray): NDArray {
  if (requireArray(operation, x).ndim < 2) {
    const problem = `${formatShape(x.shape)} is not a matrix`;
    throw new ShapeError({ operation, problem, operands: [x], expected: 'two axes or more' });
  }
  const [rows, columns] = x.shape.slice(-2) as [number, number];
  const step = x.strides.at(-2)! + x.strides.at(-1)!;
  return NDArray.fromParts(
    x.data,
    [...x.shape.slice(0, -2), Math.min(rows, columns)],
    [...x.strides.slice(0, -2), step],
    x.offset,
    x.dtype,
  );
}

/**
 * The sum of each matrix's diagonal.
 * @param x shape […batch, M, N]
 * @returns shape […batch]
 * @throws ShapeError for fewer than two axes
 */
export function trace(x: NDArray): NDArray {
  checkCount('trace', arguments.length, 1, 'trace(x)');
  return reduce('sum', diagonalOf('trace', x), [-1]);
}

/**
 * As {@link ReduceOptions}; `order` is p of (Σ|x|ᵖ)^(1/p), Infinity for the largest |x|, and 2 if not given.
 */
export interface NormOptions extends ReduceOptions {
  readonly order?: number | undefined;
}

const NORM_KEYS: OptionKeys<NormOptions> = { ...REDUCE_KEYS, order: 'number' };

/**
 * The length of vectors: (Σ|x|ᵖ)^(1/p) over the given axes, or over all elements (of a matrix, with p = 2,
 * the Frobenius norm). The largest |x| is divided out first, so that powers neither overflow nor vanish.
 * @param axis which axes, all if not given: a number, an array, or { axis, keepDims, order }
 * @throws ShapeError if p is not positive
 * @throws DTypeError for integers and bools
 */
export function norm(x: NDArray, axis?: AxisArgument<NormOptions>): NDArray {
  checkCount('norm', arguments.length, 2, 'norm(x, { order, axis, keepDims })');
  const options = axisOptions<NormOptions>('norm', axis, NORM_KEYS);
  checkDomain('norm', requireArray('norm', x), 'float');
  const order = options.order ?? 2;
  if (!(order > 0)) {
    throw new ShapeError({
      operation: 'norm',
      problem: `order ${order} is not positive`,
      operands: [x],
      expected: 'an order above 0',
    });
  }
  const axes = normalizeAxes('norm', options.axis, x.ndim, [x]);
  const shape = x.shape.flatMap((length, axis) =>
    !axes.includes(axis) ? [length] : options.keepDims === true ? [1] : [],
  );
  if (x.size === 0) return zeros(shape, { dtype: x.dtype });
  const magnitudes = unary('abs', widen(x).astype('float64'));
  const largest = reduce('max', magnitudes, axes, true);
  if (order === Infinity) return largest.reshape(shape).astype(x.dtype);
  const usable = binary('logicalAnd', binary('gt', largest, 0), binary('lt', largest, Infinity));
  const scale = where(usable, largest, scalar('norm', 1, 'float64'));
  const powers = reduce('sum', binary('pow', binary('div', magnitudes, scale), order), axes, true);
  return binary('mul', scale, binary('pow', powers, 1 / order))
    .reshape(shape)
    .astype(x.dtype);
}
