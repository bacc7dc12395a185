/**
 * Attention without a mask in plain loops, head by head: its result, and from the gradient of that the
 * gradients of queries, keys and values.
 */
import type { AttentionTask } from '../tasks.ts';
import { softmaxGradient, softmaxRows } from './maps.ts';

/** y = a·bᵀ·scale. a: (rows, D), b: (columns, D). Result: (rows, columns). */
function dots(a: Float32Array, b: Float32Array, size: number, scale: number): Float32Array {
  const [rows, columns] = [a.length / size, b.length / size];
  const y = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      let dot = 0;
      for (let d = 0; d < size; d++) dot += a[i * size + d]! * b[j * size + d]!;
      y[i * columns + j] = dot * scale;
    }
  }
  return y;
}

/** y += w·x·scale, or wᵀ·x·scale. w: (T, T), x and y: (T, D). */
function addWeighted(
  y: Float32Array,
  w: Float32Array,
  x: Float32Array,
  size: number,
  scale: number,
  transposed: boolean,
): void {
  const positions = x.length / size;
  for (let i = 0; i < positions; i++) {
    for (let j = 0; j < positions; j++) {
      const weight = w[i * positions + j]! * scale;
      const [to, from] = transposed ? [j * size, i * size] : [i * size, j * size];
      for (let d = 0; d < size; d++) y[to + d]! += weight * x[from + d]!;
    }
  }
}

/**
 * With p = softmax(q·kᵀ/√D): y = p·v; dv = pᵀ·g, dp = g·vᵀ, ds from the softmax, dq = ds·k/√D, dk = dsᵀ·q/√D.
 * @param operands q, k and v, each (batch, heads, T, D)
 * @param g the gradient of y
 * @returns y, dq, dk, dv
 */
export function attentionForwardAndBackward(
  { batch, heads, positions, size }: AttentionTask,
  operands: readonly Float32Array[],
  g: Float32Array,
): Float32Array[] {
  const results = Array.from({ length: 4 }, () => new Float32Array(g.length));
  const scale = 1 / Math.sqrt(size);
  for (let head = 0; head < batch * heads; head++) {
    const part = (x: Float32Array): Float32Array =>
      x.subarray(head * positions * size, (head + 1) * positions * size);
    const [q, k, v] = operands.map(part) as [Float32Array, Float32Array, Float32Array];
    const [y, dq, dk, dv] = results.map(part) as [Float32Array, Float32Array, Float32Array, Float32Array];
    const p = softmaxRows(dots(q, k, size, scale), positions, positions);
    addWeighted(y, p, v, size, 1, false);
    addWeighted(dv, p, part(g), size, 1, true);
    const ds = softmaxGradient(p, dots(part(g), v, size, 1), positions, positions);
    addWeighted(dq, ds, k, size, scale, false);
    addWeighted(dk, ds, q, size, scale, true);
  }
  return results;
}
