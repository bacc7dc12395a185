/**
 * The matrix product with the shape rules of numpy and PyTorch: the last two axes are matrices, the axes
 * before them a batch that broadcasts, and a vector is a row on the left or a column on the right whose axis
 * then disappears. The arithmetic is in `gemm.ts`.
 */
import { checkCount } from './arguments.ts';
import { allocate, DTYPES } from './dtype.ts';
import { ShapeError } from './errors.ts';
import { gemm, integerGemm, type MatrixView } from './gemm.ts';
import { forEachIndex } from './loops.ts';
import { NDArray } from './ndarray.ts';
import { broadcastArrays, checkDomain, requireArray, typesDiffer, widen } from './operands.ts';
import { broadcastStrides, formatShape, rowMajorStrides, sizeOf } from './shape.ts';

/**
 * The matrix product, Cᵢⱼ = Σₖ Aᵢₖ·Bₖⱼ. Any strides are read in place: `matmul(x.transpose(), y)` copies
 * nothing. Floats are accumulated in double precision and rounded once; integers wrap modulo 2³².
 * @param a shape […batch, M, K], or [K]
 * @param b shape […batch, K, N], or [K]; the batches broadcast
 * @returns shape […batch, M, N], without M where a is a vector and without N where b is; zeros if K is 0
 * @throws ShapeError if the inner sizes differ, a batch does not broadcast, or an operand is a scalar
 * @throws DTypeError if the types differ or are bool
 * @example
 * ```ts
 * import { array, matmul } from '@firsthand/linalg';
 * console.log(matmul(array([[1, 2], [3, 4]]), array([10, 1])).toArray()); // [ 12, 34 ]
 * ```
 */
export function matmul(a: NDArray, b: NDArray): NDArray {
  checkCount('matmul', arguments.length, 2, 'matmul(a, b)');
  const operands = [requireArray('matmul', a, 'a'), requireArray('matmul', b, 'b')];
  const pair = `${formatShape(a.shape)} · ${formatShape(b.shape)}`;
  if (a.dtype !== b.dtype) throw typesDiffer('matmul', a, b);
  checkDomain('matmul', a, 'number');
  if (a.ndim === 0 || b.ndim === 0) {
    const [problem, expected] = [`a scalar has no axis to sum over: ${pair}`, 'an axis to sum over'];
    throw new ShapeError({ operation: 'matmul', problem, operands, expected, remedy: 'use mul' });
  }
  const left = widen(a.ndim === 1 ? a.reshape([1, a.size]) : a);
  const right = widen(b.ndim === 1 ? b.reshape([b.size, 1]) : b);
  const [rows, inner] = left.shape.slice(-2) as [number, number];
  const [rightInner, columns] = right.shape.slice(-2) as [number, number];
  if (inner !== rightInner) {
    const [problem, expected] = [
      `inner sizes differ: ${pair} (${inner} ≠ ${rightInner})`,
      'a: (…, m, k) and b: (…, k, n)',
    ];
    throw new ShapeError({ operation: 'matmul', problem, operands, expected });
  }
  const batch = broadcastArrays('matmul', operands, [left.shape.slice(0, -2), right.shape.slice(0, -2)]);
  const data = allocate(left.dtype, sizeOf(batch) * rows * columns, 'matmul');
  if (right.ndim === 2 && left.ndim > 2) {
    // One tall product: B is packed once.
    multiplyBatch([], left.reshape([sizeOf(batch) * rows, inner]), right, data);
  } else {
    multiplyBatch(batch, left, right, data);
  }
  const shape = [...batch, ...(a.ndim === 1 ? [] : [rows]), ...(b.ndim === 1 ? [] : [columns])];
  return NDArray.packed(data, shape, left.dtype).astype(a.dtype);
}

function multiplyBatch(batch: readonly number[], left: NDArray, right: NDArray, data: NDArray['data']): void {
  const [rows, inner] = left.shape.slice(-2) as [number, number];
  const columns = right.shape.at(-1)!;
  if (data.length === 0) return;
  const kernel = DTYPES[left.dtype].isFloat ? gemm : integerGemm;
  const strides = [
    broadcastStrides('matmul', left.shape.slice(0, -2), left.strides, batch),
    broadcastStrides('matmul', right.shape.slice(0, -2), right.strides, batch),
    rowMajorStrides([...batch, rows * columns]),
  ];
  forEachIndex(batch, strides, [left.offset, right.offset, 0], (offsets) => {
    const [i, j, o] = offsets as [number, number, number];
    kernel(rows, columns, inner, matrixAt(left, i), matrixAt(right, j), { data, offset: o });
  });
}

function matrixAt(x: NDArray, offset: number): MatrixView {
  return { data: x.data, offset, rowStep: x.strides.at(-2)!, columnStep: x.strides.at(-1)! };
}
