/**
 * The product of matrices as three loops, the middle one over the shared axis, so that the innermost runs
 * along rows: what one writes without a library.
 */
import type { MatmulTask } from '../tasks.ts';

function transposed(x: Float32Array, rows: number, columns: number): Float32Array {
  const y = new Float32Array(x.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) y[j * rows + i] = x[i * columns + j]!;
  return y;
}

/**
 * Y = op(A)·op(B), as often as the task says.
 * @param a (batch, m, k), or (batch, k, m) if transposed
 * @param b (batch, k, n), or (batch, n, k) if transposed
 * @returns (batch, m, n)
 */
export function multiply(task: MatmulTask, a: Float32Array, b: Float32Array): Float32Array {
  const { batch, m, k, n, transposeA, transposeB, chain } = task;
  const y = new Float32Array(batch * m * n);
  for (let each = 0; each < batch; each++) {
    const first = a.subarray(each * m * k, (each + 1) * m * k);
    const second = b.subarray(each * k * n, (each + 1) * k * n);
    let left = transposeA ? transposed(first, k, m) : first;
    const right = transposeB ? transposed(second, n, k) : second;
    for (let link = 0; link < chain; link++) left = multiplyOne(task, left, right);
    y.set(left, each * m * n);
  }
  return y;
}

/** a: (m, k), b: (k, n). Result: (m, n). */
function multiplyOne({ m, k, n }: MatmulTask, a: Float32Array, b: Float32Array): Float32Array {
  const y = new Float32Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let p = 0; p < k; p++) {
      const x = a[i * k + p]!;
      for (let j = 0; j < n; j++) y[i * n + j]! += x * b[p * n + j]!;
    }
  }
  return y;
}
